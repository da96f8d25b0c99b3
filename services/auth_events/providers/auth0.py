"""Auth0 log streams to a webhook: JSON lines, a JSON array or one JSON object → signals. PURE.

Each entry is a log event, mostly inside `data`, beside its `log_id`. Auth0's `type` is a code; the affected user is
`user_id`. What the management API does (`sapi`) names its operator there, and is ignored.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from schemas.envelope import EventError, parse_json
from services.auth_events.providers.signals import (
    Finding,
    Ignored,
    Reason,
    Upstream,
    address,
    at,
    signal,
    text,
    text_time,
)

METHODS = {
    "sms": "sms",
    "voice": "voice",
    "email": "email",
    "otp": "authenticator-app",
    "totp": "authenticator-app",
    "authenticator": "authenticator-app",
    "push": "authenticator-app",
    "push-notification": "authenticator-app",
    "webauthn-roaming": "security-key",
    "webauthn-platform": "passkey",
    "passkey": "passkey",
}
"""`details.authenticator.type` → the contract's method."""
MAX_EVENTS = 1000
_IGNORED: dict[str, Reason] = {
    "f": "failed",
    "fp": "failed",
    "fu": "failed",
    "fcp": "failed",
    "fce": "failed",
    "fdu": "failed",
    "scpr": "step",
    "gd_start_enroll": "step",
    "gd_start_auth": "step",
    "limit_mu": "no-notice",
    "limit_sul": "no-notice",
    "pwd_leak": "no-notice",
    "sce": "old-address",
}
Log = Mapping[str, Any]


def parse(body: bytes) -> list[Any]:
    """The entries of one request. Raises `EventError`: it is neither of the three forms."""
    try:
        document = parse_json(body)
    except EventError:
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        return [parse_json(line) for line in lines[: MAX_EVENTS + 1]]
    return document if isinstance(document, list) else [document]


def read(entries: list[Any], upstream: Upstream, now: datetime) -> list[Finding]:
    """In the order sent."""
    if len(entries) > MAX_EVENTS:
        return [Ignored("unusable")]
    return [_one(entry, upstream, now) for entry in entries]


def _one(entry: Any, upstream: Upstream, now: datetime) -> Finding:
    log = at(entry, "data") if isinstance(at(entry, "data"), Mapping) else entry
    code = text(log, "type", limit=64)
    if code is None:
        return Ignored("unusable")
    handler = _HANDLERS.get(code)
    if handler is None:
        return Ignored(_IGNORED.get(code, "type"))
    said = handler(log, text_time(log.get("date")), upstream)
    if isinstance(said, Ignored):
        return said
    type_, data = said
    return signal(
        upstream,
        now,
        id=text(entry, "log_id") or text(log, "log_id") or text(log, "_id"),
        type=type_,
        time=text_time(log.get("date")),
        subject=log.get("user_id") or None,
        data=data,
    )


_Said = tuple[str, dict[str, object]] | Ignored


def _signed_on(log: Log, when: datetime | None, _: Upstream) -> _Said:
    place = [text(log, "location_info", name, limit=200) for name in ("city_name", "country_name")]
    return "identity.signed-on.v1", {
        "signed_on_at": when,
        "user_agent": text(log, "user_agent"),
        "network": text(log, "ip", limit=64),
        "place": ", ".join(part for part in place if part) or None,
    }


def _password(_: Log, when: datetime | None, __: Upstream) -> _Said:
    return "identity.password-changed.v1", {"changed_at": when}


def _locked(_: Log, when: datetime | None, __: Upstream) -> _Said:
    return "identity.account-locked.v1", {"locked_at": when}


def _enrolled(log: Log, when: datetime | None, _: Upstream) -> _Said:
    method = _method(log)
    if method is None:
        return Ignored("method")
    digits = (text(log, "details", "authenticator", "phone_number", limit=64) or "")[-2:]
    ending = digits if method in ("sms", "voice") and digits.isascii() and digits.isdigit() else None
    return "identity.security-method-enrolled.v1", {"method": method, "ending": ending, "enrolled_at": when}


def _unenrolled(log: Log, when: datetime | None, _: Upstream) -> _Said:
    method = _method(log)
    if method is None:
        return Ignored("method")
    return "identity.security-method-reset.v1", {"method": method, "reset_at": when}


def _method(log: Log) -> str | None:
    return METHODS.get(text(log, "details", "authenticator", "type", limit=64) or "")


def _deleted(log: Log, when: datetime | None, upstream: Upstream) -> _Said:
    email = address(log, "user_name")
    if email is None:
        return Ignored("no-address")
    return "identity.account-deleted.v1", {"email": email, "deleted_at": when, "brand": upstream.brand}


_HANDLERS: dict[str, Callable[[Log, datetime | None, Upstream], _Said]] = {
    "s": _signed_on,
    "scp": _password,
    "limit_wc": _locked,
    "gd_enrollment_complete": _enrolled,
    "gd_unenroll": _unenrolled,
    "sdu": _deleted,
    "du": _deleted,
}
