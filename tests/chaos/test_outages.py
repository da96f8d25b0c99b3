"""What two notifiers depend on goes away, breaks off, dawdles, and comes back, while events go on coming in."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from demo.catcher import Catcher, Fault
from demo.embedded import EmbeddedKafka, EmbeddedPostgres
from services.runtime.kafka import MAX_POLL_INTERVAL_MS, MAX_WAIT_SECONDS
from tests.support import replicas
from tests.support.audit import Books, out_of_order
from tests.support.database import migrate, temporary_database
from tests.support.kafka import create_topics
from tests.support.notifier import fresh_group
from tests.support.replicas import Replica
from tests.support.stalling_proxy import StallingProxy
from tests.support.stream import Stream
from tests.support.traffic import Traffic
from tests.support.waiting import wait_for

DUPLICATES = 'notifier_events_total{decision="duplicate"}'
BATCHES = "notifier_batch_seconds_bucket"
SETTLE_SECONDS = 240.0
"""A lease, a back-off of a minute, and this machine's other work."""


@dataclass(frozen=True, slots=True)
class Servers:
    """A broker and a database of our own, to be taken away; and the way to the database, to be stalled."""

    kafka: EmbeddedKafka
    postgres: EmbeddedPostgres
    template: str
    to_postgres: StallingProxy


@dataclass
class House:
    servers: Servers
    catcher: Catcher
    stream: Stream
    both: tuple[Replica, Replica]
    guest: Replica


@pytest.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    folder = tmp_path_factory.mktemp("outages")
    with EmbeddedKafka(folder / "kafka") as kafka, EmbeddedPostgres(folder / "postgres") as postgres:
        await create_topics(kafka.bootstrap)
        async with (
            temporary_database(postgres.dsn) as template,
            StallingProxy(urlsplit(postgres.dsn).port or 0) as to_postgres,
        ):
            await migrate(template)
            yield Servers(kafka, postgres, template, to_postgres)


@pytest.fixture
async def house(servers: Servers, tmp_path: Path) -> AsyncIterator[House]:
    """Two replicas at work on a database of their own; both must live through the test."""
    kafka = servers.kafka.bootstrap
    async with (
        temporary_database(servers.postgres.dsn, template=servers.template) as database,
        Catcher() as catcher,
    ):
        group = await fresh_group(kafka)
        dsn = urlsplit(database)
        proxied = urlunsplit(dsn._replace(netloc=dsn.netloc.replace(f":{dsn.port}", f":{servers.to_postgres.port}")))
        environ = replicas.settings(kafka, proxied, catcher, group)
        both = (Replica("left", tmp_path, environ), Replica("right", tmp_path, environ))
        stream = Stream(kafka, database, catcher, Traffic(members=11))
        async with replicas.running(*both):
            yield House(servers, catcher, stream, both, Replica("guest", tmp_path, environ, guest=True))
            assert [replica.lives for replica in both if replica.running] == [1, 1]
            assert [line for replica in both for line in replica.lines("process_failed")] == []


async def over(seconds: float) -> None:
    """An outage lasts: the one thing here that is measured by the clock."""
    end = time.monotonic() + seconds
    await wait_for(lambda: time.monotonic() >= end, f"end of {seconds:g} s", within_seconds=seconds + 60)


async def all_arrived(house: House) -> Books:
    """Everything owed was sent, is in its mailbox and was told in order; nothing is doubled; nobody waited too long."""
    books = await house.stream.books(within_seconds=SETTLE_SECONDS)
    owed = house.stream.traffic.owed
    assert books.states == {"sent": len(owed)}
    assert (books.missing, books.not_owed, books.doubled) == ([], [], 0)
    assert out_of_order(house.stream.outcomes, owed) == []
    longest = max([await _no_batch_longer_than(replica) for replica in house.both])
    print(f"no batch took longer than {longest:g} s")
    assert longest < MAX_POLL_INTERVAL_MS / 1000
    return books


async def _no_batch_longer_than(replica: Replica) -> float:
    """Seconds: the lowest bound of the histogram that holds all of them."""
    metrics = await replica.metrics()
    bounds = {name.split('"')[1]: count for name, count in metrics.items() if name.startswith(BATCHES)}
    return min(float(bound) for bound, count in bounds.items() if count == bounds["+Inf"])


async def test_postgresql_is_killed_and_stays_away_for_20_seconds(house: House) -> None:
    async with house.stream.flowing():
        await house.catcher.wait_for(20, "mails before")
        await asyncio.to_thread(house.servers.postgres.kill)
        await over(20)
        assert "database" in await house.both[0].unready()
        await asyncio.to_thread(house.servers.postgres.start)
        await more_mails(house, 20)
    await all_arrived(house)


