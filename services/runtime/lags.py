"""How far a service is behind the topics it reads: in records, and in time."""

import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge


class Lags:
    """`<service>_records_total`, `<service>_lag_records` and `<service>_lag_seconds`, by topic."""

    def __init__(self, service: str, registry: CollectorRegistry) -> None:
        self._records = Counter(f"{service}_records_total", "Records read", ["topic"], registry=registry)
        self._lag = Gauge(
            f"{service}_lag_records", "Records not read yet, of this process's partitions", ["topic"], registry=registry
        )
        self._age = Gauge(
            f"{service}_lag_seconds", "Age of the record last read, while there are more", ["topic"], registry=registry
        )
        self._last_read: dict[str, float] = {}

    def record_records(self, topic: str, count: int, last_written_at: float) -> None:
        """`last_written_at`: Unix seconds of the last one's record timestamp."""
        self._records.labels(topic).inc(count)
        self._last_read[topic] = last_written_at

    def record_lags(self, lags: Mapping[str, int]) -> None:
        """Topic → records not read yet."""
        for topic, behind in lags.items():
            self._lag.labels(topic).set(behind)
            last = self._last_read.get(topic)
            self._age.labels(topic).set(max(0.0, time.time() - last) if behind and last is not None else 0.0)
