"""How far the story is known: what cannot be called back is decided only behind it.

Twice a second a reader asks the broker where its partitions end. Once everything up to there has been accepted, the
partition is known through the moment before the question: whatever was on the topic then has been heard. The watermark
is the least of all partitions of all topics, so that one that nobody reads holds it back, and nothing is guessed.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.runtime.clock import Clock
from services.runtime.database import Database, describe, is_away
from services.runtime.outbox import pause

log = structlog.get_logger()

ASK_SECONDS = 0.5
ANSWER_SECONDS = 5.0
Partition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Question:
    """Where these partitions ended, and the moment just before we asked."""

    asked_at: datetime
    ends: Mapping[Partition, int]


class Progress:
    """The table `progress` of one service's schema: one row a partition."""

    def __init__(self, database: Database, schema: str) -> None:
        self._database = database
        self._table = f"{schema}.progress"

    async def know(self, partitions: Collection[Partition]) -> None:
        """Each has a row from now on; a new one is known through the beginning of time until somebody has read it."""
        await self._database.execute(
            f"""
            INSERT INTO {self._table} (topic, partition, through)
            SELECT topic, partition, '2000-01-01T00:00:00Z'
            FROM unnest($1::text[], $2::integer[]) AS e (topic, partition)
            ON CONFLICT DO NOTHING
            """,  # noqa: S608 (schema is ours)
            [topic for topic, _ in partitions],
            [number for _, number in partitions],
        )

    async def advance(self, partitions: Collection[Partition], through: datetime) -> None:
        """Only forward: two readers may overlap while a partition changes hands."""
        await self._database.execute(
            f"""
            UPDATE {self._table} p SET through = $3, written_at = clock_timestamp()
            FROM unnest($1::text[], $2::integer[]) AS e (topic, partition)
            WHERE p.topic = e.topic AND p.partition = e.partition AND p.through < $3
            """,  # noqa: S608
            [topic for topic, _ in partitions],
            [number for _, number in partitions],
            through,
        )

    async def watermark(self) -> datetime | None:
        """None: no partition is known of yet."""
        through: datetime | None = await self._database.fetchval(
            f"SELECT min(through) FROM {self._table}"  # noqa: S608
        )
        return through


class Reader:
    """Follows one subscription. `consumer` is None until it has started."""

    def __init__(
        self,
        topic: str,
        progress: Progress,
        clock: Clock,
        consumer: Callable[[], AIOKafkaConsumer | None],
        accepted: Callable[[], Mapping[Partition, int]],
    ) -> None:
        """`accepted`: the next offset to accept of each partition, of what was accepted since it was assigned."""
        self._topic = topic
        self._progress = progress
        self._clock = clock
        self._consumer = consumer
        self._accepted = accepted
        self._known: set[Partition] = set()
        self.trouble: str | None = None

    async def follow(self, stopping: asyncio.Event) -> None:
        """Until told to stop. A broker or database that is away holds the watermark, and nothing else."""
        question: Question | None = None
        while not await pause(stopping, ASK_SECONDS):
            try:
                question = await self._step(question)
                self.trouble = None
            except (KafkaError, TimeoutError) as error:
                self.trouble = f"where {self._topic} ends is not known ({type(error).__name__}); look at the broker"
                question = None
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("progress_waits_for_database", topic=self._topic, **describe(error))

    async def _step(self, question: Question | None) -> Question | None:
        """Answer the last question as far as we can; ask a new one when it is answered."""
        consumer = self._consumer()
        if consumer is None:
            return None
        mine = {(part.topic, part.partition) for part in consumer.assignment()}
        if new := mine - self._known:  # also one that was added to the topic while we run
            await self._progress.know(new)
            self._known |= new
        if question is not None:
            ends = {part: end for part, end in question.ends.items() if part in mine}
            done = [part for part, end in ends.items() if await self._has_read(consumer, part, end)]
            await self._progress.advance(done, question.asked_at)
            left = {part: end for part, end in ends.items() if part not in done}
            if left:
                return Question(question.asked_at, left)
        return await self._ask(consumer, mine)

    async def _ask(self, consumer: AIOKafkaConsumer, mine: Collection[Partition]) -> Question | None:
        asked_at = self._clock.now()
        async with asyncio.timeout(ANSWER_SECONDS):
            ends = await consumer.end_offsets([TopicPartition(*part) for part in mine])
        return Question(asked_at, {(part.topic, part.partition): end for part, end in ends.items()})

    async def _has_read(self, consumer: AIOKafkaConsumer, part: Partition, end: int) -> bool:
        """Accepted up to there; or nothing was accepted since it was assigned, and what is committed reaches there."""
        accepted = self._accepted().get(part)
        if accepted is None:
            asked = TopicPartition(*part)
            async with asyncio.timeout(ANSWER_SECONDS):
                begins = (await consumer.beginning_offsets([asked]))[asked]
                accepted = max(begins, await consumer.committed(asked) or 0)
        return accepted >= end
