"""What auth_events counts. Every label is bounded: types of the contract, names of the publishers' file, our codes."""

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.auth_events.access import Fired, Result
from services.auth_events.providers.signals import Reason
from services.runtime.lags import Lags
from services.runtime.outbox import Waiting
from services.runtime.vitals import Vitals

Place = Literal["broker", "outbox"]
"""Where an event was when it was answered 202."""
Heard = Result | Literal["not-ours"]
"""`not-ours`: a record of another type, or one that cannot be read and does not say that it is about coverage."""
Told = Literal["told", "waiting", "duplicate", "twin", "late"]
"""What became of an event that a provider sent."""
SignOn = Literal["known", "first", "new", "indistinct"]
"""`new`: a notice; `first`: the member's first sign-on ever; `indistinct`: nothing was said by which to know it."""
ANSWER_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5)
BATCH_BUCKETS = (0.01, 0.05, 0.25, 1, 5, 15, 30, 60, 90, 150, 300)
FIRED: tuple[Fired, ...] = ("first", "reminder", "missed")
"""Each is exported from the start, so that a first one is a rise."""


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Histogram(
            "auth_events_answer_seconds",
            "From the first byte of a request to its answer.",
            ["status"],
            buckets=ANSWER_BUCKETS,
            registry=registry,
        )
        self._accepted = Counter(
            "auth_events_accepted", "Events answered 202.", ["publisher", "type", "place"], registry=registry
        )
        self._refused = Counter(
            "auth_events_refused", "Requests refused, by problem code.", ["code"], registry=registry
        )
        self._relayed = Counter("auth_events_relayed", "Outbox rows published and deleted.", registry=registry)
        self._outbox = Gauge("auth_events_outbox_rows", "Events that wait to be published.", registry=registry)
        self._outbox_age = Gauge(
            "auth_events_outbox_seconds", "Age of the oldest event that waits to be published.", registry=registry
        )
        self.vitals = Vitals(registry)

    def record_answer(self, status: int, seconds: float) -> None:
        self._answers.labels(str(status)).observe(seconds)

    def record_accepted(self, publisher: str, types: Iterable[str], place: Place) -> None:
        for type_ in types:
            self._accepted.labels(publisher, type_, place).inc()

    def record_refused(self, code: str) -> None:
        self._refused.labels(code).inc()

    def record_relayed(self, count: int) -> None:
        self._relayed.inc(count)

    def record_outbox(self, waiting: Waiting) -> None:
        self._outbox.set(waiting.rows)
        self._outbox_age.set(waiting.seconds)


