"""PURE: case + cause → case + events of `complaints.deadlines.v1`. The same answer on every replica and every replay.

A cause is an event of the complaint desk, an outcome of the notifier, a sweep up to the watermark, or a newer rulebook.
`now` is when we decide: it dates what is told, and is when a miss was detected. A sweep acts on instants up to its
watermark, whatever time it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas import complaints
from schemas.envelope import Event
from schemas.notifications import OutcomeV1
from schemas.types import Data
from services.complaint_sla import happened, instants
from services.complaint_sla.case import Case
from services.complaint_sla.procedure import ProcedureError, business_days_later, day0
from services.complaint_sla.rulebook import Rulebook
from services.complaint_sla.working import Output, Working

LATE_AFTER_BUSINESS_DAYS = 3
"""Heard of later than this, a person releases the letters: what they would say may long be untrue."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Everything up to this instant is known (watermark): act on it."""

    until: datetime


@dataclass(frozen=True, slots=True)
class NewRulebook:
    """Rules or calendars are newer than what the case was computed with."""


Cause = Event[Data] | Sweep | NewRulebook


def decide(case: Case, cause: Cause, now: datetime, rulebook: Rulebook) -> tuple[Case, tuple[Output, ...]]:
    """Raises `ProcedureError`: the event says what no deadline can be computed from, and the case is as it was."""
    work = Working(case.copied(), now, rulebook)
    match cause:
        case Sweep(until):
            instants.act(work, until)
        case NewRulebook():
            happened.recompute(work, "calendar-version" if _same_rules(work) else "rules-version")
        case _:
            _event(work, cause)
    return work.case, tuple(work.outputs)


def _same_rules(work: Working) -> bool:
    return work.case.versions is not None and work.case.versions[0] == work.rulebook.versions[0]


def _event(work: Working, event: Event[Data]) -> None:
    if isinstance(event.data, OutcomeV1):
        happened.outcome(work, event.data)
    elif isinstance(event.data, complaints.ReceivedV1):
        _received(work, event.data)
    elif work.case.received is None:
        work.keep_for_later(event)
    else:
        _HANDLERS[type(event.data)](work, event.data)


def _received(work: Working, data: complaints.ReceivedV1) -> None:
    """The first one registers the complaint; another one changes nothing (a correction is an event of its own)."""
    if work.case.received is not None:
        return
    work.case.received = data
    work.refuse_receipt_ahead()
    if data.licence == complaints.NOT_COVERED:
        happened.not_covered(work)
    else:
        work.add_deadlines()
        late_from = business_days_later(work.rulebook, data, LATE_AFTER_BUSINESS_DAYS)
        work.case.letters_wait = day0(work.rulebook, data.model_copy(update={"received_at": work.now})) > late_from
    early, work.case.early = work.case.early, ()
    for event in early:
        try:
            data_of = work.read_early(event)
            _HANDLERS[type(data_of)](work, data_of)
        except ProcedureError as error:  # its record was accepted long ago; the case says so
            work.case.refused += (f"{event.id}: {error.code}",)


_HANDLERS: dict[type[Data], Callable[[Working, Any], None]] = {
    complaints.UpdatedV1: happened.updated,
    complaints.CorrectedV1: happened.corrected,
    complaints.AssignedV1: happened.assigned,
    complaints.InformationRequestedV1: happened.information_requested,
    complaints.InformationReceivedV1: happened.nothing_to_do,
    complaints.DelayExplainedV1: happened.delay_explained,
    complaints.ResolvedV1: happened.resolved,
    complaints.FinalResponseIssuedV1: happened.final_response_issued,
    complaints.WrittenAcceptanceV1: happened.written_acceptance,
    complaints.LetterSentV1: happened.letter_sent,
    complaints.LettersReleasedV1: happened.letters_released,
    complaints.WithdrawnV1: happened.withdrawn,
    complaints.ReopenedV1: happened.nothing_to_do,
    complaints.ForwardedV1: happened.forwarded,
    complaints.MergedV1: happened.merged,
}
