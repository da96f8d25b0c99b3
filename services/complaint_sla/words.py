"""PURE: a complaint's events, states and letters in words. No name and no text comes out, and addresses are masked.

The words say what kind of thing happened and when, from fields that hold codes, days and instants.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from typing import Any

from schemas import complaints, deadlines
from schemas.masking import masked
from schemas.notifications import OutcomeV1
from schemas.types import Data
from services.complaint_sla.case import Case, Owed, Request
from services.complaint_sla.explain import day_and_year, iso
from services.complaint_sla.zones import zone

OF_STATE: Mapping[str, str] = {
    "open": "open",
    "held": "held until the summary letter is sent",
    "met": "met",
    "met-not-delivered": "met, but it came back after the limit",
    "missed": "missed",
    "lapsed": "not used",
    "cancelled": "not needed",
}
OF_REQUEST: Mapping[str, str] = {
    "requested": "asked for, no outcome yet",
    "with-handler": "with the handler, who has it to send",
    "sent": "sent",
    "bounced": "came back",
    "refused": "never taken",
    "cancelled": "stopped before it left",
}
WAYS: Mapping[str, str] = {
    "notifier": "by e-mail",
    "letter-to-post": "by post, through the handler",
    "post": "by post",
    "courier": "by courier",
    "hand": "by hand",
    "email": "by e-mail, not through us",
}
ENDED: Mapping[str, str] = {
    "summary-resolution": "resolved in the first days, and the summary letter sent",
    "final-response": "the final response was sent",
    "accepted": "the complainant accepted in writing",
    "withdrawn": "withdrawn",
    "forwarded": "passed to another firm",
    "merged": "goes on as another complaint",
    "not-covered": "no licence of ours covers it, and it is told so",
}


_COUNTED = re.compile(r"business day ([0-9]+)|([0-9]+) calendar weeks")


def named(slug: str) -> str:
    """decision-or-holding → decision or holding."""
    return slug.replace("-", " ")


def local(at: datetime, zone_name: str) -> str:
    """`Tue 8 Dec 2026 10:16` in that zone."""
    there = at.astimezone(zone(zone_name))
    return f"{day_and_year(there.date())} {there:%H:%M}"


def until(limit_at: datetime, zone_name: str) -> str:
    """An exclusive limit as people say it: the end of the day before midnight, else before a time of day."""
    there = limit_at.astimezone(zone(zone_name))
    if there.time() == time.min:
        return f"until the end of {day_and_year(there.date() - timedelta(days=1))}"
    return f"before {there:%H:%M} on {day_and_year(there.date())}"


def counted(owed: Owed) -> str | None:
    """`business day 5`, `week 4`, as its explanation says."""
    found = _COUNTED.search(owed.explanation)
    if found is None:
        return None
    return f"business day {found[1]}" if found[1] else f"week {found[2]}"


def span(between: timedelta) -> str:
    """`3 d 4 h`, `4 h 10 min`, `5 min`; never negative."""
    minutes = int(abs(between).total_seconds()) // 60
    if minutes >= 24 * 60:
        return f"{minutes // (24 * 60)} d {minutes // 60 % 24} h"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def of_owed(owed: Owed, zone_name: str) -> str:
    """How one obligation stands: `met on Tue 1 Dec 2026 10:16`."""
    said = OF_STATE[owed.state]
    if owed.met_at is None:
        return said
    late = f", sent late {local(owed.met_at, zone_name)}"
    return said + (late if owed.state == "missed" else f", {local(owed.met_at, zone_name)}")


def of_request(request: Request, zone_name: str | None = None) -> str:
    """What became of one letter, and by which way; its time in UTC unless a zone is named."""
    said = f"{WAYS[request.by]}: {OF_REQUEST[request.state]}"
    if request.sent_at is None:
        return said
    when = iso(request.sent_at) if zone_name is None else local(request.sent_at, zone_name)
    return f"{said} {when}" if request.state == "sent" else f"{said}, sent {when}"


def of_case(case: Case, zone_name: str) -> str:
    """How the complaint stands, in a sentence."""
    if case.received is None:
        return "Nobody has registered it yet: what came about it waits, and nothing is sent."
    if case.closed_at is not None and case.how is not None:
        return f"Closed {local(case.closed_at, zone_name)}: {ENDED[case.how]}."
    due = sorted((owed for owed in case.owed if owed.is_due and not owed.optional), key=lambda owed: owed.limit_at)
    if not due:
        return "Open; nothing is owed."
    if due[0].state == "missed":
        return f"Open: {named(due[0].obligation)} was owed {until(due[0].limit_at, zone_name)}, and is not sent yet."
    return f"Open: {named(due[0].obligation)} is owed {until(due[0].limit_at, zone_name)}."


def of_event(data: Data, case: Case) -> str:
    """What an event says, heard or said; `case` knows which letter an outcome is of."""
    if isinstance(data, OutcomeV1):
        return _outcome(data, case)
    told = next(_TOLD[each] for each in type(data).__mro__ if each in _TOLD)
    return told(data)


def _received(data: complaints.ReceivedV1) -> str:
    return f"received {iso(data.received_at)} under licence {data.licence}, category {data.category}"


def _changed(data: complaints.UpdatedV1 | complaints.CorrectedV1) -> str:
    given = [named(name.replace("_", "-")) for name in type(data).model_fields if getattr(data, name) is not None]
    verb = "corrected" if isinstance(data, complaints.CorrectedV1) else "updated"
    return f"{verb}: {', '.join(given)}"


def _resolved(data: complaints.ResolvedV1) -> str:
    accepted = "accepted by the complainant" if data.accepted else "not accepted by the complainant"
    return f"resolved {iso(data.resolved_at)}, {accepted}; {_delivery(data)}"


def _delivery(data: complaints.ResolvedV1 | complaints.FinalResponseIssuedV1) -> str:
    return "its letter is ours to send" if data.sent_at is None else f"its letter had gone {iso(data.sent_at)}"


def _outcome(data: OutcomeV1, case: Case) -> str:
    request = next((each for each in case.requests if each.id == data.cause.id), None)
    what = named(data.notice) if request is None else f"{named(request.letter)} letter, attempt {request.attempt}"
    because = f" ({data.reason})" if data.reason else ""
    return f"outcome of {what} to the {named(data.role)}: {data.state} {iso(data.occurred_at)}{because}"


def _asked(data: deadlines.LetterDueV1) -> str:
    way = "to go by post, through the handler" if isinstance(data, deadlines.LetterToPostV1) else "to go by e-mail"
    generic = ", with the licence's general reason" if data.generic_reason else ""
    return f"{named(data.letter)} letter, attempt {data.attempt}, {way}{generic}"


def _bounced(data: deadlines.LetterBouncedV1) -> str:
    what = "came back" if data.how == "bounced" else "was never taken"
    then = "what it was to meet is open again" if data.open_again else "nothing is open because of it"
    return f"{named(data.letter)} letter {what} {iso(data.bounced_at)}: {then}"


def _handled(data: complaints.AssignedV1) -> str:
    return f"assigned to {masked(data.handler.email)}"


_TOLD: dict[type, Callable[[Any], str]] = {
    complaints.ReceivedV1: _received,
    complaints.UpdatedV1: _changed,
    complaints.CorrectedV1: _changed,
    complaints.AssignedV1: _handled,
    complaints.InformationRequestedV1: lambda data: f"information asked for: {', '.join(map(named, data.missing))}",
    complaints.InformationReceivedV1: lambda data: f"the complainant answered {iso(data.received_at)}; no clock moves",
    complaints.DelayExplainedV1: lambda data: f"delay explained; a decision is expected by {data.expected_by}",
    complaints.ResolvedV1: _resolved,
    complaints.FinalResponseIssuedV1: lambda data: f"final response issued {iso(data.issued_at)}; {_delivery(data)}",
    complaints.WrittenAcceptanceV1: lambda data: f"accepted in writing {iso(data.received_at)}",
    complaints.LetterSentV1: lambda data: f"{named(data.letter)} letter went {WAYS[data.by]} {iso(data.sent_at)}",
    complaints.LettersReleasedV1: lambda data: f"a person released letters: {', '.join(map(named, data.letters))}",
    complaints.WithdrawnV1: lambda data: f"withdrawn {iso(data.withdrawn_at)}",
    complaints.ReopenedV1: lambda data: f"taken up again {iso(data.reopened_at)}; no new clock",
    complaints.ForwardedV1: lambda data: f"passed to another firm, {data.extent}, {iso(data.forwarded_at)}",
    complaints.MergedV1: lambda data: f"merged into {data.into} {iso(data.merged_at)}",
    deadlines.LetterDueV1: _asked,
    deadlines.LetterCancelledV1: lambda data: f"{named(data.letter)} letter is not to leave: {named(data.reason)}",
    deadlines.LetterBouncedV1: _bounced,
    deadlines.DeadlineApproachingV1: lambda data: (
        f"{named(data.obligation)} is near, limit {iso(data.limit_at)}: it lacks a {named(data.lacks)}"
    ),
    deadlines.DeadlineMissedV1: lambda data: (
        f"{named(data.obligation)} missed, limit {iso(data.limit_at)}, found {iso(data.detected_at)}"
    ),
    deadlines.DeadlineChangedV1: lambda data: (
        f"{named(data.obligation)} moved from {iso(data.old_limit_at)} to {iso(data.new_limit_at)}: "
        f"{named(data.reason)}"
    ),
    deadlines.MissRetractedV1: lambda data: (
        f"{named(data.obligation)} was no miss: sent {iso(data.sent_at)}, limit {iso(data.limit_at)}"
    ),
    deadlines.ClosedV1: lambda data: f"closed {iso(data.closed_at)}: {ENDED[data.how]}",
}
"""By type, the nearest base that is here."""
