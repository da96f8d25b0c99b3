"""The bench of the console: `python -m tests.bench.console`. Ten million notifications, a million complaints, and how
long each page and each search takes at the server.

In a real PostgreSQL, the console as it runs in production. Cold: PostgreSQL just started, none of its files in the
machine's memory, the console's first question. Warm: the median and the worst of many. And what its indexes cost the
notifier. Exits 1 when the worst of a warm page is over `LIMIT_MS`; names those that are so when cold. Leaves nothing
behind.
"""

import argparse
import asyncio
import http.client
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from demo import environment
from demo.embedded import EmbeddedError, EmbeddedKafka, EmbeddedPostgres
from schemas.topics import TOPICS
from services.runtime.settings import KafkaSettings
from services.runtime.topics import create_topics
from tests.bench.console_cost import Cost, cost, costs_told
from tests.bench.console_fill import Fill, Size
from tests.bench.console_pages import Page, pages
from tests.bench.console_topics import stock
from tests.bench.meters import cpu_seconds, tree_cpu_seconds
from tests.bench.rig import BenchError, running, until
from tests.support.database import migrate

LIMIT_MS = 300.0
TIMES = 20
WARM_UP = 6
"""PostgreSQL plans anew five times, and then decides whether one plan is for all."""
START_SECONDS = 60.0
LIMIT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds from the request to the last byte, over loopback. `cold`: None where none was taken.

    `cpu`: of console and PostgreSQL together, for each warm answer: what is left of the time on a machine of one's own.
    """

    page: Page
    cold: float | None
    warm: Sequence[float]
    cpu: float

    def __str__(self) -> str:
        cold = "" if self.cold is None else f"{self.cold:.0f}"
        return (
            f"{self.page.name:<52}{cold:>8}{statistics.median(self.warm):>9.0f}{max(self.warm):>8.0f}{self.cpu:>8.0f}"
        )


@dataclass(frozen=True, slots=True)
class Plan:
    size: Size
    times: int = TIMES
    cold: bool = True
    cost: bool = True
    only: str = ""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Servers:
    """PostgreSQL with the data, and a broker with the contract's topics."""

    def __init__(self, folder: Path) -> None:
        self.postgres = EmbeddedPostgres(folder / "postgres", durable=False)
        self.kafka = EmbeddedKafka(folder / "kafka")
        self._data = folder / "postgres" / "data"

    async def start(self) -> None:
        await asyncio.gather(asyncio.to_thread(self.postgres.start), asyncio.to_thread(self.kafka.start))
        settings = KafkaSettings(kafka_bootstrap_servers=self.kafka.bootstrap)
        await create_topics(settings, list(TOPICS.values()), partitions=None, replication=1)
        await stock(self.kafka.bootstrap)

    async def forget(self) -> None:
        """As after a restart of the machine: nothing of the data is in memory."""
        await asyncio.to_thread(self.postgres.stop)
        await asyncio.to_thread(self._evict)
        await asyncio.to_thread(self.postgres.start)

    def _evict(self) -> None:
        for path in self._data.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def stop(self) -> None:
        self.kafka.stop()
        self.postgres.stop()

    @asynccontextmanager
    async def console(self) -> AsyncIterator[tuple[int, Callable[[], float]]]:
        """Its port and what CPU was used so far, in seconds, once it is ready: the broker has been seen."""
        environ = environment.of_console(self.kafka.bootstrap, self.postgres.dsn, self._data / "no-gallery")
        command = [sys.executable, "-m", "services.cli", "console"]
        log = self._data.parent.parent / "console.log"
        log.write_bytes(b"")
        async with running("the console", command, environ=environ, log=log) as process:

            async def ready() -> bool:
                if process.returncode is not None:
                    raise BenchError(f"the console ended with {process.returncode}:\n{log.read_text()[-2000:]}")
                return await asyncio.to_thread(is_ready, port_told(log))

            await until(ready, "the console is ready", START_SECONDS)
            port = port_told(log)
            yield port, lambda: cpu_seconds(process.pid) + self.postgres_cpu()

    def postgres_cpu(self) -> float:
        """Seconds used since it was started; 0 where the machine does not tell."""
        return tree_cpu_seconds(int((self._data / "postmaster.pid").read_text().split()[0])) or 0.0


def port_told(log: Path) -> int:
    """0 until it is."""
    lines = [json.loads(line) for line in log.read_text().splitlines(keepends=True) if re.fullmatch(r"{.*\n", line)]
    return next((int(line["port"]) for line in lines if line.get("event") == "started"), 0)


