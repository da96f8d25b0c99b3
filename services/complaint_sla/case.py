"""PURE: all that is known of one complaint. Kept encrypted as JSON; what the engine decides is a new one of these.

Instants are UTC. An obligation keeps what it was computed with, so that it can be explained for as long as it is kept.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.complaints import (
    DelayExplainedV1,
    FinalResponseIssuedV1,
    ForwardedV1,
    InformationRequestedV1,
    Letter,
    ReceivedV1,
    ResolvedV1,
)
from schemas.deadlines import LETTER_RANKS

SOURCE = "urn:member-notices:complaint-sla"
"""The CloudEvents source of everything this service says."""

REGISTER_WITHIN = timedelta(hours=1)
"""What arrives before its `received` waits; after so long it is a complaint that nobody registered."""
CONFIRM_WITHIN = timedelta(hours=1)
"""A letter asked for has an outcome by then, or somebody looks."""

MISS_SETTLES = timedelta(seconds=5)
"""After a limit, until a miss is one: by then the outcome of a letter that left in the last moment has been told."""

OwedState = Literal["open", "held", "met", "met-not-delivered", "missed", "lapsed", "cancelled"]
RequestState = Literal["requested", "with-handler", "sent", "bounced", "refused", "cancelled"]
How = Literal["summary-resolution", "final-response", "accepted", "withdrawn", "forwarded", "merged", "not-covered"]


class _Kept(BaseModel):
    """Written by this version, read by the next: a field that a later one no longer knows is passed over."""

    model_config = ConfigDict(extra="ignore", validate_assignment=False)


class Owed(_Kept):
    """One obligation and where it stands."""

    obligation: str
    optional: bool = False
    starts: Literal["receipt", "resolution"]
    limit_at: datetime
    last_day: date
    send_by: date
    met_by: tuple[str, ...]
    letter: Letter | None = None
    edition: str | None = None
    letter_at: datetime | None = None
    alerts: tuple[datetime, ...] = ()
    """Still to be told, the earliest first."""
    delay_alerts: tuple[datetime, ...] = ()
    source: str
    reference: str
    rules_version: str
    calendar: str
    calendar_version: str
    explanation: str
    state: OwedState = "open"
    met_at: datetime | None = None
    """When what it asks for was sent, also if that was late."""
    met_with: str | None = None
    """The request, or the event, that did it."""
    detected_at: datetime | None = None
    """When it was found to be missed."""

    @property
    def is_open(self) -> bool:
        return self.state == "open"

    @property
    def is_due(self) -> bool:
        """Something is still to be sent for it, in time or not."""
        return self.state in {"open", "held"} or (self.state == "missed" and self.met_at is None)


class Request(_Kept):
    """One letter asked for, or one that went another way. `id` is its event's."""

    id: str
    letter: Letter
    obligation: str | None
    attempt: int
    licence: str
    requested_at: datetime
    state: RequestState = "requested"
    by: Literal["notifier", "letter-to-post", "post", "courier", "hand", "email"] = "notifier"
    """The first two were asked for by us; the others somebody else sent."""
    sent_at: datetime | None = None
    unconfirmed: bool = False

    @property
    def is_live(self) -> bool:
        """On its way, gone, or waiting for a person: nothing is to be asked for beside it."""
        return self.state != "cancelled"

    @property
    def may_be_cancelled(self) -> bool:
        return self.state == "requested"


class Early(_Kept):
    """An event that came before its `received`."""

    source: str
    id: str
    type: str
    time: datetime
    data: dict[str, Any]


class Case(_Kept):
    """A complaint. Without `received` nobody has registered it yet, and `early` waits."""

    id: str
    first_seen_at: datetime
    received: ReceivedV1 | None = None
    early: tuple[Early, ...] = ()
    unregistered: bool = False
    """Told that nobody has registered it."""
    letters_wait: bool = False
    """It was heard of so late that a person releases its letters."""
    released: frozenset[str] = frozenset()
    resolution: ResolvedV1 | None = None
    resolution_counts: bool = False
    final: FinalResponseIssuedV1 | None = None
    delay: DelayExplainedV1 | None = None
    information: InformationRequestedV1 | None = None
    forwarded: ForwardedV1 | None = None
    owed: list[Owed] = Field(default_factory=list)
    requests: list[Request] = Field(default_factory=list)
    versions: tuple[str, str] | None = None
    """Of the rules and the calendars that its deadlines were last computed with."""
    refused: tuple[str, ...] = ()
    """Events that came early and said, once it was registered, what no deadline can be computed from: id and code."""
    counts: dict[str, int] = Field(default_factory=dict)
    """How often each `obligation/kind` was told: the n of the next id."""
    closed_at: datetime | None = None
    how: How | None = None

    @property
    def licence(self) -> str | None:
        return self.received.licence if self.received else None

    def copied(self) -> "Case":
        """To be changed without this one: what is not copied is never changed, only replaced."""
        return self.model_copy(
            update={
                "owed": [owed.model_copy() for owed in self.owed],
                "requests": [request.model_copy() for request in self.requests],
                "counts": dict(self.counts),
            }
        )

    def of(self, obligation: str) -> Owed | None:
        return next((owed for owed in self.owed if owed.obligation == obligation), None)

    def covers(self, owed: Owed) -> bool:
        """Whether a letter that meets it, or a better one, was asked for, has gone or waits for an address."""
        rank = LETTER_RANKS.get(owed.letter or "", 0)
        return any(
            request.is_live
            and (
                request.letter in owed.met_by
                or (request.state == "requested" and LETTER_RANKS.get(request.letter, 0) > rank)
            )
            for request in self.requests
        )

    def may_write(self, letter: str) -> bool:
        return not self.letters_wait or letter in self.released

    def letter_instant(self, owed: Owed) -> datetime | None:
        """When the service writes by itself: not if a letter that meets it, or a better one, is there already."""
        if owed.letter is None or not owed.is_due or owed.state == "held" or self.closed_at is not None:
            return None
        return owed.letter_at if self.may_write(owed.letter) and not self.covers(owed) else None

    def alert_instants(self, owed: Owed) -> tuple[datetime, ...]:
        """When the handler is told that its limit comes near; more often while nobody has explained a delay."""
        return owed.alerts if self.delay is not None else (*owed.alerts, *owed.delay_alerts)

    def instants(self) -> Iterator[datetime]:
        """When the sweep has to look at it."""
        if self.received is None:
            if not self.unregistered:
                yield self.first_seen_at + REGISTER_WITHIN
            return
        for owed in self.owed:
            if (at := self.letter_instant(owed)) is not None:
                yield at
            if owed.is_open:
                yield owed.limit_at + MISS_SETTLES
                yield from self.alert_instants(owed)
        for request in self.requests:
            if request.state == "requested" and not request.unconfirmed:
                yield request.requested_at + CONFIRM_WITHIN

    @property
    def next_at(self) -> datetime | None:
        """The least instant at which something is to be done; None: nothing, until an event comes."""
        return min(self.instants(), default=None)
