"""PURE: deadlines as an iCalendar file (RFC 5545), for the calendar of whoever answers the complaint.

A limit at the end of a day is an all-day event on the last day on which somebody works before it: an event at the
exclusive instant would show on the day after, when it is too late, and nobody looks at a calendar on a holiday.
Alerts ring at their instants.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from services.complaint_sla.explain import explanation, iso
from services.complaint_sla.procedure import Deadline

PRODUCT = "-//member-notices//complaint deadlines//EN"
MAX_OCTETS = 75
"""Of a content line, without its line break (RFC 5545, 3.1)."""


def calendar_file(deadlines: Iterable[Deadline], made_at: datetime) -> str:
    """The whole file with CRLF line ends. The same deadline has the same UID each time it is made."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODUCT}", "CALSCALE:GREGORIAN"]
    for deadline in deadlines:
        lines += _event(deadline, made_at)
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def _event(deadline: Deadline, made_at: datetime) -> Iterator[str]:
    title = f"{words(deadline.obligation).capitalize()} due ({deadline.licence})"
    yield "BEGIN:VEVENT"
    what = (deadline.obligation, _basic(deadline.started_at), deadline.licence, deadline.calendar)
    yield f"UID:{'-'.join(what)}@member-notices"
    yield f"DTSTAMP:{_basic(made_at)}"
    if deadline.rule.until is None:
        yield f"DTSTART;VALUE=DATE:{deadline.send_by:%Y%m%d}"
        yield f"DTEND;VALUE=DATE:{deadline.send_by + timedelta(days=1):%Y%m%d}"
    else:
        yield f"DTSTART:{_basic(deadline.limit_at)}"
    yield f"SUMMARY:{_escaped(title)}"
    yield f"DESCRIPTION:{_escaped(explanation(deadline))}"
    yield "TRANSP:TRANSPARENT"
    for alert_at in deadline.alerts_at:
        yield from (
            "BEGIN:VALARM",
            "ACTION:DISPLAY",
            f"DESCRIPTION:{_escaped(title)}",
            f"TRIGGER;VALUE=DATE-TIME:{_basic(alert_at)}",
            "END:VALARM",
        )
    yield "END:VEVENT"


def words(name: str) -> str:
    """decision-or-holding → decision or holding."""
    return name.replace("-", " ")


def _basic(instant: datetime) -> str:
    return iso(instant.replace(microsecond=0)).replace("-", "").replace(":", "")


def _escaped(text: str) -> str:
    for mark in ("\\", ";", ","):
        text = text.replace(mark, f"\\{mark}")
    return text.replace("\n", "\\n")


def _folded(line: str) -> Iterator[str]:
    """Between characters, never within one; a continuation starts with a space, which counts."""
    part = ""
    for character in line:
        if len((part + character).encode()) > MAX_OCTETS:
            yield part
            part = " "
        part += character
    yield part
