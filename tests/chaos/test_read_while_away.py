"""A process that dies while its batch waits for the database: nothing of the batch may count as read."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.catcher import Catcher
from demo.embedded import EmbeddedPostgres
from schemas.topics import CODES, CONTACTS, SECURITY
from tests.support import replicas
from tests.support.audit import audit, unsettled
from tests.support.database import migrate
from tests.support.notifier import fresh_group, upstream
from tests.support.replicas import Replica
from tests.support.traffic import Traffic
from tests.support.waiting import wait_for

TOPICS = {CODES.name, CONTACTS.name, SECURITY.name}


@pytest.fixture
async def postgres(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """One that the test takes away."""
    with EmbeddedPostgres(tmp_path / "postgres") as postgres:
        await migrate(postgres.dsn)
        yield postgres


async def test_what_was_read_while_the_database_was_away_survives_the_reader(
    kafka: str, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    traffic = Traffic(members=7)
    async with Catcher() as catcher, upstream(kafka) as up:
        environ = replicas.settings(kafka, postgres.dsn, catcher, await fresh_group(kafka))
        replica = Replica("reader", tmp_path, environ)
        async with replicas.running(replica):
            await asyncio.to_thread(postgres.kill)
            await up.publish(*traffic.contacts(), *traffic.events(20))
            await wait_for(lambda: _waiting(replica) == TOPICS, "batches of three topics that wait for the database")
            await replica.kill()
            await asyncio.to_thread(postgres.start)
            await replica.start()

            async def settled() -> bool:
                return await unsettled(postgres.dsn, traffic.run, len(traffic.owed)) == 0

            await wait_for(settled, "end of every message")
        books = await audit(postgres.dsn, traffic.run, traffic.owed, catcher)
    assert books.states == {"sent": len(traffic.owed)}
    assert (books.missing, books.doubled) == ([], 0)


def _waiting(replica: Replica) -> set[str]:
    return {line["topic"] for line in replica.lines("batch_waits_for_database")}
