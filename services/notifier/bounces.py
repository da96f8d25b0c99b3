"""A delivery report (RFC 3464) → which notification it is about, and what became of it. PURE.

No address of it is kept: what comes out are notifications' ids and codes.
"""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message

MAX_BYTES = 26_214_400
"""A report may return the whole message, with what was attached to it."""
_UUID = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
OF_ADDRESS = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""Statuses (RFC 3463, RFC 7505) that say of the address itself that it takes no mail: it does not exist, has moved, its
domain takes none, its mailbox is disabled. A full mailbox or a policy is not among them: the next message may pass."""
_OWN_ADDRESS = re.compile(rf"[^\s<>@+,]+\+{_UUID}@", re.IGNORECASE)
"""`bounces+<notification>@…`, the envelope sender where SMTP_BOUNCE_ADDRESS is set."""
_MESSAGE_ID = re.compile(rf"<{_UUID}@[^\s<>@]+>", re.IGNORECASE)
_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_ARRIVED_AT = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To")
_RETURNED = frozenset({"message/rfc822", "message/rfc822-headers", "message/global", "message/global-headers"})
_ACTIONS = ("failed", "delayed", "relayed", "expanded", "delivered")
"""The worst first, where a report speaks of several recipients: a letter that somebody did not get did not arrive."""


class ReportError(ValueError):
    """It cannot be used; the text says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Report:
    """`named`: the notifications it may be about, the most certain first. `status` is as in RFC 3463: `5.1.1`."""

    named: tuple[uuid.UUID, ...]
    action: str
    status: str

    @property
    def is_bounce(self) -> bool:
        """Given up for good, whatever the status: nobody tries again after `failed`, also when it was only late."""
        return self.action == "failed"

    @property
    def is_of_address(self) -> bool:
        """Whatever is sent there next would come back too."""
        return self.is_bounce and self.status in OF_ADDRESS


def read_report(raw: bytes) -> Report:
    """Raises `ReportError`."""
    if len(raw) > MAX_BYTES:
        raise ReportError(f"longer than {MAX_BYTES} bytes")
    if not raw.strip():
        raise ReportError("standard input is empty")
    document = message_from_bytes(raw)
    outcomes = [outcome for block in _status_blocks(document) if (outcome := _outcome(block))]
    if not outcomes:
        raise ReportError("no part message/delivery-status with an action and a status (RFC 3464)")
    action, status = min(outcomes, key=lambda outcome: _ACTIONS.index(outcome[0]))
    named = tuple(dict.fromkeys(_named(document)))
    if not named:
        raise ReportError("neither its recipient nor the returned headers name a notification of ours")
    return Report(named, action, status)


def _status_blocks(document: Message) -> Iterator[Message]:
    for part in document.walk():
        payload = part.get_payload() if part.get_content_type() == "message/delivery-status" else None
        if isinstance(payload, list):
            yield from (block for block in payload if isinstance(block, Message))


def _outcome(block: Message) -> tuple[str, str] | None:
    action = _text(block, "Action").partition(" ")[0].lower()
    status = _STATUS.search(_text(block, "Status"))
    return (action, status[0]) if action in _ACTIONS and status else None


def _named(document: Message) -> Iterator[uuid.UUID]:
    for name in _ARRIVED_AT:
        for value in document.get_all(name, ()):
            yield from _ids(_OWN_ADDRESS, str(value))
    for returned in _returned(document):
        yield from _ids(_OWN_ADDRESS, _text(returned, "Return-Path"))
        yield from _ids(_MESSAGE_ID, _text(returned, "Message-ID"))


def _returned(document: Message) -> Iterator[Message]:
    """The message that came back, whole or its headers alone."""
    for part in document.walk():
        kind, payload = part.get_content_type(), part.get_payload()
        if kind in _RETURNED and isinstance(payload, list):
            yield from (message for message in payload if isinstance(message, Message))
        elif kind == "text/rfc822-headers":
            decoded = part.get_payload(decode=True)
            yield message_from_bytes(decoded if isinstance(decoded, bytes) else b"")


def _ids(pattern: re.Pattern[str], text: str) -> Iterator[uuid.UUID]:
    return (uuid.UUID(found) for found in pattern.findall(text))


def _text(message: Message, name: str) -> str:
    return str(message.get(name, "")).strip()
