"""One producer for a process: publish and know, within a time you choose; rebuilt when it is stuck."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

log = structlog.get_logger()

ABANDON_SECONDS = 1.0

RecordHeaders = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A record to publish."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: RecordHeaders = ()


class BrokerAwayError(Exception):
    """Not acknowledged in time, or refused. The messages may still arrive: publishing again only duplicates."""


class Publisher:
    """acks=all, idempotent, in order per key."""

    def __init__(self, build: Callable[[], AIOKafkaProducer]) -> None:
        self._build = build
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def publish(self, messages: Sequence[Message], *, timeout: float) -> None:  # noqa: ASYNC109 (one bound on the whole)
        """All acknowledged within `timeout` seconds, or `BrokerAwayError` and the producer is rebuilt.

        Two users with different patience need a publisher each: the impatient one takes the producer away.
        """
        producer: AIOKafkaProducer | None = None
        try:
            async with asyncio.timeout(timeout):
                producer = await self._started()
                pending = [
                    await producer.send(
                        message.topic, value=message.value, key=message.key, headers=list(message.headers)
                    )
                    for message in messages
                ]
                await asyncio.gather(*(asyncio.shield(future) for future in pending))
        except (TimeoutError, KafkaError, OSError) as error:
            log.warning("publish_failed", error=type(error).__name__, messages=len(messages))
            await self._discard(producer)
            raise BrokerAwayError(type(error).__name__) from None

    async def check(self) -> str | None:
        """A round trip to the broker, as a readiness check; the caller bounds it."""
        try:
            producer = await self._started()
            answered: bool = await producer.client.force_metadata_update()
        except (KafkaError, OSError) as error:
            return f"no broker ({type(error).__name__}); look at KAFKA_BOOTSTRAP_SERVERS"
        return None if answered else "the broker does not answer; look at KAFKA_BOOTSTRAP_SERVERS"

    async def stop(self) -> None:
        """Whoever published has been answered, so there is nothing to flush."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _abandon(producer)

    async def _started(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                producer = self._build()
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def _discard(self, producer: AIOKafkaProducer | None) -> None:
        """Let go of the producer that failed; a newer one, built meanwhile for somebody else, stays."""
        if producer is None or producer is not self._producer:
            return
        self._producer = None
        await _abandon(producer)


async def _abandon(producer: AIOKafkaProducer) -> None:
    """End it without its flush. An idempotent producer never gives a batch up: left alone it would deliver, minutes
    late, what was sent again meanwhile, after newer records of the same key (on a compacted topic the last one stays).
    """
    producer._closed = True  # noqa: SLF001 (aiokafka has no stop without flush; stop() waits for what is stuck)
    sender = producer._sender.sender_task  # noqa: SLF001
    if sender is not None:
        sender.cancel()
    await producer.client.close()
    if sender is not None and (await asyncio.wait([sender], timeout=ABANDON_SECONDS))[1]:
        log.warning("producer_abandoned")
