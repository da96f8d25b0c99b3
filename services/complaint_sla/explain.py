"""PURE: how a deadline was counted, in words that a handler can check with a wall calendar.

day 0 Thu 24 Dec 2026 (Europe/London); not counted: Fri 25 Dec Christmas Day, Sat 26 to Sun 27 Dec weekend, …;
until the end of business day 5, Tue 5 Jan 2027; stored as 2027-01-06T00:00:00Z (exclusive)
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from services.complaint_sla.calendars import NotCounted
from services.complaint_sla.procedure import Deadline
from services.complaint_sla.zones import offset, zone


def explanation(deadline: Deadline) -> str:
    """One line, its parts separated by semicolons."""
    return "; ".join(_parts(deadline))


def _parts(deadline: Deadline) -> Iterator[str]:
    day0, last_day, rule = deadline.day0, deadline.last_day, deadline.rule
    yield f"day 0 {day_and_year(day0)} ({deadline.zone})"
    if deadline.not_counted:
        yield f"not counted: {', '.join(_grouped(deadline.not_counted))}"
    until = f"until {rule.until:%H:%M} on" if rule.until else "until the end of"
    if rule.business_days is not None:
        yield f"{until} business day {rule.business_days}, {day_and_year(last_day)}"
    else:
        yield f"{rule.weeks} calendar weeks later; {until} {day_and_year(last_day)}"
        if deadline.send_by != last_day:
            yield f"that is no business day, so send by {day_and_year(deadline.send_by)}"
    there = zone(deadline.zone)
    before, after = offset(deadline.started_at, there), offset(deadline.limit_at, there)
    if before != after:
        yield f"the clocks change in between, from {before} to {after}"
    yield f"stored as {iso(deadline.limit_at)} (exclusive)"


def _grouped(days: tuple[NotCounted, ...]) -> Iterator[str]:
    """Days in a row with the same reason as one: Sat 26 to Sun 27 Dec weekend."""
    first = last = days[0]
    for day in days[1:]:
        if (day.day, day.why) != (last.day + timedelta(days=1), first.why):
            yield _span(first.day, last.day, first.why)
            first = day
        last = day
    yield _span(first.day, last.day, first.why)


def _span(first: date, last: date, why: str) -> str:
    if first == last:
        return f"{_day(first)} {why}"
    start = f"{first:%a} {first.day}" if first.month == last.month else _day(first)
    return f"{start} to {_day(last)} {why}"


def _day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


def day_and_year(day: date) -> str:
    """Thu 24 Dec 2026."""
    return f"{_day(day)} {day.year}"


def iso(instant: datetime) -> str:
    """UTC as ISO 8601: 2027-01-06T00:00:00Z."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
