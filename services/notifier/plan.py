"""PURE: event + contact + now → notifications | waiting | skipped | refused.

Asked once per event; what it answers is frozen in the ledger, whatever contact, preferences or catalogue say later.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlsplit

from schemas.envelope import Event, EventError
from schemas.identity import EmailAddressChangedV1, VerificationCodeIssuedV1
from schemas.members import ContactV1
from schemas.types import Data
from services.notifier.brands import Brand
from services.notifier.catalogue import NOTICES_OF_TYPE, Lane, Notice
from services.notifier.facts import facts_of

_NAMESPACE = uuid.UUID("6f9d1f0e-6f0b-5c39-9f27-3f1a1c6b7f10")
NO_BRAND = "none"
"""Brand and locale of a row that ended before anybody knew them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What planning is told from outside the event."""

    brands: Mapping[str, Brand]
    deliverable: Callable[[str, str], bool]
    """(channel, address): may this deployment send there? (`DELIVERY_MODE`)"""
    loopback_origin: str | None = None
    """One `http://127.0.0.1:port` that links may also name; never in live mode."""


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
class Refused:
    error: EventError


Plan = Planned | Waiting | Skipped | Refused


@dataclass(frozen=True, slots=True)
class _Recipient:
    channel: str
    role: str
    address: str | None
    failed: str | None = None


def plan(event: Event[Data], contact: ContactV1 | None, now: datetime, rules: Rules) -> Plan:
    """The contact's brand and language decide; the event's own only where there is no contact."""
    notices = NOTICES_OF_TYPE.get(event.type, ())
    if not notices:
        return Skipped("no-notice")
    if contact is None and not _carries_recipients(event.data):
        return Waiting(_waits_until(event, notices))
    brand = contact.brand if contact is not None else cast("str", getattr(event.data, "brand", None))
    if brand not in rules.brands:
        return Refused(EventError("brand-unknown", "data.brand", "no such brand folder"))
    notices = tuple(notice for notice in notices if brand in notice.brands)
    if not notices:
        return Skipped("not-for-brand")
    refusal = _refuse_link(event.data, rules.brands[brand], rules.loopback_origin)
    if refusal is not None:
        return Refused(refusal)
    locale = _locale(event.data, contact, rules.brands[brand])
    return Planned(
        tuple(
            _judged(_notification(event, contact, notice, recipient, brand, locale), now, rules)
            for notice in notices
            for recipient in _recipients(notice, event.data, contact)
        )
    )


def plan_failure(event: Event[Data], reason: str) -> Planned:
    """For an accepted event that ended without a contact: a terminal row for each that would have been sent."""
    return Planned(
        tuple(
            _notification(event, None, notice, replace(recipient, address=None, failed=reason), NO_BRAND, NO_BRAND)
            for notice in NOTICES_OF_TYPE.get(event.type, ())
            for recipient in _recipients_without_contact(notice, event.data)
        )
    )


def _notification(  # noqa: PLR0917, RUF100 (the six things a notification is made of)
    event: Event[Data], contact: ContactV1 | None, notice: Notice, recipient: _Recipient, brand: str, locale: str
) -> Notification:
    facts = facts_of(event.data, contact)
    expires_at = _expires_at(event, notice)
    purpose = getattr(event.data, "purpose", None)
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
    )


def _judged(notification: Notification, now: datetime, rules: Rules) -> Notification:
    """Born expired or suppressed, where that is already known."""
    if notification.state != "accepted" or notification.address is None:
        return notification
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


def _recipients(notice: Notice, data: Data, contact: ContactV1 | None) -> tuple[_Recipient, ...]:
    match notice.to:
        case "old-and-new":
            changed = cast("EmailAddressChangedV1", data)
            return (_Recipient("email", "old", changed.old), _Recipient("email", "new", changed.new))
        case "named-address":
            return (_Recipient("email", "named", cast("str", getattr(data, "email", None))),)
        case "named-channel":
            return (_named_channel(cast("VerificationCodeIssuedV1", data), _known(contact)),)
        case "login":
            return (_Recipient("email", "login", _known(contact).login_email),)
        case "communication":
            known = _known(contact)
            return (_Recipient("email", "communication", known.communication_email or known.login_email),)


def _recipients_without_contact(notice: Notice, data: Data) -> tuple[_Recipient, ...]:
    """Channel and role of those whose address nobody knows."""
    match notice.to:
        case "old-and-new" | "named-address":
            return _recipients(notice, data, None)
        case "named-channel" if cast("VerificationCodeIssuedV1", data).channel == "sms":
            return (_Recipient("sms", "named", None),)
        case "named-channel" | "login":
            return (_Recipient("email", "login", None),)
        case "communication":
            return (_Recipient("email", "communication", None),)


def _named_channel(data: VerificationCodeIssuedV1, contact: ContactV1) -> _Recipient:
    if data.channel == "email":
        return _Recipient("email", "login", contact.login_email)
    if data.phone not in contact.phones:
        return _Recipient("sms", "named", None, "phone-not-registered")
    return _Recipient("sms", f"phone-{contact.phones.index(data.phone) + 1}", data.phone)


def _known(contact: ContactV1 | None) -> ContactV1:
    if contact is None:
        raise TypeError("planned without the contact this notice needs")
    return contact


def _locale(data: Data, contact: ContactV1 | None, brand: Brand) -> str:
    wanted = contact.language if contact is not None else getattr(data, "locale", None)
    return wanted if wanted in brand.languages else brand.default_language


def _expires_at(event: Event[Data], notice: Notice) -> datetime | None:
    if notice.lives is not None:
        return event.time + notice.lives
    return cast("datetime | None", getattr(event.data, "expires_at", None))


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
