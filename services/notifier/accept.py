"""Batch in: decode → plan → ledger, one transaction → dead letters → commit offsets.

The handler never raises for the data's sake. What one record does never stops or drops its neighbours: a batch the
database refuses is bisected. The database away: wait in place for a bounded time, then read the batch again later.
"""

import asyncio
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias, TypeVar

import structlog

from schemas.envelope import Event, EventError, read_record
from schemas.members import ContactV1
from schemas.topics import CONTACTS, NOTIFIER_DEAD_LETTERS, TOPIC_OF_TYPE
from schemas.types import Data
from services.notifier import metrics
from services.notifier.ledger.accepting import Accepting
from services.notifier.ledger.contacts import Contacts, StoredContact
from services.notifier.ledger.inserting import Accepted, ReadEvent
from services.notifier.ledger.upkeep import AHEAD, HORIZON
from services.runtime.clock import Clock
from services.runtime.database import describe, is_away
from services.runtime.dead_letters import dead_letter
from services.runtime.failpoints import failpoint
from services.runtime.kafka import MAX_WAIT_SECONDS, Batch, Drain, Record
from services.runtime.outbox import pause
from services.runtime.publisher import BrokerAwayError, Publisher
from services.runtime.vault import Vault

log = structlog.get_logger()

PUBLISH_SECONDS = 20.0
BROKER_AWAY_SECONDS = 2.0
Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Letter:
    """A record that was not accepted, and why."""

    record: Record
    error: EventError


Step: TypeAlias = Callable[[Sequence[tuple[Record, Entry]]], Awaitable[list[Letter]]]
"""Puts entries into the ledger in one transaction and says which it refused."""


