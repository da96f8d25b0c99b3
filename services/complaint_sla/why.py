"""PURE: a complaint in about ten lines, with the rule behind each step. Times are UTC; nothing private comes out."""

from collections.abc import Iterator
from datetime import datetime

from services.complaint_sla import words
from services.complaint_sla.case import Case, Owed
from services.complaint_sla.dossier import Dossier
from services.complaint_sla.explain import iso
from services.complaint_sla.timeline import state_of, upcoming, waits
from services.complaint_sla.words import named

_NOT_SHORT = ("day 0 ", "not counted: ", "stored as ")
"""How the parts of an explanation begin that `deadlines` and the timeline tell and a line has no room for."""


def as_text(dossier: Dossier, zone_name: str, now: datetime) -> str:
    return "\n".join(lines(dossier, zone_name, now))


def lines(dossier: Dossier, zone_name: str, now: datetime) -> Iterator[str]:
    """What it is, what is owed, what became of letters, what comes next, what waits for a person."""
    case = dossier.case
    yield _line("complaint", f"{case.id}  {state_of(case).upper()}")
    yield from _beginning(case, zone_name)
    for owed in case.owed:
        yield _owed(owed)
    for request in case.requests:
        what = f"{named(request.letter)}, attempt {request.attempt}, asked for {iso(request.requested_at)}"
        yield _line("letter", f"{what}, {words.of_request(request)}; its id is {request.id}")
    if case.closed_at is not None and case.how is not None:
        yield _line("closed", iso(case.closed_at), words.ENDED[case.how])
    coming = upcoming(case)
    if coming is None:
        yield _line("next", "nothing by itself")
    else:
        overdue = (
            " (overdue: is the watermark behind, or no complaint-sla running?)" if _is_overdue(coming.at, now) else ""
        )
        yield _line("next", f"{iso(coming.at)}: {coming.what}{overdue}")
    for what in waits(dossier):
        yield _line("waits", f"for a person: {what}")
    if dossier.untold:
        yield _line("not told", f"{len(dossier.untold)} events are in the outbox", "the broker has not answered yet")


def _beginning(case: Case, zone_name: str) -> Iterator[str]:
    received = case.received
    if received is None:
        yield _line("heard", f"first {iso(case.first_seen_at)}; {len(case.early)} events wait", "it is not registered")
        return
    at = f"{iso(received.received_at)}, {words.local(received.received_at, zone_name)} in {zone_name}"
    yield _line("received", at, f"the desk registered it under licence {received.licence}")
    late = case.first_seen_at - received.received_at
    yield _line("heard", f"{iso(case.first_seen_at)}, {words.span(late)} after that", "clocks run from the receipt")


def _owed(owed: Owed) -> str:
    met = "" if owed.met_at is None else f" {iso(owed.met_at)}"
    found = "" if owed.detected_at is None else f", found {iso(owed.detected_at)}"
    what = f"{named(owed.obligation)} before {iso(owed.limit_at)}: {owed.state.upper()}{met}{found}"
    short = "; ".join(part for part in owed.explanation.split("; ") if not part.startswith(_NOT_SHORT))
    return _line("owed", what, f"{short} ({named(owed.source)}: {owed.reference})")


def _is_overdue(at: datetime, now: datetime) -> bool:
    return (now - at).total_seconds() > 60


def _line(step: str, what: str, because: str | None = None) -> str:
    """As the notifier's stories are set, so that both read as one."""
    return f"{step:<11} {what}{f', because {because}' if because else ''}"
