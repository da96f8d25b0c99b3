"""auth_events dies, errs or has no broker wherever a notice could be lost or doubled: each is made once."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from demo.embedded import EmbeddedKafka
from schemas.topics import ACTIVITY
from services.auth_events.access import NOTICE, access_end, reminder_at
from services.runtime.clock import DemoClock
from tests.support.auth_events import AuthEvents, code
from tests.support.coverage import ended, fresh_group
from tests.support.kafka import Record, Tape, create_topics
from tests.support.notifier import VAULT_KEYS, upstream
from tests.support.waiting import wait_for

MEMBERS = 50
FIRST = ("accepted-before-commit", "timers-fired-before-commit", "recorded-before-relay", "relayed-before-delete")
REMINDER = FIRST[1:]
"""Nothing is heard by then."""


class Lives:
    """One service, life after life: the same settings and the same clock."""

    def __init__(self, kafka: str, database: str, group: str, folder: Path) -> None:
        self._kafka = kafka
        self._database = database
        self._folder = folder
        self.clock = DemoClock(folder / "clock")
        self.hits = folder / "hits"
        self._settings = {
            "VAULT_KEYS": VAULT_KEYS,
            "AUTH_EVENTS_KAFKA_GROUP": group,
            # Whoever is killed says no goodbye: under its name the next life gets its partitions back at once.
            "KAFKA_INSTANCE_ID": "auth-events-0",
            "DEMO_CLOCK_FILE": str(folder / "clock"),
        }

    def one(self, failpoints: str = "") -> AuthEvents:
        life = AuthEvents(self._fresh(), kafka=self._kafka, database=self._database)
        armed = {"DELIVERY_MODE": "capture", "FAILPOINTS": failpoints, "FAILPOINTS_LOG": str(self.hits)}
        life._environment |= self._settings | (armed if failpoints else {})
        return life

    async def killed_at(self, points: Sequence[str]) -> None:
        for point in points:
            async with self.one(f"{point}:kill") as life:
                await wait_for(life._ended, f"end at {point}", within_seconds=60)

    async def said_all(self) -> None:
        """A life in which nothing goes wrong, until nothing is due and nothing waits."""
        async with self.one():
            await wait_for(self.nothing_left, "everything said", within_seconds=60)

    async def nothing_left(self) -> bool:
        connection = await asyncpg.connect(self._database)
        try:
            due = "SELECT count(*) FROM auth_events.portal_access WHERE due_at <= $1"
            left = int(await connection.fetchval(due, self.clock.now()))
            return left + int(await connection.fetchval("SELECT count(*) FROM auth_events.outbox")) == 0
        finally:
            await connection.close()

    def _fresh(self) -> Path:
        folder = self._folder / uuid.uuid4().hex
        folder.mkdir()
        return folder


async def test_each_notice_is_made_once_wherever_the_process_dies(kafka: str, database: str, tmp_path: Path) -> None:
    lives = Lives(kafka, database, await fresh_group(kafka), tmp_path)
    today = datetime.now(UTC)
    members = [f"m-{uuid.uuid4().hex[:12]}" for _ in range(MEMBERS)]
    async with AsyncExitStack() as stack:
        tape = await stack.enter_async_context(Tape(kafka, ACTIVITY.name))
        up = await stack.enter_async_context(upstream(kafka))
        await up.publish(*(ended(member, today, today.date()) for member in members))
        await lives.killed_at(FIRST)
        await lives.said_all()
        lives.clock.jump_to(reminder_at(access_end(today.date())))
        await lives.killed_at(REMINDER)
        await lives.said_all()
        copies: dict[str, dict[str, set[bytes]]] = defaultdict(lambda: defaultdict(set))
        for record in await tape.rest():
            headers = dict(record.headers)
            if headers["ce_type"] == NOTICE.encode():
                copies[record.key.decode()][headers["ce_id"].decode()].add(record.value)
    assert len(lives.hits.read_text().splitlines()) == len(FIRST) + len(REMINDER)
    assert copies.keys() == set(members)
    for said in copies.values():
        assert sorted(id_.rpartition("/")[2] for id_ in said) == ["first", "reminder"]
        # A copy, where the relay was killed, is the same to the byte: the notifier plans an id once.
        assert all(len(values) == 1 for values in said.values())


async def test_what_fails_in_there_is_begun_again_and_the_intake_never_notices(
    kafka: str, database: str, tmp_path: Path
) -> None:
    lives = Lives(kafka, database, await fresh_group(kafka), tmp_path)
    member, now = f"m-{uuid.uuid4().hex[:12]}", datetime.now(UTC)
    faults = "accepted-before-commit:error,timers-fired-before-commit:error"
    async with Tape(kafka, ACTIVITY.name) as tape, upstream(kafka) as up, lives.one(faults) as life:
        await up.publish(ended(member, now, now.date()))
        records = await tape.until(lambda records: len(_notices(records, member)) == 1, "the notice", within_seconds=60)
        assert (await life.post(code())).status_code == 202
        assert (await life.http.get("/readyz")).json() == {"acceptance": "ready"}
        assert life.lines("coverage_failed")
        assert life.lines("timers_not_fired")
        await wait_for(lives.nothing_left, "everything said")
        assert len(_notices(await tape.rest(), member)) == 1
        assert await life.stop() == 0
    assert len(lives.hits.read_text().splitlines()) == 2, records


async def test_a_broker_that_is_away_at_the_start_or_later_is_read_when_it_comes(database: str, tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    now = datetime.now(UTC)
    with EmbeddedKafka(tmp_path / "kafka") as broker:
        await create_topics(broker.bootstrap)
        broker.kill()
        async with AuthEvents(tmp_path / "service", kafka=broker.bootstrap, database=database) as service:
            await wait_for(lambda: service.lines("coverage_not_read"), "a broker that is missed")
            for member in ("m-start", "m-later"):
                broker.start()
                async with upstream(broker.bootstrap) as up, Tape(broker.bootstrap, ACTIVITY.name) as tape:
                    await up.publish(ended(member, now, now.date()))

                    def told(records: list[Record], member: str = member) -> bool:
                        return len(_notices(records, member)) == 1

                    await tape.until(told, f"the notice to {member}", within_seconds=120)
                broker.kill()
            broker.start()


def _notices(records: list[Record], member: str) -> list[Record]:
    ours = (record for record in records if record.key == member.encode())
    return [record for record in ours if dict(record.headers).get("ce_type") == NOTICE.encode()]
