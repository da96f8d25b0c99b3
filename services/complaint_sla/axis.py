"""PURE: where an instant stands in the picture of a complaint. The first days are drawn wide, the weeks after narrow.

Days are local days of the licence's zone; a limit at midnight stands on the line between two days.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.complaint_sla.case import Case
from services.complaint_sla.zones import at, zone

FEWEST_WIDE, MOST_WIDE = 7, 16
"""Days drawn wide: through the last limit in business days, Christmas in between included."""
BEYOND = timedelta(days=2)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """From the first day to the last, `left` to `right` in the picture's units."""

    zone: str
    first: date
    narrow_from: date
    last: date
    left: float
    right: float
    days_off: Mapping[date, str]
    """Why a day is no business day, of the wide part."""

    def x(self, instant: datetime) -> float:
        """Clamped to the ends."""
        day = instant.astimezone(zone(self.zone)).date()
        begins, ends = self._midnight(day), self._midnight(day + DAY)
        return self._x(day, (instant - begins) / (ends - begins))

    def x_of_day(self, day: date) -> float:
        """Where it begins."""
        return self._x(day, 0)

    def wide_days(self) -> Iterator[date]:
        yield from _days(self.first, self.narrow_from)

    def weeks(self) -> Iterator[tuple[int, date]]:
        """Those of the narrow part that have room for a name, counted from the first day."""
        for number in range(1, 53):
            day = self.first + timedelta(weeks=number)
            if self.narrow_from + 3 * DAY <= day <= self.last:
                yield number, day

    def holds(self, instant: datetime) -> bool:
        return self.first <= instant.astimezone(zone(self.zone)).date() <= self.last

    def _x(self, day: date, part: float) -> float:
        middle = self.left + (self.right - self.left) * 0.54
        if day < self.narrow_from:
            share = ((day - self.first) / DAY + part) / ((self.narrow_from - self.first) / DAY)
            return max(self.left, self.left + share * (middle - self.left))
        share = ((day - self.narrow_from) / DAY + part) / ((self.last + DAY - self.narrow_from) / DAY)
        return min(self.right, middle + share * (self.right - middle))

    def _midnight(self, day: date) -> datetime:
        return at(day, datetime.min.time(), zone(self.zone))


def span_of(case: Case, zone_name: str) -> tuple[date, date, date]:
    """First day, the day from which on days are narrow, last day. The case is registered."""
    assert case.received is not None, "an axis begins at the receipt"
    first = case.received.received_at.astimezone(zone(zone_name)).date()
    last_days = [owed.last_day for owed in case.owed] or [first]
    soon = [day for day in last_days if day <= first + timedelta(days=MOST_WIDE - 2)]
    wide = min(MOST_WIDE, max(FEWEST_WIDE, (max(soon, default=first) - first).days + 2))
    narrow_from = first + timedelta(days=wide)
    return first, narrow_from, max(*last_days, narrow_from) + BEYOND


def _days(first: date, end: date) -> Iterator[date]:
    day = first
    while day < end:
        yield day
        day += DAY
