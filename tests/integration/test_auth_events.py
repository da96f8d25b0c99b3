"""auth_events as a process, on the real broker and the real database."""

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from schemas.envelope import read_record
from schemas.topics import CODES, CONTACTS
from tests.support.auth_events import BATCH, CODE, AuthEvents, binary, code, contact
from tests.support.kafka import Record, Tape


@pytest.fixture
async def service(kafka: str, database: str, tmp_path: Path) -> AsyncIterator[AuthEvents]:
    async with AuthEvents(tmp_path, kafka=kafka, database=database) as running:
        yield running


def ids(records: list[Record]) -> list[str]:
    return [read_record(record.headers, record.value).id for record in records]


async def test_each_mode_reaches_its_topic_under_the_members_key(service: AuthEvents, kafka: str) -> None:
    member = f"m-{uuid.uuid4().hex}"
    in_structured, in_binary = code(subject=member), code(subject=member)
    in_batch = [code(subject=member), code(subject=member)]
    async with Tape(kafka, CODES.name) as tape:
        assert (await service.post(in_structured)).status_code == 202
        headers, body = binary(in_binary)
        headers["authorization"] = f"Bearer {service.file.login}"
        assert (await service.http.post("/v1/events", content=body, headers=headers)).status_code == 202
        assert (await service.post(in_batch, BATCH)).status_code == 202
        records = await tape.rest()
    assert ids(records) == [document["id"] for document in (in_structured, in_binary, *in_batch)]
    assert {record.key for record in records} == {member.encode()}
    assert len({record.partition for record in records}) == 1
    assert all(dict(record.headers)["content-type"].startswith(b"application/cloudevents+json") for record in records)
    assert json.loads(records[0].value or b"")["data"] == CODE["data"]


async def test_a_thousand_events_in_one_batch_keep_their_order_per_member(service: AuthEvents, kafka: str) -> None:
    members = [f"m-{uuid.uuid4().hex}" for _ in range(7)]
    documents = [code(subject=members[number % 7]) for number in range(1000)]
    every = {document["id"] for document in documents}
    async with Tape(kafka, CODES.name) as tape:
        assert (await service.post(documents, BATCH)).json() == {"accepted": 1000}
        # A broker that is slow to acknowledge so many leaves them to the outbox: told later, some of them again.
        records = await tape.until(lambda read: every <= set(ids(read)), "a thousand events")
    for member in members:
        sent = [document["id"] for document in documents if document["subject"] == member]
        assert list(dict.fromkeys(ids([record for record in records if record.key == member.encode()]))) == sent


async def test_nothing_of_a_refused_batch_reaches_the_broker(service: AuthEvents, kafka: str) -> None:
    good = [code() for _ in range(5)]
    broken = code(data={**CODE["data"], "phone": "none"})
    foreign = code(source="urn:administration")
    async with Tape(kafka, CODES.name) as tape:
        for bad in (broken, foreign):
            assert (await service.post([*good, bad], BATCH)).status_code in (403, 422)
        assert await tape.rest() == []


async def test_contacts_go_to_the_compacted_topic(service: AuthEvents, kafka: str) -> None:
    member = f"m-{uuid.uuid4().hex}"
    async with Tape(kafka, CONTACTS.name) as tape:
        assert (await service.post(contact(subject=member), token=service.file.administration)).status_code == 202
        (record,) = await tape.rest()
    assert record.key == member.encode()


async def test_while_a_key_waits_in_the_outbox_its_later_events_join_it(
    kafka: str, database: str, tmp_path: Path
) -> None:
    member, other = f"m-{uuid.uuid4().hex}", f"m-{uuid.uuid4().hex}"
    # Another replica that leads the relay, and hangs.
    leader = await asyncpg.connect(database)
    await leader.execute("SELECT pg_advisory_lock(hashtextextended('auth_events.outbox', 0))")
    await leader.execute(
        "INSERT INTO auth_events.outbox (topic, key, headers, value, encrypted) VALUES ($1, $2, '[]', 'first', false)",
        CODES.name,
        member,
    )
    async with AuthEvents(tmp_path, kafka=kafka, database=database) as service, Tape(kafka, CODES.name) as tape:
        for subject in (member, other):
            assert (await service.post(code(subject=subject))).status_code == 202
        assert [record.key for record in await tape.rest()] == [other.encode()]
        await leader.close()
        records = await tape.until(lambda records: len(records) == 3, "what waited")
    waited = [record for record in records if record.key == member.encode()]
    assert waited[0].value == b"first"


async def test_it_is_ready_alive_and_counts(service: AuthEvents) -> None:
    await service.post(code())
    assert (await service.http.get("/healthz")).status_code == 200
    ready = await service.http.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"acceptance": "ready"})
    metrics = (await service.http.get("/metrics")).text
    assert 'auth_events_accepted_total{place="broker",publisher="login"' in metrics


async def test_no_value_of_an_event_is_in_the_log_of_the_process(service: AuthEvents) -> None:
    planted = f"planted{uuid.uuid4().hex}"
    data = {**CODE["data"], "purpose": planted, "phone": "+32479998877", "code": "PLANT-4711"}
    await service.post(code(data=data, id=planted, subject=planted))
    await service.post(code(data={**data, "phone": planted}, id=planted))
    await service.post([code(data=data, id=planted)] * 2 + [code(id=planted)], BATCH)
    assert len(service.lines("events_accepted")) == 1
    assert len(service.lines("events_refused")) == 2
    for value in (planted, "+32479998877", "PLANT-4711", service.file.login):
        assert value not in service.log


async def test_sigterm_ends_it_in_order(service: AuthEvents) -> None:
    await service.post(code())
    assert await service.stop() == 0
    assert service.lines("process_stopped")


async def test_without_the_publishers_file_it_refuses_to_start(kafka: str, database: str, tmp_path: Path) -> None:
    service = AuthEvents(tmp_path, kafka=kafka, database=database)
    service.file.path.unlink()
    with pytest.raises(AssertionError, match="AUTH_EVENTS_PUBLISHERS_FILE: cannot be read"):
        await service.__aenter__()
