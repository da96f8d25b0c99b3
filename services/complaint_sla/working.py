"""PURE: one decision in the making: the case as it changes, and what is told of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from schemas.complaints import Letter, ReceivedV1
from schemas.deadlines import (
    LETTER_RANKS,
    ClosedV1,
    DeadlineApproachingV1,
    DeadlineMissedV1,
    LetterBouncedV1,
    LetterCancelledV1,
    MissRetractedV1,
    Result,
)
from schemas.envelope import Event
from schemas.notifications import Cause
from schemas.topics import DATA_OF_TYPE
from schemas.types import Data
from services.complaint_sla.case import SOURCE, Case, Early, How, Owed, Request
from services.complaint_sla.explain import explanation
from services.complaint_sla.letters import goes_by_post, letter_event
from services.complaint_sla.procedure import (
    Deadline,
    ProcedureError,
    deadlines,
    deadlines_after_resolution,
    receipt_of,
    working_hour,
)
from services.complaint_sla.rulebook import Rulebook

AHEAD = timedelta(minutes=5)
"""A receipt may be so far in the future: clocks differ, and nobody receives a complaint tomorrow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An event of `complaints.deadlines.v1`, but for its envelope."""

    id: str
    type: str
    data: Data


@dataclass(slots=True)
class Working:
    """`case` is a copy of its own; `outputs` are in the order in which they are told."""

    case: Case
    now: datetime
    rulebook: Rulebook
    outputs: list[Output] = field(default_factory=list)

    @property
    def received(self) -> ReceivedV1:
        assert self.case.received is not None, "only asked of a registered complaint"
        return self.case.received

    def refuse_receipt_ahead(self) -> None:
        """Raises `ProcedureError`."""
        if self.received.received_at > self.now + AHEAD:
            raise ProcedureError("received-ahead", "more than 5 minutes ahead of now")

    def acceptance_required(self) -> bool:
        """Whether a summary resolution counts only once it is accepted."""
        return self.rulebook.licences[self.received.licence].acceptance_required.value

    # --- what is owed -------------------------------------------------------------------------------------------------

    def add_deadlines(self) -> None:
        """Those that run from the receipt. Raises `ProcedureError`."""
        self.case.versions = self.rulebook.versions
        self.case.owed += map(owed_of, deadlines(self.rulebook, receipt_of(self.received)))

    def add_summary_letter(self, resolved_at: datetime) -> None:
        new = list(map(owed_of, deadlines_after_resolution(self.rulebook, receipt_of(self.received), resolved_at)))
        names = {owed.obligation for owed in new}
        self.case.owed = [owed for owed in self.case.owed if owed.obligation not in names] + new

    def meet(self, owed: Owed, at: datetime, by: str) -> None:
        """Done at that instant, in time or not. A miss that was none is taken back, once."""
        if owed.met_at is not None and owed.met_at <= at:
            return
        was_missed = owed.state == "missed"
        owed.met_at, owed.met_with = at, by
        if at < owed.limit_at:
            owed.state = "met"
            if was_missed:
                self._tell_handler(
                    "miss-retracted",
                    owed,
                    MissRetractedV1,
                    obligation=owed.obligation,
                    limit_at=owed.limit_at,
                    sent_at=at,
                )
        elif not was_missed:
            self.miss(owed)

    def miss(self, owed: Owed) -> None:
        """Not met before its limit. A window that closes is no miss."""
        if owed.optional:
            owed.state = "lapsed"
            return
        owed.state, owed.detected_at = "missed", self.now
        self._tell_handler(
            "deadline-missed", owed, DeadlineMissedV1,
            obligation=owed.obligation, limit_at=owed.limit_at, detected_at=self.now,
        )  # fmt: skip

    def approaching(self, owed: Owed, lacks: str = "letter") -> None:
        self._tell_handler(
            "deadline-approaching", owed, DeadlineApproachingV1,
            obligation=owed.obligation, limit_at=owed.limit_at, send_by=owed.send_by, lacks=lacks,
        )  # fmt: skip

    # --- letters ------------------------------------------------------------------------------------------------------

    def ask_for(self, letter: Letter, owed: Owed | None = None, *, by_post: bool = False) -> None:
        """One letter, by the way the complainant chose unless `by_post`."""
        by_post = by_post or goes_by_post(self.received)
        attempt = 1 + sum(request.letter == letter for request in self.case.requests)
        type_ = "letter-to-post" if by_post else "letter-due"
        kind = f"{'letter' if owed else letter}{'-to-post' if by_post else ''}"
        prefix = f"{self.case.id}/{owed.obligation if owed else 'none'}/{kind}/"
        used = [int(each.id.rpartition("/")[2]) for each in self.case.requests if each.id.startswith(prefix)]
        # Two letters may serve one obligation: an explanation, and the decision after it.
        id_ = f"{prefix}{max([attempt, *(number + 1 for number in used)])}"
        data = letter_event(self.rulebook, self.case, letter, attempt, owed, by_post=by_post)
        self.case.requests.append(
            Request(
                id=id_,
                letter=letter,
                obligation=owed.obligation if owed else None,
                attempt=attempt,
                licence=self.received.licence,
                requested_at=self.now,
                by="letter-to-post" if by_post else "notifier",
            )
        )
        self.outputs.append(Output(id=id_, type=f"complaints.{type_}.v1", data=data))

    def has_gone(self, request: Request, at: datetime) -> None:
        """Handed over at that instant: what it meets is met, what ranks lower and has not left is stopped."""
        request.state, request.sent_at = "sent", at
        for owed in self.case.owed:
            if request.letter in owed.met_by and owed.state in {"open", "held", "met", "missed"}:
                self.meet(owed, at, request.id)
        if request.by != "notifier":  # what went through it, the notifier has compared itself
            rank = LETTER_RANKS.get(request.letter, 0)
            self.stop_letters(
                "higher-letter",
                (
                    each
                    for each in self.case.requests
                    if LETTER_RANKS.get(each.letter, rank) < rank or _twin(each, request)
                ),
            )

    def stop_letters(self, reason: str, requests: Iterable[Request] | None = None) -> None:
        """Those that may still leave are not to any more; all of them, or these."""
        for request in list(self.case.requests if requests is None else requests):
            if not request.may_be_cancelled:
                continue
            request.state = "cancelled"
            cause = Cause(source=SOURCE, id=request.id)
            self._tell(
                "letter-cancelled",
                request.obligation,
                LetterCancelledV1(letter=request.letter, cause=cause, reason=reason),
                "cancelled",
            )

    def came_back(self, request: Request, at: datetime, *, sent: bool) -> None:
        """It bounced after it was sent, or was refused for good: before the limit its obligations are open again."""
        request.state = "bounced" if sent else "refused"
        concerned = [owed for owed in self.case.owed if _concerns(request, owed, sent=sent)]
        for owed in concerned:
            if sent and at < owed.limit_at:
                owed.state, owed.met_at, owed.met_with = "open", None, None
            elif sent:
                owed.state = "met-not-delivered"
        open_again = any(owed.is_due for owed in concerned)
        told = next((owed for owed in concerned if owed.is_due), concerned[0] if concerned else None)
        if open_again and self.case.how in {"summary-resolution", "final-response"}:
            self.case.closed_at = self.case.how = None
        self._tell_handler(
            "letter-bounced", told, LetterBouncedV1, "bounced",
            letter=request.letter, obligation=told.obligation if told else None,
            limit_at=told.limit_at if told else None, cause=Cause(source=SOURCE, id=request.id),
            bounced_at=at, open_again=open_again, how=request.state,
        )  # fmt: skip
        if open_again and self.received.complainant.address is not None:
            self.ask_for(request.letter, self.case.of(request.obligation or ""), by_post=True)

    # --- the end ------------------------------------------------------------------------------------------------------

    def close(self, how: How, at: datetime) -> None:
        """Nothing more is owed: what is open was not needed."""
        if self.case.closed_at is not None:
            return
        for owed in self.case.owed:
            if owed.state in {"open", "held"}:
                owed.state = "lapsed" if owed.optional else "cancelled"
        self.case.closed_at, self.case.how = at, how
        results = tuple(
            Result(obligation=owed.obligation, limit_at=owed.limit_at, state=owed.state, met_at=owed.met_at)
            for owed in self.case.owed
        )
        data = ClosedV1(**self._about(), closed_at=at, how=how, results=results)
        number = self._number(None, "closed")
        self.outputs.append(Output(id=f"{self.case.id}/closed/{number}", type="complaints.closed.v1", data=data))

    # --- early events -------------------------------------------------------------------------------------------------

    def keep_for_later(self, event: Event[Data]) -> None:
        self.case.early += (
            Early(
                source=event.source,
                id=event.id,
                type=event.type,
                time=event.time,
                data=event.data.model_dump(mode="json"),
            ),
        )

    def read_early(self, early: Early) -> Data:
        return DATA_OF_TYPE[early.type].model_validate(early.data)

    # --- telling ------------------------------------------------------------------------------------------------------

    def _about(self) -> dict[str, Any]:
        received = self.received
        return {"brand": received.brand, "licence": received.licence, "reference": received.reference}

    def tell_changed(self, owed: Owed, data: type[Data], **fields: Any) -> None:
        self._tell_handler("deadline-changed", owed, data, "changed", **fields)

    def _tell_handler(
        self, type_: str, owed: Owed | None, data: type[Data], kind: str | None = None, /, **fields: Any
    ) -> None:
        told = data(
            **self._about(),
            handler=self.received.handler,
            tell_at=working_hour(self.rulebook, self.received, self.now),
            **fields,
        )
        self._tell(type_, owed.obligation if owed else None, told, kind or type_.rpartition("-")[2])

    def _tell(self, type_: str, obligation: str | None, data: Data, kind: str) -> None:
        number = self._number(obligation, kind)
        id_ = f"{self.case.id}/{obligation or 'none'}/{kind}/{number}"
        self.outputs.append(Output(id=id_, type=f"complaints.{type_}.v1", data=data))

    def _number(self, obligation: str | None, kind: str) -> int:
        key = f"{obligation or 'none'}/{kind}"
        self.case.counts[key] = number = self.case.counts.get(key, 0) + 1
        return number


def owed_of(deadline: Deadline) -> Owed:
    """A deadline as the case keeps it."""
    rule = deadline.rule
    return Owed(
        obligation=rule.obligation,
        optional=rule.optional,
        starts=rule.starts,
        limit_at=deadline.limit_at,
        last_day=deadline.last_day,
        send_by=deadline.send_by,
        met_by=rule.met_by,
        letter=rule.letter.name if rule.letter else None,
        edition=rule.letter.edition if rule.letter else None,
        letter_at=deadline.letter_at,
        alerts=tuple(sorted(deadline.alerts_at)),
        delay_alerts=tuple(sorted(deadline.delay_alerts_at)),
        source=rule.source,
        reference=rule.reference,
        rules_version=deadline.rules_version,
        calendar=deadline.calendar,
        calendar_version=deadline.calendar_version,
        explanation=explanation(deadline),
    )


def _twin(one: Request, other: Request) -> bool:
    """The same letter, asked for and now sent another way."""
    return one is not other and one.letter == other.letter


def _concerns(request: Request, owed: Owed, *, sent: bool) -> bool:
    """What it had met; or what it was to meet, when it never left."""
    if sent:
        return owed.met_with == request.id
    return request.letter in owed.met_by and owed.is_due
