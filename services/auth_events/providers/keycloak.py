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
from dataclasses import replace
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


def read(payload: Mapping[str, Any], upstream: Upstream, now: datetime) -> Finding:
    if payload.get("realmName") != upstream.realm:
        return Ignored("foreign")
    type_ = payload.get("type")
    if not isinstance(type_, str):
        return Ignored("unusable")
    handler = _HANDLERS.get(type_)
    if handler is not None:
        return handler(payload, upstream, now)
    return Ignored(_IGNORED.get(type_, "type"))


def happened_at(payload: Mapping[str, Any]) -> datetime | None:
    """The event's time, for the replay window."""
    return numeric_time(payload.get("time"))


def _of_user(payload: Mapping[str, Any], upstream: Upstream, now: datetime, type_: str, **data: object) -> Finding:
    return _told(payload, upstream, now, type_, at(payload, "authDetails", "userId"), data)


def _told(
    payload: Mapping[str, Any],
    upstream: Upstream,
    now: datetime,
    type_: str,
    subject: object,
    data: Mapping[str, object],
    twin: Twin | None = None,
) -> Finding:
    found = signal(
        upstream, now, id=payload.get("id"), type=type_, time=happened_at(payload), subject=subject, data=data
    )
    return replace(found, twin=twin) if isinstance(found, Signal) else found


def _signed_on(payload: Mapping[str, Any], upstream: Upstream, now: datetime) -> Finding:
    network = text(payload, "authDetails", "ipAddress", limit=64)
    return _of_user(payload, upstream, now, "identity.signed-on.v1", signed_on_at=happened_at(payload), network=network)


def _sign_on_failed(payload: Mapping[str, Any], upstream: Upstream, now: datetime) -> Finding:  # noqa: ARG001
    """Each attempt on a locked account comes as one more error; the lock itself is an event of its own."""
    locked = payload.get("error") in ("user_temporarily_disabled", "user_disabled")
    return Ignored("repeated" if locked else "failed")


def _locked(payload: Mapping[str, Any], upstream: Upstream, now: datetime) -> Finding:
    return _of_user(payload, upstream, now, "identity.account-locked.v1", locked_at=happened_at(payload))


def _credential(payload: Mapping[str, Any], upstream: Upstream, now: datetime, *, change: str) -> Finding:
    """`change`: the field of the contract's event that says when, for a second factor."""
    type_ = str(payload.get("type")).removeprefix("access.")
    deprecated = {"UPDATE_PASSWORD": "password", "UPDATE_TOTP": "otp", "REMOVE_TOTP": "otp"}.get(type_)
    credential = deprecated or text(payload, "details", "credential_type", limit=64)
    kind = "deprecated" if deprecated else "credential"
    subject, when = at(payload, "authDetails", "userId"), happened_at(payload)
    twin = Twin(group=f"{change}/{credential}", kind=kind)
    if credential == "password":
        if change != "enrolled_at":
            return Ignored("no-notice")
        return _told(payload, upstream, now, "identity.password-changed.v1", subject, {"changed_at": when}, twin)
    method = METHODS.get(credential or "")
    if method is None:
        return Ignored("method")
    told = "identity.security-method-enrolled.v1" if change == "enrolled_at" else "identity.security-method-reset.v1"
    return _told(payload, upstream, now, told, subject, {"method": method, change: when}, twin)


def _updated(payload: Mapping[str, Any], upstream: Upstream, now: datetime) -> Finding:
    return _credential(payload, upstream, now, change="enrolled_at")


def _removed(payload: Mapping[str, Any], upstream: Upstream, now: datetime) -> Finding:
    return _credential(payload, upstream, now, change="reset_at")


def _profile(payload: Mapping[str, Any], upstream: Upstream, now: datetime) -> Finding:
    if at(payload, "details", "updated_email") is None:
        return Ignored("no-address-change")
    old, new = address(payload, "details", "previous_email"), address(payload, "details", "updated_email")
    if old is None or new is None:
        return Ignored("old-address" if old is None else "unusable")
    if old == new:
        return Ignored("no-address-change")
    kind = "deprecated" if payload.get("type") == "access.UPDATE_EMAIL" else "profile"
    data = {"which": upstream.addresses, "old": old, "new": new, "changed_at": happened_at(payload)}
    subject = at(payload, "authDetails", "userId")
    twin = Twin(group="email", kind=kind)
    return _told(payload, upstream, now, "identity.email-address-changed.v1", subject, data, twin)


def _deleted(payload: Mapping[str, Any], upstream: Upstream, now: datetime) -> Finding:
    email = address(payload, "details", "email") or address(payload, "details", "username")
    if email is None:
        return Ignored("no-address")
    return _of_user(
        payload,
        upstream,
        now,
        "identity.account-deleted.v1",
        email=email,
        deleted_at=happened_at(payload),
        brand=upstream.brand,
    )


def _by_administrator(payload: Mapping[str, Any], upstream: Upstream, now: datetime) -> Finding:
    found = _RESET_PASSWORD.fullmatch(text(payload, "resourcePath") or "")
    if found is None or payload.get("error"):
        return Ignored("type" if found is None else "failed")
    data = {"reset_at": happened_at(payload), "by": "administrator"}
    return _told(payload, upstream, now, "identity.password-reset.v1", found[1], data)


_HANDLERS: dict[str, Callable[[Mapping[str, Any], Upstream, datetime], Finding]] = {
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
