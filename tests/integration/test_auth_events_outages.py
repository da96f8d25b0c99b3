"""One auth_events process lives through every outage of its broker and its database, and keeps what it answered."""

import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from demo.embedded import EmbeddedKafka, EmbeddedPostgres
from schemas.envelope import read_record
from schemas.topics import CODES, CONTACTS, SECURITY
from services.auth_events.hand_over import BROKER_REST_SECONDS
from tests.support.auth_events import BATCH, AuthEvents, Document, code, contact
from tests.support.database import migrate
from tests.support.kafka import Record, Tape, create_topics
from tests.support.stalling_proxy import StallingProxy
from tests.support.upstreams import OKTA, OKTA_TOKEN, contact_of, providers_file, rows, sample
from tests.support.waiting import wait_for


class House:
    """The process, its broker and its database, each of which can be taken away."""

    def __init__(
        self, service: AuthEvents, kafka: EmbeddedKafka, postgres: EmbeddedPostgres, to_postgres: StallingProxy
    ) -> None:
        self.service = service
        self.kafka = kafka
        self.postgres = postgres
        self.to_postgres = to_postgres

    async def post(self, *documents: Document) -> Any:
        contacts = documents[0]["type"] in CONTACTS.types
        token = self.service.file.administration if contacts else self.service.file.login
        return await self.service.post(list(documents), BATCH, token=token)

    async def whole(self) -> None:
        """Everything is up, and events go by way of the broker again."""
        for server in (self.kafka, self.postgres):
            if not server.running:
                server.start()
        self.to_postgres.flow()
        await wait_for(self._queue_is_empty, "empty outbox")
        await wait_for(self._goes_by_the_broker, "event by way of the broker", within_seconds=BROKER_REST_SECONDS + 60)

    async def queued(self) -> int:
        connection = await asyncpg.connect(self.postgres.dsn)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM auth_events.outbox"))
        finally:
            await connection.close()

    async def _queue_is_empty(self) -> bool:
        return await self.queued() == 0

    async def _goes_by_the_broker(self) -> bool:
        # A contact: it also needs the database to answer.
        response = await self.post(contact())
        return response.status_code == 202 and self.place() == "broker"

    def place(self) -> str:
        """Where the last accepted request went."""
        return str(self.service.lines("events_accepted")[-1]["place"])


