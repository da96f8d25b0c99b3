"""The loop that keeps time: cases whose instant has come → engine → outbox, a batch and a transaction at a time.

Acts on nothing beyond the watermark. Any number of replicas sweep at once: a case is locked by whoever decides it, and
the others pass it over.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Literal

import structlog

from services.complaint_sla import metrics
from services.complaint_sla.case import Case
from services.complaint_sla.cases import Cases, Changed
from services.complaint_sla.engine import NewRulebook, Sweep, decide
from services.complaint_sla.rulebook import Rulebook
from services.runtime.clock import Clock
from services.runtime.database import describe, is_away
from services.runtime.outbox import pause
from services.runtime.watermark import Progress

log = structlog.get_logger()

SWEEP_SECONDS = 0.5
BATCH = 500
UPKEEP_EVERY = timedelta(hours=1)


class Sweeper:
    """`trusted`: set while this machine's clock may date what is decided."""

    def __init__(
        self, cases: Cases, progress: Progress, rulebook: Rulebook, clock: Clock, trusted: asyncio.Event
    ) -> None:
        self._cases = cases
        self._progress = progress
        self._rulebook = rulebook
        self._clock = clock
        self._trusted = trusted
        self._upkeep_at: datetime | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop. A database that is away is waited for; what is overdue then comes oldest first."""
        recomputed = False
        while not await pause(stopping, SWEEP_SECONDS):
            if not self._trusted.is_set():
                continue
            try:
                if not recomputed:
                    recomputed = await self._recompute("older", stopping) and await self._recompute("newer", stopping)
                await self._sweep(stopping)
                await self._upkeep(stopping)
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("sweep_waits_for_database", **describe(error))

    async def _sweep(self, stopping: asyncio.Event) -> None:
        watermark = await self._progress.watermark()
        metrics.record_watermark(watermark, self._clock.now())
        metrics.record_sweep()
        if watermark is None:
            return

        def swept(case: Case) -> Changed:
            return self._decided(case, Sweep(watermark))

        while not stopping.is_set():
            count = await self._cases.sweep(watermark, self._clock.now(), BATCH, swept)
            metrics.record_swept(count)
            if count < BATCH:
                return

    async def _recompute(self, than_ours: Literal["older", "newer"], stopping: asyncio.Event) -> bool:
        """Cases computed under other rules or calendars than ours. False: not done yet."""
        while not stopping.is_set():
            count = await self._cases.recompute(
                than_ours, self._rulebook.versions, self._clock.now(), BATCH, self._recomputed
            )
            if count:
                log.info("recomputed", cases=count, versions=self._rulebook.versions)
            if count < BATCH:
                return True
        return False

    def _recomputed(self, case: Case) -> Changed:
        return self._decided(case, NewRulebook())

    def _decided(self, case: Case, cause: Sweep | NewRulebook) -> Changed:
        case, outputs = decide(case, cause, self._clock.now(), self._rulebook)
        metrics.record_said(output.type for output in outputs)
        return Changed(case, list(outputs))

    async def _upkeep(self, stopping: asyncio.Event) -> None:
        """Once an hour. What is older than ours is recomputed again: a case may have been locked at our start, or saved
        by a replica of the version before. What is newer is left to the replica that made it so."""
        now = self._clock.now()
        if self._upkeep_at is not None and now < self._upkeep_at:
            return
        self._upkeep_at = now + UPKEEP_EVERY
        metrics.record_calendar((self._rulebook.calendars.last_day - now.date()).days)
        await self._recompute("older", stopping)
        while not stopping.is_set():
            gone = await self._cases.forget_old(now, BATCH)
            if gone:
                log.info("old_cases_forgotten", cases=gone)
            if gone < BATCH:
                return
