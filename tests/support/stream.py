"""Events that go on coming in while something is away, and the books when all of them have come to their end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka.errors import KafkaError

from demo.catcher import Catcher
from schemas.envelope import Event
from schemas.topics import OUTCOMES
from schemas.types import Data
from tests.support.audit import Books, Told, audit, told, unsettled
from tests.support.kafka import Tape
from tests.support.notifier import upstream
from tests.support.traffic import Traffic
from tests.support.waiting import wait_for

EVERY_SECONDS = 0.5


@dataclass
class Stream:
    """`wave` events of `traffic` twice a second, between `async with` and its end; published until Kafka has them."""

    kafka: str
    database: str
    catcher: Catcher
    traffic: Traffic
    wave: int = 5
    next: Callable[[int], Sequence[Event[Data]]] | None = None
    """Takes how many; without one, events of every kind."""
    outcomes: dict[tuple[str, str], Told] = field(default_factory=dict)

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        over = asyncio.Event()
        async with upstream(self.kafka) as up:
            await up.publish(*self.traffic.contacts())

            async def publish() -> None:
                while not over.is_set():
                    for event in (self.next or self.traffic.events)(self.wave):
                        await self._until_taken(up.publish, event)
                    # The rhythm of the load: nothing is waited for.
                    await asyncio.sleep(EVERY_SECONDS)

            publishing = asyncio.create_task(publish())
            try:
                yield
            finally:
                over.set()
                await publishing

    async def books(self, *, within_seconds: float) -> Books:
        """Once every message owed has ended and every outcome is told."""
        try:
            await wait_for(self._settled, "end of every message", within_seconds=within_seconds)
        finally:
            books = await audit(self.database, self.traffic.run, self.traffic.owed, self.catcher)
            print(f"\n{len(self.traffic.owed)} owed; {books}; faults struck {self.catcher.faults.struck}")
        async with Tape(self.kafka, OUTCOMES.name, from_start=True) as tape:
            self.outcomes = told(await tape.rest(), self.traffic.run)
        return books

    async def _settled(self) -> bool:
        return await unsettled(self.database, self.traffic.run, len(self.traffic.owed)) == 0

    async def _until_taken(self, publish: Callable[[Event[Data]], object], event: Event[Data]) -> None:
        """An upstream repeats what was not acknowledged: the same event, under the same id."""
        while True:
            try:
                await publish(event)  # type: ignore[misc]
            except KafkaError:
                continue
            return
