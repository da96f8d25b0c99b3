"""The process's clock: expiry, horizon and deadlines are read from here, leases never are (PostgreSQL's clock)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

MAX_SKEW = timedelta(seconds=2)


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class DemoClock:
    """Runs at the machine's pace, shifted by the seconds that a file holds. All processes of a demo share the file.

    Only expiry, horizon and deadlines follow it. Leases, back-off and time-outs do not, nor does the skew check.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read: tuple[int, timedelta] = (0, timedelta())

    def now(self) -> datetime:
        return datetime.now(UTC) + self._shift()

    def jump_to(self, at: datetime) -> None:
        """For whoever leads the demo: never back."""
        shift = max(at - datetime.now(UTC), self._shift())
        beside = self._file.with_suffix(".new")
        beside.write_text(str(shift.total_seconds()), "ascii")
        beside.replace(self._file)

    def _shift(self) -> timedelta:
        try:
            changed = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            return timedelta()
        if changed != self._read[0]:
            self._read = (changed, timedelta(seconds=float(self._file.read_text("ascii"))))
        return self._read[1]


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
