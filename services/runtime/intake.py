"""A batch of records into the database, one transaction → dead letters → commit offsets.

The handler never raises for the data's sake. What one record does never stops or drops its neighbours: a batch the
database refuses is bisected. The database away: wait in place for a bounded time, then read the batch again later.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

import asyncpg
import structlog
from structlog.contextvars import bound_contextvars

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


class Refusal(Protocol):
    """Why a record is not accepted: a bounded code, and code with field and rule. Never a value."""

    @property
    def code(self) -> str: ...
    @property
    def reason(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Failed:
    """`told`: SQLSTATE, or the error's class."""

    code: str
    told: str

    @property
    def reason(self) -> str:
        return f"{self.code} ({self.told})"


def _failed(record: Record, error: Exception) -> _Failed:
    """The database refused a value of the record; or what we do with it is at fault, which only we can mend."""
    sqlstate = describe(error).get("sqlstate")
    if sqlstate is None and not isinstance(error, asyncpg.InterfaceError):
        log.error("record_not_processed", **place_of(record), exc_info=error)
        return _Failed("internal-error", type(error).__name__)
    told = sqlstate or type(error).__name__
    log.error("record_refused_by_database", **place_of(record), told=told)
    return _Failed("refused-by-database", told)


@dataclass(frozen=True, slots=True)
class Letter:
    """A record that was not accepted, and why."""

    record: Record
    error: Refusal


Step: TypeAlias = Callable[[Sequence[tuple[Record, Entry]]], Awaitable[list[Letter]]]
"""Puts entries into the database in one transaction and says which it refused."""


class DeadLetters(Protocol):
    """The topic of what a service could not accept."""

    @property
    def name(self) -> str: ...
    @property
    def max_message_bytes(self) -> int: ...


class Recorder(Protocol):
    """The service's metrics of what happens here."""

    def record_batch_time(self) -> AbstractContextManager[object]: ...
    def record_database_wait(self) -> None: ...
    def record_commit_failure(self) -> None: ...
    def record_dead_letter(self, topic: str, code: str) -> None: ...
    def record_gap(self, topic: str) -> None: ...
    def record_records(self, topic: str, count: int, last_written_at: float) -> None: ...
    def record_taking(self, topic: str) -> None: ...
    def record_let_go(self, topic: str) -> None: ...


class Intake:
    """What every subscription does with a batch once its records are read."""

    def __init__(
        self,
        *,
        publisher: Publisher,
        vault: Vault,
        clock: Clock,
        drain: Drain,
        stopping: asyncio.Event,
        dead_letters: DeadLetters,
        recorder: Recorder,
        compacted: frozenset[str] = frozenset(),
    ) -> None:
        """`compacted`: topics whose offsets have holes by nature."""
        self._publisher = publisher
        self._vault = vault
        self._clock = clock
        self._drain = drain
        self._stopping = stopping
        self._dead_letters = dead_letters
        self._recorder = recorder
        self._compacted = compacted
        self._next: dict[tuple[str, int], int] = {}
        self._topic: str | None = None
        drain.assigned = self._assigned
        self.waiting_for: str | None = None
        """For readiness: what the last batch could not do."""

    async def take(
        self,
        batch: Batch,
        entries: Sequence[tuple[Record, Entry]],
        letters: Sequence[Letter],
        step: Step[Entry],
    ) -> None:
        """`letters` were refused when they were read; `step` may refuse more. Then the batch is committed."""
        self._topic = batch.records[0].topic
        self._recorder.record_taking(self._topic)
        with self._recorder.record_batch_time(), bound_contextvars(topic=self._topic):
            await self._take(batch, entries, letters, step)

    def _assigned(self) -> None:
        self._next.clear()
        if self._topic is not None:
            self._recorder.record_let_go(self._topic)

    async def _take(
        self,
        batch: Batch,
        entries: Sequence[tuple[Record, Entry]],
        letters: Sequence[Letter],
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
            self._recorder.record_commit_failure()

    def accepted_up_to(self) -> dict[tuple[str, int], int]:
        """(topic, partition) → the next offset to accept, of what was accepted since the last assignment."""
        return dict(self._next)

    async def _wait_for_database(
        self, batch: Batch, entries: Sequence[tuple[Record, Entry]], step: Step[Entry]
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
                self._recorder.record_database_wait()
                log.warning("batch_waits_for_database", records=len(batch.records), **describe(error))
                self.waiting_for = "PostgreSQL is away; check DATABASE_URL and the server"
            if loop.time() + delay > give_up_at or await pause(self._stopping, delay):
                batch.seek_back()
                return None
            delay = min(delay * 2, 5.0)

    async def _bisect(self, entries: Sequence[tuple[Record, Entry]], step: Step[Entry]) -> list[Letter]:
        if not entries:
            return []
        try:
            return await step(entries)
        except Exception as error:
            if is_away(error):
                raise
            if len(entries) == 1:
                return [Letter(entries[0][0], _failed(entries[0][0], error))]
            middle = len(entries) // 2
            return [*await self._bisect(entries[:middle], step), *await self._bisect(entries[middle:], step)]

    async def _publish(self, letters: list[Letter]) -> None:
        if not letters:
            return
        at = self._clock.now()
        await self._publisher.publish(
            [
                dead_letter(
                    letter.record,
                    reason=letter.error.reason,
                    topic=self._dead_letters.name,
                    limit=self._dead_letters.max_message_bytes,
                    at=at,
                    vault=self._vault,
                )
                for letter in letters
            ],
            timeout=PUBLISH_SECONDS,
        )
        for letter in letters:
            self._recorder.record_dead_letter(letter.record.topic, letter.error.code)
            log.warning("dead_letter", **place_of(letter.record), reason=letter.error.reason)

    def _look_for_gaps(self, batch: Batch) -> None:
        """A batch that starts beyond the next offset to accept, for any reason but compaction, is an alarm."""
        first: dict[tuple[str, int], int] = {}
        for record in batch.records:
            first.setdefault((record.topic, record.partition), record.offset)
        for (topic, partition), got in first.items():
            expected = self._next.get((topic, partition), got)
            if got > expected and topic not in self._compacted:
                self._recorder.record_gap(topic)
                log.error("offset_gap", topic=topic, partition=partition, expected=expected, got=got)

    def _remember(self, batch: Batch) -> None:
        """Accepted up to here."""
        for record in batch.records:
            self._next[record.topic, record.partition] = record.offset + 1
        last = batch.records[-1]
        self._recorder.record_records(last.topic, len(batch.records), last.timestamp / 1000)


def place_of(record: Record) -> dict[str, str | int]:
    """How a log line names a record. Not by its key: of a record that is not accepted, that may hold anything."""
    return {
        "origin": origin_of(record),
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
    }


def origin_of(record: Record) -> str:
    """`topic/partition/offset`: how a record is named in logs, reasons and tables."""
    return f"{record.topic}/{record.partition}/{record.offset}"
