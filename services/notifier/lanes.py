"""codes > security > letters > general: each lane has its own queue, workers and connections.

What this process accepts it leases in the same transaction, as long as the lane has room; what is left, what is retried
and what a process held that is gone, the lane's claimer takes from the ledger.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from services.notifier import catalogue, metrics
from services.notifier.ledger.rows import Leased
from services.notifier.ledger.sending import Sending
from services.runtime.clock import Clock
from services.runtime.database import describe, is_away
from services.runtime.failpoints import failpoint
from services.runtime.outbox import pause

log = structlog.get_logger()

CLAIM_SECONDS = 0.5
"""How soon a due retry or another process's leftover is seen."""
LAPSE_SECONDS = 1.0
"""How often leases that ended in a hand-over are looked for."""
AWAY_SECONDS = 1.0

Deliver = Callable[[Sequence[Leased]], Awaitable[None]]


class Lane:
    """A queue of leased notifications and the workers that deliver them in chunks.

    A chunk is as large as what one worker has in flight at once: that bounds what a crash leaves uncertain.
    """

    def __init__(self, name: catalogue.Lane, *, workers: int, chunk: int, trusted: asyncio.Event) -> None:
        """`trusted`: set while this machine's clock may decide what has expired."""
        self.name = name
        self.workers = workers
        self.chunk = chunk
        self._trusted = trusted
        self._queue: deque[Leased] = deque()
        self._arrived = asyncio.Event()
        self._wanted = asyncio.Event()

    @property
    def room(self) -> int:
        """How many more may be leased: enough to keep the workers busy while the claimer asks, and no more."""
        return max(0, self.chunk * self.workers * 4 - len(self._queue)) if self._trusted.is_set() else 0

    def put(self, rows: Iterable[Leased]) -> None:
        self._queue.extend(rows)
        metrics.record_queue(self.name, len(self._queue))
        if self._queue:
            self._arrived.set()

    def look(self) -> None:
        """There is something in the ledger for this lane: ask now."""
        self._wanted.set()

    def take_all(self) -> list[Leased]:
        rows = list(self._queue)
        self._queue.clear()
        return rows

    async def work(self, deliver: Deliver, stopping: asyncio.Event) -> None:
        """One worker: newest first for codes, oldest first for the others."""
        take = self._queue.pop if self.name == "codes" else self._queue.popleft
        while not stopping.is_set():
            if not self._trusted.is_set():
                await first_of(stopping, self._trusted)
                continue
            chunk: list[Leased] = []
            while self._queue and len(chunk) < self.chunk:
                chunk.append(take())
            if chunk:
                if self.room >= self.chunk * self.workers:
                    self._wanted.set()
                failpoint("claimed")
                await deliver(chunk)
            else:
                self._arrived.clear()
                await first_of(stopping, self._arrived)

    async def claim(self, sending: Sending, clock: Clock, stopping: asyncio.Event) -> None:
        """Keep the queue filled from the ledger, and turn lapsed hand-overs into `unknown`. Survives the database."""
        loop = asyncio.get_running_loop()
        lapse_at = loop.time()
        while not stopping.is_set():
            if not self._trusted.is_set():
                await first_of(stopping, self._trusted)
                continue
            try:
                if loop.time() >= lapse_at:
                    metrics.record_lapsed(await sending.lapse(self.name, clock.now()))
                    lapse_at = loop.time() + LAPSE_SECONDS
                self._wanted.clear()  # before asking: what is accepted meanwhile is not in the answer
                asked = self.room
                rows = await sending.claim(self.name, asked, clock.now()) if asked else []
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("claim_waits_for_database", lane=self.name, **describe(error))
                await pause(stopping, AWAY_SECONDS)
                continue
            if stopping.is_set():  # the queue was given back already
                await sending.release(rows, clock.now())
                return
            self.put(rows)
            if len(rows) < asked or not asked:
                await first_of(stopping, self._wanted, seconds=CLAIM_SECONDS)


async def first_of(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Until one of the events is set, or the time is over."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