@pytest.fixture(scope="module")
async def built(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("outages")
    with EmbeddedKafka(folder / "kafka") as kafka, EmbeddedPostgres(folder / "postgres") as postgres:
        await create_topics(kafka.bootstrap)
        await migrate(postgres.dsn)
        dsn = urlsplit(postgres.dsn)
        async with StallingProxy(dsn.port or 0) as to_postgres:
            through_proxy = urlunsplit(dsn._replace(netloc=dsn.netloc.replace(f":{dsn.port}", f":{to_postgres.port}")))
            providers = providers_file(folder / "providers.toml")
            async with AuthEvents(
                folder, kafka=kafka.bootstrap, database=through_proxy, providers=providers
            ) as service:
                yield House(service, kafka, postgres, to_postgres)


@pytest.fixture
async def house(built: House) -> AsyncIterator[House]:
    await built.whole()
    yield built
    await built.whole()


@contextmanager
def frozen(kafka: EmbeddedKafka) -> Iterator[None]:
    """The broker's machine hangs: connections stand, nothing is answered."""
    guard = kafka._server._guard
    assert guard is not None
    group = os.getpgid(guard.pid)
    os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(group, signal.SIGCONT)


def ids(records: list[Record]) -> list[str]:
    return [read_record(record.headers, record.value).id for record in records]


def of(documents: list[Document]) -> list[str]:
    return [document["id"] for document in documents]


async def test_broker_gone_events_wait_in_the_outbox_and_arrive_once_in_order(house: House) -> None:
    documents = [code() for _ in range(6)]
    house.kafka.kill()
    for document in documents:
        assert (await house.post(document)).status_code == 202
    assert house.place() == "outbox"
    assert await house.queued() == len(documents)
    house.kafka.start()
    async with Tape(house.kafka.bootstrap, CODES.name, from_start=True) as tape:
        await tape.until(lambda records: set(of(documents)) <= set(ids(records)), "what was queued")
        await wait_for(house._queue_is_empty, "empty outbox")
        arrived = [id_ for id_ in ids(await tape.rest()) if id_ in of(documents)]
    assert arrived == of(documents)


async def test_broker_frozen_nothing_is_lost_and_a_contact_ends_as_its_newest_version(house: House) -> None:
    versions = [contact(version, subject="m-frozen") for version in range(1, 6)]
    async with Tape(house.kafka.bootstrap, CONTACTS.name) as tape:
        with frozen(house.kafka):
            for document in versions[:3]:
                assert (await house.post(document)).status_code == 202
            assert house.place() == "outbox"
        for document in versions[3:]:
            assert (await house.post(document)).status_code == 202
        await tape.until(lambda records: set(of(versions)) <= set(ids(records)), "every version")
        await wait_for(house._queue_is_empty, "empty outbox")
        arrived = [id_ for id_ in ids(await tape.rest()) if id_ in of(versions)]
    assert arrived[-1] == versions[-1]["id"]
    assert list(dict.fromkeys(arrived)) == of(versions)


async def test_while_the_broker_is_away_only_the_first_request_waits_for_it(house: House) -> None:
    with frozen(house.kafka):
        await house.post(code())
        failures = len(house.service.lines("publish_failed"))
        for _ in range(10):
            assert (await house.post(code())).status_code == 202
        # The relay has its own patience, 10 s, and fails beside us.
        assert len(house.service.lines("publish_failed")) <= failures + 2


async def test_database_gone_events_go_by_the_broker_but_contacts_are_not_accepted(house: House) -> None:
    document = code()
    house.postgres.kill()
    async with Tape(house.kafka.bootstrap, CODES.name) as tape:
        assert (await house.post(document)).status_code == 202
        assert ids(await tape.rest()) == [document["id"]]
    assert (await house.post(contact())).status_code == 503
    assert (await house.service.http.get("/readyz")).status_code == 200


async def test_database_that_does_not_answer_delays_events_but_does_not_stop_them(house: House) -> None:
    house.to_postgres.stall()
    for _ in range(12):  # more than the pool has connections
        assert (await house.post(code())).status_code == 202
        assert house.place() == "broker"
    assert (await house.post(contact())).status_code == 503


async def test_both_gone_is_503_and_the_same_event_is_taken_later(house: House) -> None:
    document = code()
    house.kafka.kill()
    house.postgres.kill()
    response = await house.post(document)
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert response.headers["content-type"] == "application/problem+json"
    ready = await house.service.http.get("/readyz")
    assert ready.status_code == 503
    await house.whole()
    assert (await house.post(document)).status_code == 202


async def test_both_silent_is_503_too(house: House) -> None:
    house.to_postgres.stall()
    with frozen(house.kafka):
        assert (await house.post(code())).status_code == 503


@pytest.mark.parametrize("outage", ["killed", "frozen"])
async def test_broker_away_a_providers_hook_is_answered_in_time_and_told_once(house: House, outage: str) -> None:
    member, user = f"m-{uuid.uuid4().hex[:12]}", uuid.uuid4().hex
    await house.post(contact_of(member, [(OKTA, user)]))

    async def known() -> list[Any]:
        return await rows(house.postgres.dsn, f"SELECT FROM auth_events.identities WHERE member_id = '{member}'")

    await wait_for(known, "identity of the member")
    document = sample("okta/locked.json")
    (event,) = document["data"]["events"]
    event |= {"uuid": user, "published": datetime.now(UTC).isoformat(), "target": [{"type": "User", "id": user}]}

    async def hook() -> None:
        started = time.monotonic()
        response = await house.service.http.post(
            "/v1/okta/event-hook", json=document, headers={"Authorization": OKTA_TOKEN}
        )
        assert response.status_code == 204
        assert time.monotonic() - started < 3

    def mine(records: list[Record]) -> list[Record]:
        return [record for record in records if record.key == member.encode()]

    if outage == "killed":
        house.kafka.kill()
        await hook()
        await hook()
        house.kafka.start()
    else:
        with frozen(house.kafka):
            await hook()
            await hook()
    async with Tape(house.kafka.bootstrap, SECURITY.name, from_start=True) as tape:
        await tape.until(lambda records: bool(mine(records)), "the lock")
        await wait_for(house._queue_is_empty, "empty outbox")
        assert set(ids(mine(await tape.rest()))) == {user}


async def test_no_outage_puts_a_value_into_the_log(house: House) -> None:
    data = code()["data"]
    for value in (data["phone"], data["code"], "ana@mail.example.test"):
        assert value not in house.service.log
    assert not house.service.lines("request_failed")


async def test_the_process_is_still_the_one_that_was_started(built: House) -> None:
    assert len(built.service.lines("listening")) == 1
    assert await built.service.stop() == 0
