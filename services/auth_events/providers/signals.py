"""What every provider's payload becomes, before it is known whose it is. PURE.

A `Signal` is an event of the contract that still names its member as the provider does. Whatever is no signal is
`Ignored`, for a reason from this list, which is counted:

    type             nothing that a notice tells of (most of what a provider sends)
    failed           the attempt failed: nothing happened
    step             one step of something that is told when it is done
    repeated         an attempt on an account whose lock was told when it was locked
    not-a-member     no user of the provider is named
    foreign          about a user of another issuer, or another realm
    old-address      an address changed, and the old one is not said
    no-address       the account is gone, and no address is said to write to
    no-address-change  a profile changed, its address did not
    method           a method that the contract has no word for
    no-notice        no notice says this without saying more than is known
    ahead            dated more than 5 minutes in the future
    unusable         breaks the provider's own format, or a value that the contract refuses

Nothing in here raises for the sake of a payload, and nothing holds more of it than the event needs.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias, get_args

from pydantic import TypeAdapter, ValidationError

from schemas.envelope import EventError, refuse_unstorable
from schemas.topics import DATA_OF_TYPE
from schemas.types import EARLIEST, LATEST, Data, Email
from services.auth_events.access import AHEAD

Reason = Literal[
    "type",
    "failed",
    "step",
    "repeated",
    "not-a-member",
    "foreign",
    "old-address",
    "no-address",
    "no-address-change",
    "method",
    "no-notice",
    "ahead",
    "unusable",
]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
Kind = Literal["keycloak", "okta", "auth0", "ssf"]
Addresses = Literal["login", "only"]
MAX_ID = 100
"""Of an id as the provider made it; a longer one is hashed. CloudEvents ids of ours end at 128."""
_ID = re.compile(r"[\x21-\x7e]+")
_EMAIL: TypeAdapter[str] = TypeAdapter(Email)
_MILLISECONDS_FROM = 100_000_000_000
"""As seconds, this is the year 5138."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One provider as it is configured, without what proves it."""

    kind: Kind
    name: str
    issuer: str
    """Of its users, as the contacts' `identities` spell it."""
    brand: str | None = None
    """Said for whoever's account is gone, and perhaps their contact too. Of everybody else the contact says it, and the
    language: an event with a brand would not wait for it."""
    addresses: Addresses = "login"
    """What its users' e-mail address is to the members: the one they sign in with, or the only one they have."""
    realm: str | None = None
    """Keycloak."""
    subject_issuers: frozenset[str] = frozenset()
    """Shared Signals: whose users it may speak of; without, its own."""

    @property
    def source(self) -> str:
        """Of its events. No publisher may use one that begins so (`publishers.OURS`)."""
        return f"urn:member-notices:upstream:{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """One of two events that a provider may send for one change; of two kinds of one group, only the first is told."""

    group: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """`issuer` and `subject`: the affected user at the provider, never who did it."""

    source: str
    id: str
    """Of (source, id) only the first is told."""
    type: str
    time: datetime
    data: Data
    issuer: str
    subject: str
    twin: Twin | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    reason: Reason


Finding: TypeAlias = Signal | Ignored


def signal(
    upstream: Upstream,
    now: datetime,
    *,
    id: object,
    type: str,
    time: datetime | None,
    subject: object,
    data: Mapping[str, object],
    issuer: str | None = None,
) -> Finding:
    """What of `data` is None is left out. `subject`: as the provider says it; anything but text is nobody."""
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        return Ignored("not-a-member")
    if time is None or not isinstance(id, str) or not id:
        return Ignored("unusable")
    if time > now + AHEAD:
        return Ignored("ahead")
    try:
        said = {name: value for name, value in data.items() if value is not None}
        refuse_unstorable([subject, *(value for value in said.values() if isinstance(value, str))])
        told = DATA_OF_TYPE[type].model_validate(said)
    except (ValidationError, EventError):
        return Ignored("unusable")
    return Signal(
        source=upstream.source,
        id=event_id(id),
        type=type,
        time=time,
        data=told,
        issuer=upstream.issuer if issuer is None else issuer,
        subject=subject,
    )


def event_id(text: str) -> str:
    """As the provider made it where that is an id of CloudEvents, else its hash: the same on every retry."""
    if len(text) <= MAX_ID and _ID.fullmatch(text):
        return text
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def at(document: object, *path: str) -> Any:
    """The value under these names; None where any of them is missing, or anything on the way is no object."""
    for name in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(name)
    return document


def text(document: object, *path: str, limit: int = 1024) -> str | None:
    """Non-empty text at most `limit` long, or None. What is too long is not cut: it is not what we take it for."""
    value = at(document, *path)
    return value if isinstance(value, str) and 0 < len(value) <= limit else None


def address(document: object, *path: str) -> str | None:
    """A mailbox of the contract, or None."""
    try:
        return _EMAIL.validate_python(at(document, *path))
    except ValidationError:
        return None


def numeric_time(value: object) -> datetime | None:
    """Seconds or milliseconds since the epoch → UTC; None: no instant from 2000 until 2100."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
        return _within(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, ValueError, OSError):
        return None


def text_time(value: object) -> datetime | None:
    """RFC 3339 with its zone → UTC; None: anything else."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        read = datetime.fromisoformat(value)
        return None if read.tzinfo is None else _within(read.astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def _within(time: datetime) -> datetime | None:
    return time if EARLIEST <= time < LATEST else None
