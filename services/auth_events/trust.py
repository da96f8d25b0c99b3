"""What proves that a request comes from whom it says; and how many of them are looked at.

Comparisons take the same time whatever is compared: every secret is tried, whichever matches.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers

from services.auth_events.upstreams import Source

STRANGERS_KEPT = 1024
"""Addresses whose failures are remembered; beyond it the one not heard of for longest is forgotten."""
STRANGERS_PER_SECOND = 1.0
STRANGERS_AT_ONCE = 20.0


def only(headers: Headers, name: str) -> str:
    """The value of a header that was given once; else nothing, for whoever is in front may have read another one."""
    values = headers.getlist(name)
    return values[0] if len(values) == 1 else ""


def signed(sources: Iterable[Source], body: bytes, signature: str) -> list[Source]:
    """Those one of whose secrets made this signature: hex HMAC-SHA256 of the raw body."""
    presented = signature.strip().lower().encode("utf-8", "surrogateescape")
    found: list[Source] = []
    for source in sources:
        made = [hmac.new(secret, body, hashlib.sha256).hexdigest().encode() for secret in source.secrets]
        if any([hmac.compare_digest(each, presented) for each in made]):  # noqa: C419 (all are compared)
            found.append(source)
    return found


def of_token(sources: Iterable[Source], header: str) -> Source | None:
    """Whose `Authorization` header this is. An empty one is nobody's."""
    presented = hashlib.sha256(header.encode("utf-8", "surrogateescape")).digest()
    found: Source | None = None
    for source in sources:
        for known in source.token_sha256:
            if hmac.compare_digest(known, presented):
                found = source
    return found if header else None


class Rates:
    """Token buckets by key, at most `kept` of them. `now`: seconds that only grow."""

    def __init__(self, now: Callable[[], float], *, kept: int = STRANGERS_KEPT) -> None:
        self._now = now
        self._kept = kept
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allow(self, key: str, *, per_second: float, at_once: float) -> bool:
        """Takes one from the bucket of `key`; False: it is empty."""
        now = self._now()
        left, since = self._buckets.pop(key, (at_once, now))
        left = min(at_once, left + (now - since) * per_second)
        allowed = left >= 1
        self._buckets[key] = (left - 1 if allowed else left, now)
        while len(self._buckets) > self._kept:
            self._buckets.popitem(last=False)
        return allowed
