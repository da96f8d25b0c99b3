"""The claims of a verified Security Event Token (RFC 8417) → signals. PURE.

CAEP credential-change and session-established, RISC identifier-changed; SSF's own verification and stream-updated say
nothing of a member. Two that we take are told of in no notice: *account-disabled* (the notice of a locked account says
that attempts to sign in failed, and how to unlock it: neither is known) and *credential-compromise*.

Whose: `sub_id` (RFC 9493) of the token, or the event's own `subject` as before it: iss_sub, opaque, email, aliases of
these, or the `user` of a complex subject. A transmitter speaks of its own issuer's users, and of those named for it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.auth_events.providers.signals import (
    Finding,
    Ignored,
    Reason,
    Upstream,
    address,
    at,
    numeric_time,
    signal,
    text,
)

CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
SSF = "https://schemas.openid.net/secevent/ssf/event-type/"
MAX_EVENTS = 16
METHODS = {
    "phone-sms": "sms",
    "phone-voice": "voice",
    "app": "authenticator-app",
    "fido2-platform": "passkey",
    "fido2-roaming": "security-key",
    "fido-u2f": "security-key",
}
"""CAEP's `credential_type` → the contract's method."""
_IGNORED: dict[str, Reason] = {
    RISC + "account-disabled": "no-notice",
    RISC + "credential-compromise": "no-notice",
    RISC + "account-purged": "no-address",
    SSF + "verification": "step",
    SSF + "stream-updated": "step",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """`issuer` None: the transmitter's own."""

    issuer: str | None
    id: str
    email: str | None = None


@dataclass(frozen=True, slots=True)
class _Event:
    payload: Mapping[str, Any]
    when: datetime | None
    subject: Subject
    upstream: Upstream


_Said = tuple[str, dict[str, object]] | Ignored


def read(claims: Mapping[str, Any], upstream: Upstream, now: datetime) -> list[Finding]:
    events = claims.get("events")
    if not isinstance(events, Mapping) or not 0 < len(events) <= MAX_EVENTS:
        return [Ignored("unusable")]
    return [_one(claims, uri, payload, upstream, now) for uri, payload in events.items()]


def _one(claims: Mapping[str, Any], uri: str, payload: Any, upstream: Upstream, now: datetime) -> Finding:
    handler = _HANDLERS.get(uri)
    if handler is None:
        return Ignored(_IGNORED.get(uri, "type"))
    if not isinstance(payload, Mapping):
        return Ignored("unusable")
    subject = subject_of(claims.get("sub_id") or payload.get("subject"))
    if subject is None:
        return Ignored("not-a-member")
    issuer = upstream.issuer if subject.issuer is None else subject.issuer
    if issuer not in (upstream.subject_issuers or {upstream.issuer}):
        return Ignored("foreign")
    said_times = (payload.get("event_timestamp"), claims.get("toe"), claims.get("iat"))
    when = next((time for time in map(numeric_time, said_times) if time is not None), None)
    said = handler(_Event(payload, when, subject, upstream))
    if isinstance(said, Ignored):
        return said
    type_, data = said
    events = claims["events"]
    name = str(claims.get("jti")) if len(events) == 1 else f"{claims.get('jti')}#{uri.rpartition('/')[2]}"
    return signal(upstream, now, id=name, type=type_, time=when, subject=subject.id, issuer=issuer, data=data)


def subject_of(document: Any) -> Subject | None:
    """None: no user is named in a form that we read."""
    found = list(_subjects(document))
    named = next((subject for subject in found if subject.email is None), found[0] if found else None)
    if named is None:
        return None
    return Subject(named.issuer, named.id, next((each.email for each in found if each.email), None))


def _subjects(document: Any) -> Iterator[Subject]:
    form = text(document, "format", limit=64) or text(document, "subject_type", limit=64)
    if form == "aliases":
        identifiers = at(document, "identifiers")
        for identifier in identifiers[:8] if isinstance(identifiers, list) else ():
            yield from _simple(identifier)  # RFC 9493 3.2.8: no nesting
    elif form == "complex":
        yield from _simple(at(document, "user"))
    else:
        yield from _simple(document)


def _simple(document: Any) -> Iterator[Subject]:
    match text(document, "format", limit=64) or text(document, "subject_type", limit=64):
        case "iss_sub" | "iss-sub":
            issuer, name = text(document, "iss", limit=255), text(document, "sub", limit=255)
            if issuer and name:
                yield Subject(issuer, name)
        case "opaque":
            if name := text(document, "id", limit=255):
                yield Subject(None, name)
        case "email":
            if email := address(document, "email"):
                yield Subject(None, email, email)
        case _:
            return


def _credential(event: _Event) -> _Said:
    credential = text(event.payload, "credential_type", limit=64)
    change = text(event.payload, "change_type", limit=64)
    if change not in ("create", "update", "revoke", "delete"):
        return Ignored("unusable")
    if credential == "password":
        return _password(event, change)
    if credential == "pin":
        word = "set" if change in ("create", "update") else "removed"
        return "identity.sign-in-method-changed.v1", {"method": "pin", "change": word, "changed_at": event.when}
    return _second_factor(event, METHODS.get(credential or ""), change)


def _second_factor(event: _Event, method: str | None, change: str) -> _Said:
    if method is None:
        return Ignored("method")
    if change == "update":
        return Ignored("no-notice")
    if change == "create":
        return "identity.security-method-enrolled.v1", {"method": method, "enrolled_at": event.when}
    return "identity.security-method-reset.v1", {"method": method, "reset_at": event.when}


def _password(event: _Event, change: str) -> _Said:
    """A first password, and one that was taken away, are no change of a password."""
    if change != "update":
        return Ignored("no-notice")
    if text(event.payload, "initiating_entity", limit=64) == "admin":
        return "identity.password-reset.v1", {"reset_at": event.when, "by": "administrator"}
    return "identity.password-changed.v1", {"changed_at": event.when}


def _signed_on(event: _Event) -> _Said:
    return "identity.signed-on.v1", {
        "signed_on_at": event.when,
        "device_id": text(event.payload, "fp_ua", limit=128),
    }


def _identifier(event: _Event) -> _Said:
    old, new = event.subject.email, address(event.payload, "new-value")
    if new is None:
        return Ignored("no-address-change")
    if old is None:
        return Ignored("old-address")
    return "identity.email-address-changed.v1", {
        "which": event.upstream.addresses,
        "old": old,
        "new": new,
        "changed_at": event.when,
    }


_HANDLERS: dict[str, Callable[[_Event], _Said]] = {
    CAEP + "credential-change": _credential,
    CAEP + "session-established": _signed_on,
    RISC + "identifier-changed": _identifier,
}
