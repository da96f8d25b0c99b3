"""What a new version of a contact says of its addresses: which were left, and which count anew. PURE."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.identity import EmailAddressChangedV1
from schemas.members import ContactV1, RegistrationConfirmedV1
from schemas.types import Data

LEFT_FOR = timedelta(days=7)
"""How long after a change security notices also go to the address that was left."""


@dataclass(frozen=True, slots=True)
class LeftAddress:
    """A sign-in address of the member's until `left_at`, the time of the contact that no longer had it."""

    address: str
    left_at: datetime

    def __repr__(self) -> str:
        return f"LeftAddress(left_at={self.left_at.isoformat()})"


def same(one: str, other: str) -> bool:
    """Two spellings of one address, as mailboxes in practice take them."""
    return normalised(one) == normalised(other)


def normalised(address: str) -> str:
    """What the search hash is made of."""
    return address.strip().lower()


def left_addresses(
    before: ContactV1 | None, left: Sequence[LeftAddress], after: ContactV1, at: datetime
) -> tuple[LeftAddress, ...]:
    """Oldest first. What is older than `LEFT_FOR` at `at`, or is the sign-in address again, is not among them."""
    still = [each for each in still_left(left, at) if not same(each.address, after.login_email)]
    if before is not None and not same(before.login_email, after.login_email):
        still = [each for each in still if not same(each.address, before.login_email)]
        still.append(LeftAddress(before.login_email, at))
    return tuple(still)


def still_left(left: Iterable[LeftAddress], now: datetime) -> tuple[LeftAddress, ...]:
    """Those whose days are not over."""
    return tuple(each for each in left if each.left_at + LEFT_FOR > now)


def left_until(left: Iterable[LeftAddress]) -> datetime | None:
    """When the first of them is to be forgotten."""
    return min((each.left_at + LEFT_FOR for each in left), default=None)


def previous_address(left: Iterable[LeftAddress], time: datetime) -> str | None:
    """Of what happened at `time` this address is told too.

    The one that was left longest ago, while its days last: who hops from address to address does not shake off the
    owner of the first.
    """
    return next((each.address for each in left if time < each.left_at + LEFT_FOR), None)


def counting_anew(before: ContactV1 | None, after: ContactV1) -> dict[str, set[str]]:
    """Channel → the addresses that this version adds, or all of them if the member has confirmed them since."""
    old = {} if before is None or _confirmed_since(before, after) else addresses_of(before)
    return {channel: added for channel, new in addresses_of(after).items() if (added := new - old.get(channel, set()))}


def _confirmed_since(before: ContactV1, after: ContactV1) -> bool:
    confirmed = after.confirmed_at
    return confirmed is not None and (before.confirmed_at is None or confirmed > before.confirmed_at)


def confirmed_by(data: Data) -> str | None:
    """The e-mail address that an event says the member has confirmed, or has just changed to."""
    match data:
        case RegistrationConfirmedV1():
            return data.email
        case EmailAddressChangedV1():
            return data.new
        case _:
            return None


def addresses_of(contact: ContactV1) -> dict[str, set[str]]:
    """Channel → normalised addresses."""
    emails = (contact.login_email, contact.communication_email)
    return {
        "email": {normalised(email) for email in emails if email is not None},
        "sms": {normalised(phone) for phone in contact.phones},
    }


def written(left: Iterable[LeftAddress]) -> bytes:
    return json.dumps([[each.address, each.left_at.isoformat()] for each in left]).encode()


def read(value: bytes) -> tuple[LeftAddress, ...]:
    return tuple(LeftAddress(address, datetime.fromisoformat(left_at)) for address, left_at in json.loads(value))
