"""The console's metrics: what was asked for, by page and status, and how long it took."""

from prometheus_client import CollectorRegistry, Counter, Histogram

REFUSED, NO_PAGE = "refused", "none"
"""Instead of a page: who was not let in, and what there is not. Never what was asked for."""
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5)


class Metrics:
    """One for each registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "console_requests_total", "Answers of the console", ["page", "status"], registry=registry
        )
        self._seconds = Histogram(
            "console_request_seconds", "How long an answer took", ["page"], buckets=BUCKETS, registry=registry
        )

    def record_answer(self, page: str, status: int, seconds: float) -> None:
        """`page`: the route, with its parameters' names and not their values."""
        self._requests.labels(page, str(status)).inc()
        self._seconds.labels(page).observe(seconds)

    def record_refusal(self, page: str, status: int) -> None:
        """What was answered without asking anybody."""
        self._requests.labels(page, str(status)).inc()
