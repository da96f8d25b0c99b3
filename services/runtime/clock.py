"""The process's clock: expiry, horizon and deadlines are read from here, leases never are (PostgreSQL's clock)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

MAX_SKEW = timedelta(seconds=2)


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class FixedClock:
    """For tests and for asking "what if": stands still until told otherwise."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


async def skew(database_now: Callable[[], Awaitable[datetime]]) -> timedelta:
    """How far this machine's clock is from PostgreSQL's; half the round trip is taken off.

    Compares the machine's clock, not a demo's shifted one.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    theirs = await database_now()
    travelled = timedelta(seconds=(loop.time() - started) / 2)
    return abs(datetime.now(UTC) - travelled - theirs)