class TimerMetrics:
    """What is counted of coverage and portal access; also what `runtime.intake` records."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._heard = Counter(
            "auth_events_coverage", "Records of members' activity read", ["result"], registry=registry
        )
        self._dead_letters = Counter(
            "auth_events_dead_letters", "Records not accepted", ["topic", "code"], registry=registry
        )
        self._gaps = Counter(
            "auth_events_offset_gaps", "Batches that began beyond the next offset", ["topic"], registry=registry
        )
        self._waits = Counter("auth_events_database_waits", "Batches that waited for the database", registry=registry)
        self._commit_failures = Counter(
            "auth_events_offset_commits_failed", "Offset commits that failed", registry=registry
        )
        self._batches = Histogram(
            "auth_events_batch_seconds",
            "From a batch's arrival to its commit",
            buckets=BATCH_BUCKETS,
            registry=registry,
        )
        self._lags = Lags("auth_events", registry)
        self.record_records = self._lags.record_records
        self.record_lags = self._lags.record_lags
        self.record_taking = self._lags.record_taking
        self.record_let_go = self._lags.record_let_go
        self._sweeps = Counter(
            "auth_events_sweeps", "Looks for timers that are due; without one, nothing is said", registry=registry
        )
        self._failed = Counter("auth_events_sweeps_failed", "Looks that a defect of ours ended", registry=registry)
        self._fired = Counter(
            "auth_events_timers_fired",
            "Timers that came due, by what was said (missed: nothing)",
            ["what"],
            registry=registry,
        )
        self._overdue = Gauge(
            "auth_events_timers_overdue_seconds", "How long the oldest timer that is due has waited", registry=registry
        )
        self._watermark = Gauge(
            "auth_events_watermark_age_seconds",
            "How far behind now members' coverage is known; timers wait for it",
            registry=registry,
        )
        self._skew = Gauge(
            "auth_events_clock_skew_seconds", "This machine's clock against PostgreSQL's", registry=registry
        )
        for what in FIRED:
            self._fired.labels(what)

    def record_heard(self, result: Heard) -> None:
        self._heard.labels(result).inc()

    def record_batch_time(self) -> AbstractContextManager[object]:
        return self._batches.time()

    def record_database_wait(self) -> None:
        self._waits.inc()

    def record_commit_failure(self) -> None:
        self._commit_failures.inc()

    def record_dead_letter(self, topic: str, code: str) -> None:
        self._dead_letters.labels(topic, code).inc()

    def record_gap(self, topic: str) -> None:
        self._gaps.labels(topic).inc()

    def record_sweep(self) -> None:
        self._sweeps.inc()

    def record_sweep_failed(self) -> None:
        self._failed.inc()

    def record_fired(self, what: Fired) -> None:
        self._fired.labels(what).inc()

    def record_overdue(self, seconds: float) -> None:
        self._overdue.set(seconds)

    def record_watermark(self, watermark: datetime | None, now: datetime) -> None:
        self._watermark.set(time.time() if watermark is None else max(0.0, (now - watermark).total_seconds()))

    def record_skew(self, seconds: float) -> None:
        self._skew.set(seconds)


class UpstreamMetrics:
    """What is counted of providers, of whose their events are, and of sign-ons."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter(
            "auth_events_upstream_events",
            "Events of providers, by what became of them",
            ["upstream", "fate"],
            registry=registry,
        )
        self._ignored = Counter(
            "auth_events_upstream_ignored",
            "Payloads of providers that mean nothing to us, by why",
            ["upstream", "reason"],
            registry=registry,
        )
        self._refused = Counter(
            "auth_events_upstream_refused", "Requests of providers refused", ["kind", "code"], registry=registry
        )
        self._keys = Counter(
            "auth_events_jwks_fetches", "Fetches of a transmitter's keys", ["upstream", "result"], registry=registry
        )
        self._waiting = Gauge(
            "auth_events_waiting", "Events of providers whose member is not known yet", registry=registry
        )
        self._waiting_age = Gauge(
            "auth_events_waiting_seconds", "Age of the oldest event that waits for its member", registry=registry
        )
        self._woken = Counter("auth_events_woken", "Events that waited and were told", registry=registry)
        self._unclaimed = Counter(
            "auth_events_unclaimed", "Events that ended because no contact named their subject", registry=registry
        )
        self._sign_ons = Counter("auth_events_sign_ons", "Sign-ons looked at", ["result"], registry=registry)

    def record_event(self, upstream: str, fate: Told) -> None:
        self._events.labels(upstream, fate).inc()

    def record_ignored(self, upstream: str, reason: Reason) -> None:
        self._ignored.labels(upstream, reason).inc()

    def record_refused(self, kind: str, code: str) -> None:
        self._refused.labels(kind, code).inc()

    def record_keys(self, upstream: str, result: Literal["fetched", "failed"]) -> None:
        self._keys.labels(upstream, result).inc()

    def record_waiting(self, count: int, oldest_seconds: float) -> None:
        self._waiting.set(count)
        self._waiting_age.set(oldest_seconds)

    def record_woken(self, count: int) -> None:
        self._woken.inc(count)

    def record_unclaimed(self, count: int) -> None:
        self._unclaimed.inc(count)

    def record_sign_on(self, result: SignOn) -> None:
        self._sign_ons.labels(result).inc()
