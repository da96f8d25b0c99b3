"""The dead-letter topics, read back and replayed. Works for every service's: the format is `runtime.dead_letters`'s."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import AUTH_EVENTS_DEAD_LETTERS, COMPLAINT_SLA_DEAD_LETTERS, NOTIFIER_DEAD_LETTERS, TOPICS
from services.runtime.dead_letters import DeadLetter, DeadLetterError, Original, read_dead_letter
from services.runtime.kafka import Record, client_options, producer_of
from services.runtime.settings import KafkaSettings
from services.runtime.vault import Vault, VaultError

BOXES = (AUTH_EVENTS_DEAD_LETTERS.name, COMPLAINT_SLA_DEAD_LETTERS.name, NOTIFIER_DEAD_LETTERS.name)
CLIENT = "member-notices-dead-letters"
READ_SECONDS = 20.0
"""Longest wait for the broker to hand over what it says it has."""
FETCH_BYTES = 2 * 1024 * 1024


class ReplayRefusedError(Exception):
    """It cannot be replayed; says why and what to do instead."""


class DeadLetterBox:
    """Use with `async with`: one consumer and, once something is replayed, one producer."""

    def __init__(self, settings: KafkaSettings, vault: Vault) -> None:
        self._settings = settings
        self._vault = vault
        self.foreign = 0
        """Records on the topics that are no dead letters of ours."""

    async def read(self) -> AsyncIterator[DeadLetter]:
        """All that is there now, oldest first per partition. Each is yielded as read: nothing is held here."""
        async with self._consumer(*BOXES) as consumer:
            partitions = [
                TopicPartition(topic, number)
                for topic in BOXES
                for number in sorted(consumer.partitions_for_topic(topic) or ())
            ]
            async for record in _read_to_the_end(consumer, partitions):
                try:
                    yield read_dead_letter(record)
                except DeadLetterError:
                    self.foreign += 1

    async def original(self, letter: DeadLetter) -> Original:
        """Byte for byte what was refused, from the letter or, where it was too large, from its origin topic.

        Raises `ReplayRefusedError`.
        """
        if letter.topic not in TOPICS or letter.topic in BOXES:
            raise ReplayRefusedError(f"{letter.topic} is no topic of the contract; nothing can be published there")
        if letter.tombstone:
            raise ReplayRefusedError(
                "it is a tombstone, which has no event to accept; to forget a member, send a new one"
            )
        if letter.sha256 is not None:
            return await self._read_again(letter)
        try:
            return letter.open(self._vault)
        except (VaultError, DeadLetterError) as error:
            raise ReplayRefusedError(str(error)) from None

    async def publish(self, letter: DeadLetter, original: Original, producer: AIOKafkaProducer) -> str:
        """Back onto its origin topic; returns its new `topic/partition/offset`. Raises `KafkaError`.

        Into the partition it came from: that is where the other events of its key are, whoever chose it.
        """
        record = await producer.send_and_wait(
            letter.topic,
            value=original.value,
            key=original.key,
            partition=letter.partition,
            headers=list(original.headers),
        )
        return f"{record.topic}/{record.partition}/{record.offset}"

    @asynccontextmanager
    async def producer(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = producer_of(self._settings, CLIENT)
        try:
            await producer.start()
            yield producer
        finally:
            await producer.stop()

    async def _read_again(self, letter: DeadLetter) -> Original:
        gone = f"{letter.origin} is not on its topic any more; only its publisher can send it again"
        partition = TopicPartition(letter.topic, letter.partition)
        async with self._consumer(letter.topic) as consumer:
            if letter.partition not in (consumer.partitions_for_topic(letter.topic) or ()):
                raise ReplayRefusedError(gone)
            begin = (await consumer.beginning_offsets([partition]))[partition]
            end = (await consumer.end_offsets([partition]))[partition]
            if not begin <= letter.offset < end:
                raise ReplayRefusedError(gone)
            consumer.unsubscribe()
            consumer.assign([partition])
            consumer.seek(partition, letter.offset)
            for records in (await consumer.getmany(timeout_ms=int(READ_SECONDS * 1000), max_records=1)).values():
                for record in records:
                    value = record.value or b""
                    if record.offset == letter.offset and hashlib.sha256(value).hexdigest() == letter.sha256:
                        return Original(record.key, value, list(record.headers))
        raise ReplayRefusedError(gone)

    @asynccontextmanager
    async def _consumer(self, *topics: str) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            *topics,
            client_id=CLIENT,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            **client_options(self._settings),
        )
        try:
            await consumer.start()
            yield consumer
        finally:
            await consumer.stop()


async def _read_to_the_end(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> AsyncIterator[Record]:
    """As far as the topics reach now. Raises `KafkaError` when the broker stops handing over."""
    if not partitions:
        return
    consumer.unsubscribe()
    consumer.assign(partitions)
    ends: dict[Any, int] = await consumer.end_offsets(partitions)
    for partition, begin in (await consumer.beginning_offsets(partitions)).items():
        consumer.seek(partition, begin)
    while any([await consumer.position(partition) < end for partition, end in ends.items()]):
        batches = await consumer.getmany(timeout_ms=int(READ_SECONDS * 1000))
        if not batches and any([await consumer.position(partition) < end for partition, end in ends.items()]):
            raise KafkaError(f"no record within {READ_SECONDS:g} s")
        for records in batches.values():
            for record in records:
                if record.offset < ends[TopicPartition(record.topic, record.partition)]:
                    yield record
