"""Business days by jurisdiction, from a versioned table of our own: `data/calendars/<version>.toml`.

A business day is Monday to Friday and no public holiday of the calendar. A version is never edited: a proclaimed
holiday, a newer seed or newer time zones make a new one (`seed.py`), and old ones stay, so that a deadline can be
explained by what it was computed with. Beyond the last approved year nothing is computed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.types import Slug
from services.complaint_sla import zones
from services.complaint_sla.tables import DATA, DataError, Line, Row, read

FOLDER = DATA / "calendars"
WARN_MONTHS_BEFORE = 9
"""Holidays of a year are published about a year before; approving them takes a person and a release."""
FEWEST_A_YEAR = 8
"""No jurisdiction here has fewer: a year with less is one that somebody forgot."""

Version = Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-[01][0-9]-[0-3][0-9](\.[0-9]+)?$")]


class CalendarError(ValueError):
    """A day outside the approved years."""


@dataclass(frozen=True, slots=True)
class NotCounted:
    """A day that is no business day, and why: `weekend`, or the holiday's name."""

    day: date
    why: str


WEEKEND = "weekend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """One jurisdiction's business days. A question about a day outside the approved years raises `CalendarError`."""

    id: str
    version: str
    first_day: date
    last_day: date
    holidays: Mapping[date, str]

    def not_counted(self, day: date) -> NotCounted | None:
        """Why the day is no business day; None if it is one."""
        if not self.first_day <= day <= self.last_day:
            raise CalendarError(
                f"{day} is outside calendar {self.id} of version {self.version}, "
                f"approved from {self.first_day} to {self.last_day}: approve its year first"
            )
        if day.weekday() >= 5:  # noqa: PLR2004, RUF100 (Saturday)
            return NotCounted(day, WEEKEND)
        return NotCounted(day, self.holidays[day]) if day in self.holidays else None

    def is_business_day(self, day: date) -> bool:
        return self.not_counted(day) is None

    def after(self, day: date, business_days: int) -> tuple[date, tuple[NotCounted, ...]]:
        """The nth business day after `day`, which is excluded whatever day it is; and the days passed over."""
        skipped: list[NotCounted] = []
        while business_days > 0:
            day += timedelta(days=1)
            reason = self.not_counted(day)
            if reason is None:
                business_days -= 1
            else:
                skipped.append(reason)
        return day, tuple(skipped)

    def before(self, day: date, business_days: int) -> date:
        """The nth business day before `day`, which is excluded."""
        while business_days > 0:
            day -= timedelta(days=1)
            business_days -= self.is_business_day(day)
        return day

    def on_or_before(self, day: date) -> date:
        """The last business day up to and including `day`."""
        return day if self.is_business_day(day) else self.before(day, 1)


class Day(Row):
    """One holiday; where it comes from."""

    name: Line
    source: Literal["holidays", "override"]


class CalendarVersion(Row):
    """One version of the table: all calendars, and the clock changes that limits in those years depend on."""

    version: Version
    first_year: int = Field(ge=2000, le=2099)
    approved_through: int = Field(ge=2000, le=2099)
    """Last year whose holidays a person has approved; nothing is computed beyond."""
    holidays: Line
    """Release of the `holidays` package that it was seeded from."""
    tzdata: Line
    """Release of the zone database that it was made with."""
    zones: dict[str, tuple[Line, ...]]
    calendars: dict[Slug, dict[date, Day]] = Field(min_length=1)
    _built: dict[str, Calendar] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _every_year_is_there(self) -> Self:
        for name, days in self.calendars.items():
            for year in range(self.first_year, self.approved_through + 1):
                if sum(day.year == year for day in days) < FEWEST_A_YEAR:
                    raise PydanticCustomError(
                        "year_incomplete",
                        "calendar {name}: {year} has fewer than {fewest} holidays",
                        {"name": name, "year": year, "fewest": FEWEST_A_YEAR},
                    )
            if stray := next((day for day in days if not self.first_day <= day <= self.last_day), None):
                raise PydanticCustomError(
                    "day_stray", "calendar {name}: {day} is in no approved year", {"name": name, "day": str(stray)}
                )
        return self

    @property
    def first_day(self) -> date:
        return date(self.first_year, 1, 1)

    @property
    def last_day(self) -> date:
        return date(self.approved_through, 12, 31)

    def calendar(self, id: str) -> Calendar:
        """Raises `KeyError` for one it does not have."""
        if id not in self._built:
            self._built[id] = Calendar(
                id=id,
                version=self.version,
                first_day=self.first_day,
                last_day=self.last_day,
                holidays={day: holiday.name for day, holiday in self.calendars[id].items()},
            )
        return self._built[id]

    def runs_out_soon(self, today: date) -> bool:
        """Whether the last approved day is nearer than nine months: a person has to approve another year."""
        return add_months(today, WARN_MONTHS_BEFORE) > self.last_day


def add_months(day: date, months: int) -> date:
    """The same day of the month that many months later, clamped to the month's end: 31 August + 6 = 28 February."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first_of_next = date(year + (month == 11), (month + 1) % 12 + 1, 1)  # noqa: PLR2004, RUF100 (December)
    return min(date(year, month + 1, 1) + timedelta(days=day.day - 1), first_of_next - timedelta(days=1))


def versions(folder: Path = FOLDER) -> tuple[str, ...]:
    """Oldest first."""
    return tuple(sorted((path.stem for path in folder.glob("*.toml")), key=_order))


def _order(version: str) -> tuple[str, int]:
    day, _, n = version.partition(".")
    return day, int(n or 0)


def load_version(version: str, folder: Path = FOLDER) -> CalendarVersion:
    """As it was made, whatever is installed now: for reports and differences. Raises `DataError`."""
    loaded = read(folder / f"{version}.toml", CalendarVersion)
    if loaded.version != version:
        raise DataError([f"{version}.toml: version: the file is named after its version, which says {loaded.version}"])
    return loaded


def load_newest(folder: Path = FOLDER) -> CalendarVersion:
    """To compute with. Raises `DataError` also when the zones installed have other clock changes than the table."""
    found = versions(folder)
    if not found:
        raise DataError([f"{folder.name}: no calendar version"])
    newest = load_version(found[-1], folder)
    moved = [
        f"{newest.version}.toml: zones.{name}: tzdata {zones.TZDATA} changes the clocks otherwise than "
        f"{newest.tzdata}, which the table was made with: make a new calendar version"
        for name, changes in newest.zones.items()
        if zones.changes(name, newest.first_day, newest.last_day) != changes
    ]
    if moved:
        raise DataError(moved)
    return newest
