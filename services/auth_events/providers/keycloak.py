"""Keycloak's user and admin events, as the keycloak-events extension of Phase Two posts them → signals. PURE.

From version 26 on Keycloak sends UPDATE_CREDENTIAL and, for the same change within a millisecond or two, the deprecated
UPDATE_PASSWORD or UPDATE_TOTP; before, only the latter; a webhook may be subscribed to either. So neither is ignored
here: each is the other's twin, and whichever comes first is told. The same with the address in UPDATE_PROFILE and
UPDATE_EMAIL.

In `admin.*` events `authDetails` is the administrator; the affected user is in `resourcePath`. `representation` may
hold credentials: nobody reads it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.auth_events.providers.signals import (
    Finding,
    Ignored,
    Reason,
    Signal,
    Twin,
    Upstream,
    address,
    at,
    numeric_time,
    signal,
    text,
)

METHODS = {
    "otp": "authenticator-app",
    "webauthn": "security-key",
    "webauthn-passwordless": "passkey",
}
"""Keycloak's `credential_type` → the contract's method."""
_RESET_PASSWORD = re.compile(r"users/([^/]{1,255})/reset-password")
_IGNORED: dict[str, Reason] = {
    "access.RESET_PASSWORD": "step",
    "access.SEND_RESET_PASSWORD": "step",
    "access.UPDATE_CREDENTIAL_ERROR": "failed",
    "access.UPDATE_PASSWORD_ERROR": "failed",
    "access.UPDATE_TOTP_ERROR": "failed",
    "access.UPDATE_PROFILE_ERROR": "failed",
    "access.UPDATE_EMAIL_ERROR": "failed",
    "admin.USER-UPDATE": "old-address",
    "admin.USER-DELETE": "no-address",
}


@dataclass(frozen=True, slots=True)
class _Event:
    payload: Mapping[str, Any]
    upstream: Upstream
    now: datetime

    @property
    def type(self) -> str | None:
        return text(self.payload, "type")

    @property
    def when(self) -> datetime | None:
        return happened_at(self.payload)

    def told(self, type_: str, *, subject: object = None, twin: Twin | None = None, **data: object) -> Finding:
        """`subject` None: whoever did it, which in `access.*` is the user."""
        found = signal(
            self.upstream,
            self.now,
            id=self.payload.get("id"),
            type=type_,
            time=self.when,
            subject=at(self.payload, "authDetails", "userId") if subject is None else subject,
            data=data,
        )
        return replace(found, twin=twin) if isinstance(found, Signal) else found


def read(payload: Mapping[str, Any], upstream: Upstream, now: datetime) -> Finding:
    if payload.get("realmName") != upstream.realm:
        return Ignored("foreign")
    event = _Event(payload, upstream, now)
    if event.type is None:
        return Ignored("unusable")
    handler = _HANDLERS.get(event.type)
    return Ignored(_IGNORED.get(event.type, "type")) if handler is None else handler(event)


def happened_at(payload: Mapping[str, Any]) -> datetime | None:
    """The event's time, for the replay window."""
    return numeric_time(payload.get("time"))


def _signed_on(event: _Event) -> Finding:
    network = text(event.payload, "authDetails", "ipAddress", limit=64)
    return event.told("identity.signed-on.v1", signed_on_at=event.when, network=network)


def _sign_on_failed(event: _Event) -> Finding:
    """Each attempt on a locked account comes as one more error; the lock itself is an event of its own."""
    locked = event.payload.get("error") in ("user_temporarily_disabled", "user_disabled")
    return Ignored("repeated" if locked else "failed")


def _locked(event: _Event) -> Finding:
    return event.told("identity.account-locked.v1", locked_at=event.when)


def _updated(event: _Event) -> Finding:
    credential, twin = _credential(event, "enrolled_at")
    if credential == "password":
        return event.told("identity.password-changed.v1", twin=twin, changed_at=event.when)
    method = METHODS.get(credential or "")
    if method is None:
        return Ignored("method")
    return event.told("identity.security-method-enrolled.v1", twin=twin, method=method, enrolled_at=event.when)


def _removed(event: _Event) -> Finding:
    credential, twin = _credential(event, "reset_at")
    method = METHODS.get(credential or "")
    if method is None:
        return Ignored("no-notice" if credential == "password" else "method")
    return event.told("identity.security-method-reset.v1", twin=twin, method=method, reset_at=event.when)


def _credential(event: _Event, change: str) -> tuple[str | None, Twin]:
    """Which one, whether the type says it or the details; and how the other event of this change is known."""
    deprecated = _DEPRECATED.get(event.type or "")
    credential = deprecated or text(event.payload, "details", "credential_type", limit=64)
    return credential, Twin(group=f"{change}/{credential}", kind="deprecated" if deprecated else "credential")


def _profile(event: _Event) -> Finding:
    if at(event.payload, "details", "updated_email") is None:
        return Ignored("no-address-change")
    old, new = (address(event.payload, "details", name) for name in ("previous_email", "updated_email"))
    if old is None or new is None:
        return Ignored("old-address" if old is None else "unusable")
    if old == new:
        return Ignored("no-address-change")
    return event.told(
        "identity.email-address-changed.v1",
        twin=Twin(group="email", kind="deprecated" if event.type == "access.UPDATE_EMAIL" else "profile"),
        which=event.upstream.addresses,
        old=old,
        new=new,
        changed_at=event.when,
    )


def _deleted(event: _Event) -> Finding:
    email = address(event.payload, "details", "email") or address(event.payload, "details", "username")
    if email is None:
        return Ignored("no-address")
    return event.told("identity.account-deleted.v1", email=email, deleted_at=event.when, brand=event.upstream.brand)


def _by_administrator(event: _Event) -> Finding:
    found = _RESET_PASSWORD.fullmatch(text(event.payload, "resourcePath") or "")
    if found is None or event.payload.get("error"):
        return Ignored("type" if found is None else "failed")
    return event.told("identity.password-reset.v1", subject=found[1], reset_at=event.when, by="administrator")


_DEPRECATED = {
    "access.UPDATE_PASSWORD": "password",
    "access.UPDATE_TOTP": "otp",
    "access.REMOVE_TOTP": "otp",
}
_HANDLERS: dict[str, Callable[[_Event], Finding]] = {
    "access.LOGIN": _signed_on,
    "access.LOGIN_ERROR": _sign_on_failed,
    "access.USER_DISABLED_BY_TEMPORARY_LOCKOUT": _locked,
    "access.USER_DISABLED_BY_PERMANENT_LOCKOUT": _locked,
    "access.UPDATE_CREDENTIAL": _updated,
    "access.UPDATE_PASSWORD": _updated,
    "access.UPDATE_TOTP": _updated,
    "access.REMOVE_CREDENTIAL": _removed,
    "access.REMOVE_TOTP": _removed,
    "access.UPDATE_PROFILE": _profile,
    "access.UPDATE_EMAIL": _profile,
    "access.DELETE_ACCOUNT": _deleted,
    "admin.USER-ACTION": _by_administrator,
}
