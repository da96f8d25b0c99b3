"""One subscription beside the intake, in a consumer group of its own: what fails is begun again after a pause."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from aiokafka import AIOKafkaConsumer
from faststream.kafka import KafkaBroker

from schemas.topics import AUTH_EVENTS_DEAD_LETTERS, Topic
from services.auth_events.metrics import TimerMetrics
from services.auth_events.settings import AuthEventsSettings
from services.runtime.clock import Clock
from services.runtime.intake import Intake
from services.runtime.kafka import Batch, Drain, create_broker, subscribe
from services.runtime.outbox import pause
from services.runtime.publisher import Publisher
from services.runtime.settings import SettingsError
from services.runtime.topics import partitions_of
from services.runtime.vault import Vault

log = structlog.get_logger()

SERVICE = "auth-events"
START_SECONDS = 15.0
STOP_SECONDS = 8.0
AGAIN_SECONDS = 2.0

Handler = Callable[[Batch, Intake], Awaitable[None]]
Consumer = Callable[[], AIOKafkaConsumer | None]
Beside = Callable[[int, Consumer, Intake, asyncio.Event], Awaitable[None]]
"""What runs while a subscription lives: (partitions, its consumer, its intake, over). It returns when `over` is set."""


class _Life:
    """One subscription, from its start until it fails or is told to stop."""

    def __init__(self, name: str) -> None:
        self.over = asyncio.Event()
        self._said_failed = name + "_failed"
        self._failed = False

    @property
    def failed(self) -> bool:
        return self._failed

    def fail(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError):
            return
        log.error(self._said_failed, exc_info=error)
        self._failed = True
        self.over.set()


async def _until_over(_: int, __: Consumer, ___: Intake, over: asyncio.Event) -> None:
    await over.wait()


class Following:
    """`name` is what its log lines begin with. `publisher`: for dead letters."""

    def __init__(
        self,
        name: str,
        topic: Topic,
        handler: Handler,
        *,
        settings: AuthEventsSettings,
        clock: Clock,
        publisher: Publisher,
        metrics: TimerMetrics,
        beside: Beside = _until_over,
    ) -> None:
        self._name = name
        self._said_not_read = name + "_not_read"
        self._topic = topic
        self._handler = handler
        self._settings = settings
        self._clock = clock
        self._publisher = publisher
        self._metrics = metrics
        self._beside = beside
        self._life = _Life(name)
        self.broker: KafkaBroker | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self._life = _Life(self._name)
            try:
                await self._follow(self._life)
            except SettingsError as error:
                log.warning(self._said_not_read, why=error.problems)
            except Exception as error:
                log.warning(self._said_not_read, exc_info=error)
            await pause(stopping, AGAIN_SECONDS)

    async def end(self) -> None:
        self._life.over.set()

    async def _follow(self, life: _Life) -> None:
        """From the committed offset until this life is over."""
        found = await partitions_of(self._settings, SERVICE, {self._topic.name, AUTH_EVENTS_DEAD_LETTERS.name})
        broker = create_broker(self._settings, SERVICE)
        intake, consumer = self._subscribed(broker, life)
        try:
            async with asyncio.timeout(START_SECONDS):
                await broker.start()
            self.broker = broker
            await self._beside(found[self._topic.name], consumer, intake, life.over)
        finally:
            self.broker = None
            await _stop(broker)

    def _subscribed(self, broker: KafkaBroker, life: _Life) -> tuple[Intake, Consumer]:
        drain = Drain()
        intake = Intake(
            publisher=self._publisher,
            vault=Vault.parse(self._settings.vault_keys.get_secret_value()),
            clock=self._clock,
            drain=drain,
            stopping=life.over,
            dead_letters=AUTH_EVENTS_DEAD_LETTERS,
            recorder=self._metrics,
            compacted=frozenset({self._topic.name}) if self._topic.compacted else frozenset(),
        )

        async def handle(batch: Batch) -> None:
            await self._handler(batch, intake)

        consumer = subscribe(
            broker,
            [self._topic.name],
            group_id=f"{self._settings.auth_events_kafka_group}-{self._topic.name}",
            handler=handle,
            supervisor=life,
            drain=drain,
            instance_id=self._settings.kafka_instance_id,
        )
        return intake, consumer


async def _stop(broker: KafkaBroker) -> None:
    """A broker that is away answers no goodbye; the group misses us within the session time-out."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await broker.stop()
    except Exception as error:
        log.warning("consumer_not_stopped", exc_info=error)
