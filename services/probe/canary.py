"""The canary's events, and what an outcome says of it. PURE."""

from datetime import datetime, timedelta
from typing import Literal

from schemas.envelope import Event, new_event
from schemas.identity import VerificationCodeIssuedV1
from schemas.members import ContactV1
from schemas.notifications import OutcomeV1
from schemas.types import Data

Failure = Literal["not-accepted", "no-outcome", "failed", "late"]
"""not-accepted: nobody took the event; no-outcome: nothing was heard of it in time; failed: it ended otherwise than
sent; late: it was sent, and a member would have waited too long."""
CODE = "CANARY-000"
PURPOSE = "canary"
"""Each canary replaces the one before, should that not have left yet: they do not heap up while nothing leaves."""
LIVES = timedelta(minutes=5)


def code(*, member: str, source: str, id: str, url: str, now: datetime) -> Event[Data]:
    """A code by e-mail that nobody can take for a real one."""
    data = VerificationCodeIssuedV1(channel="email", code=CODE, url=url, purpose=PURPOSE, expires_at=now + LIVES)
    return new_event(
        source=source, id=id, type="identity.verification-code-issued.v1", subject=member, time=now, data=data
    )


def contact(*, member: str, source: str, brand: str, address: str, now: datetime) -> Event[Data]:
    """The canary as a member; its version is the second it was published in, so that the latest settings hold."""
    data = ContactV1(version=int(now.timestamp()), brand=brand, language="en", login_email=address)
    return new_event(
        source=source,
        id=f"canary-{data.version}",
        type="members.contact.v1",
        subject=member,
        time=now,
        data=data,
    )


def verdict(event: Event[Data], *, source: str, id: str) -> Literal["sent", "failed"] | None:
    """None: it is of another event, or says nothing final."""
    outcome = event.data
    if not isinstance(outcome, OutcomeV1) or (outcome.cause.source, outcome.cause.id) != (source, id):
        return None
    if outcome.state == "unknown":
        return None
    return "sent" if outcome.state in {"sent", "delivered"} else "failed"
