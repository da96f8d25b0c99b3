"""The probe's metrics: one vocabulary, bounded labels, verbs `record_…`."""

import time
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.probe.canary import Failure
from services.runtime.vitals import Vitals

REGISTRY = CollectorRegistry()
vitals = Vitals(REGISTRY)

_seconds = Histogram(
    "probe_seconds",
    "From sending a canary code in to hearing that it was handed over",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
_failures = Counter("probe_failures_total", "Canaries that did not go well", ["reason"], registry=REGISTRY)
_last = Gauge(
    "probe_last_success_timestamp_seconds",
    "When a canary last was handed over in time; the start of the probe before that",
    registry=REGISTRY,
)
for _reason in get_args(Failure):
    _failures.labels(_reason)


def record_started() -> None:
    """A probe that never succeeds must be as visible as one that no longer does."""
    _last.set(time.time())


def record_latency(seconds: float) -> None:
    _seconds.observe(seconds)


def record_success() -> None:
    _last.set(time.time())


def record_failure(reason: Failure) -> None:
    _failures.labels(reason).inc()
