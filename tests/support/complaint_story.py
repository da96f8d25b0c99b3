"""A complaint told as a timeline: what the desk says, what became of letters, how far the watermark is."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.deadlines import LetterCancelledV1, LetterDueV1
from schemas.envelope import Event, new_event
from schemas.topics import DATA_OF_TYPE
from schemas.types import Data
from services.complaint_sla.case import SOURCE, Case, Owed, Request
from services.complaint_sla.engine import NewRulebook, Sweep, decide
from services.complaint_sla.rulebook import Rulebook, load_rulebook
from services.complaint_sla.working import Output

DESK = "urn:test:complaint-desk"
NOTIFIER = "urn:member-notices:notifier"
AMARA = {
    "name": "Amara Okafor",
    "locale": "en",
    "channel": "email",
    "email": "amara.okafor@example.test",
}
HANDLER = {"email": "robin@claims.example.test", "name": "Robin Lindqvist"}
TEXT: dict[str, Any] = {"text": {"en": "Our answer.\n\nAnd its reasons."}}
_numbers = itertools.count(1)


def at(text: str) -> datetime:
    """`2026-12-01 10:00` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def event_of(type_: str, complaint: str, time: datetime, *, id: str | None = None, **data: Any) -> Event[Data]:
    """An event of the complaint desk."""
    full = f"complaints.{type_}.v1"
    return new_event(
        source=DESK,
        id=id or f"{complaint}-{next(_numbers)}",
        type=full,
        subject=complaint,
        time=time,
        data=DATA_OF_TYPE[full].model_validate(data),
    )


def received(complaint: str, at_: datetime, **data: Any) -> Event[Data]:
    """A complaint of Amara's to the uk licence, unless said otherwise."""
    values: dict[str, Any] = {
        "received_at": at_,
        "licence": "uk",
        "brand": "cigna-healthcare",
        "complainant": AMARA,
        "handler": HANDLER,
        **data,
    }
    return event_of("received", complaint, at_, **values)


def outcome_of(request_id: str, complaint: str, state: str, time: datetime, **data: Any) -> Event[Data]:
    """What the notifier says became of a letter."""
    return new_event(
        source=NOTIFIER,
        id=f"{request_id}/{state}/{next(_numbers)}",
        type=f"notifications.{state}.v1",
        subject=complaint,
        time=time,
        data=DATA_OF_TYPE[f"notifications.{state}.v1"].model_validate(
            {
                "cause": {"source": SOURCE, "id": request_id},
                "notice": "complaint-acknowledged",
                "role": "complainant",
                "channel": "email",
                "attempt": 1,
                "state": state,
                "occurred_at": time,
                **data,
            }
        ),
    )


@dataclass
class Complaint:
    """Folds causes as the service does. `told` are all outputs, oldest first."""

    id: str = "c-1"
    rulebook: Rulebook = field(default_factory=load_rulebook)
    told: list[tuple[datetime, Output]] = field(default_factory=list)
    case: Case | None = None
    events: list[Event[Data]] = field(default_factory=list)

    def hear(self, event: Event[Data], now: datetime | None = None) -> list[Output]:
        now = now or event.time
        self.events.append(event)
        return self._fold(event, now)

    def receive(self, when: str, now: str | None = None, **data: Any) -> list[Output]:
        return self.hear(received(self.id, at(when), **data), at(now) if now else None)

    def say(self, type_: str, when: str, **data: Any) -> list[Output]:
        return self.hear(event_of(type_, self.id, at(when), **data))

    def hear_early_licence(self, licence: str) -> list[Output]:
        """A correction that comes before the complaint."""
        return self.hear(event_of("corrected", self.id, at("2026-12-01 11:00"), id="early-1", licence=licence))

    def sweep(self, until: str | datetime, now: str | datetime | None = None) -> list[Output]:
        """The watermark is at `until`; decided `now`, by default then."""
        until = at(until) if isinstance(until, str) else until
        now = at(now) if isinstance(now, str) else now or until
        return self._fold(Sweep(until), now)

    def newer(self, rulebook: Rulebook, now: str) -> list[Output]:
        self.rulebook = rulebook
        return self._fold(NewRulebook(), at(now))

    def run(self, until: str, *, letters_leave: bool = True, after: timedelta = timedelta(seconds=5)) -> list[Output]:
        """Sweep at each instant of interest, as the service does; every letter is sent `after` it was asked for."""
        end, told = at(until), []
        while (next_at := self.now.next_at) is not None and next_at <= end:
            told += self.sweep(next_at)
            if letters_leave:
                self.letters_leave(next_at + after)
        return told

    def letters_leave(self, when: str | datetime) -> None:
        for request in list(self.now.requests):
            if request.state == "requested":
                self.letter(request.id, "sent", when)

    def letter(self, request_id: str, state: str, when: str | datetime, **data: Any) -> list[Output]:
        when = at(when) if isinstance(when, str) else when
        return self.hear(outcome_of(request_id, self.id, state, when, **data))

    @property
    def now(self) -> Case:
        assert self.case is not None, "nothing was heard of it"
        return self.case

    def owed(self, obligation: str) -> Owed:
        owed = self.now.of(obligation)
        assert owed is not None, obligation
        return owed

    def request(self, letter: str) -> Request:
        """The latest of this letter."""
        return [each for each in self.now.requests if each.letter == letter][-1]

    def states(self) -> dict[str, str]:
        return {owed.obligation: owed.state for owed in self.now.owed}

    def _fold(self, cause: Any, now: datetime) -> list[Output]:
        case = self.case or Case(id=self.id, first_seen_at=now)
        stored = Case.model_validate_json(case.model_dump_json())
        self.case, outputs = decide(stored, cause, now, self.rulebook)
        self.told += [(now, output) for output in outputs]
        assert len({output.id for _, output in self.told}) == len(self.told), "an id is said once"
        return list(outputs)


def letters(outputs: list[Output]) -> list[str]:
    """The names of the letters asked for."""
    return [output.data.letter for output in outputs if isinstance(output.data, LetterDueV1)]


def cancelled(outputs: list[Output]) -> list[str]:
    return [output.data.letter for output in outputs if isinstance(output.data, LetterCancelledV1)]


def kinds(outputs: list[Output]) -> list[str]:
    """`deadline-missed acknowledgement`, in order."""
    return [
        f"{output.type.removeprefix('complaints.').removesuffix('.v1')} {output.id.split('/')[1]}" for output in outputs
    ]
