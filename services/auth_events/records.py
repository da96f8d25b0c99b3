"""An event of the contract as the record of its topic."""

from schemas.envelope import Event, write_structured
from schemas.topics import TOPIC_OF_TYPE
from schemas.types import Data
from services.runtime import traces
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