class Acceptor:
    """Turns batches of one subscription into rows of the ledger."""

    def __init__(  # noqa: PLR0913 (what it works with, named)
        self,
        *,
        accepting: Accepting,
        contacts: Contacts,
        publisher: Publisher,
        vault: Vault,
        clock: Clock,
        drain: Drain,
        stopping: asyncio.Event,
        brands: Container[str],
        room: Callable[[], Mapping[str, int]],
        accepted: Callable[[Accepted], None],
    ) -> None:
        self._accepting = accepting
        self._contacts = contacts
        self._publisher = publisher
        self._vault = vault
        self._clock = clock
        self._drain = drain
        self._stopping = stopping
        self._brands = brands
        self._room = room
        self._accepted = accepted
        self._next: dict[tuple[str, int], int] = {}
        drain.assigned = self._next.clear
        self.waiting_for: str | None = None
        """For readiness: what the last batch could not do."""

    async def events(self, batch: Batch) -> None:
        """The handler of the event topics."""
        entries: list[tuple[Record, ReadEvent]] = []
        letters: list[Letter] = []
        now = self._clock.now()
        for record in batch.records:
            try:
                entries.append((record, ReadEvent(_read(record, now), _origin(record))))
            except EventError as error:
                letters.append(Letter(record, error))
        with metrics.record_batch_time():
            await self._through(batch, entries, letters, self._accept)

    async def contacts(self, batch: Batch) -> None:
        """The handler of the contacts topic: state, not events, so neither horizon nor dedupe."""
        entries: list[tuple[Record, StoredContact]] = []
        letters: list[Letter] = []
        for record in batch.records:
            try:
                entries.append((record, _contact(record, self._brands)))
            except EventError as error:
                letters.append(Letter(record, error))
        with metrics.record_batch_time():
            await self._through(batch, entries, letters, self._store)

    async def _through(
        self,
        batch: Batch,
        entries: list[tuple[Record, Entry]],
        letters: list[Letter],
        step: Step[Entry],
    ) -> None:
        self._look_for_gaps(batch)
        refused = await self._wait_for_database(batch, entries, step)
        if refused is None:
            return
        try:
            await self._publish([*letters, *refused])
        except BrokerAwayError:
            self.waiting_for = "the broker does not take dead letters"
            await pause(self._stopping, BROKER_AWAY_SECONDS)
            batch.seek_back()
            return
        self.waiting_for = None
        self._remember(batch)
        failpoint("accepted-before-commit")
        if not await batch.commit():
            metrics.record_commit_failure()

    async def _wait_for_database(
        self,
        batch: Batch,
        entries: list[tuple[Record, Entry]],
        step: Step[Entry],
    ) -> list[Letter] | None:
        """None: given up for now, the batch is read again. The drain is held by the statement, not by the back-off."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + MAX_WAIT_SECONDS
        delay = 0.2
        while True:
            try:
                async with self._drain.running:
                    return await self._bisect(entries, step)
            except Exception as error:
                if not is_away(error):
                    raise
                metrics.record_database_wait()
                log.warning(
                    "batch_waits_for_database",
                    topic=batch.records[0].topic,
                    records=len(batch.records),
                    **describe(error),
                )
                self.waiting_for = "PostgreSQL is away; check DATABASE_URL and the server"
            if loop.time() + delay > give_up_at or await pause(self._stopping, delay):
                batch.seek_back()
                return None
            delay = min(delay * 2, 5.0)

    async def _bisect(
        self,
        entries: Sequence[tuple[Record, Entry]],
        step: Step[Entry],
    ) -> list[Letter]:
        if not entries:
            return []
        try:
            return await step(entries)
        except Exception as error:
            if is_away(error):
                raise
            told = describe(error)
            if len(entries) == 1:
                log.error("record_refused_by_database", origin=_origin(entries[0][0]), **told)
                return [
                    Letter(entries[0][0], EventError("refused-by-database", "", told.get("sqlstate", told["error"])))
                ]
            middle = len(entries) // 2
            return [*await self._bisect(entries[:middle], step), *await self._bisect(entries[middle:], step)]

    async def _accept(self, entries: Sequence[tuple[Record, ReadEvent]]) -> list[Letter]:
        accepted = await self._accepting.accept([entry for _, entry in entries], self._clock.now(), self._room())
        self._accepted(accepted)
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

    async def _publish(self, letters: list[Letter]) -> None:
        if not letters:
            return
        at = self._clock.now()
        await self._publisher.publish(
            [
                dead_letter(
                    letter.record,
                    reason=letter.error.reason,
                    topic=NOTIFIER_DEAD_LETTERS.name,
                    limit=NOTIFIER_DEAD_LETTERS.max_message_bytes,
                    at=at,
                    vault=self._vault,
                )
                for letter in letters
            ],
            timeout=PUBLISH_SECONDS,
        )
        for letter in letters:
            metrics.record_dead_letter(letter.record.topic, letter.error.code)
            log.warning("dead_letter", origin=_origin(letter.record), reason=letter.error.reason)

    def _look_for_gaps(self, batch: Batch) -> None:
        """A batch that starts beyond the next offset to accept, for any reason but compaction, is an alarm."""
        first: dict[tuple[str, int], int] = {}
        for record in batch.records:
            first.setdefault((record.topic, record.partition), record.offset)
        for (topic, partition), got in first.items():
            expected = self._next.get((topic, partition), got)
            if got > expected and topic != CONTACTS.name:
                metrics.record_gap(topic)
                log.error("offset_gap", topic=topic, partition=partition, expected=expected, got=got)

    def _remember(self, batch: Batch) -> None:
        """Accepted up to here."""
        for record in batch.records:
            self._next[record.topic, record.partition] = record.offset + 1
        last = batch.records[-1]
        metrics.record_records(last.topic, len(batch.records), last.timestamp / 1000)


def _origin(record: Record) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


def _read(record: Record, now: datetime) -> Event[Data]:
    event = read_record(record.headers, record.value)
    if TOPIC_OF_TYPE[event.type].name != record.topic:
        raise EventError("topic-mismatch", "type", f"belongs on {TOPIC_OF_TYPE[event.type].name}")
    _refuse_other_key(record, event.subject)
    if not (now - HORIZON).date() <= event.time.date() or event.time > now + AHEAD:
        raise EventError("outside-dedupe-horizon", "time", "130 days back to 5 minutes ahead")
    return event


def _contact(record: Record, brands: Container[str]) -> StoredContact:
    if record.value is None:
        return _tombstone(record)
    event = read_record(record.headers, record.value)
    if not isinstance(event.data, ContactV1):
        raise EventError("topic-mismatch", "type", f"belongs on {TOPIC_OF_TYPE[event.type].name}")
    _refuse_other_key(record, event.subject)
    if event.data.brand not in brands:
        raise EventError("brand-unknown", "data.brand", "no such brand folder")
    return StoredContact(event.subject, event.time, event.data)


def _tombstone(record: Record) -> StoredContact:
    """Nothing of it was ever validated: its key is bytes, its timestamp the producer's."""
    if record.key is None:
        raise EventError("attribute-missing", "record key")
    try:
        at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise EventError("attribute-invalid", "record timestamp") from None
    return StoredContact(record.key.decode("utf-8", "replace"), at, None)


def _refuse_other_key(record: Record, subject: str) -> None:
    """The key decides the partition, and with it the order of a member's events."""
    if record.key != subject.encode():
        raise EventError("key-mismatch", "record key", "must be the subject")
