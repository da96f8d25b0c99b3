"""The half of auth_events that reads and keeps time, beside the intake and never in its way.

It has connections of its own, and `/readyz` does not ask it: a timer that is late, a broker that is away when we start
or a defect in here must not close the door to codes. What fails is begun again after a pause; the metrics say that it
is behind (`auth_events_watermark_age_seconds`, `auth_events_timers_overdue_seconds`).
"""

import asyncio
from collections.abc import Mapping

import structlog

from schemas.topics import ACTIVITY
from services.auth_events.coverage import Coverage
from services.auth_events.follow import SERVICE, Consumer, Following
from services.auth_events.metrics import TimerMetrics
from services.auth_events.settings import AuthEventsSettings
from services.auth_events.sweep import Sweeper
from services.auth_events.timers import Timers
from services.runtime.clock import Clock
from services.runtime.clock_watch import ClockWatch
from services.runtime.database import Database, close
from services.runtime.intake import Intake
from services.runtime.kafka import lags, producer_of
from services.runtime.outbox import Outbox, pause
from services.runtime.process import Process
from services.runtime.publisher import Publisher
from services.runtime.watermark import Progress, Reader

log = structlog.get_logger()

CONNECTIONS = 6
"""Reading three topics, sweeping, watching, and one to spare."""
WATCH_SECONDS = 10.0


class Timekeeping:
    """`database`: a pool for this alone, closed by `close`."""

    def __init__(
        self,
        settings: AuthEventsSettings,
        clock: Clock,
        database: Database,
        outbox: Outbox,
        metrics: TimerMetrics,
    ) -> None:
        self._clock = clock
        self._database = database
        self._metrics = metrics
        self._publisher = Publisher(lambda: producer_of(settings, f"{SERVICE}-dead-letters"))
        self._progress = Progress(database, "auth_events")
        self._timers = Timers(database, outbox)
        self._clock_watch = ClockWatch(database, self._metrics.record_skew)
        self._sweeper = Sweeper(self._timers, self._progress, clock, self._clock_watch.trusted, self._metrics)
        self._following = Following(
            "coverage",
            ACTIVITY,
            Coverage(self._timers, clock, self._metrics).take,
            settings=settings,
            clock=clock,
            publisher=self._publisher,
            metrics=self._metrics,
            beside=self._keep_progress,
        )

    def start(self, process: Process) -> None:
        process.run("coverage", self._following.run(process.stopping))
        process.run("timers", self._sweeper.run(process.stopping))
        process.run("clock", self._clock_watch.run(process.stopping))
        process.run("watch", self._watch(process.stopping))
        process.on_stop("coverage", self._following.end)

    async def close(self) -> None:
        await self._publisher.stop()
        await close(self._database)

    async def _keep_progress(self, partitions: int, consumer: Consumer, intake: Intake, over: asyncio.Event) -> None:
        await self._progress.know({(ACTIVITY.name, number) for number in range(partitions)})
        await Reader(ACTIVITY.name, self._progress, self._clock, consumer, intake.accepted_up_to).follow(over)

    async def _watch(self, stopping: asyncio.Event) -> None:
        while not await pause(stopping, WATCH_SECONDS):
            try:
                broker = self._following.broker
                behind: Mapping[str, int] = await lags(broker) if broker is not None else {}
                self._metrics.record_lags(behind)
                self._metrics.record_overdue(await self._timers.overdue_seconds(self._clock.now()))
            except Exception as error:
                # What is only measured must not end what it measures.
                log.warning("watch_failed", exc_info=error)
