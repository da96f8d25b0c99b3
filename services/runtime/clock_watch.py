"""Trusts this machine's clock while it agrees with PostgreSQL's."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from services.runtime.clock import MAX_SKEW, skew
from services.runtime.database import Database, describe, is_away
from services.runtime.outbox import pause

log = structlog.get_logger()

CLOCK_SECONDS = 60.0


class ClockWatch:
    """`trusted` is set while the clocks agree: without it nothing is handed over, ended or decided."""

    def __init__(self, database: Database, record: Callable[[float], None] = lambda _: None) -> None:
        """`record` is told the distance in seconds."""
        self._database = database
        self._record = record
        self.trusted = asyncio.Event()
        self.off = timedelta(0)

    async def run(self, stopping: asyncio.Event) -> None:
        while True:
            try:
                await self.compare()
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("clock_not_compared", **describe(error))
            if await pause(stopping, CLOCK_SECONDS):
                return

    async def compare(self) -> None:
        """The machine's clock, not a demo's shifted one."""
        self.off = await skew(lambda: self._database.fetchval("SELECT clock_timestamp()"))
        self._record(self.off.total_seconds())
        if self.off <= MAX_SKEW:
            self.trusted.set()
        else:
            self.trusted.clear()
            log.error("clock_skewed", seconds=self.off.total_seconds())

    async def check(self) -> str | None:
        if self.trusted.is_set():
            return None
        return f"{self.off.total_seconds():.1f} s apart from PostgreSQL's, nothing is done; mend NTP on both"
