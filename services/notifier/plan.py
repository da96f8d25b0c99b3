"""PURE: event + contact + now → notifications | waiting | skipped | refused.

Asked once per event; what it answers is frozen in the ledger, whatever contact, preferences or catalogue say later.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never, cast
from urllib.parse import urlsplit

from schemas.deadlines import LETTER_RANKS, LetterCancelledV1, LetterDueV1
from schemas.envelope import Event, EventError
from schemas.members import ContactV1
from schemas.notifications import Cause
from schemas.types import Data
from services.notifier.addresses import LeftAddress, previous_address
from services.notifier.brands import Brand
from services.notifier.catalogue import NOTICES_OF_TYPE, OF_COMPLAINTS, Lane, Notice, Until
from services.notifier.facts import Facts, facts_of
from services.notifier.letters import alert_facts, letter_facts, letter_locale
from services.notifier.recipients import Recipient, recipients, recipients_without_contact

_NAMESPACE = uuid.UUID("6f9d1f0e-6f0b-5c39-9f27-3f1a1c6b7f10")
NO_BRAND = "none"
"""Brand and locale of a row that ended before anybody knew them."""
HIGHEST_RANK = max(LETTER_RANKS.values())
CANCELS = "cancels-a-letter"
"""Why a cancellation causes no message of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What planning is told from outside the event."""

    brands: Mapping[str, Brand]
    deliverable: Callable[[str, str], bool]
    """(channel, address): may this deployment send there? (`DELIVERY_MODE`)"""
    loopback_origin: str | None = None
    """One `http://127.0.0.1:port` that links may also name; never in live mode."""
    team_mailbox: str | None = None
    """Who is told of a complaint that has no handler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to one role on one channel, as it will stand in the ledger."""

    id: uuid.UUID
    notice: str
    channel: str
    role: str
    lane: Lane
    brand: str
    locale: str
    address: str | None
    facts: Mapping[str, Any]
    secrets: Mapping[str, str]
    supersede_group: str | None
    expires_at: datetime | None
    hand_over_by: datetime | None
    state: str
    """accepted, or the terminal state it is born in."""
    reason: str | None = None
    letter: str | None = None
    """Which letter of a complaint it is, or asks the handler to post."""
    not_before: datetime | None = None
    """When a person may be told at the earliest."""
    limit_at: datetime | None = None
    """The limit of what it is to meet, exclusive."""
    listed_in: uuid.UUID | None = None
    """The summary that lists it."""

    @property
    def rank(self) -> int | None:
        return LETTER_RANKS.get(self.letter or "")

    @property
    def cancelled_from(self) -> int | None:
        """The lowest rank that takes its place; a letter without a rank gives way to the highest alone."""
        if self.letter is None:
            return None
        return HIGHEST_RANK if self.rank is None else self.rank + 1


@dataclass(frozen=True, slots=True)
class Planned:
    notifications: tuple[Notification, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The member is unknown: the event waits for the contact until then."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Skipped:
    """A known event that causes no notice."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cancels:
    """No message, but an act: the letter of this cause is not to leave any more."""

    cause: Cause
    why: str
    reason: str = CANCELS


@dataclass(frozen=True, slots=True)
class Refused:
    error: EventError


Plan = Planned | Waiting | Skipped | Cancels | Refused


def plan(
    event: Event[Data], contact: ContactV1 | None, now: datetime, rules: Rules, left: Sequence[LeftAddress] = ()
) -> Plan:
    """The contact's brand and language decide; the event's own only where there is no contact.

    `left`: sign-in addresses that the member has left lately, oldest first; security notices also go there.

    A complaint event carries its recipient, frozen: its subject is no member, and a contact of that name is not its.
    """
    if isinstance(event.data, LetterCancelledV1):
        return Cancels(event.data.cause, event.data.reason)
    if event.type in OF_COMPLAINTS:
        contact = None
    letter = getattr(event.data, "letter", None)
    notices = tuple(
        notice for notice in NOTICES_OF_TYPE.get(event.type, ()) if notice.letter is None or notice.letter == letter
    )
    if not notices:
        return Skipped("no-notice")
    if contact is None and not _carries_recipients(event.data):
        return Waiting(_waits_until(event, notices))
    return _plan(event, notices, contact, now, rules, previous_address(left, event.time))


def _plan(
    event: Event[Data],
    notices: tuple[Notice, ...],
    contact: ContactV1 | None,
    now: datetime,
    rules: Rules,
    previous: str | None,
) -> Planned | Skipped | Refused:
    name = contact.brand if contact is not None else cast("str", getattr(event.data, "brand", None))
    brand = rules.brands.get(name)
    if brand is None:
        return Refused(EventError("brand-unknown", "data.brand", "no such brand folder"))
    notices = tuple(notice for notice in notices if name in notice.brands)
    if not notices:
        return Skipped("not-for-brand")
    refusal = _refuse_link(event.data, brand, rules.loopback_origin)
    if refusal is not None:
        return Refused(refusal)
    facts = _facts(event, contact, brand)
    return Planned(
        tuple(
            _judged(
                _notification(event, notice, recipient, brand=name, locale=locale, facts=facts),
                now,
                rules,
                switched_off=notice.is_optional and contact is not None and not contact.preferences.general,
            )
            for notice in notices
            for locale in (_locale(notice, event.data, contact, brand),)
            for recipient in recipients(notice, event, contact, rules.team_mailbox, previous)
        )
    )


