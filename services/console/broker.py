"""What the broker tells of the contract's topics: ends, groups, rates of the last hour. No group of its own, no offset
committed, nothing written.

Looked at every few seconds by one task; pages show what it saw last, and say when that was.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.topics import TOPICS
from services.console.standstill import Standstill
from services.runtime.kafka import Record, client_options
from services.runtime.settings import KafkaSettings

log = structlog.get_logger()

CLIENT = "member-notices-console"
EVERY_SECONDS = 5.0
LOOK_SECONDS = 10.0
STALE_SECONDS = 30.0
READ_SECONDS = 1.5
"""Of a page that reads records; what the broker has not handed over by then is left out, and the page says so."""
HOUR_OF_SAMPLES = int(3600 / EVERY_SECONDS)
FETCH_BYTES = 256 * 1024
DEAD_LETTERS = tuple(name for name in TOPICS if name.endswith(".dead-letters.v1"))
DAY = timedelta(days=1)
BrokerError = (KafkaError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class GroupOnTopic:
    """`behind`: records not read yet. `committed`: partition → next to be read. `still`: seconds without progress."""

    group: str
    topic: str
    behind: int
    committed: Mapping[int, int]
    still: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at `at`. `ends`: topic → partition → end offset. `dead`: topic → records of the last 24 hours."""

    at: datetime
    ends: Mapping[str, Mapping[int, int]]
    groups: tuple[GroupOnTopic, ...]
    dead: Mapping[str, int]


@dataclass
class Rates:
    """End offsets of one topic over the last hour, in memory."""

    samples: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=HOUR_OF_SAMPLES))

    def add(self, at: float, end: int) -> None:
        self.samples.append((at, end))

    def per_minute(self) -> list[float]:
        """Records a minute between one sample and the next, oldest first."""
        return [
            max(0.0, (end - before) / (at - since) * 60)
            for (since, before), (at, end) in pairwise(self.samples)
            if at > since
        ]

    @property
    def now(self) -> float | None:
        """Over the last minute."""
        recent = self.per_minute()[-int(60 / EVERY_SECONDS) :]
        return sum(recent) / len(recent) if recent else None


