"""The whole story of an event or a notification, in about ten lines, with the rule behind each step. PURE.

Times are UTC, to the millisecond. Nothing private is in a `Story`, so nothing private comes out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.deadlines import LETTER_RANKS
from services.notifier import words
from services.notifier.catalogue import CATALOGUE, Notice
from services.notifier.plan import HIGHEST_RANK
from services.notifier.reopening import Reopens, judge
from services.notifier.story import AttemptRow, ContactRow, EventRow, InterventionRow, NotificationRow, Story

CLOCKS_APART = timedelta(seconds=2)
"""A contact's time is the database's, a notification's the process's: so far they may differ (`runtime.clock`)."""
_TO = {
    "login": "the catalogue writes to the contact's login e-mail",
    "communication": "the catalogue writes to the contact's communication e-mail, or else the login one",
    "old": "the catalogue writes to both addresses of the event; this is the old one",
    "new": "the catalogue writes to both addresses of the event; this is the new one",
    "named": "the event names the recipient",
    "complainant": "the event carries the complainant's own address",
    "handler": "the event names the complaint's handler",
    "team": "the event names no handler, and the team's mailbox stands in",
}
_IN = {
    "complainant": "it is the complainant's language, or else the brand's default",
    "handler": "a handler is written to in the brand's default language",
    "team": "the team is written to in the brand's default language",
}
_HAS_WAY_OUT = {"failed", "expired", "bounced", "suppressed"}
_NOT_TOLD = {"accepted", "claimed", "handing-over", "retrying"}


@dataclass(frozen=True, slots=True)
class Line:
    """One step: its name, what happened, and the rule or reason behind it."""

    step: str
    what: str
    because: str | None = None

    def __str__(self) -> str:
        return f"{self.step:<11} {self.what}{f', because {self.because}' if self.because else ''}"


def explain(story: Story, now: datetime) -> list[list[Line]]:
    """A paragraph for the event, then one for each notification. `now` tells what is overdue."""
    origin = story.event.origin
    by_hand = [
        Line("by hand", _intervention(each)) for each in story.interventions if origin in {each.subject, each.result}
    ]
    return [[*_event(story), *by_hand], *(list(_notification(row, story, now)) for row in story.notifications)]


def unknown(asked: str) -> list[Line]:
    """What it means that the ledger has nothing of that name, and where to look next."""
    return [
        Line("unknown", f"{asked}: the ledger has no event or notification of this name"),
        Line(
            "meaning",
            "it never arrived, was refused, or its day is out of the ledger",
            "an event is remembered for 130 days, and only what was accepted is in the ledger",
        ),
        Line("look 1", f"member-notices dead-letters list --event '{asked}': was it refused, and why?"),
        Line("look 2", "is it on its topic yet, and is the consumer behind? (/readyz and /metrics of the notifier)"),
        Line("look 3", "the publisher: did auth-events answer 202? Without it nobody has the event"),
        Line(
            "note",
            "names: an event source|id or id, a notification UUID, an outcome UUID/attempt/state, a complaint id",
        ),
    ]


def document(story: Story, now: datetime) -> dict[str, Any]:
    """The same for machines: the rows as they are, and the lines."""
    return {
        "event": plain(asdict(story.event)),
        "notifications": [plain(asdict(row)) for row in story.notifications],
        "interventions": [plain(asdict(each)) for each in story.interventions],
        "in_outbox": sorted(story.in_outbox),
        "story": [[plain(asdict(line)) for line in paragraph] for paragraph in explain(story, now)],
    }


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """As JSON takes it."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return iso(value)
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def _event(story: Story) -> Iterator[Line]:
    event = story.event
    whose = "complaint" if event.of_complaint else "member"
    yield Line("event", f"{event.source}|{event.id}  {event.type}  {whose} {event.member_id}")
    after = _seconds(event.accepted_at - event.time)
    happened = f"{after} after it happened ({iso(event.time)} by the publisher's clock)"
    yield Line("accepted", f"{iso(event.accepted_at)}, {happened}, from {event.origin}")
    if event.state == "waiting" and event.waits_until is not None:
        yield Line("waits", f"until {iso(event.waits_until)}", "the member is unknown here: no contact was stored")
        yield Line("way out", f"have the member administration send members.contact.v1 of {event.member_id}")
    elif event.state in {"skipped", "failed"}:
        what = "it causes no message" if event.state == "skipped" else "it ended unsent"
        yield Line(event.state, what, words.because(event.reason))
    if event.reason == "no-contact":
        yield Line("way out", "send the contact, then have the event published again under a new id")


