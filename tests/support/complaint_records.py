"""Complaints in a test's own database, without a broker: heard and swept by the real code."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from schemas.envelope import Event
from schemas.types import Data
from services.complaint_sla.case import Case
from services.complaint_sla.cases import Cases, Changed, Heard
from services.complaint_sla.engine import Sweep, decide
from services.complaint_sla.ingest import Ingest
from services.complaint_sla.reading import Reading
from services.complaint_sla.rulebook import Rulebook, load_rulebook
from services.runtime.clock import FixedClock
from services.runtime.database import Database, close, connect
from services.runtime.outbox import Outbox
from services.runtime.vault import Vault
from tests.support.complaint_story import at
from tests.support.ledger import KEY

T0 = at("2026-12-01 10:00")


@dataclass
class Records:
    """`clock` is the service's."""

    database: Database
    rulebook: Rulebook = field(default_factory=load_rulebook)
    clock: FixedClock = field(default_factory=lambda: FixedClock(T0))
    vault: Vault = field(default_factory=lambda: Vault({"first": KEY}))

    def __post_init__(self) -> None:
        self.cases = Cases(self.database, self.vault, Outbox("complaint_sla", self.vault))
        self.reading = Reading(self.database, self.vault)
        self._ingest = Ingest(self.database, self.cases, self.rulebook, self.clock)

    async def hear(self, *events: Event[Data]) -> None:
        """Each when it happened, if that is later than now."""
        for number, event in enumerate(events):
            self.clock.at = max(self.clock.at, event.time)
            record = cast("Any", object())
            assert await self._ingest._accept([(record, Heard(event, f"topic/0/{number}"))]) == []

    async def sweep(self, until: datetime) -> None:
        """The watermark is there, and so is the clock."""
        self.clock.at = until

        def swept(case: Case) -> Changed:
            case, outputs = decide(case, Sweep(until), until, self.rulebook)
            return Changed(case, list(outputs))

        while await self.cases.sweep(until, until, 500, swept):
            pass

    async def published(self) -> None:
        """The relay has had the broker's answer for everything."""
        await self.database.execute("DELETE FROM complaint_sla.outbox")

    async def emptied(self) -> None:
        """The same database with nothing in it, at the first moment."""
        for table in ("cases", "obligations", "heard", "said", "outbox"):
            await self.database.execute(f"DELETE FROM complaint_sla.{table}")  # noqa: S608 (names from the line above)
        await self.database.execute("DELETE FROM notifier.events")
        self.clock.at = T0


@asynccontextmanager
async def records_on(dsn: str) -> AsyncIterator[Records]:
    database = await connect(dsn, size=4)
    try:
        yield Records(database)
    finally:
        await close(database)
