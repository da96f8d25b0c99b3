"""Batch in: decode → plan → ledger, one transaction → dead letters → commit offsets.

The handler never raises for the data's sake; what surrounds a transaction is `runtime.intake`'s.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime

from schemas.envelope import Event, EventError, read_in_place
from schemas.members import ContactV1
from schemas.types import Data
from services.notifier import metrics
from services.notifier.ledger.accepting import Accepting
from services.notifier.ledger.contacts import Contacts, StoredContact
from services.notifier.ledger.inserting import Accepted, ReadEvent
from services.notifier.ledger.upkeep import AHEAD, HORIZON
from services.runtime import traces
from services.runtime.clock import Clock
from services.runtime.intake import Intake, Letter, origin_of
from services.runtime.kafka import Batch, Record, time_of


class Acceptor:
    """Turns batches of one subscription into rows of the ledger."""

    def __init__(
        self,
        *,
        accepting: Accepting,
        contacts: Contacts,
        intake: Intake,
        clock: Clock,
        brands: Container[str],
        room: Callable[[], Mapping[str, int]],
        accepted: Callable[[Accepted], None],
    ) -> None:
        self._accepting = accepting
        self._contacts = contacts
        self._intake = intake
        self._clock = clock
        self._brands = brands
        self._room = room
        self._accepted = accepted

    @property
    def waiting_for(self) -> str | None:
        """For readiness: what the last batch could not do."""
        return self._intake.waiting_for

    async def events(self, batch: Batch) -> None:
        """The handler of the event topics."""
        entries: list[tuple[Record, ReadEvent]] = []
        letters: list[Letter] = []
        now = self._clock.now()
        for record in batch.records:
            try:
                entries.append((record, ReadEvent(_read(record, now), origin_of(record))))
            except EventError as error:
                letters.append(Letter(record, error))
        await self._intake.take(batch, entries, letters, self._accept)

    async def contacts(self, batch: Batch) -> None:
        """The handler of the contacts topic: state, not events, so neither horizon nor dedupe."""
        entries: list[tuple[Record, StoredContact]] = []
        letters: list[Letter] = []
        for record in batch.records:
            try:
                entries.append((record, _contact(record, self._brands)))
            except EventError as error:
                letters.append(Letter(record, error))
        await self._intake.take(batch, entries, letters, self._store)

    async def _accept(self, entries: Sequence[tuple[Record, ReadEvent]]) -> list[Letter]:
        began = traces.since()
        accepted = await self._accepting.accept([entry for _, entry in entries], self._clock.now(), self._room())
        self._accepted(accepted)
        for record, entry in entries:
            traces.accepted(record, entry.event.source, entry.event.id, entry.event.type, began)
        records = {entry.origin: record for record, entry in entries}
        return [
            *(Letter(records[entry.origin], EventError("id-reused", "id")) for entry in accepted.reused),
            *(Letter(records[entry.origin], refused.error) for entry, refused in accepted.refused),
        ]

    async def _store(self, entries: Sequence[tuple[Record, StoredContact]]) -> list[Letter]:
        """In runs that name each member once: within a run order does not matter, between runs it is kept."""
        run: dict[str, StoredContact] = {}
        for _, entry in entries:
            if entry.member_id in run:
                await self._store_run(run)
                run = {}
            run[entry.member_id] = entry
        await self._store_run(run)
        return []

    async def _store_run(self, run: dict[str, StoredContact]) -> None:
        accepted = await self._contacts.store(list(run.values()), self._clock.now(), self._room())
        self._accepted(accepted)
        metrics.record_decision("contact", len(run))


def _read(record: Record, now: datetime) -> Event[Data]:
    event = read_in_place(record)
    if not (now - HORIZON).date() <= event.time.date() or event.time > now + AHEAD:
        raise EventError("outside-dedupe-horizon", "time", "130 days back to 5 minutes ahead")
    return event


def _contact(record: Record, brands: Container[str]) -> StoredContact:
    if record.value is None:
        return _tombstone(record)
    event = read_in_place(record)
    assert isinstance(event.data, ContactV1)
    if event.data.brand not in brands:
        raise EventError("brand-unknown", "data.brand", "no such brand folder")
    return StoredContact(event.subject, event.time, event.data)


def _tombstone(record: Record) -> StoredContact:
    """Nothing of it was ever validated: its key is bytes, its timestamp the producer's."""
    if record.key is None:
        raise EventError("attribute-missing", "record key")
    if (at := time_of(record)) is None:
        raise EventError("attribute-invalid", "record timestamp")
    return StoredContact(record.key.decode("utf-8", "replace"), at, None)
