"""What should have happened against what did. PURE: no I/O, so that the comparison itself can be tested."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

IN_APP = "in-app"
"""The channel of what the portal shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One notification that an event must cause, and how it must end."""

    event: str
    """The event's id."""
    notice: str
    channel: str
    role: str
    to: str | None
    """Address or number; None where nothing may be sent."""
    locale: str
    state: str = "sent"
    reason: str | None = None

    def __str__(self) -> str:
        return f"{self.notice} by {self.channel} to {self.to or 'nobody'} ({self.role}, {self.locale}) of {self.event}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One notification as the ledger has it."""

    event: str
    notification: str
    notice: str
    channel: str
    role: str
    to: str | None
    locale: str
    state: str
    reason: str | None
    attempts: int
    reference: str | None
    """The provider's id of the message: for SMS the sid."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.event, self.notice, self.channel, self.role


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One message as the catcher has it."""

    channel: str
    to: str
    language: str
    """Of an SMS nobody says it: empty."""
    reference: str
    """For mail the notification's id, from its Message-ID; in the portal the same, from its event; for SMS the sid."""
    subject: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    reason: str
    origin_topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything there is to see of the story."""

    rows: Sequence[Row]
    arrived: Sequence[Arrived]
    told: frozenset[tuple[str, str, str, str, str]]
    """Outcomes: (event, notice, channel, role, state)."""
    dead_letters: Sequence[DeadLetter] = ()


def compare(expected: Iterable[Expected], found: Found) -> list[str]:
    """One line for each thing that is missing, different, doubled or too much; none when all is as expected."""
    wanted = {(each.event, each.notice, each.channel, each.role): each for each in expected}
    rows = {row.key: row for row in found.rows}
    lines = [line for key, each in wanted.items() for line in _of_one(each, rows.get(key), found)]
    lines += [
        f"unexpected: {row.notice} by {row.channel} of {row.event}" for row in found.rows if row.key not in wanted
    ]
    sent = {_reference(row) for row in found.rows}
    lines += [
        f"unexpected: a message by {arrived.channel} to {arrived.to}: {arrived.subject}"
        for arrived in found.arrived
        if arrived.reference not in sent
    ]
    lines += [f"unexpected: dead letter from {each.origin_topic}: {each.reason}" for each in found.dead_letters]
    return lines


def _of_one(expected: Expected, row: Row | None, found: Found) -> list[str]:
    if row is None:
        return [f"missing: {expected}: not in the ledger"]
    lines = [
        f"wrong: {expected}: {name} is {is_!r}, not {should!r}"
        for name, is_, should in (
            ("state", row.state, expected.state),
            ("reason", row.reason, expected.reason),
            ("address", row.to, expected.to),
            ("language", row.locale, expected.locale),
        )
        if is_ != should
    ]
    if (*row.key, expected.state) not in found.told:
        lines.append(f"missing: {expected}: no outcome says {expected.state}")
    return lines + _of_messages(expected, [each for each in found.arrived if each.reference == _reference(row)])


def _of_messages(expected: Expected, messages: Sequence[Arrived]) -> list[str]:
    should = 1 if expected.state == "sent" else 0
    if len(messages) < should:
        return [f"missing: {expected}: did not arrive"]
    if len(messages) > should:
        return [f"doubled: {expected}: arrived {len(messages)} times, not {should}"]
    return [
        f"wrong: {expected}: arrived at {message.to} in {message.language or 'no language'}"
        for message in messages
        if message.to != expected.to or (message.channel != "sms" and message.language != expected.locale)
    ]


def _reference(row: Row) -> str:
    return row.reference or row.notification if row.channel == "sms" else row.notification


def summary(expected: Iterable[Expected]) -> str:
    """`15 messages (13 email, 2 sms; 9 en, 6 fr; 5 notices), 2 superseded, 1 failed`."""
    expected = list(expected)
    sent = [each for each in expected if each.state == "sent"]
    groups = [
        _counts(each.channel for each in sent),
        _counts(each.locale for each in sent),
        f"{len({each.notice for each in sent})} notices",
    ]
    others = _counts(each.state for each in expected if each.state != "sent")
    return f"{len(sent)} messages ({'; '.join(groups)})" + (f", {others}" if others else "")


def _counts(values: Iterable[str]) -> str:
    return ", ".join(f"{count} {value}" for value, count in sorted(Counter(values).items()))
