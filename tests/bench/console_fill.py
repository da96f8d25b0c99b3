"""A ledger and complaints of any size in the real, migrated tables, written by SQL (`console_sql`), day by day.

Rows are of real length and lie in the order of their time. What is sealed is as long as what the services seal, and
opens with no key. Nothing is told of them: the outbox holds what has not left yet, and no more.
"""

import asyncio
import itertools
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import asyncpg

from services.notifier.catalogue import CATALOGUE
from services.notifier.ledger.upkeep import CONTENTS_LIVE
from tests.bench.console_sql import (
    ATTEMPTS,
    BESIDE,
    CASES,
    EVENTS,
    HEARD,
    KINDS,
    NOTIFICATIONS,
    OBLIGATIONS,
    PROGRESS,
    SAID,
    SLOTS,
    UNPLANNED,
)

Say = Callable[[str], None]
Job = Callable[[asyncpg.Connection], Awaitable[object]]

DAYS = 130
WRITERS = 2
CHUNKS = 20
"""Of complaints."""
COMMON: Mapping[str, int] = {
    "one-time-verification-code": 430, "new-sign-on": 150, "password-changed": 60, "change-your-password": 60,
    "benefit-application-received": 110, "security-method-enrolled": 40, "unlock-account": 20, "welcome": 30,
    "verify-email-address": 20, "complaint-acknowledged": 12,
}  # fmt: skip
"""Of a thousand messages; each other notice has one."""
CAMPAIGN = 21
"""Days ago on which seven times as much went out as on another day."""
ADDRESS_BYTES, FACTS_BYTES, EVENT_BYTES, CASE_BYTES, EVIDENCE_BYTES = 64, 420, 700, 4000, 900
"""As long as what the services seal, about."""


