"""The bench of deadlines: `python -m tests.bench.deadlines`. A million open complaints in a real PostgreSQL with fsync.

Nothing due, 1,000 due, 50,000 due at one instant: the sweep as it runs in production (decrypt, engine, encrypt,
evidence, outbox, one transaction a batch) against a full scan for what is due, and one complaint a transaction.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from demo.embedded import EmbeddedPostgres
from services.complaint_sla.case import Case
from services.complaint_sla.cases import Cases, Changed
from services.complaint_sla.engine import Sweep, decide
from services.complaint_sla.rulebook import load_rulebook
from services.runtime.database import Database, close, connect
from services.runtime.outbox import Outbox
from services.runtime.vault import Vault
from tests.support.complaint_story import Complaint, at
from tests.support.database import migrate
from tests.support.notifier import VAULT_KEYS

RECEIVED = at("2026-12-01 10:00")
DUE = RECEIVED + timedelta(minutes=15)
LATER = at("2027-01-01 09:00")
"""When the many that are not due have their next instant."""
BATCH = 500
WORKERS = 4
TIMES = 20


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    seconds: float
    beside: str
    """What it is compared with."""
    other_seconds: float

    def __str__(self) -> str:
        ratio = self.other_seconds / self.seconds
        ours, other = self.seconds * 1000, self.other_seconds * 1000
        return f"{self.name:<40}{ours:>10.1f}{self.beside:>36}{other:>12.1f}{ratio:>9.1f}x"


class Bench:
    """A database with complaints; each scene puts its own due ones in."""

    def __init__(self, database: Database, admin: asyncpg.Connection) -> None:
        self._database = database
        self._admin = admin
        self._vault = Vault.parse(VAULT_KEYS)
        self._rulebook = load_rulebook()
        self._cases = Cases(database, self._vault, Outbox("complaint_sla", self._vault))
        story = Complaint(id="template", rulebook=self._rulebook)
        story.receive("2026-12-01 10:00")
        self._template = story.now

    async def fill(self, count: int) -> None:
        """Open complaints with nothing to do before `LATER`. Their states are never opened here."""
        await self._admin.execute(
            """
            INSERT INTO complaint_sla.cases
                (complaint_id, state, revision, licence, brand, received_at, next_at, rules_version, calendar_version,
                 changed_at)
            SELECT 'c-open-' || n, $2, 1, 'uk', 'cigna-healthcare', $3, $4::timestamptz + n * interval '1 second',
                   '1', '1', $3
            FROM generate_series(1, $1::integer) AS n
            """,
            count,
            bytes(len(self._template.model_dump_json())),
            RECEIVED,
            LATER,
        )
        await self._admin.execute("VACUUM ANALYZE complaint_sla.cases")

    async def due(self, count: int) -> None:
        """So many more, all due at `DUE`."""
        rows = []
        for number in range(count):
            case = self._template.model_copy(update={"id": f"c-due-{time.monotonic_ns()}-{number}"})
            state = self._vault.encrypt(case.model_dump_json().encode(), f"cases/{case.id}/state")
            rows.append((case.id, state, 1, "uk", "cigna-healthcare", RECEIVED, DUE, "1", "1", RECEIVED))
        names = (
            "complaint_id", "state", "revision", "licence", "brand", "received_at", "next_at", "rules_version",
            "calendar_version", "changed_at",
        )  # fmt: skip
        await self._admin.copy_records_to_table("cases", schema_name="complaint_sla", records=rows, columns=names)
        await self._admin.execute("ANALYZE complaint_sla.cases")

    async def sweep(self, limit: int) -> int:
        return await self._cases.sweep(DUE, DUE, limit, self._decided)

    async def sweep_all(self, limit: int) -> None:
        while await self.sweep(limit):
            pass

    async def scan(self, until: datetime) -> None:
        """What there is without the index: every row is looked at."""
        async with self._admin.transaction():
            await self._admin.execute("SET LOCAL enable_indexscan = off")
            await self._admin.execute("SET LOCAL enable_bitmapscan = off")
            await self._admin.execute("SET LOCAL enable_indexonlyscan = off")
            await self._admin.fetch("SELECT complaint_id FROM complaint_sla.cases WHERE next_at <= $1 LIMIT 500", until)

    def _decided(self, case: Case) -> Changed:
        case, outputs = decide(case, Sweep(DUE), DUE, self._rulebook)
        return Changed(case, list(outputs))


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def median(work: Callable[[], Awaitable[object]]) -> float:
    return statistics.median([await timed(work) for _ in range(TIMES)])


async def bench(dsn: str, complaints: int, say: Callable[[str], None]) -> list[Figure]:
    await migrate(dsn)
    admin = await asyncpg.connect(dsn)
    database = await connect(dsn, size=WORKERS + 1)
    try:
        return await scenes(Bench(database, admin), complaints, say)
    finally:
        await admin.close()
        await close(database)


async def scenes(on: Bench, complaints: int, say: Callable[[str], None]) -> list[Figure]:
    say(f"{complaints:,} open complaints …")
    await on.fill(complaints)
    say("nothing due …")
    scan = await median(lambda: on.scan(DUE))
    empty = Figure("a sweep that finds nothing", await median(lambda: on.sweep(BATCH)), "full scan", scan)
    say("1,000 due …")
    await on.due(1000)
    one_by_one = await timed(lambda: on.sweep_all(1))
    await on.due(1000)
    batches = await timed(lambda: on.sweep_all(BATCH))
    thousand = Figure("1,000 due, batches of 500", batches, "one a transaction", one_by_one)
    say("50,000 due at one instant …")
    await on.due(50_000)
    cpu = time.process_time()
    began = time.perf_counter()
    await asyncio.gather(*(on.sweep_all(BATCH) for _ in range(WORKERS)))
    all_of_them = time.perf_counter() - began
    cpu_each = (time.process_time() - cpu) / 50_000
    say(f"CPU a complaint: {cpu_each * 1e6:.0f} µs of this process")
    name = f"50,000 at one instant, {WORKERS} workers"
    many = Figure(name, all_of_them, "one a transaction, 50 times 1,000", one_by_one * 50)
    return [empty, thousand, many]


def main() -> None:
    parser = argparse.ArgumentParser(description="The sweep over a million open complaints.")
    parser.add_argument("--complaints", type=int, default=1_000_000)
    asked = parser.parse_args()

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres") as postgres,
    ):
        figures = asyncio.run(bench(postgres.dsn, asked.complaints, say))
    print(f"{'':<40}{'ms':>10}{'beside':>36}{'ms':>12}{'ratio':>10}")
    for figure in figures:
        print(figure)


if __name__ == "__main__":
    main()
