"""Kafka: whole batches in, explicit offsets back, one safe producer.

Why not FastStream's defaults (each one loses records or stands still): parser and decoder here are total and hand over
the records untouched, so that JSON, headers and null values are ours to judge; the policy is MANUAL with explicit
offsets for the partitions still assigned; nothing a handler raises is swallowed, it ends the process.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage
from faststream.middlewares import AckPolicy
from faststream.security import BaseSecurity, SASLPlaintext

from services.runtime.settings import KafkaSettings

log = structlog.get_logger()

MAX_RECORDS = 500
"""Of one batch, and so of one transaction."""
MAX_POLL_INTERVAL_MS = 300_000
MAX_WAIT_SECONDS = min(60.0, MAX_POLL_INTERVAL_MS / 1000 / 4)
"""How long a handler may wait in place for a database that is away; longer would cost the group membership."""

COMMIT_SECONDS = 5.0


class Record(Protocol):
    """What is read of an aiokafka ConsumerRecord; header values may be null, whatever its type says."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """Milliseconds since the epoch, by the broker or the producer."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def time_of(record: Record) -> datetime | None:
    """Aware UTC. None: what its producer said is no time; a broker may be set up to take any 64-bit number."""
    try:
        return datetime.fromtimestamp(record.timestamp / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one poll, in order per partition; may mix partitions."""

    records: tuple[Record, ...]
    consumer: AIOKafkaConsumer

    async def commit(self) -> bool:
        """Commit up to and with this batch, for partitions still ours. False: it failed, harmlessly (redelivery is)."""
        mine = self.consumer.assignment()
        offsets = {partition: offset for partition, offset in self._next_offsets().items() if partition in mine}
        if not offsets:
            return True
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await self.consumer.commit(offsets)
        except (KafkaError, TimeoutError) as error:
            log.warning("offset_commit_failed", error=type(error).__name__, partitions=len(offsets))
            return False
        return True

    def seek_back(self) -> None:
        """Read this batch again: every partition back to its first record of the batch."""
        mine = self.consumer.assignment()
        first: dict[TopicPartition, int] = {}
        for record in self.records:
            first.setdefault(TopicPartition(record.topic, record.partition), record.offset)
        for partition, offset in first.items():
            if partition in mine:
                self.consumer.seek(partition, offset)

    def _next_offsets(self) -> dict[TopicPartition, int]:
        return {TopicPartition(record.topic, record.partition): record.offset + 1 for record in self.records}


Handler = Callable[[Batch], Awaitable[None]]


class Supervisor(Protocol):
    """Ends the process when a part fails (`runtime.process.Process`)."""

    @property
    def failed(self) -> bool: ...
    def fail(self, error: BaseException) -> None: ...


@dataclass
class Drain(ConsumerRebalanceListener):  # type: ignore[misc]
    """On revoke, wait for the statement that is running (never for a back-off), so that a rebalance repeats nothing."""

    running: asyncio.Lock = field(default_factory=asyncio.Lock)
    assigned: Callable[[], None] = lambda: None
    """Told of every new assignment: what was remembered of offsets may be another replica's by now."""

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:  # noqa: ARG002 (aiokafka passes it)
        async with self.running:
            return

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        self.assigned()
        log.info("partitions_assigned", partitions=sorted(f"{part.topic}-{part.partition}" for part in assigned))


def create_broker(settings: KafkaSettings, client_id: str) -> KafkaBroker:
    return KafkaBroker(
        settings.kafka_bootstrap_servers.split(","),
        client_id=client_id,
        security=_security(settings),
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        apply_types=False,
        logger=None,
    )


def subscribe(
    broker: KafkaBroker,
    topics: list[str],
    *,
    group_id: str,
    handler: Handler,
    supervisor: Supervisor,
    drain: Drain,
    instance_id: str | None = None,
    poll_ms: int = 50,
) -> Callable[[], AIOKafkaConsumer | None]:
    """Batches of `topics` to `handler`. Whatever the handler raises ends the process. Returns what gives its consumer,
    None while it has no partitions.

    `instance_id`: static membership, for a process that comes back under the same name; two under one name fence each
    other. `poll_ms`: an empty poll waits this long and then sleeps as long again.
    """

    async def keep(message: tuple[Record, ...]) -> KafkaAckableMessage:
        return KafkaAckableMessage(raw_message=message, body=b"", consumer=subscriber.consumer)

    async def undecoded(message: KafkaAckableMessage) -> Any:
        return message.raw_message

    subscriber = broker.subscriber(
        *topics,
        batch=True,
        group_id=group_id,
        group_instance_id=instance_id,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        max_records=MAX_RECORDS,
        batch_timeout_ms=poll_ms,
        max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
        session_timeout_ms=30_000,
        heartbeat_interval_ms=3_000,
        rebalance_timeout_ms=60_000,
        isolation_level="read_committed",
        listener=drain,
        parser=keep,
        decoder=undecoded,
        no_reply=True,
    )

    @subscriber
    async def consume(records: Any) -> None:  # FastStream builds a validator from annotations; Any has none
        consumer = subscriber.consumer
        # FastStream swallows what a handler raises and polls on: the next batch must not commit past the failed one.
        if consumer is None or supervisor.failed:
            return
        try:
            await handler(Batch(records, consumer))
        except BaseException as error:
            supervisor.fail(error)
            raise

    def with_partitions() -> AIOKafkaConsumer | None:
        """FastStream shows a consumer before it has started, when asking it breaks: what has partitions has started."""
        consumer = subscriber.consumer
        return consumer if consumer is not None and consumer.assignment() else None

    return with_partitions


async def lags(broker: KafkaBroker) -> dict[str, int]:
    """Topic → records not read yet, over the partitions assigned here; those that cannot say just now are left out."""
    behind: dict[str, int] = {}
    for subscriber in broker.subscribers:
        consumer: Any = getattr(subscriber, "consumer", None)
        for partition in consumer.assignment() if consumer is not None else ():
            try:
                async with asyncio.timeout(1):
                    read = await consumer.position(partition)
            except (KafkaError, TimeoutError):
                continue
            if partition not in consumer.assignment():  # revoked while we asked; highwater would assert
                continue
            end = consumer.highwater(partition)
            behind[partition.topic] = behind.get(partition.topic, 0) + (max(0, end - read) if end is not None else 0)
    return behind


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Addresses and security, as every aiokafka client takes them."""
    options: dict[str, Any] = {"bootstrap_servers": settings.kafka_bootstrap_servers.split(",")}
    if settings.kafka_security_protocol != "PLAINTEXT":
        options["security_protocol"] = settings.kafka_security_protocol
    if settings.kafka_security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context()
    if settings.kafka_sasl_username and settings.kafka_sasl_password:
        options |= {
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.kafka_sasl_password.get_secret_value(),
        }
    return options


def producer_of(settings: KafkaSettings, client_id: str) -> AIOKafkaProducer:
    """acks=all and idempotent. May get stuck after broker trouble (aiokafka#1017): callers rebuild it on time-out."""
    return AIOKafkaProducer(
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        linger_ms=2,
        request_timeout_ms=10_000,
        max_request_size=2 * 1024 * 1024,
        **client_options(settings),
    )


def _security(settings: KafkaSettings) -> BaseSecurity | None:
    if settings.kafka_security_protocol == "PLAINTEXT":
        return None
    context = ssl.create_default_context() if settings.kafka_security_protocol.endswith("SSL") else None
    if settings.kafka_sasl_username and settings.kafka_sasl_password:
        return SASLPlaintext(
            username=settings.kafka_sasl_username,
            password=settings.kafka_sasl_password.get_secret_value(),
            ssl_context=context,
            use_ssl=context is not None,
        )
    return BaseSecurity(ssl_context=context, use_ssl=context is not None)
