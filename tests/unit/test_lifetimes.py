"""A message says how long what it speaks of lasts, and what it says is true when it leaves."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth_events.access import access_end
from services.notifier.formats import lasts
from services.notifier.lifetimes import SLACK, lifetime_names, lifetimes

T0 = datetime(2026, 11, 22, 8, 14, 3, 412_000, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def valid_for(life: timedelta, waited: timedelta = timedelta(0)) -> str | None:
    facts = {"expires_at": (T0 + life).isoformat()}
    return lifetimes(facts, happened_at=T0, now=T0 + waited)["valid_for"]


def access(*, told: datetime = T0, **facts: Any) -> dict[str, str | None]:
    return lifetimes(facts, happened_at=T0, now=told)


@pytest.mark.parametrize(
    ("life", "said"),
    [
        (15 * MINUTE, "PT15M"),
        (10 * MINUTE, "PT10M"),
        (72 * HOUR, "PT72H"),
        (90 * MINUTE, "PT90M"),
        (60 * MINUTE, "PT1H"),
        (61 * MINUTE, "PT61M"),
        (30 * DAY, "P30D"),
        (15 * MINUTE - SLACK - SECOND, "PT14M"),
        (60 * MINUTE - SLACK - SECOND, "PT59M"),
        (3 * HOUR - SLACK - SECOND, "PT2H"),
        (5 * DAY - SLACK - SECOND, "P4D"),
        (49 * SECOND, "PT59S"),
    ],
)
def test_what_leaves_promptly_says_the_life_it_was_given_rounded_down(life: timedelta, said: str) -> None:
    assert valid_for(life) == said


@pytest.mark.parametrize("milliseconds", [1, 412, 999])
def test_a_producer_whose_two_times_are_not_read_off_one_clock_at_once_means_no_less(milliseconds: int) -> None:
    assert valid_for(15 * MINUTE - timedelta(milliseconds=milliseconds)) == "PT15M"


@pytest.mark.parametrize(
    ("life", "waited", "said"),
    [
        (15 * MINUTE, SLACK, "PT15M"),
        (15 * MINUTE, SLACK + SECOND, "PT14M"),
        (15 * MINUTE, 5 * MINUTE, "PT10M"),
        (15 * MINUTE, 13 * MINUTE + 11 * SECOND, "PT1M"),
        (72 * HOUR, MINUTE, "PT71H"),
        (15 * MINUTE, -2 * MINUTE, "PT15M"),
    ],
)
def test_what_waited_says_what_is_left(life: timedelta, waited: timedelta, said: str) -> None:
    """Below nothing: our clock is behind the producer's."""
    assert valid_for(life, waited) == said


@given(life=st.timedeltas(SECOND, 200 * DAY), waited=st.timedeltas(-HOUR, 200 * DAY))
def test_no_more_is_said_than_was_given_or_is_left(life: timedelta, waited: timedelta) -> None:
    said, left = valid_for(life, waited), life - waited
    assert (said is None) == (left <= timedelta(0))
    assert said is None or _length(said) <= min(life, left) + SLACK


def _length(said: str) -> timedelta:
    unit = {"PTS": SECOND, "PTM": MINUTE, "PTH": HOUR, "PD": DAY}
    return int(said.strip("PTDHMS")) * unit["".join(char for char in said if char.isalpha())]


def test_a_life_that_ended_before_it_began_is_counted_by_our_clock() -> None:
    facts = {"expires_at": (T0 - MINUTE).isoformat()}
    assert lifetimes(facts, happened_at=T0, now=T0 - 6 * MINUTE) == {"valid_for": "PT5M"}
    assert lifetimes(facts, happened_at=T0, now=T0) == {"valid_for": None}


@pytest.mark.parametrize(
    ("ended", "ends", "said"),
    [
        ("2026-10-31", "2028-10-31", "P24M"),
        ("2026-08-31", "2028-02-29", "P18M"),
        ("2028-02-29", "2030-02-28", "P24M"),
        ("2026-10-31", "2027-10-31", "P12M"),
        ("2026-10-31", "2028-11-01", None),
        ("2026-10-31", "2028-10-30", None),
        ("2026-10-31", "2026-10-31", None),
        ("2028-10-31", "2026-10-31", None),
    ],
)
def test_months_are_said_only_where_they_are_whole(ended: str, ends: str, said: str | None) -> None:
    assert access(coverage_ended_on=ended, access_ends_on=ends)["access_for"] == said


@given(st.dates(date(2000, 1, 1), date(2097, 12, 31)))
def test_what_our_own_timer_asks_for_is_24_months(ended: date) -> None:
    until = access_end(ended)
    assert access(coverage_ended_on=ended.isoformat(), access_ends_on=until.isoformat())["access_for"] == "P24M"


@pytest.mark.parametrize(
    ("told", "zone", "said"),
    [
        ("2028-10-01T07:00:00Z", "Europe/Brussels", "P30D"),
        ("2028-10-05T07:00:00Z", "Europe/Brussels", "P26D"),
        # Still the 30th in New York.
        ("2028-10-31T02:00:00Z", "America/New_York", "P1D"),
        ("2028-10-31T02:00:00Z", "Europe/Brussels", None),
        ("2028-11-02T02:00:00Z", "Mars/Olympus", None),
    ],
)
def test_days_of_access_are_counted_where_the_member_is(told: str, zone: str, said: str | None) -> None:
    counted = access(told=datetime.fromisoformat(told), access_ends_on="2028-10-31", time_zone=zone)
    assert counted["access_left"] == said


def test_an_event_without_an_end_has_no_length() -> None:
    assert lifetimes({"changed_at": T0.isoformat()}, happened_at=T0, now=T0) == {}
    assert lifetime_names({"coverage_ended_on"}) == frozenset()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("PT15M", ("15 minutes", "15 minutes", "15 minuten", "15 Minuten")),
        ("PT1M", ("1 minute", "1 minute", "1 minuut", "1 Minute")),
        ("PT59S", ("59 seconds", "59 secondes", "59 seconden", "59 Sekunden")),
        ("PT1H", ("1 hour", "1 heure", "1 uur", "1 Stunde")),
        ("PT72H", ("72 hours", "72 heures", "72 uur", "72 Stunden")),
        ("P1D", ("1 day", "1 jour", "1 dag", "1 Tag")),
        ("P30D", ("30 days", "30 jours", "30 dagen", "30 Tage")),
        ("P1M", ("1 month", "1 mois", "1 maand", "1 Monat")),
        ("P24M", ("24 months", "24 mois", "24 maanden", "24 Monate")),
    ],
)
def test_a_length_is_told_in_every_language(value: str, words: tuple[str, ...]) -> None:
    assert tuple(lasts(value, locale) for locale in ("en", "fr", "nl", "de")) == words