def is_ready(port: int) -> bool:
    try:
        return _get(http.client.HTTPConnection("127.0.0.1", port, timeout=5), "/readyz")[0] == http.client.OK
    except OSError:
        return False


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, float]:
    """Status, and milliseconds to the last byte."""
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status, (time.perf_counter() - began) * 1000


def ask(port: int, page: Page, times: int) -> list[float]:
    """On one connection, as a browser does. Raises `BenchError` when the answer is not the page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        taken = []
        for _ in range(times):
            status, ms = _get(connection, page.path)
            if status != page.status:
                raise BenchError(f"{page.name}: {page.path} answered {status}, not {page.status}")
            taken.append(ms)
        return taken
    finally:
        connection.close()


async def filled(servers: Servers, size: Size) -> None:
    """Migrated, and filled if it is not yet."""
    await migrate(servers.postgres.dsn)
    admin = await asyncpg.connect(servers.postgres.dsn)
    try:
        there = await admin.fetchval("SELECT EXISTS (SELECT FROM complaint_sla.progress)")
    finally:
        await admin.close()
    if not there:
        say(f"filling {size.notifications:,} notifications and {size.complaints:,} complaints …")
        await Fill(servers.postgres.dsn, size, datetime.now(UTC), say).run()


async def bench(servers: Servers, plan: Plan) -> tuple[list[Cost], list[Timing]]:
    await servers.start()
    costs = await cost(servers.postgres.dsn, servers.postgres_cpu, say) if plan.cost else []
    await filled(servers, plan.size)
    return costs, await timings_of(servers, plan)


async def timings_of(servers: Servers, plan: Plan) -> list[Timing]:
    found = [page for page in await pages(servers.postgres.dsn) if re.search(plan.only, page.name)]
    firsts: dict[str, float] = {}
    for number, page in enumerate(found if plan.cold else [], start=1):
        await servers.forget()
        async with servers.console() as (port, _):
            [firsts[page.name]] = await asyncio.to_thread(ask, port, page, 1)
        if number % 10 == 0:
            say(f"  {number} of {len(found)} pages asked cold")
    say(f"asking each page {plan.times} times …")
    async with servers.console() as (port, cpu):
        timings = []
        for page in found:
            await asyncio.to_thread(ask, port, page, WARM_UP)
            before = cpu()
            warm = await asyncio.to_thread(ask, port, page, plan.times)
            timings.append(Timing(page, firsts.get(page.name), warm, (cpu() - before) * 1000 / plan.times))
        return timings


async def run(folder: Path, plan: Plan) -> tuple[list[Cost], list[Timing]]:
    """Starts everything, and stops everything, also when it fails or is cancelled."""
    servers = Servers(folder)
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            return await bench(servers, plan)
    except TimeoutError:
        raise BenchError(f"not done within {LIMIT_SECONDS:g} s: is this machine busy with something else?") from None
    finally:
        await asyncio.to_thread(servers.stop)


def told(timings: Sequence[Timing]) -> str:
    return "\n".join([f"{'ms':<52}{'cold':>8}{'median':>9}{'worst':>8}{'CPU':>8}", *map(str, timings)])


def main() -> None:
    parser = argparse.ArgumentParser(description="Every page of the console over a large ledger.")
    parser.add_argument("--notifications", type=int, default=10_000_000)
    parser.add_argument("--complaints", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=TIMES, help="how often each page is asked for when warm")
    parser.add_argument("--no-cold", action="store_true", help="only warm")
    parser.add_argument("--no-cost", action="store_true", help="without what the indexes cost the notifier")
    parser.add_argument("--only", default="", help="only pages whose name has this regular expression")
    parser.add_argument("--folder", type=Path, help="keep the data there, or use what is kept there (about 20 GB)")
    asked = parser.parse_args()
    size = Size(asked.notifications, asked.complaints)
    plan = Plan(size, asked.times, cold=not asked.no_cold, cost=not asked.no_cost, only=asked.only)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            costs, timings = asyncio.run(run(asked.folder or Path(folder), plan))
    except (BenchError, EmbeddedError) as error:
        sys.exit(f"no figures: {error}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("no figures: stopped")
    print(f"load average at the end: {os.getloadavg()[0]:.1f}, on {os.cpu_count()} cores\n")
    if costs:
        print(f"{costs_told(costs)}\n")
    print(told(timings))
    cold = [timing.page.name for timing in timings if (timing.cold or 0.0) > LIMIT_MS]
    if cold:
        print(f"\nover {LIMIT_MS:g} ms when all has to be read from the disk: {'; '.join(cold)}")
    slow = [timing.page.name for timing in timings if max(timing.warm) > LIMIT_MS]
    if slow:
        sys.exit(f"over {LIMIT_MS:g} ms: {'; '.join(slow)}")


if __name__ == "__main__":
    main()
