"""Who may publish what: tokens bound to CloudEvents sources and types.

Without the binding a publisher could pre-empt another's (source, id), and the real event would then be "already
planned" everywhere. So no source may belong to two publishers either. The file holds hashes, never tokens.

    [[publishers]]
    name = "portal-login"
    token_sha256 = ["…"]                       # two while a token is being replaced
    sources = ["https://login.example.com/*"]  # exact, or a prefix that ends in *
    types = ["identity.*"]                     # likewise; members.contact.v1 only when named in full
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from schemas.topics import CONTACTS, DEADLINES, IN_APP, OUTCOMES, TOPIC_OF_TYPE
from services.auth_events import entries

PUBLISHABLE = frozenset(
    type_
    for type_, topic in TOPIC_OF_TYPE.items()
    if topic not in (DEADLINES, IN_APP, OUTCOMES) and type_ != "members.portal-access-ending.v1"
)
"""Not what our own services decide: deadlines, outcomes, in-app messages, the end of portal access."""
NAMED_IN_FULL = frozenset(CONTACTS.types)
OURS = "urn:member-notices:"
"""How the sources of our own services begin."""
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Publisher:
    """An upstream system and what it may say."""

    name: str
    sources: tuple[str, ...]
    types: tuple[str, ...]

    def may_use_source(self, source: str) -> bool:
        """Never one of ours, whatever its entry says: who knows a member's event could name the notice after it."""
        return not source.startswith(OURS) and any(_matches(pattern, source) for pattern in self.sources)

    def may_publish(self, type_: str) -> bool:
        if type_ not in PUBLISHABLE:
            return False
        if type_ in NAMED_IN_FULL:
            return type_ in self.types
        return any(_matches(pattern, type_) for pattern in self.types)


class Publishers:
    """All publishers, found by token."""

    def __init__(self, by_token_sha256: dict[bytes, Publisher]) -> None:
        self._by_token_sha256 = by_token_sha256

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises `SettingsError` with field and rule; it never holds a value of the file."""
        document = entries.read(path, "AUTH_EVENTS_PUBLISHERS_FILE", _File)
        return cls(
            {
                bytes.fromhex(token): Publisher(entry.name, entry.sources, entry.types)
                for entry in document.publishers
                for token in entry.token_sha256
            }
        )

    def of_token(self, token: str) -> Publisher | None:
        """Constant time in what the token is: every hash is compared, whichever matches."""
        presented = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        found: Publisher | None = None
        for known, publisher in self._by_token_sha256.items():
            if hmac.compare_digest(known, presented):
                found = publisher
        return found

    def names(self) -> list[str]:
        return sorted({publisher.name for publisher in self._by_token_sha256.values()})


@dataclass(frozen=True, slots=True)
class NewToken:
    """For the publisher: `token`, shown once. For the file: `sha256`."""

    token: str
    sha256: str


def new_token() -> NewToken:
    """256 random bits: that much needs no slow hash and no salt."""
    token = "mn_" + secrets.token_urlsafe(TOKEN_BYTES)
    return NewToken(token, hashlib.sha256(token.encode()).hexdigest())


_Pattern = Annotated[str, StringConstraints(pattern=r"^[!-)+-~]+\*?$", max_length=255)]
"""Printable ASCII with at least one character before the only `*`, which comes last: not everything at once."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
    token_sha256: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]], Field(min_length=1, max_length=4)
    ]
    sources: Annotated[tuple[_Pattern, ...], Field(min_length=1)]
    types: Annotated[tuple[_Pattern, ...], Field(min_length=1)]

    @field_validator("types")
    @classmethod
    def _types_exist(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        for position, pattern in enumerate(types):
            if not any(_matches(pattern, type_) for type_ in PUBLISHABLE):
                raise ValueError(f"no type that can be published matches number {position}")
        return types


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    publishers: Annotated[list[_Entry], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_belongs_to_one(self) -> Self:
        for (first, one), (second, other) in combinations(enumerate(self.publishers), 2):
            where = f"publishers.{first} and publishers.{second}"
            if one.name == other.name:
                raise ValueError(f"{where} have the same name")
            if not set(one.token_sha256).isdisjoint(other.token_sha256):
                raise ValueError(f"{where} have a token in common; make one for each")
            if any(_overlap(mine, theirs) for mine in one.sources for theirs in other.sources):
                raise ValueError(f"{where} have sources that overlap; a source belongs to one publisher")
        return self


def _matches(pattern: str, value: str) -> bool:
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def _overlap(one: str, other: str) -> bool:
    return _matches(one, other.removesuffix("*")) or _matches(other, one.removesuffix("*"))
