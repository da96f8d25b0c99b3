"""What the ledger knows of an event and its notifications, fit to be shown: no secret, addresses masked. PURE."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from schemas.topics import DATA_OF_TYPE, DEADLINES


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """An accepted event."""

    day: date
    source: str
    id: str
    type: str
    member_id: str
    time: datetime
    state: str
    """planned, waiting, skipped or failed."""
    reason: str | None
    origin: str
    """`topic/partition/offset`."""
    accepted_at: datetime
    waits_until: datetime | None

    @property
    def of_complaint(self) -> bool:
        """`member_id` is then the complaint's id, and no contact is looked for."""
        return self.type in DEADLINES.types


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One hand-over. Both times are the database's."""

    attempt: int
    started_at: datetime
    ended_at: datetime | None
    result: str | None
    reply_code: str | None
    reason: str | None

    @property
    def may_have_left(self) -> bool:
        return self.result in {"unknown", "lost-lease"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InterventionRow:
    """What somebody did by hand."""

    at: datetime
    kind: str
    subject: str
    who: str
    why: str
    result: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRow:
    """One message to one role on one channel."""

    day: date
    id: uuid.UUID
    event_source: str
    event_id: str
    event_type: str
    event_time: datetime
    member_id: str
    notice: str
    channel: str
    role: str
    lane: str
    brand: str
    locale: str
    address: str | None
    """Masked; or in brackets why there is none."""
    has_address: bool
    has_facts: bool
    has_secrets: bool
    supersede_group: str | None
    expires_at: datetime | None
    hand_over_by: datetime | None
    state: str
    state_at: datetime
    reason: str | None
    attempts: int
    due_at: datetime | None
    """On the database's clock: when it may next be taken. None: it has ended."""
    accepted_at: datetime
    sent_at: datetime | None
    reference: str | None
    cancelled_from: int | None = None
    """The lowest rank of a letter that takes its place. None: it is no letter."""
    not_before: datetime | None = None
    limit_at: datetime | None = None
    """Of what a letter is to meet, exclusive."""
    tried: tuple[AttemptRow, ...] = ()

    @property
    def of_complaint(self) -> bool:
        """`member_id` is then the complaint's id, and no contact is looked for."""
        return self.event_type in DEADLINES.types

    @property
    def outcome_id(self) -> str:
        """Of the state it is in."""
        return f"{self.id}/{self.attempts}/{self.state}"

    @property
    def needs_secrets(self) -> bool:
        """Its message is made of a code or a link, which are erased when it ends."""
        data = DATA_OF_TYPE.get(self.event_type)
        return data is not None and bool(data.secret_fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRow:
    """The member's contact as it stands today."""

    version: int
    time: datetime
    """Of the event it came with, or of its tombstone."""
    stored_at: datetime
    forgotten: bool
    language: str | None
    brand: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything about one event, or about one notification of it."""

    event: EventRow
    notifications: Sequence[NotificationRow]
    contact: ContactRow | None
    in_outbox: frozenset[str]
    """Outcomes that have not been relayed yet, by id."""
    newest: dict[str, tuple[datetime, str]]
    """Supersede group → time and id of its newest event."""
    interventions: Sequence[InterventionRow]
