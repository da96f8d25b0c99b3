"""Letters of a complaint and mails to its handler, as `complaint_sla` asks for them."""

import uuid
from datetime import datetime
from typing import Any

from schemas.envelope import Event
from schemas.types import Data
from tests.support.ledger import T0
from tests.support.notifier import event_of

SOURCE = "urn:member-notices:complaint-sla"
TEXT = "Your complaint about the unpaid invoice of May was looked into."


def complaint() -> str:
    return f"c-{uuid.uuid4().hex[:12]}"


def address_of(complaint: str) -> str:
    return f"{complaint}@example.test"


def letter_due(complaint: str, letter: str, at: datetime = T0, *, n: int = 1, **data: Any) -> Event[Data]:
    """By e-mail to `<complaint>@example.test`, unless said otherwise."""
    return _of(complaint, "letter-due", f"{letter}/letter/{n}", at, **_letter(complaint, letter, n) | data)


def letter_to_post(complaint: str, letter: str, at: datetime = T0, *, n: int = 1, **data: Any) -> Event[Data]:
    values = _letter(complaint, letter, n) | {"handler": {"email": f"handler-{address_of(complaint)}"}, **data}
    return _of(complaint, "letter-to-post", f"{letter}/letter-to-post/{n}", at, **values)


def letter_cancelled(letter: Event[Data], at: datetime = T0, *, reason: str = "withdrawn") -> Event[Data]:
    """`letter`: the event that asked for it."""
    return _of(
        letter.subject,
        "letter-cancelled",
        f"{letter.id}/cancelled",
        at,
        letter=getattr(letter.data, "letter", None),
        cause={"source": letter.source, "id": letter.id},
        reason=reason,
    )


def deadline_missed(complaint: str, at: datetime = T0, **data: Any) -> Event[Data]:
    values = {
        "brand": "cigna-healthcare", "licence": "uk", "obligation": "acknowledgement", "limit_at": at,
        "detected_at": at, "handler": {"email": f"handler-{address_of(complaint)}"},
    }  # fmt: skip
    return _of(complaint, "deadline-missed", "acknowledgement/missed/1", at, **values | data)


def _letter(complaint: str, letter: str, n: int) -> dict[str, Any]:
    return {
        "brand": "cigna-healthcare", "licence": "uk", "letter": letter, "attempt": n, "received_on": T0.date(),
        "complainant": {"name": "A. Okafor", "locale": "en", "channel": "email", "email": address_of(complaint)},
        "text": {"en": TEXT},
    }  # fmt: skip


def _of(complaint: str, kind: str, id: str, at: datetime, **data: Any) -> Event[Data]:
    return event_of(f"complaints.{kind}.v1", complaint, id=f"{complaint}/{id}", time=at, source=SOURCE, **data)
