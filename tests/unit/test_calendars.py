"""Holidays as published, business days, the horizon; and a version that cannot be used is refused."""

import zoneinfo
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.complaint_sla import zones
from services.complaint_sla.calendars import (
    FOLDER,
    Calendar,
    CalendarError,
    NotCounted,
    add_months,
    load_newest,
    load_version,
    versions,
)
from services.complaint_sla.tables import DataError
from tests.support.complaints import rulebook
from tests.support.second_count import DAYS_OFF, days_off

NEWEST = load_newest()
TEN_LEGAL_HOLIDAYS = {
    *("New Year's Day", "Easter Monday", "Labor Day", "Ascension Day", "Pentecost Monday"),
    *("National Day", "Assumption Day", "All Saints' Day", "Armistice Day", "Christmas Day"),
}


def _calendar(name: str) -> Calendar:
    return rulebook().calendars.calendar(name)


@pytest.mark.parametrize("name", DAYS_OFF)
def test_the_days_off_are_those_written_by_hand(name: str) -> None:
    assert sorted(day for day in NEWEST.calendars[name] if day.weekday() < 5) == days_off(name)


def test_there_is_a_calendar_for_every_jurisdiction_and_no_other() -> None:
    assert NEWEST.calendars.keys() == DAYS_OFF.keys()


@pytest.mark.parametrize("year", range(2024, 2031))
def test_belgium_has_its_ten_legal_holidays(year: int) -> None:
    names = [holiday.name for day, holiday in NEWEST.calendars["belgium"].items() if day.year == year]
    assert sorted(names) == sorted(TEN_LEGAL_HOLIDAYS)


@pytest.mark.parametrize("name", ["jersey", "guernsey"])
def test_nothing_replaces_a_liberation_day_on_a_weekend(name: str) -> None:
    calendar = _calendar(name)
    assert calendar.is_business_day(date(2026, 5, 8))
    assert calendar.is_business_day(date(2026, 5, 11))
    assert calendar.is_business_day(date(2027, 5, 10))
    assert calendar.not_counted(date(2028, 5, 9)) == NotCounted(date(2028, 5, 9), "Liberation Day")


def test_a_weekend_is_why_even_when_a_holiday_falls_on_it() -> None:
    assert _calendar("england").not_counted(date(2026, 12, 26)) == NotCounted(date(2026, 12, 26), "weekend")


def test_the_first_and_last_approved_days_can_be_asked_about_and_their_neighbours_not() -> None:
    calendar = _calendar("england")
    assert not calendar.is_business_day(date(2024, 1, 1))
    assert calendar.is_business_day(date(2030, 12, 31))
    for day in (date(2023, 12, 31), date(2031, 1, 1)):
        with pytest.raises(CalendarError, match="approve its year first"):
            calendar.is_business_day(day)


def test_counting_stops_at_the_end_of_the_last_approved_year() -> None:
    with pytest.raises(CalendarError):
        _calendar("england").after(date(2030, 12, 30), 2)


@pytest.mark.parametrize(
    ("today", "is_soon"), [(date(2030, 3, 30), False), (date(2030, 3, 31), False), (date(2030, 4, 1), True)]
)
def test_the_horizon_is_near_from_nine_months_before_the_last_day(today: date, *, is_soon: bool) -> None:
    assert NEWEST.runs_out_soon(today) is is_soon


@pytest.mark.parametrize(
    ("day", "months", "result"),
    [
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2027, 8, 31), 6, date(2028, 2, 29)),
        (date(2026, 6, 15), 6, date(2026, 12, 15)),
        (date(2026, 12, 31), 2, date(2027, 2, 28)),
        (date(2026, 5, 31), 1, date(2026, 6, 30)),
        (date(2026, 11, 30), 1, date(2026, 12, 30)),
        (date(2026, 11, 30), 14, date(2028, 1, 30)),
    ],
)
def test_months_are_clamped_to_the_month_s_end(day: date, months: int, result: date) -> None:
    assert add_months(day, months) == result


@pytest.fixture
def machine_with_a_wrong_london(tmp_path: Path) -> Iterator[None]:
    (tmp_path / "Europe").mkdir()
    tokyo = resources.files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes()
    (tmp_path / "Europe" / "London").write_bytes(tokyo)
    zoneinfo.reset_tzpath([str(tmp_path)])
    zones.zone.cache_clear()
    yield
    zoneinfo.reset_tzpath()


