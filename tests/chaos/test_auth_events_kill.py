"""auth_events is killed between its outbox and its answer: the caller asks again, and the event arrives."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from demo.embedded import EmbeddedKafka
from schemas.envelope import read_record
from schemas.topics import CODES
from tests.support.auth_events import AuthEvents, code
from tests.support.kafka import Tape, create_topics
from tests.support.notifier import VAULT_KEYS
from tests.support.waiting import wait_for

POINT = "outbox-written-before-answer"
TIMES = 3


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedKafka]:
    """One that the test takes away."""
    with EmbeddedKafka(tmp_path / "kafka") as kafka:
        await create_topics(kafka.bootstrap)
        yield kafka


async def test_an_event_whose_answer_was_never_given_is_taken_again_under_its_id(
    broker: EmbeddedKafka, database: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    hits = tmp_path_factory.mktemp("hits") / "hits"
    monkeypatch.setenv("DELIVERY_MODE", "capture")
    monkeypatch.setenv("FAILPOINTS_LOG", str(hits))
    monkeypatch.setenv("FAILPOINTS", f"{POINT}:kill")
    documents = [code(subject=f"m-killed-{number}") for number in range(TIMES)]
    broker.kill()
    for document in documents:
        async with service(tmp_path_factory.mktemp("killed"), broker, database) as killed:
            with pytest.raises(httpx.TransportError):
                await killed.post(document)
    monkeypatch.delenv("FAILPOINTS")
    broker.start()
    wanted = {document["id"] for document in documents}
    async with (
        Tape(broker.bootstrap, CODES.name, from_start=True) as tape,
        service(tmp_path_factory.mktemp("again"), broker, database) as again,
    ):
        assert [(await again.post(document)).status_code for document in documents] == [202] * TIMES
        await wait_for(lambda: _is_empty(database), "empty outbox")
        copies = Counter(read_record(record.headers, record.value).id for record in await tape.rest())
    print(f"\n{POINT}: hit {len(_lines(hits))} times; records by event: {sorted(copies.values())}")
    assert len(_lines(hits)) == TIMES
    assert copies.keys() == wanted
    # Once from the outbox of the life that was killed, once asked for again: the notifier plans an id once.
    assert set(copies.values()) <= {1, 2}


def service(folder: Path, broker: EmbeddedKafka, database: str) -> AuthEvents:
    """One life, with the keys that every life has."""
    life = AuthEvents(folder, kafka=broker.bootstrap, database=database)
    life._environment |= {"VAULT_KEYS": VAULT_KEYS}
    return life


async def _is_empty(database: str) -> bool:
    connection = await asyncpg.connect(database)
    try:
        return not await connection.fetchval("SELECT count(*) FROM auth_events.outbox")
    finally:
        await connection.close()


def _lines(hits: Path) -> list[str]:
    return hits.read_text().splitlines()
