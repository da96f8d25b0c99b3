"""Delivery reports as mail servers write them (RFC 3464), for a message of ours that came back."""

from uuid import UUID

MAILBOX = "amara.okafor@example.test"
"""In every report, and in nothing that is said of one."""


def block(action: str, status: str) -> str:
    return (
        f"Final-Recipient: rfc822; {MAILBOX}\nOriginal-Recipient: rfc822;{MAILBOX}\nAction: {action}\n"
        f"Status: {status}\nRemote-MTA: dns; mx.example.test\n"
        f"Diagnostic-Code: smtp; 550 5.1.1 <{MAILBOX}>: Recipient address rejected\n"
    )


def report(
    id_: UUID | str,
    *blocks: str,
    to: str = "no-reply@cignahealthcare.com",
    returned: str = "text/rfc822-headers",
    headers: str | None = None,
) -> bytes:
    """A failed one with 5.1.1, unless `blocks` say otherwise. `headers`: of the message that came back."""
    came_back = headers if headers is not None else f"To: {MAILBOX}\nMessage-ID: <{id_}@cignahealthcare.com>\n"
    text = (
        f"Return-Path: <>\nDelivered-To: {to}\nFrom: MAILER-DAEMON@relay.example.test\nTo: {to}\n"
        "Subject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"\n\n'
        "This is a MIME-encapsulated message.\n\n--=_b\nContent-Type: text/plain\n\n"
        f"<{MAILBOX}>: host mx.example.test said: 550 5.1.1\n\n"
        "--=_b\nContent-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns; relay.example.test\nArrival-Date: Sun, 22 Nov 2026 12:00:00 +0000\n\n"
        + "\n".join(blocks or (block("failed", "5.1.1"),))
        + f"\n--=_b\nContent-Type: {returned}\n\n{came_back}\nSubject: A letter\n\n--=_b--\n"
    )
    return text.encode()
