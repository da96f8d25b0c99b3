"""`member-notices deadlines`: every deadline of a complaint received then, and how it was counted."""

import json
import re
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from services.complaint_sla.explain import day_and_year, explanation, iso
from services.complaint_sla.ics import calendar_file, words
from services.complaint_sla.procedure import Deadline, Receipt, deadlines
from services.complaint_sla.rulebook import load_rulebook
from services.complaint_sla.rules import MetBy
from services.complaint_sla.zones import zone

Form = Literal["page", "json", "ics"]
AHEAD = timedelta(minutes=5)
"""So far ahead of now an event's receipt may lie; a later one is refused."""
INSTANT = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII | re.IGNORECASE)


def show(receipt: Receipt, form: Form, now: datetime, write: Callable[[str], object]) -> None:
    """Raises `ProcedureError`, or `DataError` when the data files cannot be used. A receipt ahead of now is allowed."""
    rulebook = load_rulebook()
    found = deadlines(rulebook, receipt)
    if receipt.received_at > now + AHEAD:
        sys.stderr.write("This receipt lies ahead: computed all the same. An event that says so would be refused.\n")
    if rulebook.calendars.runs_out_soon(now.date()):
        sys.stderr.write(f"The calendars end on {rulebook.calendars.last_day}: approve the holidays of another year.\n")
    if form == "json":
        write(json.dumps(document(receipt, found), indent=2, ensure_ascii=False) + "\n")
    elif form == "ics":
        write(calendar_file(found, now))
    else:
        page(receipt, found, Console(highlight=False))


def instant(text: str) -> datetime:
    """Raises `ValueError` for anything but a time of this century with its zone, to the minute or finer."""
    try:
        at = datetime.fromisoformat(text.upper()) if INSTANT.fullmatch(text) else None
    except ValueError:
        at = None
    if at is None:
        raise ValueError(f"{text!r} is no time such as 2026-12-24T16:30Z")
    if at.tzinfo is None:
        raise ValueError(f"{text} has no zone: end it in Z for UTC, or in an offset such as +01:00")
    return at


def document(receipt: Receipt, found: tuple[Deadline, ...]) -> dict[str, Any]:
    """For machines. Times are ISO 8601; `limit_at` is exclusive."""
    first = found[0]
    return {
        "licence": receipt.licence,
        "category": receipt.category,
        "received_at": iso(receipt.received_at),
        "zone": first.zone,
        "day_0": first.day0.isoformat(),
        "calendar": first.calendar,
        "calendar_version": first.calendar_version,
        "rules_version": first.rules_version,
        "deadlines": [_entry(deadline) for deadline in found],
    }


def _entry(deadline: Deadline) -> dict[str, Any]:
    return {
        "obligation": deadline.obligation,
        "limit_at": iso(deadline.limit_at),
        "limit_local": deadline.limit_at.astimezone(zone(deadline.zone)).isoformat(),
        "last_day": deadline.last_day.isoformat(),
        "send_by": deadline.send_by.isoformat(),
        "optional": deadline.rule.optional,
        "letter_at": iso(deadline.letter_at) if deadline.letter_at else None,
        "alerts_at": [iso(at) for at in deadline.alerts_at],
        "delay_alerts_at": [iso(at) for at in deadline.delay_alerts_at],
        "met_by": list(deadline.rule.met_by),
        "acceptance_required": deadline.acceptance_required,
        "source": deadline.rule.source,
        "reference": deadline.rule.reference,
        "not_counted": [{"day": str(each.day), "why": each.why} for each in deadline.not_counted],
        "explanation": explanation(deadline),
    }


def page(receipt: Receipt, found: tuple[Deadline, ...], console: Console) -> None:
    """For people: coloured on a terminal, plain elsewhere, where no line is broken so that it can be searched."""
    first, wrap = found[0], console.is_terminal
    console.print(
        Text.assemble(
            (f"Complaint under licence {receipt.licence}", "bold"),
            f", received {_local(receipt.received_at, first)} ({first.zone})",
        ),
        soft_wrap=not wrap,
    )
    console.print(
        Text(f"calendar {first.calendar} {first.calendar_version}, rules {first.rules_version}", "dim"),
        soft_wrap=not wrap,
    )
    for deadline in found:
        console.print()
        console.print(Text(words(deadline.obligation).capitalize(), "bold cyan"))
        if wrap:
            console.print(Padding(_grid(deadline), (0, 0, 0, 2)))
            continue
        for name, text in _lines(deadline):
            console.print(f"  {name:<10}{text}", soft_wrap=True)


def _grid(deadline: Deadline) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for name, text in _lines(deadline):
        grid.add_row(name, Text(text, "bold" if name == "in time" else ""))
    return grid


def _lines(deadline: Deadline) -> list[tuple[str, str]]:
    until = f"before {deadline.rule.until:%H:%M} on" if deadline.rule.until else "until the end of"
    lines = [
        ("window" if deadline.rule.optional else "in time", f"{until} {day_and_year(deadline.last_day)}, local time"),
        ("limit", f"{_local(deadline.limit_at, deadline)} local = {iso(deadline.limit_at)} UTC, exclusive"),
        *([] if deadline.rule.optional else [("send by", day_and_year(deadline.send_by))]),
        ("met by", ", or ".join(_met_by(each, deadline) for each in deadline.rule.met_by)),
    ]
    if deadline.rule.optional:
        lines.append(("then", "a summary letter is enough; nothing is missed when the window closes"))
    if deadline.delay_alerts_at:
        told = ", ".join(_local(at, deadline) for at in deadline.delay_alerts_at)
        lines.append(("explain", f"{told}: the handler is told if nobody has explained the delay"))
    if deadline.alerts_at:
        lines.append(("alert", ", ".join(_local(at, deadline) for at in deadline.alerts_at)))
    if deadline.letter_at and deadline.rule.letter:
        at, letter = _local(deadline.letter_at, deadline), words(deadline.rule.letter.name)
        lines.append(("letter", f"{at}: the {letter} letter, if nothing better has been sent"))
    lines += [("source", f"{words(deadline.rule.source)}: {deadline.rule.reference}"), ("why", explanation(deadline))]
    return lines


def _met_by(what: MetBy, deadline: Deadline) -> str:
    if what == "resolution":
        return "resolved, and accepted by the complainant" if deadline.acceptance_required else "resolved"
    return "written acceptance received" if what == "written-acceptance" else f"{words(what)} letter sent"


def _local(at: datetime, deadline: Deadline) -> str:
    there = at.astimezone(zone(deadline.zone))
    return f"{day_and_year(there.date())} {there:%H:%M}"
