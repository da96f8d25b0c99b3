"""What a new calendar version would change.

    python -m services.complaint_sla.calendar_changes OLD NEW [--receipts FILE]

Prints the days and clock changes that differ. With receipts (CSV with the columns complaint, received_at, licence and
calendar, the last may be empty) also the deadlines that would move: a dry run, before the version is approved.
"""

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from services.complaint_sla.calendars import FOLDER, CalendarVersion, load_version
from services.complaint_sla.procedure import Deadline, Receipt, deadlines
from services.complaint_sla.rulebook import Rulebook, load_rulebook


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A deadline that would be another."""

    complaint: str
    obligation: str
    before_at: datetime
    after_at: datetime

    def __str__(self) -> str:
        return f"{self.complaint}: {self.obligation}: {self.before_at.isoformat()} → {self.after_at.isoformat()}"


def differences(old: CalendarVersion, new: CalendarVersion) -> Iterator[str]:
    """A line each; none when the versions count alike and were made with the same releases."""
    for name in ("first_year", "approved_through", "holidays", "tzdata"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield f"{name}: {before} → {after}"
    for name in sorted(old.zones.keys() | new.zones.keys()):
        was, is_ = old.zones.get(name, ()), new.zones.get(name, ())
        yield from (f"{name}: no longer {change}" for change in was if change not in is_)
        yield from (f"{name}: now {change}" for change in is_ if change not in was)
    for name in sorted(old.calendars.keys() | new.calendars.keys()):
        yield from _days(name, old, new)


def _days(name: str, old: CalendarVersion, new: CalendarVersion) -> Iterator[str]:
    was, is_ = old.calendars.get(name, {}), new.calendars.get(name, {})
    for on in sorted(was.keys() | is_.keys()):
        before, after = was.get(on), is_.get(on)
        if before is None and after is not None:
            yield f"{name}: {on:%a} {on} added: {after.name} ({after.source})"
        elif after is None and before is not None:
            yield f"{name}: {on:%a} {on} removed: {before.name} ({before.source})"
        elif before is not None and after is not None and before != after:
            yield f"{name}: {on:%a} {on} was {before.name} ({before.source}), is {after.name} ({after.source})"


def moves(receipts: Mapping[str, Receipt], before: Rulebook, after: Rulebook) -> Iterator[Move]:
    """Deadlines of these complaints that differ. Raises `ProcedureError` when one cannot be computed under both."""
    for complaint, receipt in receipts.items():
        was = {deadline.obligation: deadline for deadline in deadlines(before, receipt)}
        for now in deadlines(after, receipt):
            then: Deadline | None = was.get(now.obligation)
            if then is not None and then.limit_at != now.limit_at:
                yield Move(
                    complaint=complaint, obligation=now.obligation, before_at=then.limit_at, after_at=now.limit_at
                )


def read_receipts(path: Path) -> dict[str, Receipt]:
    """By complaint."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            row["complaint"]: Receipt(
                received_at=datetime.fromisoformat(row["received_at"]),
                licence=row["licence"],
                calendar=row.get("calendar") or None,
            )
            for row in csv.DictReader(file)
        }


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m services.complaint_sla.calendar_changes", description="What a calendar version would change."
    )
    parser.add_argument("old", help="a version, as its file is named")
    parser.add_argument("new")
    parser.add_argument("--receipts", type=Path, help="CSV: complaint, received_at, licence, calendar")
    given = parser.parse_args(arguments)
    try:
        lines = list(_report(given.old, given.new, given.receipts, folder))
    except (KeyError, OSError, ValueError) as error:
        parser.error(str(error))
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _report(old_name: str, new_name: str, receipts: Path | None, folder: Path) -> Iterator[str]:
    old, new = load_version(old_name, folder), load_version(new_name, folder)
    yield from differences(old, new)
    if receipts is not None:
        rulebook = load_rulebook()
        books = [replace(rulebook, calendars=version) for version in (old, new)]
        yield from (f"moves {move}" for move in moves(read_receipts(receipts), *books))


if __name__ == "__main__":
    sys.exit(main())
