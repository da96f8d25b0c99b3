"""Make a calendar version: `python -m services.complaint_sla.seed --version 2026-11-22 --through 2030 | --check`.

Seed (the `holidays` package, of the development extra) and overrides (`data/overrides.toml`) become
`data/calendars/<version>.toml`; what it changes against the version before is printed, for the person who approves it.
`--check` writes nothing and exits 1 when the newest version is not what seed, overrides and zones say now.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.types import Slug
from services.complaint_sla import zones
from services.complaint_sla.calendar_changes import differences
from services.complaint_sla.calendars import FOLDER, CalendarVersion, Day, load_version, versions
from services.complaint_sla.licences import load_licences
from services.complaint_sla.tables import DATA, DataError, Line, Row, read

FIRST_YEAR = 2024
SEEDS: dict[str, tuple[str, str | None, str | None]] = {
    "england": ("GB", "ENG", "en_GB"),
    "scotland": ("GB", "SCT", "en_GB"),
    "northern-ireland": ("GB", "NIR", "en_GB"),
    "belgium": ("BE", None, "en_US"),
    "jersey": ("JE", None, None),
    "guernsey": ("GG", None, None),
}
"""Calendar → country, subdivision and language of the package. Without its subdivision GB lacks Easter Monday and the
August holiday. Public holidays only: Belgium has bank bridge days in a category of their own."""


class Override(Row):
    """A day that a person puts right."""

    calendar: Slug
    change: Literal["add", "remove"]
    days: tuple[date, ...] = Field(min_length=1)
    name: Line | None = None
    reason: Line
    source: Line
    checked_on: date

    @model_validator(mode="after")
    def _a_new_day_has_a_name(self) -> Self:
        if (self.change == "add") != (self.name is not None):
            raise PydanticCustomError("name", "a holiday to add has a name, one to remove has none")
        return self


class Overrides(Row):
    override: tuple[Override, ...] = ()


def make(version: str, through: int, overrides: tuple[Override, ...]) -> CalendarVersion:
    """Seed and overrides as one version. Raises `DataError` for an override that changes nothing."""
    import holidays  # noqa: PLC0415 - only who makes a version has it

    years = range(FIRST_YEAR, through + 1)
    calendars = {}
    for name, (country, subdivision, language) in SEEDS.items():
        seed = holidays.country_holidays(country, subdiv=subdivision, years=years, language=language)
        calendars[name] = {
            on: Day(name=seed[on].replace("(observed)", "(substitute day)"), source="holidays") for on in sorted(seed)
        }
    problems = [problem for override in overrides for problem in _apply(override, calendars)]
    if problems:
        raise DataError(problems)
    first, last = date(FIRST_YEAR, 1, 1), date(through, 12, 31)
    return CalendarVersion(
        version=version,
        first_year=FIRST_YEAR,
        approved_through=through,
        holidays=metadata.version("holidays"),
        tzdata=zones.TZDATA,
        zones={name: zones.changes(name, first, last) for name in sorted({x.zone for x in load_licences().values()})},
        calendars=calendars,
    )


def _apply(override: Override, calendars: dict[str, dict[date, Day]]) -> Iterator[str]:
    days = calendars.get(override.calendar)
    if days is None:
        yield f"overrides.toml: calendar: there is no {override.calendar}"
        return
    for on in override.days:
        if (on in days) == (override.change == "add"):
            yield f"overrides.toml: days: {override.calendar} {on}: the seed says so already, delete the override"
        elif override.change == "add":
            days[on] = Day(name=str(override.name), source="override")
        else:
            del days[on]


def rendered(version: CalendarVersion) -> str:
    """The file's whole text: one line a day, so that a difference reads like one."""
    lines = [
        "# Made by `python -m services.complaint_sla.seed`, never edited: what is wrong is put right by an override",
        "# and a new version.",
        "",
        *(f"{name} = {_text(getattr(version, name))}" for name in ("version", "first_year", "approved_through")),
        *(f"{name} = {_text(getattr(version, name))}" for name in ("holidays", "tzdata")),
        "",
        "# How far from UTC, since when.",
        "[zones]",
    ]
    for name, found in version.zones.items():
        lines += [f"{_text(name)} = [", *(f"    {_text(change)}," for change in found), "]"]
    for name, days in version.calendars.items():
        lines += ["", f"[calendars.{name}]"]
        lines += [
            f"{on} = {{ name = {_text(days[on].name)}, source = {_text(days[on].source)} }}" for on in sorted(days)
        ]
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    """A JSON string or number is a TOML one."""
    return json.dumps(value, ensure_ascii=False)


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    parser = argparse.ArgumentParser(prog="python -m services.complaint_sla.seed", description="Make a version.")
    parser.add_argument("--version", default=f"{date.today()}", help="its name: a day, and .n for another on that day")  # noqa: DTZ011 - a name
    parser.add_argument("--through", type=int, help="last year whose holidays a person has approved")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the newest is out of date")
    given = parser.parse_args(arguments)
    found = versions(folder)
    newest = load_version(found[-1], folder) if found else None
    through = given.through or (newest.approved_through if newest else None)
    if through is None:
        parser.error("the first version needs --through")
    made = make(given.version, through, read(DATA / "overrides.toml", Overrides).override)
    report = list(differences(newest, made)) if newest else []
    sys.stdout.write("".join(f"{line}\n" for line in report))
    if given.check:
        return 1 if report or newest is None else 0
    target = folder / f"{made.version}.toml"
    if target.exists():
        parser.error(
            f"version {made.version} is there already, and a version is never edited: --version {made.version}.1"
        )
    target.write_text(rendered(made), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
