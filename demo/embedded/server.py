"""A server process of ours: started, asked whether it is ready, stopped, killed; never left behind."""

import atexit
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from demo.embedded.errors import EmbeddedError

GUARD = Path(__file__).with_name("guard.py")
LOG_LINES_SHOWN = 12
POLL_SECONDS = 0.05
REAP_SECONDS = 10.0

# Below the ephemeral ranges of Linux (32768) and macOS (49152): a client that keeps connecting to an ephemeral port
# whose server is down may be given that very port as its own, connect to itself, and keep the server from coming back.
PORTS = range(20_000, 32_000)


class Server:
    """One server, under a guard that stops it when this process ends in any way."""

    def __init__(self, name: str, log: Path, *, stop_signal: signal.Signals, grace_seconds: float) -> None:
        self._name = name
        self._log = log
        self._stop_signal = stop_signal
        self._grace_seconds = grace_seconds
        self._guard: subprocess.Popen[bytes] | None = None
        self._ending = threading.Lock()

    @property
    def running(self) -> bool:
        return self._guard is not None and self._guard.poll() is None

    def start(
        self,
        command: Sequence[str],
        *,
        ready: Callable[[], bool],
        within_seconds: float,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Return when `ready` is true; raise EmbeddedError, with the end of the log, if it never is.

        `environment`: None for this process's own.
        """
        if self.running:
            raise EmbeddedError(f"{self._name} is running already.")
        self.stop()  # lets go of one that ended by itself
        guard = [sys.executable, "-I", "-S", str(GUARD), str(int(self._stop_signal)), str(self._grace_seconds)]
        with self._log.open("ab") as log:
            self._guard = subprocess.Popen(
                [*guard, *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                # Its own session: Ctrl-C is ours to handle, and the order of stopping too.
                start_new_session=True,
            )
        atexit.register(self.stop)
        try:
            self._wait_until(ready, within_seconds)
        except BaseException:
            self.kill()
            raise

    def _wait_until(self, ready: Callable[[], bool], within_seconds: float) -> None:
        deadline = time.monotonic() + within_seconds
        while not ready():
            if not self.running:
                raise EmbeddedError(f"{self._name} ended while starting. The end of {self._log}:\n{self.last_lines()}")
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{self._name} did not answer within {within_seconds:.0f} s. "
                    f"The end of {self._log}:\n{self.last_lines()}"
                )
            time.sleep(POLL_SECONDS)

    def last_lines(self) -> str:
        with self._log.open(errors="replace") as log:
            return "".join(deque(log, maxlen=LOG_LINES_SHOWN)).rstrip()

    def stop(self) -> None:
        """Ask it to stop, and return when all of its processes are gone. Stopping what does not run is no error."""
        self._end(b"", self._grace_seconds + REAP_SECONDS)

    def kill(self) -> None:
        """SIGKILL, as a crash would, and return when all of its processes are gone."""
        self._end(b"k", REAP_SECONDS)

    def _end(self, order: bytes, within_seconds: float) -> None:
        with self._ending:  # who ends it at the same moment waits for the first
            if self._guard is None:
                return
            self._guard.communicate(order, within_seconds)
            self._guard = None
            atexit.unregister(self.stop)


def free_ports(count: int) -> list[int]:
    """Return `count` TCP ports of 127.0.0.1 that nobody listens on now."""
    bound: list[socket.socket] = []
    try:
        for port in secrets.SystemRandom().sample(PORTS, len(PORTS)):
            probe = socket.socket()
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                probe.close()
                continue
            bound.append(probe)
            if len(bound) == count:
                return [each.getsockname()[1] for each in bound]
    finally:
        for each in bound:
            each.close()
    raise EmbeddedError(f"No {count} free TCP ports between {PORTS.start} and {PORTS.stop} on 127.0.0.1.")
