"""Services as the processes they are, to be killed, stopped and started again; and their supervisor."""

import asyncio
import json
import signal
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from demo import environment
from demo.catcher import Catcher
from demo.embedded.server import Server
from tests.support.waiting import POLL_SECONDS, wait_for

COMMAND = (sys.executable, "-m", "services.cli")
GRACE_SECONDS = 30.0
STARTS_WITHIN_SECONDS = 60.0


def settings(kafka: str, database: str, catcher: Catcher, group: str, **more: str) -> dict[str, str]:
    """The environment of a replica; the shorter a hand-over may take, the shorter the leases.

    No mail waits ten minutes for others to leave as one: each event owes its own.
    """
    addresses = {
        "smtp_host": catcher.host,
        "smtp_port": catcher.smtp_port,
        "http_url": catcher.http_url,
        "twilio_url": catcher.twilio_url,
        "account_sid": catcher.account_sid,
        "auth_token": catcher.auth_token,
    }
    clean = environment.of_notifier(kafka, database, addresses, group)
    return clean | {"SMTP_SEND_SECONDS": "2", "THROTTLE_SECONDS": "0", **more}


class Replica:
    """One process under a guard, so that nothing outlives the tests; its log holds all its lives."""

    def __init__(
        self, name: str, folder: Path, environ: Mapping[str, str], *, service: str = "notifier", guest: bool = False
    ) -> None:
        """`guest`: it has no name in its groups, and leaves them when it is stopped."""
        self.name = name
        self._command = (*COMMAND, service)
        self.log = folder / f"{name}.log"
        self.hits = folder / f"{name}.hits"
        self.lives = 0
        self._environ = dict(environ) if guest else {"KAFKA_INSTANCE_ID": name, **environ}
        self._born_at = 0
        self._one_at_a_time = asyncio.Lock()
        self._server = Server(name, self.log, stop_signal=signal.SIGTERM, grace_seconds=GRACE_SECONDS)

    @property
    def running(self) -> bool:
        return self._server.running

    async def start(self, failpoints: str = "", *, ready: bool = True) -> None:
        """Another life. `ready`: return when it says that it has started, else as soon as there is a process."""
        armed = {"FAILPOINTS": failpoints, "FAILPOINTS_LOG": str(self.hits)} if failpoints else {}
        async with self._one_at_a_time:
            self._born_at = self.log.stat().st_size if self.log.exists() else 0
            self.lives += 1
            await asyncio.to_thread(
                self._server.start,
                self._command,
                ready=lambda: True,
                within_seconds=STARTS_WITHIN_SECONDS,
                environment=self._environ | armed,
            )
        if ready:
            await wait_for(
                lambda: self.lines("started") or not self.running,
                f"start of {self.name}",
                within_seconds=STARTS_WITHIN_SECONDS,
            )
            assert self.running, self.log.read_text()[-2000:]

    async def kill(self) -> bool:
        """SIGKILL, as a crash would. False: it was dead already."""
        async with self._one_at_a_time:
            running = self.running
            await asyncio.to_thread(self._server.kill)
        return running

    async def stop(self) -> None:
        """SIGTERM, and as long as it takes."""
        async with self._one_at_a_time:
            await asyncio.to_thread(self._server.stop)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Of this life."""
        return [line for line in self._read() if line.get("event") == event]

    def struck(self) -> list[dict[str, Any]]:
        """Failpoints hit, in all lives."""
        return [json.loads(line) for line in self.hits.read_text().splitlines()] if self.hits.exists() else []

    async def metrics(self) -> dict[str, float]:
        """Name with labels → value, as /metrics says it now."""
        lines = (line.rpartition(" ") for line in (await self._get("/metrics")).text.splitlines() if line[0] != "#")
        return {name: float(value) for name, _, value in lines}

    async def unready(self) -> dict[str, str]:
        """What /readyz complains about now; empty: ready."""
        told: dict[str, str] = (await self._get("/readyz")).json()
        return {name: trouble for name, trouble in told.items() if trouble != "ready"}

    async def _get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=30) as http:
            return await http.get(f"http://127.0.0.1:{self.lines('started')[-1]['port']}{path}")

    def _read(self) -> Iterator[dict[str, Any]]:
        with self.log.open("rb") as log:
            log.seek(self._born_at)
            for line in log:
                if line.startswith(b"{") and line.endswith(b"}\n"):
                    yield json.loads(line)


@dataclass
class Supervisor:
    """Starts its replicas again whenever they are dead, each life with the next failpoint that waits its turn.

    A failpoint whose life ended otherwise before it was hit waits its turn again.
    """

    replicas: list[Replica]
    plan: deque[str] = field(default_factory=deque)
    _over: bool = False

    @property
    def hits(self) -> Counter[str]:
        """Failpoint → how often it was hit."""
        return Counter(hit["point"] for replica in self.replicas for hit in replica.struck())

    @property
    def lives(self) -> int:
        return sum(replica.lives for replica in self.replicas)

    async def _keep(self, replica: Replica) -> None:
        while not self._over:
            armed = self.plan.popleft() if self.plan else ""
            before = len(replica.struck())
            await replica.start(armed, ready=False)
            while replica.running and not self._over:  # noqa: ASYNC110 (a process that dies sets no event)
                await asyncio.sleep(POLL_SECONDS)
            if armed and len(replica.struck()) == before:
                self.plan.append(armed)
        await replica.kill()

    @asynccontextmanager
    async def supervising(self) -> AsyncIterator[None]:
        """Both alive inside; killed at the end, all at once."""
        self._over = False
        keepers = [asyncio.create_task(self._keep(replica)) for replica in self.replicas]
        try:
            yield
        finally:
            self._over = True
            await asyncio.gather(*keepers)


@asynccontextmanager
async def running(*replicas: Replica) -> AsyncIterator[None]:
    """All started and ready; stopped gracefully at the end."""
    try:
        await asyncio.gather(*(replica.start() for replica in replicas))
        yield
    finally:
        await asyncio.gather(*(replica.stop() for replica in replicas))


def planned(points: Iterable[str], times: int) -> deque[str]:
    """Each point so many kills, taking turns; not always at the first pass, so that some work is done in between."""
    return deque(f"{point}:kill:{1 + turn}" for turn in range(times) for point in sorted(points))
