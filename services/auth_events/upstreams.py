"""Which providers send us events, and what proves it: `AUTH_EVENTS_PROVIDERS_FILE`.

    [[keycloak]]
    name = "login"                                      # in metrics and in the events' source
    realm = "members"                                   # Keycloak's name of the realm
    issuer = "https://login.example.com/realms/members" # as the contacts' identities say it
    brand = "cm"
    secrets = ["env:KEYCLOAK_WEBHOOK_SECRET"]           # or file:/run/secrets/…; two while one is being replaced

    [[okta]]                                            # [[auth0]] is alike
    name = "org"
    issuer = "https://example.okta.com"
    token_sha256 = ["…"]                                # of the whole value of the Authorization header

    [[ssf]]
    name = "idp"
    issuer = "https://idp.example.com"
    audience = "https://notices.example.com/v1/security-events"
    jwks_uri = "https://idp.example.com/jwks.json"

The file holds no secret. What an HMAC needs in the clear is named by reference, of everything else we know the SHA-256.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from schemas.types import Brand
from services.auth_events import entries
from services.auth_events.providers.signals import Addresses, Kind, Upstream
from services.runtime.settings import is_loopback

SETTING = "AUTH_EVENTS_PROVIDERS_FILE"
PER_SECOND = 100
_Text = Annotated[str, StringConstraints(pattern=r"^[!-~]+$", max_length=255)]
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Hashes = Annotated[tuple[_Sha256, ...], Field(max_length=4)]
_Reference = Annotated[str, StringConstraints(pattern=r"^(env:[A-Z][A-Z0-9_]*|file:.+)$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A provider, and what proves that a request is its own."""

    upstream: Upstream
    per_second: int
    secrets: tuple[bytes, ...] = ()
    """Of an HMAC."""
    token_sha256: tuple[bytes, ...] = ()
    audience: str = ""
    jwks_uri: str = ""

    def __repr__(self) -> str:
        return f"Source({self.upstream.kind}:{self.upstream.name})"


class Upstreams:
    def __init__(self, sources: tuple[Source, ...] = ()) -> None:
        self._sources = sources

    @classmethod
    def read(cls, path: Path | None, environment: Mapping[str, str] = os.environ) -> Self:
        """None: no provider. Raises `SettingsError` with field and rule; it never holds a value of the file."""
        if path is None:
            return cls()
        document = entries.read(path, SETTING, _File)
        return cls(tuple(document.sources(environment)))

    def of(self, kind: Kind) -> tuple[Source, ...]:
        return tuple(source for source in self._sources if source.upstream.kind == kind)

    def names(self) -> list[str]:
        return [f"{source.upstream.kind}:{source.upstream.name}" for source in self._sources]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
    issuer: _Text
    brand: Brand | None = None
    addresses: Addresses = "login"
    per_second: Annotated[int, Field(ge=1, le=10_000)] = PER_SECOND

    def upstream(self, kind: Kind, **more: Any) -> Upstream:
        return Upstream(
            kind=kind, name=self.name, issuer=self.issuer, brand=self.brand, addresses=self.addresses, **more
        )


class _Keycloak(_Entry):
    realm: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    secrets: Annotated[tuple[_Reference, ...], Field(min_length=1, max_length=4)]

    def source(self, where: str, environment: Mapping[str, str]) -> Source:
        secrets = tuple(
            _secret(reference, f"{where}.secrets.{number}", environment)
            for number, reference in enumerate(self.secrets)
        )
        upstream = self.upstream("keycloak", realm=self.realm)
        return Source(upstream=upstream, per_second=self.per_second, secrets=secrets)


class _WithToken(_Entry):
    token_sha256: Annotated[_Hashes, Field(min_length=1)]

    def source(self, kind: Kind) -> Source:
        tokens = tuple(bytes.fromhex(token) for token in self.token_sha256)
        return Source(upstream=self.upstream(kind), per_second=self.per_second, token_sha256=tokens)


class _Ssf(_Entry):
    audience: _Text
    jwks_uri: _Text
    subject_issuers: Annotated[tuple[_Text, ...], Field(max_length=16)] = ()
    token_sha256: _Hashes = ()

    @field_validator("jwks_uri")
    @classmethod
    def _by_tls(cls, uri: str) -> str:
        parts = urlsplit(uri)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise ValueError("an https address (http on this machine only)")
        return uri

    def source(self) -> Source:
        return Source(
            upstream=self.upstream("ssf", subject_issuers=frozenset(self.subject_issuers)),
            per_second=self.per_second,
            token_sha256=tuple(bytes.fromhex(token) for token in self.token_sha256),
            audience=self.audience,
            jwks_uri=self.jwks_uri,
        )


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    keycloak: tuple[_Keycloak, ...] = ()
    okta: tuple[_WithToken, ...] = ()
    auth0: tuple[_WithToken, ...] = ()
    ssf: tuple[_Ssf, ...] = ()

    @model_validator(mode="after")
    def _each_is_one(self) -> Self:
        for kind in ("keycloak", "okta", "auth0", "ssf"):
            _refuse_twice(kind, "name", [entry.name for entry in getattr(self, kind)])
        _refuse_twice("keycloak", "realm and issuer", [(entry.realm, entry.issuer) for entry in self.keycloak])
        _refuse_twice("ssf", "issuer", [entry.issuer for entry in self.ssf])
        for kind in ("okta", "auth0"):
            _refuse_twice(kind, "token", [token for entry in getattr(self, kind) for token in entry.token_sha256])
        return self

    def sources(self, environment: Mapping[str, str]) -> list[Source]:
        return [
            *(entry.source(f"keycloak.{number}", environment) for number, entry in enumerate(self.keycloak)),
            *(entry.source("okta") for entry in self.okta),
            *(entry.source("auth0") for entry in self.auth0),
            *(entry.source() for entry in self.ssf),
        ]


def _refuse_twice(kind: str, what: str, values: list[Any]) -> None:
    if len(values) != len(set(values)):
        raise ValueError(f"two entries of {kind} have the same {what}")


def _secret(reference: str, where: str, environment: Mapping[str, str]) -> bytes:
    """Without the line end that a file of one line has."""
    form, _, name = reference.partition(":")
    if form == "env":
        value = environment.get(name, "").encode("utf-8", "surrogateescape")
    else:
        try:
            value = Path(name).read_bytes().strip(b"\r\n")
        except OSError as error:
            raise entries.refusal(SETTING, f"{where}: its file cannot be read ({error.strerror})") from None
    if not value:
        raise entries.refusal(SETTING, f"{where}: there is nothing where it points to")
    return value
