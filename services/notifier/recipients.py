"""PURE: notice + event + contact → who is written to, on which channel, in which role."""

from dataclasses import dataclass
from typing import Literal, cast

from schemas.complaints import Handler
from schemas.deadlines import LetterDueV1
from schemas.envelope import Event
from schemas.identity import EmailAddressChangedV1, VerificationCodeIssuedV1
from schemas.members import ContactV1
from schemas.types import Data
from services.notifier.addresses import same
from services.notifier.catalogue import Notice

IN_APP = "in-app"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom one message goes to; `failed` says why it cannot. In the portal, `address` is the member's id."""

    channel: str
    role: str
    address: str | None
    failed: str | None = None


def recipients(
    notice: Notice,
    event: Event[Data],
    contact: ContactV1 | None,
    team_mailbox: str | None,
    previous: str | None = None,
) -> tuple[Recipient, ...]:
    """`contact` may be None where the event names its own addresses. `previous`: where security notices also go."""
    mailboxes = _mailboxes(notice, event.data, contact, team_mailbox)
    told = [mailbox.address for mailbox in mailboxes if mailbox.address is not None]
    if notice.lane == "security" and previous is not None and not any(same(previous, address) for address in told):
        mailboxes = (*mailboxes, Recipient("email", "previous", previous))
    return (*mailboxes, Recipient(IN_APP, "inbox", event.subject)) if notice.in_app else mailboxes


def _mailboxes(
    notice: Notice, data: Data, contact: ContactV1 | None, team_mailbox: str | None
) -> tuple[Recipient, ...]:
    match notice.to:
        case "old-and-new":
            changed = cast("EmailAddressChangedV1", data)
            return (Recipient("email", "old", changed.old), Recipient("email", "new", changed.new))
        case "named-address":
            return (Recipient("email", "named", cast("str", getattr(data, "email", None))),)
        case "named-channel":
            return (_named_channel(cast("VerificationCodeIssuedV1", data), _known(contact)),)
        case "login" | "communication" | "login-and-communication":
            return _of_contact(notice.to, _known(contact))
        case "complainant":
            address = cast("LetterDueV1", data).complainant.email
            return (Recipient("email", "complainant", address, None if address else "no-address"),)
        case "handler":
            return (_handler(getattr(data, "handler", None), team_mailbox),)


def recipients_without_contact(notice: Notice, event: Event[Data]) -> tuple[Recipient, ...]:
    """Channel and role of those whose address nobody knows. The portal shows nothing to who is no member yet."""
    data = event.data
    match notice.to:
        case "old-and-new" | "named-address" | "complainant" | "handler":
            return _mailboxes(notice, data, None, None)
        case "named-channel" if cast("VerificationCodeIssuedV1", data).channel == "sms":
            return (Recipient("sms", "named", None),)
        case "named-channel" | "login" | "login-and-communication":
            return (Recipient("email", "login", None),)
        case "communication":
            return (Recipient("email", "communication", None),)


def _of_contact(
    to: Literal["login", "communication", "login-and-communication"], contact: ContactV1
) -> tuple[Recipient, ...]:
    login = Recipient("email", "login", contact.login_email)
    communication = Recipient("email", "communication", contact.communication_email or contact.login_email)
    if to == "login-and-communication" and communication.address != login.address:
        return (login, communication)
    return (communication,) if to == "communication" else (login,)


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
