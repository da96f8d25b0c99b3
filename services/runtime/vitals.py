"""What every process tells of itself: which build it is, how late its loop runs, and what it is ready for.

The names are the same in every process (`member_notices_…`), so that one rule watches them all.
"""

import asyncio
import platform
from collections import deque
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from services.runtime.outbox import pause

BEAT_SECONDS = 0.25
WORST_SECONDS = 60.0
"""The worst of so long: four scrapes see it, and then it is over."""
LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Vitals:
    """One for each registry; `run` measures, `record_ready` is told by the readiness checks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        build = Gauge(
            "member_notices_build_info", "1; the labels say which build runs", ["version", "python"], registry=registry
        )
        build.labels(build_version(), platform.python_version()).set(1)
        self._lags = Histogram(
            "member_notices_loop_lag_seconds",
            "How late a timer of the event loop fired",
            buckets=LAG_BUCKETS,
            registry=registry,
        )
        self._worst = Gauge(
            "member_notices_loop_lag_max_seconds", "The latest that a timer fired in the last minute", registry=registry
        )
        self._ready = Gauge(
            "member_notices_ready", "1: ready; 0: not, and /readyz says what to look at", ["check"], registry=registry
        )
        self._blind = Counter(
            "member_notices_watch_failures_total",
            "Looks that failed; what they measure stands still",
            registry=registry,
        )
        self._recent: deque[float] = deque(maxlen=round(WORST_SECONDS / BEAT_SECONDS))
        ProcessCollector(registry=registry)

    async def run(self, stopping: asyncio.Event) -> None:
        """Measure until told to stop. While the loop stands nothing is: what was, comes with its next turn."""
        loop = asyncio.get_running_loop()
        due = loop.time() + BEAT_SECONDS
        while not await pause(stopping, due - loop.time()):
            now = loop.time()
            self.record_lag(max(0.0, now - due))
            due = now + BEAT_SECONDS

    def record_lag(self, seconds: float) -> None:
        self._lags.observe(seconds)
        self._recent.append(seconds)
        self._worst.set(max(self._recent))

    def record_watch_failure(self) -> None:
        """A gauge that nobody sets shows its last value, or 0, as if all were well."""
        self._blind.inc()

    def record_ready(self, ready: Mapping[str, bool]) -> None:
        """By the names of the checks, which are few and fixed."""
        for check, is_ready in ready.items():
            self._ready.labels(check).set(is_ready)


def build_version() -> str:
    try:
        return version("member-notices")
    except PackageNotFoundError:
        return "checkout"
