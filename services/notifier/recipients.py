"""PURE: notice + event + contact → who is written to, on which channel, in which role."""

from dataclasses import dataclass
from typing import cast

from schemas.complaints import Handler
from schemas.deadlines import LetterDueV1
from schemas.identity import EmailAddressChangedV1, VerificationCodeIssuedV1
from schemas.members import ContactV1
from schemas.types import Data
from services.notifier.catalogue import Notice


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom one message goes to; `failed` says why it cannot."""

    channel: str
    role: str
    address: str | None
    failed: str | None = None


def recipients(
    notice: Notice, data: Data, contact: ContactV1 | None, team_mailbox: str | None
) -> tuple[Recipient, ...]:
    """`contact` may be None where the event names its own addresses."""
    match notice.to:
        case "old-and-new":
            changed = cast("EmailAddressChangedV1", data)
            return (Recipient("email", "old", changed.old), Recipient("email", "new", changed.new))
        case "named-address":
            return (Recipient("email", "named", cast("str", getattr(data, "email", None))),)
        case "named-channel":
            return (_named_channel(cast("VerificationCodeIssuedV1", data), _known(contact)),)
        case "login" | "communication":
            known = _known(contact)
            communication = known.communication_email if notice.to == "communication" else None
            return (Recipient("email", notice.to, communication or known.login_email),)
        case "complainant":
            address = cast("LetterDueV1", data).complainant.email
            return (Recipient("email", "complainant", address, None if address else "no-address"),)
        case "handler":
            return (_handler(getattr(data, "handler", None), team_mailbox),)


def recipients_without_contact(notice: Notice, data: Data) -> tuple[Recipient, ...]:
    """Channel and role of those whose address nobody knows."""
    match notice.to:
        case "old-and-new" | "named-address" | "complainant" | "handler":
            return recipients(notice, data, None, None)
        case "named-channel" if cast("VerificationCodeIssuedV1", data).channel == "sms":
            return (Recipient("sms", "named", None),)
        case "named-channel" | "login":
            return (Recipient("email", "login", None),)
        case "communication":
            return (Recipient("email", "communication", None),)


def _named_channel(data: VerificationCodeIssuedV1, contact: ContactV1) -> Recipient:
    if data.channel == "email":
        return Recipient("email", "login", contact.login_email)
    if data.phone not in contact.phones:
        return Recipient("sms", "named", None, "phone-not-registered")
    return Recipient("sms", f"phone-{contact.phones.index(data.phone) + 1}", data.phone)


def _handler(handler: Handler | None, team_mailbox: str | None) -> Recipient:
    if handler is not None:
        return Recipient("email", "handler", handler.email)
    return Recipient("email", "team", team_mailbox, None if team_mailbox else "no-handler")


def _known(contact: ContactV1 | None) -> ContactV1:
    if contact is None:
        raise TypeError("planned without the contact this notice needs")
    return contact
