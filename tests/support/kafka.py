"""Kafka in tests: the contract's topics, records read until a condition holds, groups that start now.

Topic names are the contract, so all tests of a session share the topics. A test sees only its own records by three
means: member ids of its own, a `Tape` that starts at the end of the topic, and for a service under test groups from
`groups_from_now`. Nothing is deleted in between: deleting is asynchronous in Kafka, and a running consumer notices.
"""

import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Self, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import TOPICS
from services.runtime import topics
from services.runtime.settings import KafkaSettings
from tests.support.waiting import WITHIN_SECONDS, wait_for

PARTITIONS = 3
POLL_MS = 100

Record: TypeAlias = ConsumerRecord  # aiokafka has no types: to mypy this is Any


async def create_topics(bootstrap: str) -> None:
    """Every topic of the contract, with the contract's settings; one that exists stays as it is."""
    settings = KafkaSettings(kafka_bootstrap_servers=bootstrap)
    await topics.create_topics(settings, TOPICS.values(), partitions=PARTITIONS, replication=1)


async def groups_from_now(bootstrap: str, names: Iterable[str]) -> str:
    """Return a prefix: the group `<prefix>-<topic>` of each topic begins at that topic's present end."""
    prefix = f"test-{uuid.uuid4()}"
    for topic in names:
        consumer = _consumer(bootstrap, f"{prefix}-{topic}")
        await consumer.start()
        try:
            partitions = await _partitions(bootstrap, [topic])
            consumer.assign(partitions)
            await consumer.commit(await consumer.end_offsets(partitions))
        finally:
            await consumer.stop()
    return prefix


class Tape:
    """What has been written to some topics since a moment, in the order read. Use with `async with`."""

    def __init__(self, bootstrap: str, *topics: str, from_start: bool = False) -> None:
        self.records: list[Record] = []
        self._bootstrap = bootstrap
        self._topics = topics
        self._from_start = from_start
        self._consumer = _consumer(bootstrap, None)

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        partitions = await _partitions(self._bootstrap, self._topics)
        self._consumer.assign(partitions)
        if self._from_start:
            await self._consumer.seek_to_beginning(*partitions)
        else:
            # Not seek_to_end, which is lazy: a record written before the first poll would be missed.
            for partition, end in (await self._consumer.end_offsets(partitions)).items():
                self._consumer.seek(partition, end)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def until(
        self,
        condition: Callable[[list[Record]], bool],
        description: str,
        *,
        within_seconds: float = WITHIN_SECONDS,
    ) -> list[Record]:
        """Read on until `condition` holds for all records of this tape, and return them all."""
        deadline = time.monotonic() + within_seconds
        while not condition(self.records):
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"Within {within_seconds:g} s there was no {description} on {', '.join(self._topics)}; "
                    f"read {len(self.records)} records: {[_brief(record) for record in self.records[-10:]]}"
                )
            for batch in (await self._consumer.getmany(timeout_ms=POLL_MS)).values():
                self.records += batch
        return self.records

    async def rest(self) -> list[Record]:
        """Read everything that is written by now, and return all records of this tape."""
        ends = await self._consumer.end_offsets(list(self._consumer.assignment()))

        async def caught_up() -> bool:
            for batch in (await self._consumer.getmany(timeout_ms=POLL_MS)).values():
                self.records += batch
            return all([await self._consumer.position(partition) >= end for partition, end in ends.items()])

        await wait_for(caught_up, f"end of {', '.join(self._topics)}")
        return self.records


def _consumer(bootstrap: str, group: str | None) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest"
    )


async def _partitions(bootstrap: str, names: Iterable[str]) -> list[TopicPartition]:
    async with admin_client(bootstrap) as admin:
        described = await admin.describe_topics(list(names))
    return [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in described
        for partition in topic["partitions"]
    ]


@asynccontextmanager
async def admin_client(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


def _brief(record: Record) -> str:
    return f"{record.topic}/{record.partition}@{record.offset} {record.value!r:.120}"
