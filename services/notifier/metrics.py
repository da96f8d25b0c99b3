"""The notifier's metrics: one vocabulary, bounded labels, verbs `record_…`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.notifier.catalogue import CATALOGUE, LANES
from services.notifier.ledger.promise import Backlog, OpenWork
from services.runtime.lags import Lags
from services.runtime.vitals import Vitals

REGISTRY = CollectorRegistry()
CANARY = "canary"
"""What stands for the lane where a message was the probe's: it is measured, and counts for no promise."""
_LATENCY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)

_events = Counter("notifier_events_total", "Events read, by what was decided", ["decision"], registry=REGISTRY)
_dead_letters = Counter("notifier_dead_letters_total", "Records not accepted", ["topic", "code"], registry=REGISTRY)
_attempts = Counter("notifier_attempts_total", "Hand-overs tried", ["lane", "channel", "result"], registry=REGISTRY)
_sent_after = Histogram(
    "notifier_sent_after_seconds",
    "From the event's time, or when it might go, to the provider's acceptance",
    ["lane", "channel"],
    buckets=_LATENCY_BUCKETS,
    registry=REGISTRY,
)
_batches = Histogram(
    "notifier_batch_seconds",
    "From a batch's arrival to its commit; past 300 s (max.poll.interval) its group goes on without us",
    buckets=(0.01, 0.05, 0.25, 1, 5, 15, 30, 60, 90, 150, 300),
    registry=REGISTRY,
)
_lapsed = Counter("notifier_leases_lapsed_total", "Leases that ended in handing-over", registry=REGISTRY)
_not_ours = Counter("notifier_results_not_ours_total", "Results whose lease was lost meanwhile", registry=REGISTRY)
_relayed = Counter("notifier_outcomes_relayed_total", "Outcomes published", registry=REGISTRY)
_gaps = Counter("notifier_offset_gaps_total", "Batches that began beyond the next offset", ["topic"], registry=REGISTRY)
_waits = Counter("notifier_database_waits_total", "Batches that waited for the database", registry=REGISTRY)
_commit_failures = Counter("notifier_offset_commits_failed_total", "Offset commits that failed", registry=REGISTRY)
_queue = Gauge("notifier_lane_queue", "Leased notifications waiting for a worker", ["lane"], registry=REGISTRY)
_skew = Gauge("notifier_clock_skew_seconds", "This machine's clock against PostgreSQL's", registry=REGISTRY)


_open = Gauge("notifier_open", "Open notifications", ["lane", "state"], registry=REGISTRY)
_oldest = Gauge(
    "notifier_oldest_unsent_seconds", "Age of the oldest open notification's event", ["lane"], registry=REGISTRY
)
_oldest_of_notice = Gauge("notifier_oldest_unsent_notice_seconds", "The same by notice", ["notice"], registry=REGISTRY)
_expired = Gauge(
    "notifier_expired", "Whose time was over before they left, in the last hour", ["lane"], registry=REGISTRY
)
_waiting = Gauge("notifier_waiting_events", "Events whose member is not known yet", registry=REGISTRY)
_outbox = Gauge("notifier_outbox_rows", "Outcomes that wait to be told", registry=REGISTRY)
_outbox_age = Gauge("notifier_outbox_seconds", "Age of the oldest outcome that waits to be told", registry=REGISTRY)
_newly_suppressed = Gauge(
    "notifier_newly_suppressed",
    "Addresses found in the last hour to take nothing, or only what is asked for",
    registry=REGISTRY,
)
_lags = Lags("notifier", REGISTRY)
record_records = _lags.record_records
record_lags = _lags.record_lags
record_taking = _lags.record_taking
record_let_go = _lags.record_let_go
vitals = Vitals(REGISTRY)


def record_decision(kind: str, count: int = 1) -> None:
    _events.labels(kind).inc(count)


def record_batch_time() -> AbstractContextManager[object]:
    """Around what is done with one batch."""
    return _batches.time()


def record_dead_letter(topic: str, code: str) -> None:
    _dead_letters.labels(topic, code).inc()


def record_attempt(lane: str, channel: str, result: str) -> None:
    _attempts.labels(lane, channel, result).inc()


def record_sent(lane: str, channel: str, *, owed_from: datetime, now: datetime) -> None:
    _sent_after.labels(lane, channel).observe(max(0.0, (now - owed_from).total_seconds()))


def record_lapsed(count: int) -> None:
    _lapsed.inc(count)


def record_not_ours(count: int) -> None:
    _not_ours.inc(count)


def record_relayed(count: int) -> None:
    _relayed.inc(count)


def record_gap(topic: str) -> None:
    _gaps.labels(topic).inc()


def record_database_wait() -> None:
    _waits.inc()


def record_commit_failure() -> None:
    _commit_failures.inc()


def record_queue(lane: str, length: int) -> None:
    _queue.labels(lane).set(length)


def record_skew(seconds: float) -> None:
    _skew.set(seconds)


def record_open_work(work: Sequence[OpenWork]) -> None:
    _open.clear()
    _oldest.clear()
    for lane in LANES:
        ages = [each.oldest_seconds for each in work if each.lane == lane]
        _oldest.labels(lane).set(max(ages, default=0.0))
    for notice in CATALOGUE:
        ages = [each.oldest_seconds for each in work if each.notice == notice.name]
        _oldest_of_notice.labels(notice.name).set(max(ages, default=0.0))
    for each in work:
        _open.labels(each.lane, each.state).inc(each.count)


def record_backlog(backlog: Backlog) -> None:
    _waiting.set(backlog.waiting_events)
    _outbox.set(backlog.outbox_rows)
    _outbox_age.set(backlog.outbox_seconds)
    _newly_suppressed.set(backlog.newly_suppressed)
    for lane in LANES:
        _expired.labels(lane).set(backlog.expired.get(lane, 0))
