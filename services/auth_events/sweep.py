"""The loop that keeps time: timers that are due → what is said, a batch and a transaction at a time.

Acts on nothing beyond the watermark: a reinstatement that waits unread on the topic, after an outage say, comes first.
Nothing it meets ends the process, which takes in codes beside it: it is logged and counted, and the look comes again.
"""

import asyncio
from datetime import datetime, timedelta

import structlog

from services.auth_events.metrics import TimerMetrics
from services.auth_events.timers import Timers
from services.runtime.clock import Clock
from services.runtime.database import describe, is_away
from services.runtime.outbox import pause
from services.runtime.watermark import Progress

log = structlog.get_logger()

SWEEP_SECONDS = 1.0
"""So long after its instant a notice may leave, and `at once` may take."""
BATCH = 500
FORGET_EVERY = timedelta(hours=1)


class Sweeper:
    """`trusted`: set while this machine's clock may date what is said."""

    def __init__(
        self, timers: Timers, progress: Progress, clock: Clock, trusted: asyncio.Event, metrics: TimerMetrics
    ) -> None:
        self._timers = timers
        self._progress = progress
        self._clock = clock
        self._trusted = trusted
        self._metrics = metrics
        self._forget_at: datetime | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop. What became due meanwhile comes oldest first."""
        while not await pause(stopping, SWEEP_SECONDS):
            try:
                await self._look(stopping)
            except Exception as error:
                if is_away(error):
                    log.warning("timers_wait_for_database", **describe(error))
                else:
                    self._metrics.record_sweep_failed()
                    log.error("timers_not_fired", exc_info=error)

    async def _look(self, stopping: asyncio.Event) -> None:
        watermark = await self._progress.watermark()
        self._metrics.record_watermark(watermark, self._clock.now())
        if watermark is not None and self._trusted.is_set():
            await self._fire(watermark, stopping)
        self._metrics.record_sweep()
        await self._forget(stopping)

    async def _fire(self, watermark: datetime, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            fired = await self._timers.fire(watermark, self._clock.now(), BATCH)
            for what in fired:
                self._metrics.record_fired(what)
            if "missed" in fired:
                log.error("access_ended_unsaid", members=fired.count("missed"))
            if len(fired) < BATCH:
                return

    async def _forget(self, stopping: asyncio.Event) -> None:
        now = self._clock.now()
        if self._forget_at is not None and now < self._forget_at:
            return
        while not stopping.is_set() and await self._timers.forget_old(now, BATCH) == BATCH:
            pass
        self._forget_at = now + FORGET_EVERY