@dataclass(frozen=True, slots=True)
class Size:
    notifications: int
    complaints: int

    @property
    def members(self) -> int:
        return max(10, self.notifications // 7)


class Fill:
    """Into empty tables."""

    def __init__(self, dsn: str, size: Size, now: datetime, say: Say) -> None:
        self._dsn = dsn
        self._size = size
        self._now = now
        self._say = say
        self._jobs: list[tuple[str, Job]] = []

    async def run(self) -> None:
        """On a server of one's own, whose autovacuum is off meanwhile. Each part is vacuumed when it is full."""
        admin = await asyncpg.connect(self._dsn)
        try:
            await admin.execute("ALTER SYSTEM SET autovacuum = off")
            await admin.execute("ALTER SYSTEM SET max_wal_size = '8GB'")
            await admin.execute("SELECT pg_reload_conf()")
            await self.rows()
            await admin.execute("VACUUM ANALYZE")
            await admin.execute("ALTER SYSTEM RESET autovacuum")
            await admin.execute("ALTER SYSTEM RESET max_wal_size")
            await admin.execute("SELECT pg_reload_conf()")
            await admin.execute("CHECKPOINT")
        finally:
            await admin.close()

    async def rows(self) -> None:
        admin = await asyncpg.connect(self._dsn)
        try:
            await self._prepare(admin)
            self._jobs = [*self._days(), *self._complaints(), ("what is beside", self._beside)]
            await self._work()
            await admin.execute("DROP SCHEMA bench CASCADE")
        finally:
            await admin.close()

    async def _prepare(self, admin: asyncpg.Connection) -> None:
        await admin.execute("DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench")
        await admin.execute(KINDS)
        await admin.copy_records_to_table("kinds", schema_name="bench", records=kinds())
        await admin.execute("ANALYZE bench.kinds")
        days = (self._now - timedelta(days=DAYS)).date(), (self._now + timedelta(days=2)).date()
        await admin.execute("SELECT notifier.ensure_partitions($1, $2)", *days)

    async def _work(self) -> None:
        began, total, done = time.monotonic(), len(self._jobs), 0
        queue = iter(self._jobs)

        async def worker() -> None:
            nonlocal done
            connection = await asyncpg.connect(self._dsn, server_settings={"synchronous_commit": "off", "jit": "off"})
            try:
                for name, job in queue:
                    await job(connection)
                    done += 1
                    if done % 15 == 0 or done == total:
                        self._say(f"  {done} of {total} parts in {time.monotonic() - began:.0f} s (last: {name})")
            finally:
                await connection.close()

        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(worker())

    def _days(self) -> list[tuple[str, Job]]:
        first, today, jobs = 1, self._now.date(), []
        days = [today - timedelta(days=ago) for ago in range(DAYS, -1, -1)]
        for day, count in zip(days, shares(days, self._size.notifications), strict=True):
            jobs.append((f"notifications of {day}", self._day(day, first, count)))
            first += count
        return jobs

    def _day(self, day: date, first: int, count: int) -> Job:
        young = datetime(day.year, day.month, day.day, tzinfo=UTC) > self._now - CONTENTS_LIVE
        address, facts = (bytes(ADDRESS_BYTES), bytes(FACTS_BYTES)) if young else (None, None)
        size, suffix = self._size, f"{day:%Y%m%d}"

        async def fill(connection: asyncpg.Connection) -> None:
            await connection.execute(
                NOTIFICATIONS.format(day=suffix), day, first, count, self._now, size.members, size.complaints, address,
                facts,
            )  # fmt: skip
            await connection.execute(EVENTS.format(day=suffix))
            await connection.execute(
                UNPLANNED.format(day=suffix), day, first, count // 25, size.members, bytes(EVENT_BYTES), self._now
            )
            await connection.execute(ATTEMPTS.format(day=suffix))
            for table in ("notifications", "events", "attempts"):
                await connection.execute(f"VACUUM (ANALYZE) notifier.{table}_{suffix}")

        return fill

    def _complaints(self) -> list[tuple[str, Job]]:
        bounds = [self._size.complaints * number // CHUNKS for number in range(CHUNKS + 1)]
        return [(f"complaints to {end:,}", self._chunk(start, end)) for start, end in itertools.pairwise(bounds)]

    def _chunk(self, start: int, end: int) -> Job:
        # Longer than a page's quarter, and what is sealed does not compress.
        sealed, evidence = secrets.token_bytes(CASE_BYTES), bytes(EVIDENCE_BYTES)

        async def fill(connection: asyncpg.Connection) -> None:
            await connection.execute(CASES, start, end, self._size.complaints, self._now, sealed)
            await connection.execute(OBLIGATIONS, start, end, self._now)
            await connection.execute(HEARD, start, end, evidence)
            await connection.execute(SAID, start, end, evidence)

        return fill

    async def _beside(self, connection: asyncpg.Connection) -> None:
        for statement in BESIDE:
            await connection.execute(statement, self._size.notifications, self._now)
        await connection.execute(PROGRESS, self._now)


def shares(days: Sequence[date], total: int) -> list[int]:
    """So many messages for each day; weekends have a third, `CAMPAIGN` has seven times as many."""
    weights = [
        (1.0 if day.weekday() < 5 else 0.33) * (7.0 if (days[-1] - day).days == CAMPAIGN else 1.0) for day in days
    ]
    # A message of an event and a second one stay on one day.
    return [math.ceil(total * weight / sum(weights) / 5) * 5 for weight in weights]


def kinds() -> list[tuple[object, ...]]:
    """`SLOTS` rows, each notice as often as it is common."""
    rows: list[tuple[object, ...]] = []
    for notice in CATALOGUE:
        for number in range(COMMON.get(notice.name, 1)):
            channel = "sms" if notice.name == "one-time-verification-code" and number % 4 == 0 else "email"
            brand = sorted(notice.brands)[number % len(notice.brands)]
            letter = notice.lane == "letters"
            rows.append((notice.name, notice.on, notice.lane, brand, channel, "login", letter))
    return [(slot, *rows[slot % len(rows)]) for slot in range(SLOTS)]