class Broker:
    """One consumer and one admin client, made anew after trouble; used by one at a time."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._using = asyncio.Lock()
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None
        self._seen: Look | None = None
        self._standstill = Standstill()
        self.rates: dict[str, Rates] = {}

    @property
    def seen(self) -> Look | None:
        """None: nothing yet, or for so long that it says nothing."""
        look = self._seen
        return look if look and (datetime.now(UTC) - look.at).total_seconds() < STALE_SECONDS else None

    async def check(self) -> str | None:
        """For readiness."""
        return None if self.seen else "the broker was not seen in the last 30 s; check KAFKA_BOOTSTRAP_SERVERS"

    async def run(self, stopping: asyncio.Event) -> None:
        """Looks until `stopping`; a broker that is away is asked again."""
        while not stopping.is_set():
            try:
                await self.look()
            except BrokerError as error:
                log.warning("broker_not_seen", error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), EVERY_SECONDS)

    async def look(self) -> Look:
        """Raises `BrokerError`."""
        async with self._clients() as (consumer, admin), asyncio.timeout(LOOK_SECONDS):
            partitions = await _partitions(admin)
            ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
            groups = await _groups(admin, await consumer.beginning_offsets(partitions), ends)
            dead = await _since(consumer, [each for each in partitions if each.topic in DEAD_LETTERS], ends)
        by_topic: dict[str, dict[int, int]] = {}
        for partition, end in sorted(ends.items()):
            by_topic.setdefault(partition.topic, {})[partition.partition] = end
        for topic, each in by_topic.items():
            self.rates.setdefault(topic, Rates()).add(time.monotonic(), sum(each.values()))
        self._seen = Look(datetime.now(UTC), by_topic, tuple(map(self._watched, groups)), dead)
        return self._seen

    def _watched(self, seen: GroupOnTopic) -> GroupOnTopic:
        still = self._standstill.seconds(seen.group, seen.topic, seen.committed, seen.behind, time.monotonic())
        return replace(seen, still=still)

    async def read(self, wanted: Mapping[TopicPartition, tuple[int, int]]) -> list[Record]:
        """Records from an offset up to, and without, another; what the broker has not given in time is not among them.

        Raises `BrokerError`.
        """
        found: list[Record] = []
        wanted = {partition: span for partition, span in wanted.items() if span[0] < span[1]}
        if not wanted:
            return found
        async with self._clients() as (consumer, _):
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await _read(consumer, wanted, found)
            finally:
                consumer.unsubscribe()
        return found

    async def close(self) -> None:
        async with self._using:
            await self._drop()

    @contextlib.asynccontextmanager
    async def _clients(self) -> AsyncIterator[tuple[AIOKafkaConsumer, AIOKafkaAdminClient]]:
        async with self._using:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    consumer, admin = await self._ready()
                yield consumer, admin
            except BrokerError:
                await self._drop()
                raise

    async def _ready(self) -> tuple[AIOKafkaConsumer, AIOKafkaAdminClient]:
        options = client_options(self._settings)
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                client_id=CLIENT,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_partition_fetch_bytes=FETCH_BYTES,
                # A question before this one may still wait for records that do not come, and this one waits behind it.
                fetch_max_wait_ms=50,
                **options,
            )
            await self._consumer.start()
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(client_id=CLIENT, **options)
            await self._admin.start()
        return self._consumer, self._admin

    async def _drop(self) -> None:
        clients, self._consumer, self._admin = (self._consumer, self._admin), None, None
        for client, end in zip(clients, ("stop", "close"), strict=True):
            if client is not None:
                with contextlib.suppress(*BrokerError):
                    async with asyncio.timeout(2):
                        await getattr(client, end)()


async def _partitions(admin: AIOKafkaAdminClient) -> list[TopicPartition]:
    described: list[Any] = await admin.describe_topics(list(TOPICS))
    return [
        TopicPartition(topic["topic"], each["partition"])
        for topic in described
        if topic["error_code"] == 0
        for each in topic["partitions"]
    ]


async def _groups(
    admin: AIOKafkaAdminClient, begins: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> tuple[GroupOnTopic, ...]:
    """Every group that has committed on a topic of the contract. Where it has not, it begins at the beginning."""
    found: list[GroupOnTopic] = []
    for group, *_ in sorted(await admin.list_consumer_groups()):
        committed = {
            partition: at.offset
            for partition, at in (await admin.list_consumer_group_offsets(group)).items()
            if partition in ends and at.offset >= 0
        }
        for topic in sorted({partition.topic for partition in committed}):
            next_ = {each: committed.get(each, begins[each]) for each in ends if each.topic == topic}
            behind = sum(max(0, ends[partition] - offset) for partition, offset in next_.items())
            offsets = {partition.partition: offset for partition, offset in sorted(next_.items())}
            found.append(GroupOnTopic(group, topic, behind, offsets))
    return tuple(found)


async def _since(
    consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition], ends: Mapping[TopicPartition, int]
) -> dict[str, int]:
    """Topic → records of the last 24 hours, from offsets: the one that was first written then, and the end."""
    after = int((time.time() - DAY.total_seconds()) * 1000)
    counts: dict[str, int] = {}
    for partition, first in (await consumer.offsets_for_times(dict.fromkeys(partitions, after))).items():
        count = 0 if first is None else max(0, ends[partition] - first.offset)
        counts[partition.topic] = counts.get(partition.topic, 0) + count
    return counts


async def _read(
    consumer: AIOKafkaConsumer, wanted: Mapping[TopicPartition, tuple[int, int]], found: list[Record]
) -> None:
    consumer.assign(list(wanted))
    for partition, begin in (await consumer.beginning_offsets(list(wanted))).items():
        consumer.seek(partition, max(begin, wanted[partition][0]))
    last = time.monotonic() + READ_SECONDS
    left = set(wanted)
    while left and (seconds := last - time.monotonic()) > 0:
        for partition, records in (await consumer.getmany(*left, timeout_ms=int(seconds * 1000))).items():
            found += [record for record in records if record.offset < wanted[partition][1]]
        left = {each for each in left if await consumer.position(each) < wanted[each][1]}