async def test_postgresql_does_not_answer_for_longer_than_a_batch_may_wait(house: House) -> None:
    async with house.stream.flowing():
        await house.catcher.wait_for(20, "mails before")
        house.servers.to_postgres.stall()
        await over(MAX_WAIT_SECONDS + 15)
        assert "accepting" in (await house.both[0].unready()) | (await house.both[1].unready())
        house.servers.to_postgres.flow()
        await more_mails(house, 20)
    await all_arrived(house)


@pytest.mark.parametrize("how", [EmbeddedKafka.stop, EmbeddedKafka.kill], ids=["stopped", "killed"])
async def test_the_broker_goes_and_comes_back(house: House, how: Callable[[EmbeddedKafka], None]) -> None:
    async with house.stream.flowing():
        await house.catcher.wait_for(20, "mails before")
        await asyncio.to_thread(how, house.servers.kafka)
        await asyncio.to_thread(house.servers.kafka.start)
        await more_mails(house, 20)
    await all_arrived(house)


async def test_the_relay_refuses_for_60_seconds_and_defers_for_30(house: House) -> None:
    async with house.stream.flowing():
        await house.catcher.wait_for(20, "mails before")
        cut = house.catcher.relay.open_connections
        house.catcher.relay_down(60)
        await over(60)
        house.catcher.misbehave(Fault(at="rcpt", reply="451 4.3.0 Try again later", times=None))
        await over(30)
        house.catcher.behave()
        await more_mails(house, 20)
    books = await all_arrived(house)
    # Uncertain is what a connection was cut under, between the message and its answer. A refusal never is.
    assert books.explained <= books.attempts["uncertain"] <= cut


BREAKS = (
    *(Fault(at=at, action="disconnect", times=5) for at in ("greeting", "mail", "rcpt", "data", "body", "dot")),
    *(Fault(at=at, action="silence", times=2) for at in ("greeting", "mail", "rcpt", "data", "body", "dot")),
    Fault(at="dot", action="disconnect", times=5, store=True),
    Fault(at="dot", action="silence", times=2, store=True),
    Fault(at="rcpt", action="drip", drip_seconds=0.02, times=10),
    Fault(at="dot", action="drip", drip_seconds=0.02, times=10),
    Fault(at="mail", action="drip", drip_seconds=0.3, times=2),
    Fault(at="dot", action="drip", drip_seconds=0.3, times=2),
)
KEPT_UNANSWERED = 5 + 2 + 2
"""Mails of BREAKS that the relay keeps and does not say so within the time for a hand-over."""


async def test_the_relay_breaks_off_and_dawdles_before_in_and_after_the_message(house: House) -> None:
    async with house.stream.flowing():
        await house.catcher.wait_for(20, "mails before")
        house.catcher.misbehave(*BREAKS)
        await wait_for(lambda: not house.catcher.faults.armed, "strike of every fault", within_seconds=120)
    books = await all_arrived(house)
    assert books.explained == KEPT_UNANSWERED


TWILIO = (
    Fault(at="sms", status=429, code=20429, times=4),
    Fault(at="sms", status=500, times=2),
    Fault(at="sms", status=503, times=2, store=True),
    Fault(at="sms", action="silence", times=2),
    Fault(at="sms", action="silence", times=2, store=True),
    Fault(at="sms", action="disconnect", times=2, store=True),
)
"""Each for the number of a member of its own: a text that may have been taken is tried three times and no more."""


async def test_twilio_refuses_fails_and_takes_without_an_answer(house: House) -> None:
    members = house.stream.traffic.members
    house.stream.next = house.stream.traffic.texts
    async with house.stream.flowing():
        await house.catcher.wait_for(10, "texts before")
        house.catcher.misbehave(
            *(fault.model_copy(update={"to": member.phone}) for fault, member in zip(TWILIO, members, strict=False))
        )
        await wait_for(lambda: not house.catcher.faults.armed, "strike of every fault", within_seconds=120)
    books = await all_arrived(house)
    assert books.explained == sum(fault.times or 0 for fault in TWILIO if fault.store)


async def test_a_third_joins_and_leaves_again_and_again(house: House) -> None:
    async with house.stream.flowing():
        for _ in range(5):
            async with replicas.running(house.guest):
                await more_mails(house, 10)
    books = await all_arrived(house)
    assert books.explained == 0
    assert house.guest.lives == 5
    again = [(await replica.metrics()).get(DUPLICATES, 0) for replica in house.both]
    print(f"events read again: {again}")


async def more_mails(house: House, count: int) -> None:
    enough = house.catcher.inbox.count + count
    await wait_for(lambda: house.catcher.inbox.count >= enough, f"{count} more messages", within_seconds=SETTLE_SECONDS)
