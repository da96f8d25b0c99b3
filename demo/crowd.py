"""Many members at once, for what a day of three does not show: a flood, and a process killed under load."""

import asyncio
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime

from demo.environment import ADMINISTRATION, IDENTITY_PROVIDER
from demo.stage import StoryError
from demo.upstream import Upstream
from demo.watch import Ledger, Tally
from schemas.envelope import Event, new_event
from schemas.identity import PasswordChangedV1
from schemas.members import ContactV1
from schemas.types import Data

BATCH = 500
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 120.0
"""Without any progress; the leases of a killed process are shorter."""


class Crowd:
    """So many security mails (password changed: each one is told, none is ever throttled) to members of its own."""

    def __init__(self, upstream: Upstream, ledger: Ledger, prefix: str, *, members: int, events: int) -> None:
        self.events = events
        self._upstream = upstream
        self._ledger = ledger
        self._prefix = prefix
        self._members = [f"{prefix}-{number}" for number in range(members)]

    async def publish(self, say: Callable[[str], None]) -> None:
        """Contacts, then events, straight onto Kafka; returns when all are acknowledged."""
        await self._upstream.onto_kafka(*(self._contact(member) for member in self._members))
        numbered = enumerate(itertools.islice(itertools.cycle(self._members), self.events))
        while batch := [self._event(number, member) for number, member in itertools.islice(numbered, BATCH)]:
            await self._upstream.onto_kafka(*batch)
            say(f"published {batch[-1].id.rpartition('-')[2]} of {self.events}")

    async def until(self, condition: Callable[[Tally], bool], say: Callable[[str], None]) -> Tally:
        """Wait as long as something moves; else `StoryError`."""
        before, moved_at = None, time.monotonic()
        while True:
            tally = await self._ledger.tally(self._prefix)
            say(f"{tally.sent} of {self.events} sent, {tally.open} in the ledger on their way")
            if condition(tally):
                return tally
            if tally != before:
                before, moved_at = tally, time.monotonic()
            elif time.monotonic() - moved_at > PATIENCE_SECONDS:
                raise StoryError(f"nothing moved for {PATIENCE_SECONDS:.0f} s: {tally}")
            await asyncio.sleep(POLL_SECONDS)

    def is_done(self, tally: Tally) -> bool:
        return tally.all == self.events and tally.open == 0

    def _contact(self, member: str) -> Event[Data]:
        contact = ContactV1(
            version=1, brand="cigna-healthcare", language="en", login_email=f"{member}@crowd.example.test"
        )
        return new_event(
            source=ADMINISTRATION,
            id=member,
            type="members.contact.v1",
            subject=member,
            time=datetime.now(UTC),
            data=contact,
        )

    def _event(self, number: int, member: str) -> Event[Data]:
        now = datetime.now(UTC)
        return new_event(
            source=IDENTITY_PROVIDER,
            id=f"{self._prefix}-{number + 1}",
            type="identity.password-changed.v1",
            subject=member,
            time=now,
            data=PasswordChangedV1(changed_at=now),
        )
