"""PURE: what each event of the complaint desk, and each outcome of a letter, changes. One function each."""

from datetime import datetime
from typing import Literal

from schemas import complaints
from schemas.deadlines import LETTER_RANKS, DeadlineChangedV1
from schemas.notifications import OutcomeV1
from schemas.types import Data
from services.complaint_sla.case import Owed, Request
from services.complaint_sla.procedure import deadlines, deadlines_after_resolution, receipt_of
from services.complaint_sla.working import Working, owed_of

Reason = Literal["receipt", "licence", "calendar", "category", "calendar-version", "rules-version"]
SUMMARY, SUMMARY_LETTER, FINAL = "summary-resolution", "summary-letter", "final-response"
_COMPUTED = (
    "limit_at", "last_day", "send_by", "met_by", "letter", "edition", "letter_at", "source", "reference",
    "rules_version", "calendar", "calendar_version", "explanation",
)  # fmt: skip


def nothing_to_do(work: Working, data: Data) -> None:
    """Part of the story; no clock stops or starts."""


# --- who, and by whom ---------------------------------------------------------------------------------------------


def assigned(work: Working, data: complaints.AssignedV1) -> None:
    work.case.received = work.received.model_copy(update={"handler": data.handler})


def updated(work: Working, data: complaints.UpdatedV1) -> None:
    """Letters that came back go again when there is another way to the complainant."""
    before = work.received.complainant
    given = {name: value for name in type(data).model_fields if (value := getattr(data, name)) is not None}
    work.case.received = work.received.model_copy(update=given)
    after = work.received.complainant
    if (after.email, after.channel, after.address) != (before.email, before.channel, before.address):
        for request in _latest(work):
            if request.state in {"bounced", "refused"} and not _is_outranked(work, request):
                _again(work, request)


def letters_released(work: Working, data: complaints.LettersReleasedV1) -> None:
    """Those that waited go with the next sweep; one that came back, or went under another licence, goes now."""
    work.case.released |= set(data.letters)
    for request in _latest(work):
        wrong = request.licence != work.received.licence and request.state == "sent"
        if request.letter in data.letters and (wrong or request.state in {"bounced", "refused"}):
            _again(work, request)


def _latest(work: Working) -> list[Request]:
    """Of each letter."""
    return list({request.letter: request for request in work.case.requests}.values())


def _is_outranked(work: Working, request: Request) -> bool:
    rank = LETTER_RANKS.get(request.letter, 0)
    return any(each.state == "sent" and LETTER_RANKS.get(each.letter, 0) > rank for each in work.case.requests)


def _again(work: Working, request: Request) -> None:
    work.ask_for(request.letter, work.case.of(request.obligation or ""))


# --- corrections --------------------------------------------------------------------------------------------------


def corrected(work: Working, data: complaints.CorrectedV1) -> None:
    """Open deadlines are computed anew; what is closed never moves."""
    given = {
        name: value
        for name in ("received_at", "licence", "calendar", "category")
        if (value := getattr(data, name)) is not None and value != getattr(work.received, name)
    }
    if given:
        _registered_anew(work, given)
    if data.accepted is not None and work.case.resolution is not None:
        _acceptance(work, accepted=data.accepted)


def _registered_anew(work: Working, given: dict[str, object]) -> None:
    before = work.received
    if "licence" in given and "calendar" not in given:
        given["calendar"] = None  # a policy names one of its own licence
    work.case.received = work.received.model_copy(update=given)
    work.refuse_receipt_ahead()
    if work.received.licence == complaints.NOT_COVERED:
        if before.licence != complaints.NOT_COVERED:
            work.stop_letters("corrected")
            not_covered(work)
        return
    if before.licence == complaints.NOT_COVERED:
        work.case.closed_at = work.case.how = None
    reasons: tuple[Reason, ...] = ("licence", "receipt", "category", "calendar")
    changed: dict[str, Reason] = {"received_at": "receipt", "licence": "licence", "category": "category"}
    told = {changed.get(name, "calendar") for name in given}
    recompute(work, next(reason for reason in reasons if reason in told))
    if work.received.licence != before.licence:
        _under_another_licence(work)