def plan_failure(event: Event[Data], reason: str) -> Planned:
    """For an accepted event that ended without a contact: a terminal row for each that would have been sent."""
    return Planned(
        tuple(
            _notification(
                event,
                notice,
                replace(recipient, address=None, failed=reason),
                brand=NO_BRAND,
                locale=NO_BRAND,
                facts=facts_of(event.data, None),
            )
            for notice in NOTICES_OF_TYPE.get(event.type, ())
            for recipient in recipients_without_contact(notice, event)
        )
    )


def _notification(
    event: Event[Data], notice: Notice, recipient: Recipient, *, brand: str, locale: str, facts: Facts
) -> Notification:
    expires_at = _expires_at(event, notice)
    purpose = getattr(event.data, "purpose", None)
    letter = event.data if isinstance(event.data, LetterDueV1) else None
    return Notification(
        id=notification_id(event, notice.name, recipient.channel, recipient.role),
        notice=notice.name,
        channel=recipient.channel,
        role=recipient.role,
        lane=notice.lane,
        brand=brand,
        locale=locale,
        address=recipient.address,
        facts={**facts.public, "role": recipient.role},
        secrets=facts.secrets,
        supersede_group=f"{notice.name}:{purpose or ''}" if notice.supersedes else None,
        expires_at=expires_at,
        hand_over_by=None if expires_at is None else expires_at - notice.margin,
        state="failed" if recipient.failed else "accepted",
        reason=recipient.failed,
        letter=None if letter is None else letter.letter,
        limit_at=None if letter is None else letter.limit_at,
        not_before=getattr(event.data, "tell_at", None),
    )


def _facts(event: Event[Data], contact: ContactV1 | None, brand: Brand) -> Facts:
    """A letter speaks the complainant's language, also the one that the handler is asked to post."""
    if isinstance(event.data, LetterDueV1):
        return letter_facts(event.data, event.subject, letter_locale(event.data, brand))
    if event.type in OF_COMPLAINTS:
        return alert_facts(event.data, event.subject)
    return facts_of(event.data, contact)


def _judged(notification: Notification, now: datetime, rules: Rules, *, switched_off: bool) -> Notification:
    """Born expired or suppressed, where that is already known."""
    if notification.state != "accepted" or notification.address is None:
        return notification
    if switched_off:
        return replace(notification, state="suppressed", reason="switched-off")
    if notification.hand_over_by is not None and notification.hand_over_by <= now:
        return replace(notification, state="expired", reason="late")
    if not rules.deliverable(notification.channel, notification.address):
        return replace(notification, state="suppressed", reason="not-live")
    return notification


def notification_id(event: Event[Data], notice: str, channel: str, role: str) -> uuid.UUID:
    """The same on every replica and every replay; the address is not part of it, its role is."""
    day = event.time.date().isoformat()
    return uuid.uuid5(_NAMESPACE, f"{day}\x1f{event.source}\x1f{event.id}\x1f{notice}\x1f{channel}\x1f{role}")


def _carries_recipients(data: Data) -> bool:
    """Complete without a contact: only events that name their own addresses have a `brand`."""
    return getattr(data, "brand", None) is not None


def _locale(notice: Notice, data: Data, contact: ContactV1 | None, brand: Brand) -> str:
    if notice.to == "complainant":
        return letter_locale(cast("LetterDueV1", data), brand)
    if notice.to == "handler":
        return brand.default_language
    wanted = contact.language if contact is not None else getattr(data, "locale", None)
    return wanted if wanted in brand.languages else brand.default_language


def _expires_at(event: Event[Data], notice: Notice) -> datetime | None:
    lives = notice.lives
    match lives:
        case timedelta():
            return event.time + lives
        case Until.THE_EVENT_SAYS:
            return cast("datetime", getattr(event.data, "expires_at", None))
        case Until.SENT:
            return None
        case _:
            assert_never(lives)


def _waits_until(event: Event[Data], notices: tuple[Notice, ...]) -> datetime:
    ends = [end for notice in notices if (end := _expires_at(event, notice)) is not None]
    return max(ends)


def _refuse_link(data: Data, brand: Brand, loopback_origin: str | None) -> EventError | None:
    """https, the brand's own domain in ASCII (punycode compared as such), no user info, no address, no odd port."""
    url = getattr(data, "url", None)
    if url is None:
        return None
    if not url.isascii():
        return EventError("link-not-allowed", "data.url", "write an international domain as punycode")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return EventError("link-not-allowed", "data.url", "not a URL")
    if loopback_origin is not None and f"{parts.scheme}://{parts.netloc}" == loopback_origin:
        return None
    plain = parts.scheme == "https" and "@" not in parts.netloc and port in {None, 443}
    if plain and parts.hostname in brand.links.domains:
        return None
    rule = "not one of the brand's link domains" if plain else "https, without user info or port"
    return EventError("link-not-allowed", "data.url", rule)
