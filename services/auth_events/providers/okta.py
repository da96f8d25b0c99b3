"""Okta event hooks: `data.events[]` of one delivery, each an entry of the System Log → signals. PURE.

The affected user is the target of type User, never the actor; only a sign-on, which names no target, is the actor's
own. Only `outcome.result` SUCCESS happened. A reset of all of somebody's factors comes as several deactivations under
one transaction: they are one event, whose id is made of the transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.auth_events.providers.signals import (
    Finding,
    Ignored,
    Upstream,
    address,
    at,
    signal,
    text,
    text_time,
)

METHODS = {
    "SMS_FACTOR": "sms",
    "CALL_FACTOR": "voice",
    "EMAIL_FACTOR": "email",
    "GOOGLE_AUTHENTICATOR": "authenticator-app",
    "OKTA_SOFT_TOKEN": "authenticator-app",
    "OKTA_VERIFY_TOTP": "authenticator-app",
    "OKTA_VERIFY_PUSH": "authenticator-app",
    "OKTA_VERIFY": "authenticator-app",
    "SYMANTEC_VIP": "authenticator-app",
    "FIDO_U2F": "security-key",
    "FIDO_WEBAUTHN": "security-key",
    "YUBIKEY_TOKEN": "security-key",
}
"""`debugContext.debugData.factor` → the contract's method."""
MAX_EVENTS = 1000
DEACTIVATED = "user.mfa.factor.deactivate"


@dataclass(frozen=True, slots=True)
class _Entry:
    document: Mapping[str, Any]
    upstream: Upstream
    now: datetime

    @property
    def when(self) -> datetime | None:
        return text_time(self.document.get("published"))

    @property
    def user(self) -> Mapping[str, Any]:
        """The affected one; empty: none is named."""
        targets = self.document.get("target")
        for target in targets if isinstance(targets, list) else ():
            if isinstance(target, Mapping) and target.get("type") == "User":
                return target
        return {}

    @property
    def method(self) -> str | None:
        return METHODS.get(text(self.document, "debugContext", "debugData", "factor", limit=64) or "")

    def told(self, type_: str, *, subject: object = None, id: object = None, **data: object) -> Finding:
        return signal(
            self.upstream,
            self.now,
            id=self.document.get("uuid") if id is None else id,
            type=type_,
            time=self.when,
            subject=self.user.get("id") if subject is None else subject,
            data=data,
        )


def read(payload: Mapping[str, Any], upstream: Upstream, now: datetime) -> list[Finding]:
    """In the order sent; the deactivations of one transaction stand where the first of them stood."""
    events = at(payload, "data", "events")
    if not isinstance(events, list) or len(events) > MAX_EVENTS:
        return [Ignored("unusable")]
    findings: dict[object, Finding] = {}
    resets: dict[str, list[_Entry]] = {}
    for position, document in enumerate(events):
        if not isinstance(document, Mapping):
            findings[position] = Ignored("unusable")
            continue
        entry = _Entry(document, upstream, now)
        if not _happened(entry):
            findings[position] = Ignored("failed")
        elif document.get("eventType") == DEACTIVATED:
            findings[_reset_of(entry)] = Ignored("step")  # holds the place
            resets.setdefault(_reset_of(entry), []).append(entry)
        else:
            findings[position] = _one(entry)
    for name, entries in resets.items():
        findings[name] = _reset(entries, name)
    return list(findings.values())


def _happened(entry: _Entry) -> bool:
    return bool(at(entry.document, "outcome", "result") == "SUCCESS")


def _one(entry: _Entry) -> Finding:
    handler = _HANDLERS.get(text(entry.document, "eventType") or "")
    return Ignored("type") if handler is None else handler(entry)


def _reset_of(entry: _Entry) -> str:
    transaction = text(entry.document, "transaction", "id") or text(entry.document, "uuid") or ""
    return f"factors/{transaction}/{text(entry.user, 'id') or ''}"


def _reset(entries: Sequence[_Entry], id: str) -> Finding:
    """One method where one was reset; several are told as all, which is how Okta resets several at once."""
    first = min(entries, key=lambda entry: text(entry.document, "published") or "")
    factors = {text(entry.document, "debugContext", "debugData", "factor") for entry in entries}
    method = first.method if len(factors) == 1 else None
    if len(factors) == 1 and method is None:
        return Ignored("method")
    return first.told("identity.security-method-reset.v1", id=id, method=method, reset_at=first.when)


def _signed_on(entry: _Entry) -> Finding:
    document = entry.document
    subject = entry.user.get("id")
    if subject is None and at(document, "actor", "type") == "User":
        subject = at(document, "actor", "id")
    place = [text(document, "client", "geographicalContext", name, limit=200) for name in ("city", "country")]
    return entry.told(
        "identity.signed-on.v1",
        subject=subject,
        signed_on_at=entry.when,
        device_id=text(document, "debugContext", "debugData", "deviceFingerprint", limit=128),
        user_agent=text(document, "client", "userAgent", "rawUserAgent"),
        network=text(document, "client", "ipAddress", limit=64),
        place=", ".join(part for part in place if part) or None,
    )


def _password(entry: _Entry) -> Finding:
    if _by_others(entry):
        return entry.told("identity.password-reset.v1", reset_at=entry.when, by="administrator")
    return entry.told("identity.password-changed.v1", changed_at=entry.when)


def _password_reset(entry: _Entry) -> Finding:
    by = "administrator" if _by_others(entry) else "self-service"
    return entry.told("identity.password-reset.v1", reset_at=entry.when, by=by)


def _by_others(entry: _Entry) -> bool:
    return bool(at(entry.document, "actor", "id") != entry.user.get("id"))


def _locked(entry: _Entry) -> Finding:
    return entry.told("identity.account-locked.v1", locked_at=entry.when)


def _enrolled(entry: _Entry) -> Finding:
    if entry.method is None:
        return Ignored("method")
    return entry.told("identity.security-method-enrolled.v1", method=entry.method, enrolled_at=entry.when)


def _reset_all(entry: _Entry) -> Finding:
    return entry.told("identity.security-method-reset.v1", reset_at=entry.when)


def _profile(entry: _Entry) -> Finding:
    """Okta says a changed address in no event of its own; both are in the target's `changeDetails`."""
    old, new = (address(entry.user, "changeDetails", side, "email") for side in ("from", "to"))
    if new is None:
        return Ignored("no-address-change")
    if old is None:
        return Ignored("old-address")
    if old == new:
        return Ignored("no-address-change")
    return entry.told(
        "identity.email-address-changed.v1",
        which=entry.upstream.addresses,
        old=old,
        new=new,
        changed_at=entry.when,
    )


def _deleted(entry: _Entry) -> Finding:
    email = address(entry.user, "alternateId")
    if email is None:
        return Ignored("no-address")
    return entry.told("identity.account-deleted.v1", email=email, deleted_at=entry.when, brand=entry.upstream.brand)


_HANDLERS: dict[str, Callable[[_Entry], Finding]] = {
    "user.session.start": _signed_on,
    "user.account.update_password": _password,
    "user.account.reset_password": _password_reset,
    "user.account.lock": _locked,
    "user.mfa.factor.activate": _enrolled,
    "user.mfa.factor.reset_all": _reset_all,
    "user.account.update_profile": _profile,
    "user.lifecycle.delete.completed": _deleted,
}
