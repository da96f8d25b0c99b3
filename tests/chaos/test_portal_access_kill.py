"""auth_events is killed wherever a notice of portal access could be lost or made twice: each is made once."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from schemas.topics import ACTIVITY
from services.auth_events.access import NOTICE, access_end, reminder_at
from services.runtime.clock import DemoClock
from tests.support.auth_events import AuthEvents
from tests.support.coverage import ended, fresh_group
from tests.support.kafka import Tape
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

    def one(self, failpoint: str = "") -> AuthEvents:
        life = AuthEvents(self._fresh(), kafka=self._kafka, database=self._database)
        armed = {
            "DELIVERY_MODE": "capture",
            "FAILPOINTS": f"{failpoint}:kill",
            "FAILPOINTS_LOG": str(self.hits),
        }
        life._environment |= self._settings | (armed if failpoint else {})
        return life

    async def killed_at(self, points: Sequence[str]) -> None:
        for point in points:
            async with self.one(point) as life:
                await wait_for(life._ended, f"end at {point}", within_seconds=60)

    async def said_all(self) -> None:
        """A life in which nothing goes wrong, until nothing is due and nothing waits."""
        async with self.one():
            await wait_for(self._nothing_left, "everything said", within_seconds=60)

    async def _nothing_left(self) -> bool:
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
