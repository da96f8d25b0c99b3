"""Attempt and failure → when the next one leaves, or that none does."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.channels.base import ChannelError, Consequence
from services.notifier.retry import (
    FIRST_DELAY,
    LONGEST_DELAY,
    RECONCILED_AFTER,
    Decision,
    GiveUp,
    SentPerhaps,
    TooLate,
    TryAgain,
    after_failure,
    reconciling,
)

T0 = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
attempts = st.integers(1, 10_000)
jitters = st.floats(0, 1, exclude_max=True)


def failing(
    consequence: Consequence = Consequence.RETRY,
    *,
    attempt: int = 1,
    left: timedelta | None = None,
    retry_after: timedelta | None = None,
    jitter: float = 0.0,
) -> Decision:
    """`left`: until the hand-over limit; None: there is none."""
    error = ChannelError(consequence, "smtp:450", retry_after=retry_after)
    limit = None if left is None else T0 + left
    return after_failure(error, attempt=attempt, now=T0, hand_over_by=limit, jitter=jitter)


def delay(decision: Decision) -> timedelta:
    assert isinstance(decision, TryAgain)
    return decision.delay


@given(attempts, jitters)
def test_the_back_off_never_shrinks_from_attempt_to_attempt(attempt: int, jitter: float) -> None:
    assert delay(failing(attempt=attempt + 1, jitter=jitter)) >= delay(failing(attempt=attempt, jitter=jitter))


@given(attempts, jitters)
def test_jitter_spreads_the_delay_over_its_upper_half(attempt: int, jitter: float) -> None:
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(attempt - 1, 30))
    assert longest / 2 <= delay(failing(attempt=attempt, jitter=jitter)) <= longest


def test_the_back_off_doubles_from_a_second_to_ten_minutes() -> None:
    told = [delay(failing(attempt=attempt, jitter=0.9999999)) for attempt in range(1, 13)]
    seconds = [round(each.total_seconds()) for each in told]
    assert seconds == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]


@pytest.mark.parametrize("consequence", [Consequence.RETRY, Consequence.CONFIGURATION])
def test_what_asks_for_patience_gets_at_least_that(consequence: Consequence) -> None:
    assert delay(failing(consequence, retry_after=timedelta(seconds=90))) == timedelta(seconds=90)
    assert delay(failing(consequence, attempt=20, retry_after=SECOND)) >= LONGEST_DELAY / 2


@given(st.sampled_from([Consequence.RETRY, Consequence.CONFIGURATION]), attempts, jitters, st.floats(-10, 10_000))
def test_no_retry_leaves_at_or_after_the_hand_over_limit(
    consequence: Consequence, attempt: int, jitter: float, left: float
) -> None:
    decision = failing(consequence, attempt=attempt, jitter=jitter, left=timedelta(seconds=left))
    assert isinstance(decision, TooLate) or timedelta(0) < delay(decision) < timedelta(seconds=left)


def test_before_the_limit_one_last_attempt_is_worth_more_than_politeness() -> None:
    assert delay(failing(attempt=12, left=timedelta(seconds=60))) == timedelta(seconds=59)


def test_a_provider_that_asks_for_more_than_is_left_ends_it() -> None:
    assert failing(left=timedelta(seconds=60), retry_after=timedelta(seconds=60)) == TooLate("smtp:450")


@pytest.mark.parametrize("left", [timedelta(-1), timedelta(0), SECOND, 2 * SECOND])
def test_at_the_limit_it_is_too_late(left: timedelta) -> None:
    assert failing(attempt=9, left=left) == TooLate("smtp:450")


@given(attempts, jitters)
def test_without_a_limit_it_is_retried_until_it_leaves(attempt: int, jitter: float) -> None:
    assert isinstance(failing(attempt=attempt, jitter=jitter), TryAgain)


@pytest.mark.parametrize("left", [None, timedelta(0), timedelta(days=3)])
def test_a_permanent_refusal_ends_it_whatever_is_left(left: timedelta | None) -> None:
    assert failing(Consequence.PERMANENT, left=left, retry_after=SECOND) == GiveUp("smtp:450")


@pytest.mark.parametrize("left", [None, timedelta(0), timedelta(days=3)])
@given(attempts)
def test_an_unknown_outcome_stays_unknown_and_goes_again_ever_later(left: timedelta | None, attempt: int) -> None:
    """Whether it is still in time is judged when it is claimed: `expired` would hide that it may have arrived."""
    decision = failing(Consequence.UNKNOWN, attempt=attempt, left=left)
    later = failing(Consequence.UNKNOWN, attempt=attempt + 1, left=left)
    assert isinstance(decision, SentPerhaps)
    assert isinstance(later, SentPerhaps)
    assert timedelta(0) < decision.delay <= later.delay <= timedelta(minutes=10)


def test_an_unknown_outcome_goes_again_within_seconds_the_first_time() -> None:
    decision = failing(Consequence.UNKNOWN, attempt=1, left=None)
    assert isinstance(decision, SentPerhaps)
    assert decision.delay <= timedelta(seconds=5)


def test_what_is_paid_for_and_cannot_be_folded_is_given_up_after_a_few_unknown_outcomes() -> None:
    outcomes = [
        after_failure(
            ChannelError(Consequence.UNKNOWN, "twilio:time-out"),
            attempt=attempt,
            now=T0,
            hand_over_by=None,
            jitter=0.0,
            most_unknown=3,
        )
        for attempt in (1, 2, 3)
    ]
    assert [type(outcome) for outcome in outcomes] == [SentPerhaps, SentPerhaps, GiveUp]


@given(st.one_of(st.none(), st.integers(-400_000, 4_000_000)))
def test_a_letter_that_may_have_left_waits_a_day_and_at_most_half_of_what_is_left(left: int | None) -> None:
    waits = reconciling(T0, None if left is None else T0 + left * SECOND)
    assert timedelta(0) <= waits <= RECONCILED_AFTER == timedelta(hours=24)
    if left is not None:
        assert waits <= max(timedelta(0), left * SECOND / 2)
        assert waits == RECONCILED_AFTER or waits >= left * SECOND / 2
    else:
        assert waits == RECONCILED_AFTER


@given(attempts)
def test_past_its_limit_a_letter_that_may_have_left_backs_off_as_any_other(attempt: int) -> None:
    error = ChannelError(Consequence.UNKNOWN, "smtp:time-out")
    late = after_failure(
        error, attempt=attempt, now=T0, hand_over_by=None, jitter=0.0, unknown_waits=reconciling(T0, T0 - SECOND)
    )
    usual = failing(Consequence.UNKNOWN, attempt=attempt)
    assert isinstance(usual, SentPerhaps)
    assert late == SentPerhaps(usual.delay, "smtp:time-out")


def test_what_waits_to_be_reconciled_waits_no_less_than_told() -> None:
    error = ChannelError(Consequence.UNKNOWN, "smtp:time-out")
    decision = after_failure(error, attempt=1, now=T0, hand_over_by=None, jitter=0.0, unknown_waits=RECONCILED_AFTER)
    assert decision == SentPerhaps(RECONCILED_AFTER, "smtp:time-out")
