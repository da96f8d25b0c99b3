"""How long a former member may use the portal, when that is said, and which of two events holds."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import EventError
from schemas.members import PortalAccessEndingV1
from services.auth_events.access import (
    KEPT,
    ZONE,
    Access,
    Heard,
    access_end,
    fire,
    first_at,
    forget_at,
    hear,
    heard_of,
    notice_id,
    reminder_at,
)
from tests.support.coverage import ended, reinstated

T0 = datetime(2026, 11, 26, 12, tzinfo=UTC)
LAST_DAY = date(2026, 10, 31)
days = st.dates(date(2000, 1, 1), date(2097, 12, 31))


def said(hours: int, ended_on: date | None, id: str = "") -> Heard:
    name = id or f"at-{hours}-{ended_on}"
    return Heard(member="m-1", time=T0 + timedelta(hours=hours), source="urn:test", id=name, ended_on=ended_on)


def after(*heard: Heard, now: datetime = T0) -> Access:
    access: Access | None = None
    for each in heard:
        access, _ = hear(access, each, now)
    assert access is not None
    return access


# --- days and instants ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ended_on", "ends_on"),
    [
        ("2026-10-31", "2028-10-31"),
        ("2026-08-31", "2028-08-31"),
        ("2026-02-28", "2028-02-28"),
        ("2028-02-29", "2030-02-28"),
        ("2026-12-31", "2028-12-31"),
    ],
)
def test_access_ends_on_the_same_day_24_months_later_or_the_months_last(ended_on: str, ends_on: str) -> None:
    assert access_end(date.fromisoformat(ended_on)) == date.fromisoformat(ends_on)


@given(days)
def test_24_months_are_two_years_whatever_the_day(ended_on: date) -> None:
    ends_on = access_end(ended_on)
    assert (ends_on.year, ends_on.month) == (ended_on.year + 2, ended_on.month)
    assert ends_on.day == ended_on.day or (ended_on.month, ended_on.day, ends_on.day) == (2, 29, 28)


@given(days, days)
def test_who_left_later_may_stay_at_least_as_long(one: date, other: date) -> None:
    assert (access_end(one) <= access_end(other)) if one <= other else (access_end(one) >= access_end(other))


@given(days)
def test_the_reminder_leaves_at_nine_in_brussels_on_the_30th_day_before(ended_on: date) -> None:
    ends_on = access_end(ended_on)
    at = reminder_at(ends_on)
    there = at.astimezone(ZONE)
    assert (at.utcoffset(), there.hour, there.minute) == (timedelta(0), 9, 0)
    assert ends_on - there.date() == timedelta(days=30)


@pytest.mark.parametrize(("ends_on", "at"), [("2028-10-31", 7), ("2028-12-31", 8)])
def test_nine_in_the_morning_is_another_hour_of_utc_in_summer_and_winter(ends_on: str, at: int) -> None:
    assert reminder_at(date.fromisoformat(ends_on)).hour == at


@given(days, st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 (UTC comes beside)
def test_the_first_notice_never_says_ended_before_the_last_day(ended_on: date, now: datetime) -> None:
    at = first_at(ended_on, now)
    assert at == now or (at > now and at.astimezone(ZONE).date() == ended_on + timedelta(days=1))
    assert at.astimezone(ZONE).date() >= ended_on


# --- what is heard ----------------------------------------------------------------------------------------------------


def test_only_events_about_coverage_are_heard_and_only_days_the_contract_can_say() -> None:
    assert heard_of(reinstated("m-1", T0)) is not None
    assert heard_of(ended("m-1", T0, date(2097, 12, 31))) is not None
    with pytest.raises(EventError, match=r"data-invalid: data\.ended_on"):
        heard_of(ended("m-1", T0, date(2098, 1, 1)))


def test_what_an_event_begins_depends_on_what_is_known() -> None:
    end = said(0, LAST_DAY)
    known = after(end)
    assert hear(None, end, T0)[1] == "started"
    assert hear(None, said(0, None), T0)[1] == "covered"
    assert hear(known, end, T0) == (known, "duplicate")
    assert hear(known, said(-1, None), T0) == (known, "older")
    assert hear(known, said(1, date(2026, 9, 30)), T0)[1] == "replaced"
    assert hear(known, said(1, None), T0)[1] == "cancelled"
    assert hear(after(end, said(1, None)), said(2, LAST_DAY), T0)[1] == "started"


def test_an_end_said_again_with_the_same_day_keeps_its_ids_and_says_nothing_new() -> None:
    known, _, _ = fire(after(said(0, LAST_DAY)), T0)
    confirmed, result = hear(known, said(1, LAST_DAY), T0)
    assert (result, confirmed.cause, confirmed.told_at, confirmed.due_at) == (
        "confirmed",
        known.cause,
        T0,
        reminder_at(date(2028, 10, 31)),
    )


def test_at_the_same_time_a_reinstatement_holds_against_an_end() -> None:
    for order in permutations([said(0, LAST_DAY, "z"), said(0, None, "a")]):
        assert after(*order).newest.ended_on is None


events = st.builds(
    said, st.integers(-3, 3), st.sampled_from([None, LAST_DAY, date(2026, 9, 30)]), st.sampled_from(["", "x", "y"])
)


@given(st.lists(events, min_size=1, max_size=4, unique_by=lambda each: each.id))
def test_every_order_of_arrival_ends_with_the_same_day(heard: list[Heard]) -> None:
    ends = [after(*order) for order in permutations(heard)]
    assert len({(access.newest, access.access_ends_on) for access in ends}) == 1


@given(st.lists(events, min_size=1, max_size=4, unique_by=lambda each: each.id))
def test_whatever_is_redelivered_in_whatever_order_changes_nothing(heard: list[Heard]) -> None:
    known = after(*heard)
    for order in permutations(heard):
        access = known
        for each in order:
            access, _ = hear(access, each, T0)
        assert access == known


def test_another_event_under_a_known_id_is_refused() -> None:
    known = after(said(0, LAST_DAY, "a"))
    for other in (said(1, LAST_DAY, "a"), said(0, None, "a"), said(0, date(2026, 9, 30), "a")):
        with pytest.raises(EventError, match="id-reused"):
            hear(known, other, T0)
    with pytest.raises(EventError, match="id-reused"):
        hear(after(said(0, LAST_DAY, "a"), said(1, LAST_DAY, "b")), said(2, LAST_DAY, "a"), T0)


# --- what is said -----------------------------------------------------------------------------------------------------


def test_the_first_notice_then_the_reminder_then_nothing() -> None:
    access, event, fired = fire(after(said(0, LAST_DAY)), T0)
    assert event is not None
    assert (fired, event.time, event.id) == ("first", T0, notice_id("urn:test", f"at-0-{LAST_DAY}", "first"))
    late = reminder_at(date(2028, 10, 31)) + timedelta(days=3)
    access, event, fired = fire(access, late)
    assert event is not None
    assert isinstance(event.data, PortalAccessEndingV1)
    assert (fired, event.time, event.data.reminder) == ("reminder", late, True)
    assert (access.due_at, access.told_at, access.reminded_at) == (None, T0, late)


def test_a_first_notice_within_the_last_30_days_needs_no_reminder_beside_it() -> None:
    at = reminder_at(date(2028, 10, 31))
    access, _, fired = fire(after(said(0, LAST_DAY), now=at), at)
    assert (fired, access.due_at) == ("first", None)


def test_nothing_is_said_after_access_is_over() -> None:
    over = datetime(2028, 10, 31, 23, tzinfo=UTC)  # midnight in Brussels
    assert hear(None, said(0, LAST_DAY), over)[1] == "past"
    assert after(said(0, LAST_DAY), now=over).due_at is None
    access, event, fired = fire(after(said(0, LAST_DAY)), over)
    assert (access.due_at, event, fired) == (None, None, "missed")


def test_two_causes_never_share_an_id() -> None:
    names = [("urn:a", "b"), ("urn:a", "c"), ("urn:ab", ""), ("urn:b", "b")]
    assert len({notice_id(*name, which) for name in names for which in ("first", "reminder")}) == 2 * len(names)


def test_a_row_outlives_whatever_could_still_begin_it_again() -> None:
    assert forget_at(after(said(0, None)), T0) == T0 + KEPT
    assert forget_at(after(said(0, LAST_DAY)), T0) == datetime(2028, 10, 31, tzinfo=UTC) + KEPT
