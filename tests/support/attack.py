"""Two supervised notifiers under kill -9: at every failpoint and at random, while members' events come in."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import asyncpg

from demo.catcher import Catcher, Fault
from schemas.topics import OUTCOMES
from tests.support import replicas
from tests.support.audit import Books, Told, audit, told, unsettled
from tests.support.kafka import Tape
from tests.support.notifier import Upstream, fresh_group, upstream
from tests.support.replicas import Replica, Supervisor
from tests.support.traffic import Traffic
from tests.support.waiting import wait_for

NOTIFIER_POINTS = frozenset(
    {
        "accepted-before-commit",
        "claimed",
        "handing-over-marked",
        "relay-accepted-before-record",
        "recorded-before-relay",
        "relayed-before-delete",
    }
)
"""Those that a notifier comes by."""
DRIP_SECONDS = 0.004
"""A relay this slow takes a fifth of a second for its 250: who dies meanwhile leaves an uncertain hand-over."""
_IDLE = """
SELECT $2 - (SELECT count(*) FROM notifier.notifications WHERE day >= current_date - 1 AND event_id LIKE $1 || '-%')
    + (SELECT count(*) FROM notifier.notifications WHERE due_at <= clock_timestamp())
"""


@dataclass(frozen=True, slots=True)
class Aftermath:
    books: Books
    outcomes: dict[tuple[str, str], Told]
    hits: Counter[str]
    random_kills: int
    lives: int

    def __str__(self) -> str:
        return f"{self.books}; hits {dict(self.hits)}, random kills {self.random_kills}, lives {self.lives}"


@dataclass
class Attack:
    """At least `count` events, each failpoint hit `times`, and at least `random_kills` besides.

    Events are published in waves only as fast as somebody takes them up, and beyond `count` until every kill is done:
    whoever lives finds work. `patient`: leases lapse in their own time; else, once all are dead, all at once.
    """

    kafka: str
    database: str
    catcher: Catcher
    folder: Path
    traffic: Traffic
    count: int
    times: int
    random_kills: int
    patient: bool
    within_seconds: float
    wave: int = 20
    random: Random = field(default_factory=Random)
    killed: int = 0
    """At random, so far."""

    async def run(self) -> Aftermath:
        environ = replicas.settings(
            self.kafka, self.database, self.catcher, await fresh_group(self.kafka), SMTP_CONNECTIONS="1"
        )
        both = [Replica(name, self.folder, environ) for name in ("left", "right")]
        supervisor = Supervisor(both, replicas.planned(NOTIFIER_POINTS, self.times))
        async with Tape(self.kafka, OUTCOMES.name) as tape:
            async with upstream(self.kafka) as up, supervisor.supervising():
                await self._kill(supervisor, up)
                await self._until(self._all_accepted, "acceptance of every event")
            if not self.patient:
                await self._end_leases()
            async with replicas.running(*both):
                await self._until(self._settled, "end of every notification")
            outcomes = told(await tape.rest(), self.traffic.run)
        books = await audit(self.database, self.traffic.run, self.traffic.owed, self.catcher)
        return Aftermath(books, outcomes, supervisor.hits, self.killed, supervisor.lives)

    async def _kill(self, supervisor: Supervisor, up: Upstream) -> None:
        self.catcher.misbehave(Fault(at="dot", action="drip", drip_seconds=DRIP_SECONDS, times=None))
        await up.publish(*self.traffic.contacts())
        end = time.monotonic() + self.within_seconds
        async with asyncio.TaskGroup() as group:
            killing = group.create_task(self._kill_at_random(supervisor))
            published = 0
            while published < self.count or not killing.done():
                assert time.monotonic() < end, f"not within {self.within_seconds:g} s: every kill; {supervisor.hits}"
                await self._until(self._somebody_is_free, f"room for more; hits {supervisor.hits}")
                await up.publish(*self.traffic.events(self.wave))
                published += self.wave
        self.catcher.behave()

    async def _kill_at_random(self, supervisor: Supervisor) -> None:
        """Whenever some more messages have come, one that is up and running.

        Beyond `random_kills` until every failpoint was hit: those of the outbox wait for their replica to lead, and it
        leads only when the other one dies.
        """
        while self.killed < self.random_kills or not self._all_hit(supervisor):
            await self._more_messages(self.random.randint(1, self.wave))
            victim = self.random.choice(supervisor.replicas)
            await self._up(victim)
            self.killed += await victim.kill()

    async def _more_messages(self, count: int) -> None:
        enough = self.catcher.inbox.count + count
        await wait_for(lambda: self.catcher.inbox.count >= enough, "more messages", within_seconds=self.within_seconds)

    async def _up(self, replica: Replica) -> None:
        await wait_for(
            lambda: replica.running and replica.lines("started"),
            f"{replica.name} up",
            within_seconds=self.within_seconds,
        )

    def _all_hit(self, supervisor: Supervisor) -> bool:
        return all(supervisor.hits[point] >= self.times for point in NOTIFIER_POINTS)

    async def _somebody_is_free(self) -> bool:
        """Less than a wave lies unread or waits for a lease."""
        return bool(await self._ask(_IDLE, self.traffic.run, len(self.traffic.owed)) < self.wave)

    async def _all_accepted(self) -> bool:
        query = "SELECT count(*) FROM notifier.notifications WHERE day >= current_date - 1 AND event_id LIKE $1 || '-%'"
        return bool(await self._ask(query, self.traffic.run) == len(self.traffic.owed))

    async def _settled(self) -> bool:
        return await unsettled(self.database, self.traffic.run, len(self.traffic.owed)) == 0

    async def _end_leases(self) -> None:
        await self._ask(
            "UPDATE notifier.notifications SET due_at = clock_timestamp()"
            " WHERE state IN ('claimed', 'handing-over') RETURNING 1"
        )

    async def _until(self, condition: Callable[[], Awaitable[bool]], description: str) -> None:
        await wait_for(condition, description, within_seconds=self.within_seconds)

    async def _ask(self, query: str, *arguments: object) -> int:
        connection = await asyncpg.connect(self.database)
        try:
            return int(await connection.fetchval(query, *arguments) or 0)
        finally:
            await connection.close()
