"""The metrics of complaint_sla: one vocabulary, bounded labels, verbs `record_…`."""

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.complaint_sla.standing import Standing
from services.runtime.lags import Lags
from services.runtime.vitals import Vitals

REGISTRY = CollectorRegistry()

_heard = Counter("complaint_sla_events_total", "Events of complaints read", ["result"], registry=REGISTRY)
_said = Counter("complaint_sla_said_total", "Events said", ["type"], registry=REGISTRY)
_dead_letters = Counter(
    "complaint_sla_dead_letters_total", "Records not accepted", ["topic", "code"], registry=REGISTRY
)
_gaps = Counter(
    "complaint_sla_offset_gaps_total", "Batches that began beyond the next offset", ["topic"], registry=REGISTRY
)
_waits = Counter("complaint_sla_database_waits_total", "Batches that waited for the database", registry=REGISTRY)
_commit_failures = Counter("complaint_sla_offset_commits_failed_total", "Offset commits that failed", registry=REGISTRY)
_batches = Histogram(
    "complaint_sla_batch_seconds",
    "From a batch's arrival to its commit",
    buckets=(0.01, 0.05, 0.25, 1, 5, 15, 30, 60, 90, 150, 300),
    registry=REGISTRY,
)
_relayed = Counter("complaint_sla_relayed_total", "Events published from the outbox", registry=REGISTRY)
_sweeps = Counter(
    "complaint_sla_sweeps_total", "Looks for what is due; without one, no time is kept", registry=REGISTRY
)
_swept = Counter("complaint_sla_swept_total", "Cases looked at because an instant had come", registry=REGISTRY)
_watermark = Gauge(
    "complaint_sla_watermark_age_seconds",
    "How far behind now the story is known; past 900 s letters and misses wait",
    registry=REGISTRY,
)
_open = Gauge("complaint_sla_open", "Complaints that are not closed", registry=REGISTRY)
_due = Gauge(
    "complaint_sla_obligations_due", "Open obligations whose limit is nearer than this", ["within"], registry=REGISTRY
)
_missed = Gauge("complaint_sla_obligations_missed", "Obligations missed, last 24 h", registry=REGISTRY)
_unregistered = Gauge(
    "complaint_sla_unregistered", "Complaints heard of an hour ago that nobody has registered", registry=REGISTRY
)
_unconfirmed = Gauge(
    "complaint_sla_letters_unconfirmed", "Letters asked for an hour ago without an outcome", registry=REGISTRY
)
_stuck = Gauge("complaint_sla_stuck", "Cases that cannot be read or decided; the log names them", registry=REGISTRY)
_outbox = Gauge("complaint_sla_outbox_rows", "Events that wait to be published", registry=REGISTRY)
_outbox_age = Gauge("complaint_sla_outbox_seconds", "Age of the oldest event that waits", registry=REGISTRY)
_skew = Gauge("complaint_sla_clock_skew_seconds", "This machine's clock against PostgreSQL's", registry=REGISTRY)
_calendar = Gauge(
    "complaint_sla_calendar_days_left", "Days until the last approved day of the calendars", registry=REGISTRY
)
_lags = Lags("complaint_sla", REGISTRY)
record_records = _lags.record_records
record_lags = _lags.record_lags
record_taking = _lags.record_taking
record_let_go = _lags.record_let_go
vitals = Vitals(REGISTRY)


def record_heard(new: int, duplicates: int) -> None:
    _heard.labels("new").inc(new)
    _heard.labels("duplicate").inc(duplicates)


def record_said(types: Iterable[str]) -> None:
    for type_ in types:
        _said.labels(type_).inc()


def record_batch_time() -> AbstractContextManager[object]:
    return _batches.time()


def record_dead_letter(topic: str, code: str) -> None:
    _dead_letters.labels(topic, code).inc()


def record_gap(topic: str) -> None:
    _gaps.labels(topic).inc()


def record_database_wait() -> None:
    _waits.inc()


def record_commit_failure() -> None:
    _commit_failures.inc()


def record_relayed(count: int) -> None:
    _relayed.inc(count)


def record_sweep() -> None:
    _sweeps.inc()


def record_swept(count: int) -> None:
    _swept.inc(count)


def record_watermark(watermark: datetime | None, now: datetime) -> None:
    _watermark.set(time.time() if watermark is None else max(0.0, (now - watermark).total_seconds()))


def record_standing(standing: Standing) -> None:
    _open.set(standing.open)
    _due.labels("1d").set(standing.due_in_a_day)
    _due.labels("5d").set(standing.due_in_five_days)
    _missed.set(standing.missed_today)
    _unregistered.set(standing.unregistered)
    _unconfirmed.set(standing.unconfirmed)
    _stuck.set(standing.stuck)
    _outbox.set(standing.outbox_rows)
    _outbox_age.set(standing.outbox_seconds)


def record_calendar(days_left: int) -> None:
    _calendar.set(days_left)


def record_skew(seconds: float) -> None:
    _skew.set(seconds)
