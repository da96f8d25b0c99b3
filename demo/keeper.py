"""The demo's clock: jumps to the next instant at which something is due, and waits there until the path is quiet."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import asyncpg

from demo.broker import Broker
from demo.stage import StoryError
from services.runtime.clock import DemoClock
from services.runtime.database import Database

QUIET_SECONDS = 40.0
POLL_SECONDS = 0.1
_NEXT = """
SELECT least(
    (SELECT min(next_at) FROM complaint_sla.cases WHERE starts_with(complaint_id, $1)),
    (SELECT min(not_before) FROM notifier.notifications WHERE due_at IS NOT NULL AND not_before > $2)) AS at
"""
_QUIET = """
SELECT (SELECT min(through) FROM complaint_sla.progress) >= $1
   AND NOT EXISTS (SELECT FROM complaint_sla.cases WHERE next_at <= $1)
   AND NOT EXISTS (SELECT FROM complaint_sla.outbox)
   AND NOT EXISTS (SELECT FROM notifier.outbox)
   AND NOT EXISTS (SELECT FROM notifier.notifications
                   WHERE due_at IS NOT NULL AND (not_before IS NULL OR not_before <= $1)) AS quiet
"""
"""Everything known through that instant, nothing due, nothing untold, nothing unsent."""


@dataclass(slots=True)
class Keeper:
    """Use with `async with`. Leases, back-off and time-outs stay on real time: only waiting for days is left out."""

    dsn: str
    clock: DemoClock
    broker: Broker
    prefix: str
    """Of the ids of this run's complaints."""
    jumps: int = 0
    _pool: Database | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        self._pool = await asyncpg.create_pool(
            self.dsn, min_size=1, max_size=1, command_timeout=30,
            server_settings={"application_name": "demo", "default_transaction_read_only": "on"},
        )  # fmt: skip
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._pool is not None:
            await self._pool.close()

    def now(self) -> datetime:
        return self.clock.now()

    async def advance(self, until: datetime) -> None:
        """Through every instant of interest on the way, and then there."""
        while (at := await self._next()) is not None and at < until:
            await self._jump(at)
        await self._jump(until)

    async def settle(self) -> None:
        """Wait where we are until nothing moves."""
        await self._until_quiet(self.now())

    async def _next(self) -> datetime | None:
        assert self._pool is not None
        at: datetime | None = await self._pool.fetchval(_NEXT, self.prefix, self.now())
        return at

    async def _jump(self, at: datetime) -> None:
        """A moment past it: an instant is acted on once it is over."""
        self.clock.jump_to(at + timedelta(milliseconds=1))
        self.jumps += 1
        await self._until_quiet(at)

    async def _until_quiet(self, at: datetime) -> None:
        """Seen twice in a row: what leaves one outbox may not yet be read by the next service."""
        assert self._pool is not None
        deadline, seen = time.monotonic() + QUIET_SECONDS, 0
        while seen < 2:  # noqa: PLR2004, RUF100 (as said)
            quiet = await self._pool.fetchval(_QUIET, at) and not await self.broker.unread()
            seen = seen + 1 if quiet else 0
            if time.monotonic() > deadline:
                raise StoryError(f"The path was not quiet at {at.isoformat()} within {QUIET_SECONDS:.0f} s.")
            await asyncio.sleep(POLL_SECONDS)
