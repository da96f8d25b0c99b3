"""Our services as the processes they are in production, and the blocking parts of the demo from an event loop."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from demo.embedded.server import GUARD, Server

START_SECONDS = 60.0
STOP_SECONDS = 30.0
"""Longer than the grace a service gives itself: SIGKILL is for one that hangs."""
CATCHER = "demo.catcher"
PROGRAM = "services.cli"


async def to_the_end(*module: str, hear: Callable[[str], None]) -> int:
    """`python -m module…` under the guard: its exit status. `hear` gets each line that it says; cancelled, it ends."""
    command = [sys.executable, "-I", "-S", str(GUARD), str(int(signal.SIGTERM)), "1", sys.executable, "-m", *module]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=STDOUT, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async for raw in process.stdout:
            hear(raw.decode(errors="replace").rstrip())
    finally:
        process.stdin.close()
        status = await process.wait()
    return status


class Part(Protocol):
    """What the demo starts and stops; both block."""

    def start(self) -> object: ...
    def stop(self) -> None: ...


class Service:
    """One process under the guard, its log in a file; the same one again after `kill` or `stop`.

    Ready once its log says so: a line in JSON with the event `ready_event` (or, without one, any line in JSON), kept
    as `announced`. `start` raises EmbeddedError with the end of the log.
    """

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        ready_event: str | None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name.replace(' ', '-')}.log"
        self.announced: dict[str, Any] = {}
        self._command = [sys.executable, "-m", module, *arguments]
        self._environment = environment
        self._ready_event = ready_event
        self._read_from = 0
        self._server = Server(name, self.log, stop_signal=signal.SIGTERM, grace_seconds=STOP_SECONDS)

    @property
    def running(self) -> bool:
        return self._server.running

    @property
    def address(self) -> str:
        """Of its health and metrics, without a slash at the end."""
        return f"http://127.0.0.1:{self.announced['port']}"

    def start(self) -> None:
        self.announced = {}
        self._read_from = self.log.stat().st_size if self.log.exists() else 0
        self._server.start(
            self._command, ready=self._is_ready, within_seconds=START_SECONDS, environment=self._environment
        )

    def stop(self) -> None:
        self._server.stop()

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._server.kill()

    def _is_ready(self) -> bool:
        for line in self.lines():
            if self._ready_event is None or line.get("event") == self._ready_event:
                self.announced = line
                return True
        return False

    def lines(self) -> Iterator[dict[str, Any]]:
        """Whole lines in JSON since the last start; others (a traceback) are for people."""
        with self.log.open("rb") as log:
            log.seek(self._read_from)
            for line in log:
                if line.startswith(b"{") and line.endswith(b"}\n"):
                    yield json.loads(line)


class Parts:
    """Starts blocking parts in threads, and knows how to stop one that is still starting."""

    def __init__(self) -> None:
        self._starting: dict[int, asyncio.Future[object]] = {}

    async def start(self, part: Part) -> None:
        """Return when it is ready. Cancelled: it goes on starting, until `stop`."""
        starting = self._starting[id(part)] = asyncio.ensure_future(asyncio.to_thread(part.start))
        await asyncio.shield(starting)

    async def stop(self, *parts: Part) -> None:
        """Together; returns when all of their processes are gone."""
        await asyncio.gather(*(self._stop(part) for part in parts))

    async def _stop(self, part: Part) -> None:
        starting = self._starting.get(id(part))
        if starting is None:
            return
        # Twice: one that is starting ends at the first, or, if its process is not there yet, at the second.
        await asyncio.to_thread(part.stop)
        await asyncio.wait([starting])
        starting.exception()
        await asyncio.to_thread(part.stop)