def _notification(row: NotificationRow, story: Story, now: datetime) -> Iterator[Line]:
    notice = next((each for each in CATALOGUE if (each.name, each.on) == (row.notice, row.event_type)), None)
    yield Line("message", f"{row.id}  {row.notice} by {row.channel}  {row.state.upper()}")
    yield Line("planned", *_planned(row, notice, story.event))
    yield Line("to", f"{row.role} {row.address or '(no address)'}", _recipient(row))
    yield Line("in", f"{row.locale}, brand {row.brand}", _IN.get(row.role) or _language(row, story.contact))
    yield Line("valid", *_validity(row, notice))
    yield from _of_letter(row)
    if row.supersede_group is not None:
        yield Line("replaces", f"older ones of {row.supersede_group} that have not left", "the catalogue says so")
    for number, attempt in enumerate(row.tried):
        marked = row.role == "complainant" and any(before.may_have_left for before in row.tried[:number])
        yield _attempt(attempt, story.event, marked=marked)
    yield Line("now", *_end(row, story, now))
    for each in story.interventions:
        if each.subject == str(row.id):
            yield Line("by hand", _intervention(each))
    if row.state not in _NOT_TOLD:
        yield Line("told", *_told(row, story))
    if row.state in _HAS_WAY_OUT:
        yield Line("way out", _way_out(row, story, now))


def _of_letter(row: NotificationRow) -> Iterator[Line]:
    """The rules that only a complaint's messages have."""
    if row.not_before is not None:
        yield Line("not before", iso(row.not_before), "people are told in working hours")
    if row.cancelled_from is not None and row.cancelled_from <= HIGHEST_RANK:
        ranks = sorted(rank for rank in set(LETTER_RANKS.values()) if rank >= row.cancelled_from)
        higher = ", ".join(letter for rank in ranks for letter, its in LETTER_RANKS.items() if its == rank)
        yield Line("gives way", f"to {higher}, while it has not left", "the higher letter speaks, unless it is older")
    if row.limit_at is not None:
        yield Line("limit", f"{iso(row.limit_at)}, exclusive", "the event says what it meets, and by when")
    if row.role == "complainant" and any(attempt.may_have_left for attempt in row.tried):
        rule = "one that may have left first waits for 24 h or half of what is left to the limit"
        yield Line("marked", "a later attempt says that it may be a second copy", rule)


def _planned(row: NotificationRow, notice: Notice | None, event: EventRow) -> tuple[str, str]:
    what = f"{iso(row.accepted_at)} in lane {row.lane}"
    if row.accepted_at > event.accepted_at:
        what += f", {_seconds(row.accepted_at - event.accepted_at)} after the event, which waited for the contact"
    if notice is None:
        return what, f"the catalogue of that day sent {row.notice} on this event; today's has no such line"
    return what, f"the catalogue's line is {notice.name} on {notice.on} to {notice.to}"


def _recipient(row: NotificationRow) -> str:
    if row.role.startswith("phone-"):
        return f"the event names this phone, number {row.role[6:]} of the contact's"
    if row.role == "login" and row.event_type == "identity.verification-code-issued.v1":
        return "the event names the channel email, which is the contact's login e-mail"
    return _TO.get(row.role, "the catalogue writes to this role")


