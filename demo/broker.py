"""The demo's own view of Kafka: what the services tell, what they refused, and whether they have read everything."""

import asyncio
from collections.abc import Collection
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from demo.check import DeadLetter
from schemas.envelope import read_record
from schemas.notifications import OutcomeV1
from schemas.topics import (
    ACTIVITY,
    CODES,
    COMPLAINT_SLA_DEAD_LETTERS,
    CONTACTS,
    DEADLINES,
    LIFECYCLE,
    LINKS,
    NOTIFIER_DEAD_LETTERS,
    OUTCOMES,
    SECURITY,
)
from services.runtime.kafka import client_options
from services.runtime.settings import KafkaSettings

READ_BY_NOTIFIER = frozenset(topic.name for topic in (CODES, LINKS, SECURITY, ACTIVITY, CONTACTS, DEADLINES))
READ = READ_BY_NOTIFIER | {LIFECYCLE.name, OUTCOMES.name}
"""By the notifier and by complaint_sla, each by one of them."""

DEAD_LETTERS = (NOTIFIER_DEAD_LETTERS.name, COMPLAINT_SLA_DEAD_LETTERS.name)


class Broker:
    """Use with `async with`: from then on, not before, outcomes and dead letters are noted."""

    def __init__(self, settings: KafkaSettings, group: str, read: frozenset[str] = READ) -> None:
        """`group`: the KAFKA_GROUP of those who read the topics `read`."""
        self.outcomes: list[OutcomeV1] = []
        self.dead_letters: list[DeadLetter] = []
        self._options = client_options(settings)
        self._group = group
        self._read_topics = read
        self._consumer = AIOKafkaConsumer(**self._options, enable_auto_commit=False)
        # Beside the one that reads: a broker answers a connection's requests in turn, and a fetch waits for records.
        self._asking = AIOKafkaConsumer(**self._options, enable_auto_commit=False)
        self._admin = AIOKafkaAdminClient(**self._options)
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        for each in (self._consumer, self._asking, self._admin):
            await each.start()
        partitions = await self._partitions([OUTCOMES.name, *DEAD_LETTERS])
        self._consumer.assign(partitions)
        for partition, end in (await self._consumer.end_offsets(partitions)).items():
            self._consumer.seek(partition, end)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self._consumer.stop()
        await self._asking.stop()
        await self._admin.close()

    async def start_groups_here(self) -> None:
        """The groups begin at the present ends: what a given broker already holds is not the demo's."""
        for topic in self._read_topics:
            consumer = AIOKafkaConsumer(**self._options, group_id=self._group_of(topic), enable_auto_commit=False)
            await consumer.start()
            try:
                partitions = await self._partitions([topic])
                consumer.assign(partitions)
                await consumer.commit(await consumer.end_offsets(partitions))
            finally:
                await consumer.stop()

    def told(self) -> frozenset[tuple[str, str, str, str, str]]:
        """(event, notice, channel, role, state) of every outcome so far."""
        if self._reading is not None and self._reading.done():
            self._reading.result()
        return frozenset((each.cause.id, each.notice, each.channel, each.role, each.state) for each in self.outcomes)

    async def unread(self) -> int:
        """Records on their topics that they have not accepted yet."""
        ends: dict[TopicPartition, int] = await self._asking.end_offsets(await self._partitions(self._read_topics))
        accepted: dict[TopicPartition, int] = {}
        for topic in self._read_topics:
            committed = await self._admin.list_consumer_group_offsets(self._group_of(topic))
            accepted |= {partition: at.offset for partition, at in committed.items()}
        return sum(end - max(0, accepted.get(partition, 0)) for partition, end in ends.items())

    def _group_of(self, topic: str) -> str:
        return f"{self._group}-{topic}"

    async def _partitions(self, topics: Collection[str]) -> list[TopicPartition]:
        described: list[dict[str, Any]] = await self._admin.describe_topics(list(topics))
        return [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]

    async def _read(self) -> None:
        async for record in self._consumer:
            if record.topic == OUTCOMES.name:
                data = read_record(record.headers, record.value).data
                assert isinstance(data, OutcomeV1)
                self.outcomes.append(data)
            else:
                headers = {name: value.decode() for name, value in record.headers if name != "origin-headers"}
                self.dead_letters.append(DeadLetter(headers["reason"], headers["origin-topic"]))
