"""What becomes of the canary: its outcomes, read from the one partition they are on."""

import asyncio
from typing import Literal, Self

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from schemas.envelope import EventError, read_record
from schemas.topics import OUTCOMES
from services.probe.canary import verdict
from services.runtime.kafka import client_options
from services.runtime.settings import KafkaSettings

log = structlog.get_logger()

POLL_MS = 1000


class Outcomes:
    """Use with `async with`, before the canary goes in: reads from the topic's present end, in no group.

    The notifier's relay partitions by key as every producer here does, so that all that is told of one member is on one
    partition: a busy day's outcomes are not all read for one canary's sake. Raises `KafkaError`.
    """

    def __init__(self, settings: KafkaSettings, member: str) -> None:
        self._key = member.encode()
        self._consumer = AIOKafkaConsumer(
            client_id="probe", group_id=None, enable_auto_commit=False, **client_options(settings)
        )

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
            partition = await self._partition()
            self._consumer.assign([partition])
            # Not seek_to_end, which is lazy: an outcome told before the first poll would be missed.
            self._consumer.seek(partition, (await self._consumer.end_offsets([partition]))[partition])
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def verdict(self, source: str, id: str, within: float) -> Literal["sent", "failed"] | None:
        """None: nothing final was heard within so many seconds."""
        try:
            async with asyncio.timeout(within):
                while True:
                    batches = await self._consumer.getmany(timeout_ms=POLL_MS)
                    for record in (record for batch in batches.values() for record in batch):
                        try:
                            told = verdict(read_record(record.headers, record.value), source=source, id=id)
                        except EventError:
                            continue  # another's; what is wrong with it is for its readers to say
                        if told is not None:
                            return told
        except TimeoutError:
            return None

    async def _partition(self) -> TopicPartition:
        partitions = sorted(await self._partitions())
        return TopicPartition(OUTCOMES.name, DefaultPartitioner()(self._key, partitions, partitions))

    async def _partitions(self) -> set[int]:
        """A consumer in no group asks the broker of a topic only once it is told of it."""
        await self._consumer._client.add_topic(OUTCOMES.name)  # noqa: SLF001 (there is no public way to ask)
        found: set[int] | None = self._consumer.partitions_for_topic(OUTCOMES.name)
        if not found:
            raise KafkaError(f"no topic {OUTCOMES.name}; run member-notices topics create")
        return found