def _language(row: NotificationRow, contact: ContactRow | None) -> str:
    if row.reason == "no-contact":
        return "nobody knew the member, so neither was known"
    if contact is None:
        return "there was no contact: the event's own language, or the brand's default"
    if contact.forgotten:
        return "it was planned before the contact was forgotten, and stays as planned"
    if contact.language == row.locale:
        return f"it is the contact's language (version {contact.version})"
    if contact.stored_at > row.accepted_at + CLOCKS_APART:
        return f"it stays as planned; the contact has changed since (version {contact.version}: {contact.language})"
    return f"the contact's language ({contact.language}) is not one the brand writes in, so its default is taken"


def _validity(row: NotificationRow, notice: Notice | None) -> tuple[str, str]:
    if row.expires_at is None or row.hand_over_by is None:
        return "without end", "what a complaint is owed has no time to live"
    margin = row.expires_at - row.hand_over_by
    what = f"until {iso(row.expires_at)}"
    if margin:
        what += f", handed over at the latest {_seconds(margin)} before"
    lives = None if notice is None else notice.lives
    if isinstance(lives, timedelta) and row.event_time + lives == row.expires_at:
        return what, f"the catalogue gives it {lives // timedelta(hours=1)} h from the event's time"
    return what, "the event's expires_at says so"


def _attempt(row: AttemptRow, event: EventRow, *, marked: bool) -> Line:
    took = "not ended" if row.ended_at is None else f"took {_seconds(row.ended_at - row.started_at)}"
    what = f"{iso(row.started_at)}, {_seconds(row.started_at - event.time)} after the event, {took}"
    what += f"{', marked' if marked else ''}: {row.result or 'under way'}"
    if row.reply_code is not None:
        what += f" (reply {row.reply_code})"
    return Line(f"attempt {row.attempt}", what, words.of_result(row.result, row.reason))


def _end(row: NotificationRow, story: Story, now: datetime) -> tuple[str, str | None]:
    what = f"{row.state} since {iso(row.state_at)}"
    if row.state == "sent" and row.sent_at is not None:
        what += f", {_seconds(row.sent_at - row.event_time)} after the event"
        if row.reference is not None:
            what += f", the provider calls it {row.reference}"
        return what, "the provider took responsibility for it"
    newest = story.newest.get(row.supersede_group or "")
    if row.state == "superseded" and newest is not None:
        return what, f"{newest[1]} of {iso(newest[0])} is newer, and only the newest is worth having"
    if row.due_at is not None:
        due_at = max(row.due_at, row.not_before or row.due_at)
        overdue = now - due_at
        what += f", next look at {iso(due_at)}"
        if overdue > timedelta(minutes=1):
            what += f": overdue by {_seconds(overdue)}; is a notifier running for lane {row.lane}?"
        return what, words.because(row.reason) or "open rows are looked at when they are due"
    return what, words.because(row.reason)


def _told(row: NotificationRow, story: Story) -> tuple[str, str | None]:
    if row.outcome_id in story.in_outbox:
        return f"not yet: outcome {row.outcome_id} is in the outbox", "the relay has not had the broker's answer"
    return f"outcome {row.outcome_id} is on notifications.outcomes.v1", None


def _way_out(row: NotificationRow, story: Story, now: datetime) -> str:
    judgement = judge(row, story.contact, now)
    if isinstance(judgement, Reopens):
        return f"member-notices notifications retry {row.id} --why '…' ({judgement.what})"
    return judgement.way_out


def _intervention(row: InterventionRow) -> str:
    return f"{iso(row.at)} {row.kind} by {row.who}: {row.why}{f' ({row.result})' if row.result else ''}"


def _seconds(span: timedelta) -> str:
    """`0.31 s`, `4 min 10 s`, `3 h 2 min`."""
    seconds = span.total_seconds()
    if abs(seconds) < 60:
        return f"{seconds:.2f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60)} s"
    return f"{minutes // 60} h {minutes % 60} min"


def as_text(paragraphs: Sequence[Sequence[Line]]) -> str:
    return "\n\n".join("\n".join(str(line) for line in paragraph) for paragraph in paragraphs)
