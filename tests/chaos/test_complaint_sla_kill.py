"""Three replicas, killed with -9 wherever it hurts, and 10,000 letters due at one instant: one of each."""

import asyncio
from collections import Counter, deque
from datetime import timedelta
from pathlib import Path

import asyncpg

from demo.embedded import EmbeddedKafka
from schemas.envelope import read_record
from schemas.topics import DEADLINES
from services.runtime.clock import DemoClock
from services.runtime.outbox import BATCH
from tests.support.complaint_sla import Desk
from tests.support.complaint_story import at, received
from tests.support.kafka import Tape, create_topics
from tests.support.notifier import VAULT_KEYS, upstream
from tests.support.replicas import Replica, Supervisor
from tests.support.waiting import wait_for

COMPLAINTS = 10_000
KILLS = 3
POINTS = ("decided-before-commit", "recorded-before-relay", "relayed-before-delete")
RECEIVED = at("2027-03-01 10:00")
DUE = RECEIVED + timedelta(minutes=15)
MISSED = at("2027-03-09 00:00")
WITHIN_SECONDS = 240.0


async def test_every_letter_and_every_miss_is_told_once(database: str, tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path / "kafka") as kafka:
        await create_topics(kafka.bootstrap)
        clock = DemoClock(tmp_path / "clock")
        clock.jump_to(RECEIVED + timedelta(minutes=1))
        environ = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "DATABASE_URL": database,
            "VAULT_KEYS": VAULT_KEYS,
            "DELIVERY_MODE": "capture",  # what failpoints ask for
            "DEMO_CLOCK_FILE": str(tmp_path / "clock"),
        }
        names = ("sla-1", "sla-2", "sla-3")
        replicas = [Replica(name, tmp_path, environ, service="complaint-sla") for name in names]
        supervisor = Supervisor(replicas)
        async with (
            upstream(kafka.bootstrap) as publisher,
            Tape(kafka.bootstrap, DEADLINES.name, from_start=True) as tape,
            supervisor.supervising(),
        ):
            desk = Desk(kafka.bootstrap, database, publisher, "complaint-sla", tape, clock)
            complaints = [f"c-kill-{number}" for number in range(COMPLAINTS)]
            for first in range(0, COMPLAINTS, 1000):
                await desk.say_all(received(each, RECEIVED) for each in complaints[first : first + 1000])
            await desk.heard_of(COMPLAINTS)
            for instant, kind in ((DUE, "letter"), (MISSED + timedelta(seconds=10), "missed")):
                # A life of each replica ends at each point while this wave is decided and told.
                supervisor.plan = deque(f"{point}:kill:{1 + turn}" for turn in range(KILLS) for point in POINTS)
                await asyncio.gather(*(replica.kill() for replica in replicas))
                clock.jump_to(instant)
                await _told(database, kind)
            hits = supervisor.hits
            records = await tape.rest()
    ids = Counter(read_record(record.headers, record.value).id for record in records)
    expected = {f"{each}/acknowledgement/{kind}/1" for each in complaints for kind in ("letter", "missed")}
    copies = sum(ids.values()) - len(ids)
    print(
        f"\nkilled at {dict(hits)}, {supervisor.lives} lives; {len(ids)} ids, {copies} copies after a relay was killed"
    )
    assert {id_ for id_ in ids if "/acknowledgement/" in id_ and "/approaching/" not in id_} == expected
    assert all(hits[point] >= KILLS for point in POINTS), hits
    # A copy is the same to the byte, and one of the deaths explains it: a batch that was published and not yet deleted.
    assert len({record.value for record in records}) == len(ids)
    assert copies <= BATCH * supervisor.lives


async def _told(database: str, kind: str) -> None:
    """All of this kind are decided, and nothing waits in the outbox."""

    async def all_of_them() -> bool:
        connection = await asyncpg.connect(database)
        try:
            said = await connection.fetchval(
                "SELECT count(*) FROM complaint_sla.said WHERE id LIKE $1", f"%/acknowledgement/{kind}/1"
            )
            waiting = await connection.fetchval("SELECT count(*) FROM complaint_sla.outbox")
        finally:
            await connection.close()
        return bool(said == COMPLAINTS and waiting == 0)

    await wait_for(all_of_them, f"{COMPLAINTS} of {kind} told", within_seconds=WITHIN_SECONDS)
