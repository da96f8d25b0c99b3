"""PURE: an attempt failed; when does the next one leave, or do we give up?"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.notifier.channels.base import ChannelError, Consequence


@dataclass(frozen=True, slots=True)
class TryAgain:
    delay: timedelta
    reason: str


@dataclass(frozen=True, slots=True)
class SentPerhaps:
    """Unknown: goes again with the same Message-ID after `delay`, while still valid; a letter says that it may be a
    second copy."""

    delay: timedelta
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    reason: str


@dataclass(frozen=True, slots=True)
class TooLate:
    """The next attempt would be past the hand-over limit."""

    reason: str


Decision = TryAgain | SentPerhaps | GiveUp | TooLate

FIRST_DELAY = timedelta(seconds=1)
"""A code is worth little after a minute: the first retries are close together."""
LONGEST_DELAY = timedelta(minutes=10)
LONGEST_CODE_DELAY = timedelta(seconds=10)
"""A code lives minutes: when the relay is back, it leaves within seconds."""
UNKNOWN_DELAY = timedelta(seconds=5)
"""The first: long enough for a relay that restarted, short enough for a code."""
RECONCILED_AFTER = timedelta(hours=24)
"""So long somebody may look, or a report come back, before a letter that may have left goes again."""


def reconciling(now: datetime, limit_at: datetime | None) -> timedelta:
    """How long a letter waits that may have left: never more than half of what is left to its limit."""
    if limit_at is None:
        return RECONCILED_AFTER
    return max(timedelta(0), min(RECONCILED_AFTER, (limit_at - now) / 2))


def after_failure(
    error: ChannelError,
    *,
    attempt: int,
    now: datetime,
    hand_over_by: datetime | None,
    jitter: float,
    most_unknown: int | None = None,
    longest: timedelta = LONGEST_DELAY,
    unknown_waits: timedelta = timedelta(0),
) -> Decision:
    """`attempt` counts from 1; `jitter` in [0, 1) spreads the delay over its upper half. `unknown_waits`: at least so
    long, if it may have left.

    There is no maximum number of attempts but for what may have been sent (`most_unknown`): the hand-over limit ends a
    notification that has one, and one without (a letter) is retried until it leaves.
    """
    unknown = error.consequence is Consequence.UNKNOWN
    if error.consequence is Consequence.PERMANENT or (unknown and attempt >= (most_unknown or attempt + 1)):
        return GiveUp(error.reason)
    first = UNKNOWN_DELAY if unknown else FIRST_DELAY
    delay = min(longest, first * 2 ** min(attempt - 1, 20)) * (0.5 + jitter / 2)
    if unknown:
        return SentPerhaps(max(delay, unknown_waits), error.reason)
    if error.retry_after is not None:
        delay = max(delay, error.retry_after)
    if hand_over_by is not None and now + delay >= hand_over_by:
        # One last attempt just before the limit is worth more than a delay that was only politeness.
        left = hand_over_by - now - timedelta(seconds=1)
        if error.retry_after is not None or left <= FIRST_DELAY:
            return TooLate(error.reason)
        delay = left
    return TryAgain(delay, error.reason)
