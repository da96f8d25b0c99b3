"""A process that stands still past its lease, and goes on when another has done its work."""

import os
import signal
from pathlib import Path

import pytest

from demo.catcher import Catcher
from schemas.topics import OUTCOMES
from services.notifier.main import SHAPE
from tests.support import replicas
from tests.support.audit import audit, out_of_order, told, unsettled
from tests.support.kafka import Tape
from tests.support.notifier import fresh_group, upstream
from tests.support.replicas import Replica
from tests.support.traffic import Traffic
from tests.support.waiting import wait_for

LEASE_SECONDS = 42
MEMBERS = 10
"""As many events: one of each kind."""
IN_FLIGHT = sum(workers for lane, (workers, _) in SHAPE.items() if lane in {"codes", "security"})
"""Messages in the hands of a process with one connection a lane: one a worker, in the lanes that have events here."""


@pytest.mark.parametrize(
    ("point", "own_copy"),
    [
        ("claimed", 0),
        ("handing-over-marked", 0),
        ("relay-accepted-before-record", 1),
        ("recorded-before-relay", 0),
    ],
)
async def test_who_wakes_up_late_sends_nothing_that_another_has_sent(
    kafka: str, database: str, tmp_path: Path, point: str, own_copy: int
) -> None:
    traffic = Traffic(MEMBERS)
    async with Catcher() as catcher, upstream(kafka) as up, Tape(kafka, OUTCOMES.name) as tape:
        environ = replicas.settings(kafka, database, catcher, await fresh_group(kafka), SMTP_CONNECTIONS="1")
        sleeper, other = (Replica(name, tmp_path, environ) for name in ("sleeper", "other"))

        async def settled() -> bool:
            return await unsettled(database, traffic.run, len(traffic.owed)) == 0

        try:
            await sleeper.start(f"{point}:hang")
            await up.publish(*traffic.contacts(), *traffic.events(MEMBERS))
            (hit,) = await wait_for(sleeper.struck, f"standstill at {point}")
            async with replicas.running(other):
                await wait_for(settled, "end of every message by the other", within_seconds=3 * LEASE_SECONDS)
                before = len(sleeper.lines("partitions_assigned"))
                os.kill(hit["pid"], signal.SIGCONT)
                # It was put out of its groups; to come back it must be awake, and past what it held in its hands.
                await wait_for(lambda: len(sleeper.lines("partitions_assigned")) > before, "sleeper back in a group")
                await sleeper.stop()
        finally:
            await sleeper.kill()
        books = await audit(database, traffic.run, traffic.owed, catcher)
        outcomes = told(await tape.rest(), traffic.run)
    print(f"\n{point}: {books}")
    assert books.states == {"sent": len(traffic.owed)}
    assert (books.missing, books.doubled) == ([], 0)
    # The other workers stand still too, and what the relay took from them just then has no record either.
    assert own_copy <= books.explained <= IN_FLIGHT
    assert out_of_order(outcomes, traffic.owed) == []
