"""The outbox on the real database and the real broker: all that was committed, in order, by one relay at a time."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from schemas.topics import OUTCOMES
from services.runtime import outbox as module
from services.runtime.database import Database, close, connect
from services.runtime.kafka import producer_of
from services.runtime.outbox import BATCH, Outbox
from services.runtime.publisher import Message, Publisher
from services.runtime.settings import KafkaSettings
from services.runtime.vault import Vault
from tests.support.database import temporary_database
from tests.support.kafka import Record, Tape
from tests.support.waiting import wait_for

TOPIC = OUTCOMES.name
VAULT = Vault({"first": b"k" * 32})
LOCK = "SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory' AND granted"


@dataclass
class Place:
    """A database of this module and a broker that can be away."""

    dsn: str
    kafka: str
    database: Database
    reachable: bool = True
    relayed: list[int] = field(default_factory=list)

    def publisher(self) -> Publisher:
        return Publisher(
            lambda: producer_of(
                KafkaSettings(kafka_bootstrap_servers=self.kafka if self.reachable else "127.0.0.1:1"), "test-outbox"
            )
        )

    async def add(self, *messages: Message, vault: Vault = VAULT) -> None:
        async with self.database.acquire() as session, session.transaction():
            await Outbox("notifier", vault).add(session, messages)

    async def left(self) -> int:
        return int(await self.database.fetchval("SELECT count(*) FROM notifier.outbox"))

    async def empty(self) -> bool:
        return await self.left() == 0

    async def leaders(self) -> list[int]:
        return [row["pid"] for row in await self.database.fetch(f"{LOCK} AND d.datname = current_database()")]

    @asynccontextmanager
    async def relay(self, vault: Vault = VAULT) -> AsyncIterator[None]:
        """One process's relay, on a pool of its own; must survive until it is told to stop."""
        pool, publisher, stopping = await connect(self.dsn, size=2), self.publisher(), asyncio.Event()
        task = asyncio.create_task(
            Outbox("notifier", vault).relay(pool, publisher, stopping=stopping, relayed=self.relayed.append)
        )
        try:
            yield
        finally:
            stopping.set()
            await task
            await publisher.stop()
            await close(pool)


@pytest.fixture(scope="module")
async def module_dsn(database_server: str, migrated_template: str) -> AsyncIterator[str]:
    async with temporary_database(database_server, template=migrated_template) as dsn:
        yield dsn


