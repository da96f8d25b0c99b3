"""One process: start its parts, run until told to stop or until a part fails, stop in order.

SIGTERM and SIGINT stop it gracefully (exit 0). A part that raises ends the process (exit 1): the supervisor starts it
again from what is committed.
"""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from services.runtime import traces

log = structlog.get_logger()

GRACE_SECONDS = 25.0
"""Within Kubernetes' default of 30 s before SIGKILL."""
CANCEL_SECONDS = 1.0


class Process:
    """Parts run until `stopping`; `on_stop` steps run in the order they were added, then the parts are awaited."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stopping = asyncio.Event()
        self._failed: BaseException | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._steps: list[tuple[str, Callable[[], Awaitable[Any]]]] = []

    def run(self, name: str, part: Coroutine[Any, Any, Any]) -> None:
        """A part that should run until `stopping`; raising ends the process."""
        task = asyncio.create_task(part, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def on_stop(self, name: str, step: Callable[[], Awaitable[Any]]) -> None:
        self._steps.append((name, step))

    def fail(self, error: BaseException) -> None:
        """End the process because of `error`."""
        if isinstance(error, asyncio.CancelledError):
            return
        if self._failed is None:
            log.critical("process_failed", exc_info=error)
            self._failed = error
        self.stopping.set()

    @property
    def failed(self) -> bool:
        return self._failed is not None

    async def until_stopped(self) -> int:
        """Until SIGTERM, SIGINT or a failure. Returns the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        await self.stopping.wait()
        return await self.stop()

    async def stop(self) -> int:
        """In order, within `GRACE_SECONDS`. Returns the exit status."""
        self.stopping.set()
        log.info("process_stopping")
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                for name, step in self._steps:
                    await self._step(name, step)
                if self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            log.warning("stop_took_too_long", still=[task.get_name() for task in self._tasks if not task.done()])
            for task in self._tasks:
                task.cancel()
            # Not for ever: a cancelled asyncpg statement waits for a server that may be silent. The composition root
            # closes the pool next, which ends it.
            await asyncio.wait(self._tasks, timeout=CANCEL_SECONDS)
        await traces.stop()
        log.info("process_stopped", failed=self._failed is not None)
        return 0 if self._failed is None else 1

    async def _step(self, name: str, step: Callable[[], Awaitable[Any]]) -> None:
        try:
            await step()
        except Exception as error:  # noqa: BLE001 (one part that stops badly must not keep the others from stopping)
            log.warning("stop_step_failed", step=name, error=type(error).__name__)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            error = task.exception()
            if error is not None:
                self.fail(error)
            elif not self.stopping.is_set():
                self.fail(RuntimeError(f"{task.get_name()} ended by itself"))
