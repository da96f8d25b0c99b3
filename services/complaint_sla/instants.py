"""PURE: what a sweep does: every instant up to the watermark, in its order."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import NamedTuple

from services.complaint_sla.case import CONFIRM_WITHIN, MISS_SETTLES, REGISTER_WITHIN, Owed
from services.complaint_sla.working import Working

Act = Callable[[], None]


class _Step(NamedTuple):
    at: datetime
    order: int
    """At one instant: first letters, then alerts, then misses."""
    act: Act


def act(work: Working, until: datetime) -> None:
    """One after the other, because what one does may make another needless."""
    while (step := min(_steps(work, until), default=None, key=lambda step: step[:2])) is not None:
        step.act()


def _steps(work: Working, until: datetime) -> Iterator[_Step]:
    return (step for step in _all_steps(work, until) if step.at <= until)


def _all_steps(work: Working, until: datetime) -> Iterator[_Step]:
    """The same instants as `Case.instants` names, each with what it does."""
    case = work.case
    if case.received is None:
        if not case.unregistered:
            yield _Step(case.first_seen_at + REGISTER_WITHIN, 1, partial(setattr, case, "unregistered", True))
        return
    for owed in case.owed:
        yield from _steps_of(work, owed, until)
    for request in case.requests:
        if request.state == "requested" and not request.unconfirmed:
            yield _Step(request.requested_at + CONFIRM_WITHIN, 1, partial(setattr, request, "unconfirmed", True))


def _steps_of(work: Working, owed: Owed, until: datetime) -> Iterator[_Step]:
    if (at := work.case.letter_instant(owed)) is not None:
        yield _Step(at, 0, lambda: _letter(work, owed))
    if not owed.is_open:
        return
    for alert in work.case.alert_instants(owed):
        yield _Step(alert, 1, lambda: _alert(work, owed, until))
    yield _Step(owed.limit_at + MISS_SETTLES, 2, lambda: work.miss(owed))


def _letter(work: Working, owed: Owed) -> None:
    assert owed.letter is not None, "a letter's instant belongs to a letter"
    case = work.case
    if owed.letter == "explanation" and case.delay is None and work.rulebook.reasons.of(work.received.licence) is None:
        owed.letter_at = None  # `delay-explained` sets it again
        work.approaching(owed, "delay-explanation")
        return
    work.ask_for(owed.letter, owed)


def _alert(work: Working, owed: Owed, until: datetime) -> None:
    """Several that have passed are one; after the limit there is nothing to act on any more."""
    owed.alerts = tuple(at for at in owed.alerts if at > until)
    owed.delay_alerts = tuple(at for at in owed.delay_alerts if at > until)
    if owed.limit_at > until:
        explained = owed.letter != "explanation" or work.case.delay is not None
        work.approaching(owed, "letter" if explained else "delay-explanation")