@pytest.fixture
async def place(module_dsn: str, kafka: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setattr(module, "AWAY_SECONDS", 0.05)
    database = await connect(module_dsn, size=4)
    await database.execute("DELETE FROM notifier.outbox")
    yield Place(module_dsn, kafka, database)
    await close(database)


@pytest.fixture
def member() -> str:
    return f"m-{uuid.uuid4().hex}"


def message(member: str, text: str) -> Message:
    return Message(topic=TOPIC, key=member.encode(), value=text.encode(), headers=[("n", b"1")])


def of(member: str, records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.key == member.encode()]


async def test_what_was_committed_leaves_once_in_the_order_of_its_key_and_is_gone(place: Place, member: str) -> None:
    members, texts = [f"{member}-{number}" for number in range(3)], [str(number) for number in range(BATCH)]
    async with Tape(place.kafka, TOPIC) as tape, place.relay():
        for start in range(0, BATCH, 100):
            await place.add(*(message(each, text) for text in texts[start : start + 100] for each in members))
        await wait_for(place.empty, "empty outbox")
        records = await tape.rest()
    for each in members:
        assert [record.value.decode() for record in of(each, records)] == texts
    assert sum(place.relayed) == 3 * BATCH


async def test_every_part_of_a_message_arrives_as_it_was(place: Place, member: str) -> None:
    sent = [
        Message(topic=TOPIC, key=member.encode(), value=None),
        Message(topic=TOPIC, key=member.encode(), value=b""),
        Message(topic=TOPIC, key=member.encode(), value=b"\x00\xff", headers=[("a", b"1"), ("a", "é".encode())]),
    ]
    async with Tape(place.kafka, TOPIC) as tape, place.relay():
        await place.add(*sent)
        await wait_for(place.empty, "empty outbox")
        records = of(member, await tape.rest())
    assert [(record.value, list(record.headers)) for record in records] == [
        (each.value, list(each.headers)) for each in sent
    ]


async def test_what_was_rolled_back_never_leaves(place: Place, member: str) -> None:
    async with Tape(place.kafka, TOPIC) as tape, place.relay():
        async with place.database.acquire() as session:
            transaction = session.transaction()
            await transaction.start()
            await Outbox("notifier", VAULT).add(session, [message(member, "never")])
            await transaction.rollback()
        await place.add(message(member, "committed"))
        await wait_for(place.empty, "empty outbox")
        assert [record.value for record in of(member, await tape.rest())] == [b"committed"]


async def test_values_lie_encrypted(place: Place, member: str) -> None:
    await place.add(message(member, "Zq7-secret"))
    (row,) = await place.database.fetch("SELECT encrypted, value, o::text AS line FROM notifier.outbox o")
    assert row["encrypted"]
    assert b"Zq7-secret" not in row["value"]
    assert "Zq7-secret" not in row["line"]


async def test_of_many_relays_one_leads_and_nothing_leaves_twice(place: Place, member: str) -> None:
    async with Tape(place.kafka, TOPIC) as tape, place.relay(), place.relay(), place.relay():
        await wait_for(place.leaders, "a leader")
        for number in range(50):
            await place.add(message(member, str(number)))
        await wait_for(place.empty, "empty outbox")
        assert len(await place.leaders()) == 1
        assert [record.value for record in of(member, await tape.rest())] == [b"%d" % number for number in range(50)]


async def test_a_leader_that_is_killed_is_replaced(place: Place, member: str) -> None:
    async with Tape(place.kafka, TOPIC) as tape, place.relay(), place.relay():
        for round_ in range(3):
            (leader,) = await wait_for(place.leaders, "a leader")
            await place.database.execute("SELECT pg_terminate_backend($1)", leader)

            async def another(leader: int = leader) -> bool:
                leaders = await place.leaders()
                return bool(leaders) and leaders != [leader]

            await wait_for(another, "another leader")
            await place.add(message(member, str(round_)))
        await wait_for(place.empty, "empty outbox")
        # At least once: one killed between the broker's answer and the deletion leaves a copy to its successor.
        assert list(dict.fromkeys(record.value for record in of(member, await tape.rest()))) == [b"0", b"1", b"2"]


async def test_a_leader_that_stops_makes_room(place: Place, member: str) -> None:
    async with place.relay():
        await wait_for(place.leaders, "a leader")
    assert await place.leaders() == []
    async with Tape(place.kafka, TOPIC) as tape, place.relay():
        await place.add(message(member, "after"))
        await wait_for(place.empty, "empty outbox")
        assert len(of(member, await tape.rest())) == 1


async def test_nothing_is_deleted_while_the_broker_is_away_and_all_of_it_leaves_when_it_is_back(
    place: Place, member: str
) -> None:
    place.reachable = False
    with capture_logs() as logs:
        async with Tape(place.kafka, TOPIC) as tape, place.relay():
            await place.add(*(message(member, str(number)) for number in range(10)))
            await wait_for(
                lambda: len([line for line in logs if line["event"] == "publish_failed"]) >= 2, "two failed attempts"
            )
            assert await place.left() == 10
            place.reachable = True
            await wait_for(place.empty, "empty outbox")
            assert [record.value for record in of(member, await tape.rest())] == [b"%d" % each for each in range(10)]


async def test_a_row_under_an_unknown_key_stays_for_who_has_it_and_keeps_nobody_else_from_leaving(
    place: Place, member: str
) -> None:
    other = Vault({"gone": b"o" * 32})
    await place.add(message(member, "before"))
    for _ in range(3):
        await place.add(message(member, "unreadable"), vault=other)
    await place.add(message(member, "after"))
    async with Tape(place.kafka, TOPIC) as tape:
        with capture_logs() as logs:
            async with place.relay():
                await tape.until(lambda records: len(of(member, records)) == 2, "the readable ones")
                await place.add(message(member, "later"))
                await tape.until(lambda records: len(of(member, records)) == 3, "a later one")
            assert await place.left() == 3
        told = [line for line in logs if line["event"] == "outbox_row_unreadable"]
        assert len(told) == 3
        assert all("'gone'" in line["why"] for line in told)
        async with place.relay(Vault({"first": b"k" * 32, "gone": b"o" * 32})):
            await wait_for(place.empty, "empty outbox")
        values = [record.value for record in of(member, await tape.rest())]
    assert values == [b"before", b"after", b"later"] + [b"unreadable"] * 3


async def test_a_full_batch_of_unreadable_rows_does_not_stand_before_the_others(place: Place, member: str) -> None:
    other = Vault({"gone": b"o" * 32})
    await place.add(*(message(member, "unreadable") for _ in range(BATCH)), vault=other)
    await place.add(message(member, "after"))
    async with Tape(place.kafka, TOPIC) as tape, place.relay():
        await tape.until(lambda records: len(of(member, records)) == 1, "the readable one")
    assert await place.left() == BATCH