def _under_another_licence(work: Working) -> None:
    """What has not left is asked for anew; for what has, a person decides."""
    stopped = [each for each in _latest(work) if each.may_be_cancelled and each.letter != "not-covered"]
    work.stop_letters("corrected")
    for request in stopped:  # those that the sweep writes by itself, it asks for anew by itself
        owed = work.case.of(request.obligation or "")
        if owed is None or owed.letter != request.letter:
            _again(work, request)
    for request in _latest(work):
        owed = work.case.of(request.obligation or "")
        if request.state in {"sent", "with-handler"} and request.licence != work.received.licence and owed is not None:
            work.approaching(owed, "corrected-letter")


def recompute(work: Working, reason: Reason) -> None:
    """By the present data and rulebook. Says `deadline-changed` of limits that moved, and of no other."""
    if work.case.received is None or work.received.licence == complaints.NOT_COVERED:
        return
    work.case.versions = work.rulebook.versions
    receipt = receipt_of(work.received)
    fresh = [owed_of(deadline) for deadline in deadlines(work.rulebook, receipt)]
    if work.case.resolution_counts and work.case.resolution is not None:
        resolved_at = work.case.resolution.resolved_at
        fresh += map(owed_of, deadlines_after_resolution(work.rulebook, receipt, resolved_at))
    computed = {owed.obligation: owed for owed in fresh}
    for owed in work.case.owed:
        if owed.state in {"open", "held"}:
            _move(work, owed, computed.get(owed.obligation), reason)
    if work.case.closed_at is None:
        known = {owed.obligation for owed in work.case.owed}
        work.case.owed += [owed for owed in fresh if owed.obligation not in known]


def _move(work: Working, owed: Owed, fresh: Owed | None, reason: Reason) -> None:
    if fresh is None:
        owed.state = "cancelled"
        return
    before = owed.limit_at
    for name in _COMPUTED:
        setattr(owed, name, getattr(fresh, name))
    if owed.limit_at != before:
        owed.alerts, owed.delay_alerts = fresh.alerts, fresh.delay_alerts
        work.tell_changed(
            owed, DeadlineChangedV1,
            obligation=owed.obligation, old_limit_at=before, new_limit_at=owed.limit_at, reason=reason,
        )  # fmt: skip


# --- answers ------------------------------------------------------------------------------------------------------


def resolved(work: Working, data: complaints.ResolvedV1) -> None:
    """A summary resolution in its window, if accepted where the licence asks for it; after it, a final response."""
    if work.case.resolution_counts:
        return
    work.case.resolution = data
    window = work.case.of(SUMMARY)
    if window is None or window.state not in {"open", "lapsed"} or work.case.closed_at is not None:
        return
    if data.resolved_at >= window.limit_at:
        _answered(work, "final", data, FINAL)
    elif data.accepted or not work.acceptance_required():
        _resolve_early(work, window, data)


def _resolve_early(work: Working, window: Owed, data: complaints.ResolvedV1) -> None:
    """Acknowledgement and weeks wait until the summary letter is sent, and are then not needed."""
    window.state, window.met_at, window.met_with = "met", data.resolved_at, "resolved"
    work.case.resolution_counts = True
    for owed in work.case.owed:
        if owed.is_open:
            owed.state = "held"
    work.add_summary_letter(data.resolved_at)
    _answered(work, "summary", data, SUMMARY_LETTER)


def _answered(
    work: Working,
    letter: complaints.Letter,
    data: complaints.ResolvedV1 | complaints.FinalResponseIssuedV1,
    obligation: str,
) -> None:
    owed = work.case.of(obligation)
    if data.delivery == "send":
        work.ask_for(letter, owed)
    elif data.sent_at is not None:
        _went_another_way(work, letter, owed, data.sent_at, "email")


def _acceptance(work: Working, *, accepted: bool) -> None:
    """A resolution that is accepted after all counts; one whose acceptance is withdrawn brings the clocks back."""
    case, resolution = work.case, work.case.resolution
    assert resolution is not None, "the caller has looked"
    if accepted and not case.resolution_counts:
        resolved(work, resolution.model_copy(update={"accepted": True}))
    elif not accepted and case.resolution_counts and work.acceptance_required() and case.closed_at is None:
        case.resolution = resolution.model_copy(update={"accepted": False})
        case.resolution_counts = False
        work.stop_letters("acceptance-withdrawn", (each for each in case.requests if each.letter == "summary"))
        for owed in case.owed:
            if owed.obligation == SUMMARY_LETTER:
                owed.state = "cancelled"
            elif owed.state == "held":
                owed.state = "open"
            elif owed.obligation == SUMMARY:
                owed.state, owed.met_at, owed.met_with = "open", None, None


