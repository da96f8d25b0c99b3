"""The embedded broker and database keep their promises: same data after a crash, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil  # type: ignore[import-untyped] # no stubs in the lock, and it is used here alone
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from demo.embedded import EmbeddedError, EmbeddedKafka, EmbeddedPostgres
from demo.embedded.postgres import as_unprivileged_user
from schemas.topics import CODES, SECURITY, TOPICS
from tests.support.kafka import Tape, admin_client, create_topics, groups_from_now
from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


async def publish(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, value, key=b"m-1")


async def test_a_killed_broker_comes_back_with_its_records_on_the_same_port(own_kafka: EmbeddedKafka) -> None:
    before = own_kafka.bootstrap
    await create_topics(before)
    await publish(before, CODES.name, b"before the crash")

    own_kafka.kill()
    assert not own_kafka.running
    after = own_kafka.start()
    await publish(after, CODES.name, b"after the crash")

    assert after == before
    async with Tape(after, CODES.name, from_start=True) as tape:
        records = await tape.until(lambda read: len(read) == 2, "two records")
    assert [record.value for record in records] == [b"before the crash", b"after the crash"]


async def test_asking_for_an_unknown_topic_does_not_create_it(kafka: str) -> None:
    async with admin_client(kafka) as admin:
        assert [topic["error_code"] for topic in await admin.describe_topics(["identity.code.v1"])] == [3]
        assert set(TOPICS) <= set(await admin.list_topics())
        assert "identity.code.v1" not in await admin.list_topics()


async def test_topics_are_created_as_the_contract_says(kafka: str) -> None:
    await create_topics(kafka)  # a second time: those that exist are no error
    async with Tape(kafka, *(topic.name for topic in (CODES, SECURITY))) as tape:
        assert len(tape._consumer.assignment()) == 6


async def test_a_group_from_now_reads_what_is_written_after_and_nothing_before(kafka: str) -> None:
    await publish(kafka, SECURITY.name, b"before")
    prefix = await groups_from_now(kafka, [SECURITY.name])
    await publish(kafka, SECURITY.name, b"after")

    async with AIOKafkaConsumer(
        SECURITY.name, bootstrap_servers=kafka, group_id=f"{prefix}-{SECURITY.name}", auto_offset_reset="earliest"
    ) as consumer:
        record = await consumer.getone()

    assert record.value == b"after"


async def test_an_unmet_condition_fails_with_what_was_read_instead(kafka: str) -> None:
    async with Tape(kafka, SECURITY.name) as tape:
        await publish(kafka, SECURITY.name, b"something else")
        await tape.rest()
        with pytest.raises(AssertionError, match=r"no mail for m-2 on identity\.security\.v1; read 1 .*something else"):
            await tape.until(lambda _: False, "mail for m-2", within_seconds=0)


async def test_a_killed_database_keeps_what_was_committed(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as postgres:
        before = postgres.dsn
        await execute(before, "CREATE TABLE kept AS SELECT 1 AS it")
        postgres.kill()
        assert postgres.start() == before
        assert await value(before, "SELECT it FROM kept") == 1
        assert await value(before, "SHOW fsync") == "on"


async def test_a_server_that_died_by_itself_is_noticed_and_can_be_started_again(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as postgres:
        (server,) = [
            process for process in mine() if process.name() == "postgres" and str(tmp_path) in cmdline(process)
        ]
        server.kill()
        await wait_for(lambda: not postgres.running, "end of the server")
        postgres.start()
        assert await value(postgres.dsn, "SELECT 1") == 1


async def test_a_database_opens_again_in_another_process_with_the_same_password(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as postgres:
        password = postgres.dsn.split("@")[0]
    with EmbeddedPostgres(tmp_path) as again:
        assert again.dsn.split("@")[0] == password
        assert (await value(again.dsn, "SELECT version()")).startswith("PostgreSQL 18")


async def test_a_wrong_password_is_refused(database_server: str) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(database_server, password="wrong")


async def test_each_test_has_a_fresh_migrated_database(database: str, migrated_template: str) -> None:
    assert database != migrated_template
    schemas = await value(
        database, "SELECT count(*)::int FROM information_schema.tables WHERE table_name = 'alembic_version'"
    )
    assert schemas == len(list((ROOT / "services").glob("*/migrations")))


def test_a_clone_that_only_root_may_enter_is_no_obstacle_to_root(tmp_path: Path) -> None:
    program = tmp_path / "private" / "bin" / "program"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nexit 7\n")
    program.chmod(0o755)
    program.parent.parent.chmod(0o700)
    # PostgreSQL asks access(2) before it runs another of its programs, and access(2) has rules of its own.
    ask = f"test -x {program} && exec {program}"
    assert subprocess.run([*as_unprivileged_user(), "/bin/sh", "-c", ask], check=False).returncode == 7


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as postgres:
        postgres.stop()
        (tmp_path / "data" / "postgresql.conf").write_text("no_such_setting = 1\n")
        with pytest.raises(EmbeddedError, match=r"ended while starting(.|\n)*no_such_setting"):
            postgres.start()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda end: end.name)
async def test_no_process_outlives_the_one_that_started_it(tmp_path: Path, end: signal.Signals) -> None:
    program = textwrap.dedent("""\
        import json, pathlib, signal, sys
        from demo.embedded import EmbeddedKafka, EmbeddedPostgres
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in what it starts behind
        here = pathlib.Path(sys.argv[1])
        with EmbeddedPostgres(here / "postgres"), EmbeddedKafka(here / "kafka"):
            print(json.dumps("up"), flush=True)
            signal.pause()
        """)
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs on this loop
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as parent:
        assert parent.stdout is not None
        assert json.loads(parent.stdout.readline()) == "up"
        started = psutil.Process(parent.pid).children(recursive=True)
        assert {"java", "postgres"} <= {process.name() for process in started}
        os.kill(parent.pid, end)

    def all_gone() -> bool:
        return not any(alive(process) for process in started)

    await wait_for(all_gone, f"end of {len(started)} processes")


def mine() -> list[psutil.Process]:
    return list(psutil.Process().children(recursive=True))


def cmdline(process: psutil.Process) -> str:
    return " ".join(process.cmdline())


def alive(process: psutil.Process) -> bool:
    # A zombie has ended; whether its entry goes away is the business of the machine's process 1.
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def value(dsn: str, query: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()
