"""Complaint deadlines counted a second way, which knows nothing of ours.

Days off are written out by hand below, business days are numpy's, and the clocks follow the rule of European law: an
hour ahead from the last Sunday of March, 01:00 UTC, to the last Sunday of October, 01:00 UTC.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import numpy as np

# Only days off from Monday to Friday. Easter Sundays: 31 Mar 2024, 20 Apr 2025, 5 Apr 2026, 28 Mar 2027, 16 Apr 2028,
# 1 Apr 2029, 21 Apr 2030; Good Friday is 2 days before, Easter Monday 1 after, Ascension 39 and Whit Monday 50.
DAYS_OFF: dict[str, dict[int, str]] = {
    # New Year, Good Friday, Easter Monday, first and last Monday of May, last Monday of August, 25 and 26 December.
    "england": {
        2024: "01-01 03-29 04-01 05-06 05-27 08-26 12-25 12-26",
        2025: "01-01 04-18 04-21 05-05 05-26 08-25 12-25 12-26",
        2026: "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-28",  # 26 Dec is a Saturday
        2027: "01-01 03-26 03-29 05-03 05-31 08-30 12-27 12-28",  # 25 and 26 Dec are Saturday and Sunday
        2028: "01-03 04-14 04-17 05-01 05-29 08-28 12-25 12-26",  # 1 Jan is a Saturday
        2029: "01-01 03-30 04-02 05-07 05-28 08-27 12-25 12-26",
        2030: "01-01 04-19 04-22 05-06 05-27 08-26 12-25 12-26",
    },
    # 1 and 2 January, no Easter Monday, first Monday of August, 30 November.
    "scotland": {
        2024: "01-01 01-02 03-29 05-06 05-27 08-05 12-02 12-25 12-26",  # 30 Nov is a Saturday
        2025: "01-01 01-02 04-18 05-05 05-26 08-04 12-01 12-25 12-26",  # 30 Nov is a Sunday
        2026: "01-01 01-02 04-03 05-04 05-25 06-15 08-03 11-30 12-25 12-28",  # 15 Jun: World Cup, once
        2027: "01-01 01-04 03-26 05-03 05-31 08-02 11-30 12-27 12-28",  # 2 Jan is a Saturday
        2028: "01-03 01-04 04-14 05-01 05-29 08-07 11-30 12-25 12-26",  # 1 and 2 Jan are Saturday and Sunday
        2029: "01-01 01-02 03-30 05-07 05-28 08-06 11-30 12-25 12-26",
        2030: "01-01 01-02 04-19 05-06 05-27 08-05 12-02 12-25 12-26",  # 30 Nov is a Saturday
    },
    # England's, 17 March and 12 July.
    "northern-ireland": {
        2024: "01-01 03-18 03-29 04-01 05-06 05-27 07-12 08-26 12-25 12-26",  # 17 Mar is a Sunday
        2025: "01-01 03-17 04-18 04-21 05-05 05-26 07-14 08-25 12-25 12-26",  # 12 Jul is a Saturday
        2026: "01-01 03-17 04-03 04-06 05-04 05-25 07-13 08-31 12-25 12-28",  # 12 Jul is a Sunday
        2027: "01-01 03-17 03-26 03-29 05-03 05-31 07-12 08-30 12-27 12-28",
        2028: "01-03 03-17 04-14 04-17 05-01 05-29 07-12 08-28 12-25 12-26",
        2029: "01-01 03-19 03-30 04-02 05-07 05-28 07-12 08-27 12-25 12-26",  # 17 Mar is a Saturday
        2030: "01-01 03-18 04-19 04-22 05-06 05-27 07-12 08-26 12-25 12-26",  # 17 Mar is a Sunday
    },
    # 1 Jan, Easter Monday, 1 May, Ascension, Whit Monday, 21 Jul, 15 Aug, 1 and 11 Nov, 25 Dec; nothing instead of
    # those that fall on a weekend.
    "belgium": {
        2024: "01-01 04-01 05-01 05-09 05-20 08-15 11-01 11-11 12-25",
        2025: "01-01 04-21 05-01 05-29 06-09 07-21 08-15 11-11 12-25",
        2026: "01-01 04-06 05-01 05-14 05-25 07-21 11-11 12-25",
        2027: "01-01 03-29 05-06 05-17 07-21 11-01 11-11",
        2028: "04-17 05-01 05-25 06-05 07-21 08-15 11-01 12-25",
        2029: "01-01 04-02 05-01 05-10 05-21 08-15 11-01 12-25",
        2030: "01-01 04-22 05-01 05-30 06-10 08-15 11-01 11-11 12-25",
    },
    # England's and 9 May, which nothing replaces: a Saturday in 2026, a Sunday in 2027. 2024: the King's visit.
    "jersey": {
        2024: "01-01 03-29 04-01 05-06 05-09 05-27 07-15 08-26 12-25 12-26",
        2025: "01-01 04-18 04-21 05-05 05-09 05-26 08-25 12-25 12-26",
        2026: "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-28",
        2027: "01-01 03-26 03-29 05-03 05-31 08-30 12-27 12-28",
        2028: "01-03 04-14 04-17 05-01 05-09 05-29 08-28 12-25 12-26",
        2029: "01-01 03-30 04-02 05-07 05-09 05-28 08-27 12-25 12-26",
        2030: "01-01 04-19 04-22 05-06 05-09 05-27 08-26 12-25 12-26",
    },
    "guernsey": {
        2024: "01-01 03-29 04-01 05-06 05-09 05-27 07-16 08-26 12-25 12-26",
        2025: "01-01 04-18 04-21 05-05 05-09 05-26 08-25 12-25 12-26",
        2026: "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-28",
        2027: "01-01 03-26 03-29 05-03 05-31 08-30 12-27 12-28",
        2028: "01-03 04-14 04-17 05-01 05-09 05-29 08-28 12-25 12-26",
        2029: "01-01 03-30 04-02 05-07 05-09 05-28 08-27 12-25 12-26",
        2030: "01-01 04-19 04-22 05-06 05-09 05-27 08-26 12-25 12-26",
    },
}
HOURS_FROM_UTC = {"belgium": 1}
"""In winter; the others are at 0."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Limits as UTC instants, exclusive, and the last business day up to each week limit."""

    summary: datetime
    acknowledgement: datetime
    four_weeks: datetime
    eight_weeks: datetime
    send_by_four: date
    send_by_eight: date


