"""An event of the contract as the record of its topic, and back."""

from schemas.envelope import Event, EventError, read_record, write_structured
from schemas.topics import TOPIC_OF_TYPE, Topic
from schemas.types import Data
from services.runtime import traces
from services.runtime.kafka import Record
from services.runtime.publisher import Message


def message(event: Event[Data]) -> Message:
    """With the trace that begins in this service (`traces.published`)."""
    value, headers = write_structured(event)
    return Message(
        topic=TOPIC_OF_TYPE[event.type].name,
        key=event.subject.encode(),
        value=value,
        headers=[*headers, *traces.header(event.source, event.id)],
    )


def told(event: Event[Data]) -> Message:
    """`message` of what we say of our own accord: no request stands behind it."""
    traces.published(event.source, event.id, event.type, traces.since())
    return message(event)


def event_on(topic: Topic, record: Record) -> Event[Data]:
    """Raises `EventError`: also for an event of another topic, or under another key than its subject."""
    event = read_record(record.headers, record.value)
    belongs_on = TOPIC_OF_TYPE[event.type]
    if belongs_on is not topic:
        raise EventError("topic-mismatch", "type", f"belongs on {belongs_on.name}")
    if record.key != event.subject.encode():
        raise EventError("key-mismatch", "record key", "must be the subject")
    return event
