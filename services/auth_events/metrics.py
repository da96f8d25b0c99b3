"""What auth_events counts. Every label is bounded: types of the contract, names of the publishers' file, our codes."""

from collections.abc import Iterable
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.runtime.outbox import Waiting
from services.runtime.vitals import Vitals

Place = Literal["broker", "outbox"]
"""Where an event was when it was answered 202."""
ANSWER_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5)


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