def final_response_issued(work: Working, data: complaints.FinalResponseIssuedV1) -> None:
    work.case.final = data
    _answered(work, "final", data, FINAL)


def written_acceptance(work: Working, data: complaints.WrittenAcceptanceV1) -> None:
    for owed in work.case.owed:
        if "written-acceptance" in owed.met_by and owed.state in {"open", "held", "missed"}:
            work.meet(owed, data.received_at, "written-acceptance")
    lower = (each for each in work.case.requests if LETTER_RANKS.get(each.letter, 0) < LETTER_RANKS["final"])
    work.stop_letters("accepted", lower)
    work.close("accepted", data.received_at)


def information_requested(work: Working, data: complaints.InformationRequestedV1) -> None:
    work.case.information = data
    work.ask_for("information-request")


def delay_explained(work: Working, data: complaints.DelayExplainedV1) -> None:
    """An explanation letter whose time came without a reason goes with the next sweep."""
    work.case.delay = data
    owed = work.case.of(FINAL)
    if owed is not None and owed.letter is not None and owed.letter_at is None:
        owed.letter_at = work.now


# --- letters ------------------------------------------------------------------------------------------------------


def letter_sent(work: Working, data: complaints.LetterSentV1) -> None:
    owed = next((owed for owed in work.case.owed if data.letter in owed.met_by), None)
    asked = (each for each in work.case.requests if each.by == "letter-to-post" and each.letter == data.letter)
    for request in asked:
        if request.state in {"requested", "with-handler"}:
            _has_gone(work, request, data.sent_at)
            return
    _went_another_way(work, data.letter, owed, data.sent_at, data.by)


def _went_another_way(
    work: Working,
    letter: complaints.Letter,
    owed: Owed | None,
    sent_at: datetime,
    by: Literal["post", "courier", "hand", "email"],
) -> None:
    number = 1 + sum(request.letter == letter for request in work.case.requests)
    request = Request(
        id=f"{work.case.id}/{owed.obligation if owed else 'none'}/{letter}-sent/{number}",
        letter=letter,
        obligation=owed.obligation if owed else None,
        attempt=number,
        licence=work.received.licence,
        requested_at=work.now,
        by=by,
    )
    work.case.requests.append(request)
    _has_gone(work, request, sent_at)


def _has_gone(work: Working, request: Request, at: datetime) -> None:
    work.has_gone(request, at)
    if request.letter == "final":
        work.close("final-response", at)
    elif request.letter == "summary" and work.case.resolution_counts:
        work.close("summary-resolution", at)


def outcome(work: Working, data: OutcomeV1) -> None:
    """Matched by the cause alone: what became of a handler's mail meets nothing."""
    request = next((each for each in work.case.requests if each.id == data.cause.id), None)
    if request is None:
        return
    match data.state:
        case "sent" if request.by == "letter-to-post":
            request.state = "with-handler" if request.state == "requested" else request.state
        case "sent" if request.state in {"requested", "cancelled"}:
            _has_gone(work, request, data.occurred_at)
        case "cancelled" | "superseded":
            request.state = "cancelled" if request.state == "requested" else request.state
        case "bounced" | "failed" | "suppressed" | "expired" if request.by == "letter-to-post":
            request.unconfirmed = True  # the handler did not get it: people who operate this are told
        case "bounced" if request.state == "sent":
            work.came_back(request, data.occurred_at, sent=True)
        case "failed" | "suppressed" | "expired" if request.state == "requested":
            work.came_back(request, data.occurred_at, sent=False)
        case _:
            pass  # delivered adds nothing; after unknown a sent or a bounce follows


# --- the end ------------------------------------------------------------------------------------------------------


def withdrawn(work: Working, data: complaints.WithdrawnV1) -> None:
    work.stop_letters("withdrawn")
    work.close("withdrawn", data.withdrawn_at)


def forwarded(work: Working, data: complaints.ForwardedV1) -> None:
    work.case.forwarded = data
    if data.extent == "wholly":
        work.stop_letters("forwarded")
    work.ask_for("forwarded")
    if data.extent == "wholly":
        work.close("forwarded", data.forwarded_at)


def merged(work: Working, data: complaints.MergedV1) -> None:
    work.stop_letters("merged")
    work.close("merged", data.merged_at)


def not_covered(work: Working) -> None:
    """It is told so, and has no deadlines."""
    for owed in work.case.owed:
        if owed.is_due:
            owed.state = "cancelled"
    work.ask_for("not-covered")
    work.close("not-covered", work.now)
