"""How far a service is behind the topics it reads: in records, in time, and in what it has read and not accepted."""

import time
from collections.abc import Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge


class Lags:
    """`<service>_records_total`, `…_lag_records`, `…_lag_seconds` and `…_unaccepted_seconds`, by topic."""

    def __init__(self, service: str, registry: CollectorRegistry) -> None:
        self._records = Counter(f"{service}_records_total", "Records read", ["topic"], registry=registry)
        self._lag = Gauge(
            f"{service}_lag_records", "Records not read yet, of this process's partitions", ["topic"], registry=registry
        )
        self._age = Gauge(
            f"{service}_lag_seconds", "Age of the record last read, while there are more", ["topic"], registry=registry
        )
        self._unaccepted = Gauge(
            f"{service}_unaccepted_seconds",
            "How long a batch that was read has waited to be accepted; 0: none waits",
            ["topic"],
            registry=registry,
        )
        self._last_read: dict[str, float] = {}
        self._taken_at: dict[str, float] = {}

    def record_taking(self, topic: str) -> None:
        """A batch is in hand; read again after it could not be accepted, it counts from the first time on."""
        self._taken_at.setdefault(topic, time.monotonic())
        self._unaccepted.labels(topic).set_function(partial(self._waits, topic))

    def record_let_go(self, topic: str) -> None:
        """Its partitions may be another's by now, and the batch with them."""
        self._taken_at.pop(topic, None)

    def record_records(self, topic: str, count: int, last_written_at: float) -> None:
        """The batch in hand is accepted. `last_written_at`: Unix seconds of the last one's record timestamp."""
        self._records.labels(topic).inc(count)
        self._taken_at.pop(topic, None)
        self._last_read[topic] = last_written_at

    def record_lags(self, lags: Mapping[str, int]) -> None:
        """Topic → records not read yet."""
        for topic, behind in lags.items():
            self._lag.labels(topic).set(behind)
            last = self._last_read.get(topic)
            self._age.labels(topic).set(max(0.0, time.time() - last) if behind and last is not None else 0.0)

    def _waits(self, topic: str) -> float:
        since = self._taken_at.get(topic)
        return 0.0 if since is None else time.monotonic() - since