def days_off(calendar: str) -> list[date]:
    return [date.fromisoformat(f"{year}-{day}") for year, days in DAYS_OFF[calendar].items() for day in days.split()]


def count(calendar: str, received_at: datetime) -> Counted:
    """`received_at` in UTC."""
    hours = HOURS_FROM_UTC.get(calendar, 0)
    day0 = (received_at + timedelta(hours=hours + _is_summer(received_at))).date()
    four, eight = day0 + timedelta(days=28), day0 + timedelta(days=56)
    return Counted(
        summary=_utc(_business_day(calendar, day0, 3), time(17), hours),
        acknowledgement=_utc(_business_day(calendar, day0, 5) + timedelta(days=1), time(0), hours),
        four_weeks=_utc(four + timedelta(days=1), time(0), hours),
        eight_weeks=_utc(eight + timedelta(days=1), time(0), hours),
        send_by_four=_business_day(calendar, four, 0),
        send_by_eight=_business_day(calendar, eight, 0),
    )


def _business_day(calendar: str, day: date, offset: int) -> date:
    counted: date = np.busday_offset(day, offset, roll="backward", busdaycal=_numpy_s(calendar)).astype(date)
    return counted


@cache
def _numpy_s(calendar: str) -> np.busdaycalendar:
    return np.busdaycalendar(holidays=days_off(calendar))


def _utc(day: date, clock: time, hours: int) -> datetime:
    """No limit falls into the hour that the clocks skip or repeat."""
    standard = datetime.combine(day, clock, UTC) - timedelta(hours=hours)
    return standard - timedelta(hours=_is_summer(standard - timedelta(hours=1)))


def _is_summer(at: datetime) -> bool:
    return _last_sunday(at.year, 3) <= at < _last_sunday(at.year, 10)


def _last_sunday(year: int, month: int) -> datetime:
    last = date(year, month, 31)
    return datetime.combine(last - timedelta(days=(last.weekday() + 1) % 7), time(1), UTC)
