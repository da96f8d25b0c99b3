"""`members.contacts.v1` → whose identity is whose. The handler of that topic.

Every record of it is about us: what cannot be read is a dead letter here too, since an event would wait for it in vain.
"""

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from schemas.envelope import EventError, read_in_place
from schemas.members import ContactV1
from schemas.types import MemberId
from services.auth_events.identities import Known, identity_of, runs
from services.auth_events.metrics import UpstreamMetrics
from services.auth_events.whose import Whose
from services.runtime.clock import Clock
from services.runtime.intake import Intake, Letter
from services.runtime.kafka import Batch, Record, time_of

_MEMBER: TypeAdapter[str] = TypeAdapter(MemberId)


class Contacts:
    """Idempotent: a contact counts only if its version is higher."""

    def __init__(self, whose: Whose, clock: Clock, metrics: UpstreamMetrics) -> None:
        self._whose = whose
        self._clock = clock
        self._metrics = metrics

    async def take(self, batch: Batch, intake: Intake) -> None:
        entries: list[tuple[Record, Known]] = []
        letters: list[Letter] = []
        for record in batch.records:
            try:
                entries.append((record, known_of(record)))
            except EventError as error:
                letters.append(Letter(record, error))
        await intake.take(batch, entries, letters, self._hear)

    async def _hear(self, entries: Sequence[tuple[Record, Known]]) -> list[Letter]:
        for run in runs([known for _, known in entries]):
            self._metrics.record_woken(await self._whose.hear(run, self._clock.now()))
        return []


def known_of(record: Record) -> Known:
    """Raises `EventError`."""
    if record.value is None:
        return _tombstone(record)
    event = read_in_place(record)
    assert isinstance(event.data, ContactV1)
    return Known(
        member=event.subject,
        version=event.data.version,
        time=event.time,
        identities=frozenset(identity_of(each.issuer, each.subject) for each in event.data.identities),
    )


def _tombstone(record: Record) -> Known:
    try:
        member = _MEMBER.validate_python((record.key or b"").decode())
    except (UnicodeDecodeError, ValidationError):
        raise EventError("key-mismatch", "record key", "must be a member id") from None
    if (at := time_of(record)) is None:
        raise EventError("attribute-invalid", "record timestamp")
    return Known(member=member, version=None, time=at)