@pytest.mark.usefixtures("machine_with_a_wrong_london")
def test_zones_are_the_wheel_s_whatever_the_machine_has() -> None:
    summer = datetime.fromisoformat("2026-07-01T00:00Z")
    assert zones.offset(summer, ZoneInfo.no_cache("Europe/London")) == "+09:00"
    assert zones.offset(summer, zones.zone("Europe/London")) == "+01:00"


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../tzdata/zones", "/etc/passwd", "europe", "Europe"])
def test_a_zone_that_the_wheel_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        zones.zone(name)


def test_a_time_that_the_clocks_skip_is_the_moment_they_do() -> None:
    skipped = zones.at(
        date(2026, 3, 29), datetime.fromisoformat("2026-03-29T01:30").time(), zones.zone("Europe/London")
    )
    assert skipped == datetime.fromisoformat("2026-03-29T01:30Z")


@pytest.mark.parametrize("name", NEWEST.zones)
def test_the_table_s_clock_changes_are_true_of_every_day(name: str) -> None:
    changes = [line.split() for line in NEWEST.zones[name]]
    at, offset = NEWEST.first_day, ""
    for instant, after in [*changes, ["2031-01-01T00:00Z", ""]]:
        until = datetime.fromisoformat(instant)
        while datetime.fromisoformat(f"{at}T12:00Z") < until:
            assert f"{datetime.fromisoformat(f'{at}T12:00Z').astimezone(ZoneInfo(name)):%z}" == offset.replace(":", "")
            at += timedelta(days=1)
        offset = after


def test_the_newest_version_was_made_with_the_locked_packages() -> None:
    assert (NEWEST.tzdata, NEWEST.holidays) == (version("tzdata"), version("holidays")), (
        "an upgrade of either is a new calendar version: python -m services.complaint_sla.seed"
    )


def test_versions_are_told_apart_by_day_and_number(tmp_path: Path) -> None:
    for name in ("2026-11-22", "2026-11-22.2", "2026-11-22.10", "2026-02-01"):
        (tmp_path / f"{name}.toml").touch()
    assert versions(tmp_path) == ("2026-02-01", "2026-11-22", "2026-11-22.2", "2026-11-22.10")


TEXT = (FOLDER / f"{NEWEST.version}.toml").read_text("utf-8")
HOLIDAY = '2024-12-26 = { name = "Boxing Day", source = "holidays" }'


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("approved_through = 2030", "approved_through = 2031", "england: 2031 has fewer than 8 holidays"),
        ("approved_through = 2030", "approved_through = 2029", "2030-01-01 is in no approved year"),
        ('source = "holidays"', 'source = "rumour"', "source: Input should be 'holidays' or 'override'"),
        (HOLIDAY, f"{HOLIDAY}\n{HOLIDAY}", "Cannot overwrite a value"),
        ("2024-12-26 =", "2024-12-32 =", "2024-12-32"),
        ('holidays = "0.', 'author = "me"\nholidays = "0.', "author: Extra inputs are not permitted"),
        ("[zones]", "[zonen]", "zones: Field required"),
        (f'version = "{NEWEST.version}"', 'version = "2020-01-01"', "the file is named after its version"),
        (f'version = "{NEWEST.version}"', 'version = "latest"', "version: String should match pattern"),
        ('"2026-03-29T01:00Z +02:00"', '"2026-03-22T01:00Z +02:00"', "zones.Europe/Brussels: tzdata"),
    ],
)
def test_a_version_that_cannot_be_used_is_refused_by_file_field_and_rule(
    before: str, after: str, problem: str, tmp_path: Path
) -> None:
    assert before in TEXT
    (tmp_path / f"{NEWEST.version}.toml").write_text(TEXT.replace(before, after, 1))
    with pytest.raises(DataError) as caught:
        load_newest(tmp_path)
    assert problem in str(caught.value)
    assert all(line.startswith(f"{NEWEST.version}.toml: ") for line in caught.value.problems)


def test_a_folder_without_a_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no calendar version"):
        load_newest(tmp_path)


def test_an_old_version_is_read_as_it_was_made_whatever_is_installed(tmp_path: Path) -> None:
    (tmp_path / f"{NEWEST.version}.toml").write_text(
        TEXT.replace("2026-03-29T01:00Z +02:00", "2026-03-22T01:00Z +02:00")
    )
    assert load_version(NEWEST.version, tmp_path).calendars == NEWEST.calendars
