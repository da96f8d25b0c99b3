"""The half of auth_events that reads and keeps time, beside the intake and never in its way.

It has connections of its own, and `/readyz` does not ask it: a timer that is late, a broker that is away when we start
or a defect in here must not close the door to codes. What fails is begun again after a pause; the metrics say that it
is behind (`auth_events_watermark_age_seconds`, `auth_events_timers_overdue_seconds`).
"""

import asyncio
from collections.abc import Mapping
from functools import partial

import structlog
from faststream.kafka import KafkaBroker
from prometheus_client import CollectorRegistry

from schemas.topics import ACTIVITY, AUTH_EVENTS_DEAD_LETTERS
from services.auth_events.coverage import Coverage
from services.auth_events.metrics import TimerMetrics
from services.auth_events.settings import AuthEventsSettings
from services.auth_events.sweep import Sweeper
from services.auth_events.timers import Timers
from services.runtime.clock import Clock
from services.runtime.clock_watch import ClockWatch
from services.runtime.database import Database, close
from services.runtime.intake import Intake
from services.runtime.kafka import Drain, create_broker, lags, producer_of, subscribe
from services.runtime.outbox import Outbox, pause
from services.runtime.process import Process
from services.runtime.publisher import Publisher
from services.runtime.settings import SettingsError
from services.runtime.topics import partitions_of
from services.runtime.vault import Vault
from services.runtime.watermark import Progress, Reader

log = structlog.get_logger()

SERVICE = "auth-events"
CONNECTIONS = 4
"""Reading, sweeping, watching, and one to spare."""
START_SECONDS = 15.0
STOP_SECONDS = 8.0
AGAIN_SECONDS = 2.0
WATCH_SECONDS = 10.0


class _Life:
    """One subscription, from its start until it fails or is told to stop."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self._failed = False

    @property
    def failed(self) -> bool:
        return self._failed

    def fail(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError):
            return
        log.error("coverage_failed", exc_info=error)
        self._failed = True
        self.over.set()


class Timekeeping:
    """`database`: a pool for this alone, closed by `close`."""

    def __init__(
        self,
        settings: AuthEventsSettings,
        clock: Clock,
        database: Database,
        outbox: Outbox,
        registry: CollectorRegistry,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._database = database
        self._vault = Vault.parse(settings.vault_keys.get_secret_value())
        self._metrics = TimerMetrics(registry)
        self._publisher = Publisher(lambda: producer_of(settings, f"{SERVICE}-dead-letters"))
        self._progress = Progress(database, "auth_events")
        self._timers = Timers(database, outbox)
        self._coverage = Coverage(self._timers, clock, self._metrics)
        self._clock_watch = ClockWatch(database, self._metrics.record_skew)
        self._sweeper = Sweeper(self._timers, self._progress, clock, self._clock_watch.trusted, self._metrics)
        self._life = _Life()
        self._broker: KafkaBroker | None = None

    def start(self, process: Process) -> None:
        process.run("coverage", self._read(process.stopping))
        process.run("timers", self._sweeper.run(process.stopping))
        process.run("clock", self._clock_watch.run(process.stopping))
        process.run("watch", self._watch(process.stopping))
        process.on_stop("coverage", self._end)

    async def close(self) -> None:
        await self._publisher.stop()
        await close(self._database)

    async def _end(self) -> None:
        self._life.over.set()

    async def _read(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self._life = _Life()
            try:
                await self._follow(self._life)
            except SettingsError as error:
                log.warning("coverage_not_read", why=error.problems)
            except Exception as error:
                log.warning("coverage_not_read", exc_info=error)
            await pause(stopping, AGAIN_SECONDS)

    async def _follow(self, life: _Life) -> None:
        """From the committed offset until this life is over."""
        found = await partitions_of(self._settings, SERVICE, {ACTIVITY.name, AUTH_EVENTS_DEAD_LETTERS.name})
        await self._progress.know({(ACTIVITY.name, number) for number in range(found[ACTIVITY.name])})
        broker = create_broker(self._settings, SERVICE)
        reader = self._subscribed(broker, life)
        try:
            async with asyncio.timeout(START_SECONDS):
                await broker.start()
            self._broker = broker
            await reader.follow(life.over)
        finally:
            self._broker = None
            await _stop(broker)

    def _subscribed(self, broker: KafkaBroker, life: _Life) -> Reader:
        drain = Drain()
        intake = Intake(
            publisher=self._publisher,
            vault=self._vault,
            clock=self._clock,
            drain=drain,
            stopping=life.over,
            dead_letters=AUTH_EVENTS_DEAD_LETTERS,
            recorder=self._metrics,
        )
        consumer = subscribe(
            broker,
            [ACTIVITY.name],
            group_id=f"{self._settings.auth_events_kafka_group}-{ACTIVITY.name}",
            handler=partial(self._coverage.take, intake=intake),
            supervisor=life,
            drain=drain,
            instance_id=self._settings.kafka_instance_id,
        )
        return Reader(ACTIVITY.name, self._progress, self._clock, consumer, intake.accepted_up_to)

    async def _watch(self, stopping: asyncio.Event) -> None:
        while not await pause(stopping, WATCH_SECONDS):
            try:
                behind: Mapping[str, int] = await lags(self._broker) if self._broker is not None else {}
                self._metrics.record_lags(behind)
                self._metrics.record_standing(await self._timers.standing(self._clock.now()))
            except Exception as error:
                # What is only measured must not end what it measures.
                log.warning("watch_failed", exc_info=error)


async def _stop(broker: KafkaBroker) -> None:
    """A broker that is away answers no goodbye; the group misses us within the session time-out."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await broker.stop()
    except Exception as error:
        log.warning("consumer_not_stopped", exc_info=error)
