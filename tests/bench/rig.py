"""The real parts around a pipeline: Kafka, PostgreSQL with fsync, the SMTP sink; and the watching of processes."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupLoadInProgressError

from demo.embedded import EmbeddedKafka, EmbeddedPostgres
from schemas.topics import TOPICS
from tests.bench.load import Publisher, publisher
from tests.bench.meters import tree_cpu_seconds

REPOSITORY = Path(__file__).parents[2]
PARTITIONS = 3
POLL_SECONDS = 0.02
STOP_SECONDS = 30.0
ANSWER_BYTES = 64 * 1024 * 1024
ALREADY_EXISTS = 36


class BenchError(RuntimeError):
    """The bench cannot give a figure; the sentence says why."""


async def until(condition: Callable[[], Awaitable[bool]], described: str, within_seconds: float) -> None:
    """Wait for `condition`; raise BenchError that names it when it does not come true."""
    deadline = time.monotonic() + within_seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise BenchError(f"not within {within_seconds:g} s: {described}")
        await asyncio.sleep(POLL_SECONDS)


class Sink:
    """The SMTP server's control connection."""

    def __init__(self, smtp_port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.smtp_port = smtp_port
        self._reader = reader
        self._writer = writer

    async def reset(self) -> None:
        await self._ask({"op": "reset"})

    async def wait(self, count: int, *, within_seconds: float) -> None:
        """Until `count` mails came since the last reset."""
        try:
            async with asyncio.timeout(within_seconds):
                await self._ask({"op": "wait", "count": count})
        except TimeoutError:
            raise BenchError(f"not within {within_seconds:g} s: {count} mails at the SMTP sink") from None

    async def mails(self) -> list[tuple[str, float]]:
        """Recipient and time (monotonic seconds) of each mail, in order."""
        return [(recipient, at) for recipient, at in (await self._ask({"op": "report"}))["mails"]]

    async def samples(self) -> dict[str, str]:
        """Whole messages by recipient."""
        samples: dict[str, str] = (await self._ask({"op": "report"}))["samples"]
        return samples

    async def _ask(self, request: dict[str, object]) -> dict[str, Any]:
        self._writer.write(json.dumps(request).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await self._reader.readline())
        return answer


@dataclass(frozen=True, slots=True)
class Rig:
    """Everything runs. `dsn(name)` is a database of its own on the one server."""

    bootstrap: str
    postgres_dsn: str
    postgres_pid: int
    sink: Sink
    publisher: Publisher
    admin: AIOKafkaAdminClient
    offsets: AIOKafkaConsumer
    folder: Path

    def dsn(self, database: str) -> str:
        return f"{self.postgres_dsn.rpartition('/')[0]}/{database}"

    async def create_database(self, name: str) -> str:
        connection = await asyncpg.connect(self.postgres_dsn)
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()
        return self.dsn(name)

    def postgres_cpu_seconds(self) -> float | None:
        return tree_cpu_seconds(self.postgres_pid)

    async def create_topics(self, configs_of: Mapping[str, dict[str, str]]) -> None:
        wanted = [NewTopic(name, PARTITIONS, 1, topic_configs=configs) for name, configs in configs_of.items()]
        answer = await self.admin.create_topics(wanted)
        refused = [error for error in answer.topic_errors if error[1] not in {0, ALREADY_EXISTS}]
        if refused:
            raise BenchError(f"Kafka refused topics: {refused}")

    async def record_count(self, topic: str) -> int:
        """Records ever written to `topic` (no transactions, so offsets count)."""
        return sum((await self._ends(topic)).values())

    async def is_read(self, topic: str) -> bool:
        """Every consumer group that reads `topic`, and at least one, has committed all of it."""
        ends = await self._ends(topic)
        try:
            groups = await self.admin.list_consumer_groups()
        except GroupLoadInProgressError:
            return False
        lags = []
        for group, *_ in groups:
            committed = await self.admin.list_consumer_group_offsets(group)
            read = {partition: committed[partition].offset for partition in ends if partition in committed}
            if read:
                lags.append(sum(end - read.get(partition, 0) for partition, end in ends.items()))
        return bool(lags) and not any(lags)

    async def _ends(self, topic: str) -> dict[TopicPartition, int]:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        ends: dict[TopicPartition, int] = await self.offsets.end_offsets(partitions)
        return ends


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """Starts everything, stops everything, also when the block raises or is cancelled."""
    async with AsyncExitStack() as stack:
        kafka = EmbeddedKafka(folder / "kafka")
        postgres = EmbeddedPostgres(folder / "postgres")
        stack.callback(kafka.stop)
        stack.callback(postgres.stop)
        bootstrap, dsn = await asyncio.gather(asyncio.to_thread(kafka.start), asyncio.to_thread(postgres.start))
        sink = await stack.enter_async_context(smtp_sink())
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        stack.push_async_callback(admin.close)
        offsets = AIOKafkaConsumer(bootstrap_servers=bootstrap)
        await offsets.start()
        stack.push_async_callback(offsets.stop)
        parts = Rig(
            bootstrap=bootstrap,
            postgres_dsn=dsn,
            postgres_pid=int((folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0]),
            sink=sink,
            publisher=await stack.enter_async_context(publisher(bootstrap)),
            admin=admin,
            offsets=offsets,
            folder=folder,
        )
        await _refuse_without_fsync(dsn)
        await parts.create_topics({topic.name: topic.configs() for topic in TOPICS.values()})
        yield parts


async def _refuse_without_fsync(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for setting in ("fsync", "synchronous_commit"):
            if await connection.fetchval(f"SHOW {setting}") != "on":
                raise BenchError(f"PostgreSQL runs with {setting} off: figures would say nothing")
    finally:
        await connection.close()


@asynccontextmanager
async def smtp_sink() -> AsyncIterator[Sink]:
    async with running("tests.bench.sink", [sys.executable, "-m", "tests.bench.sink"]) as process:
        assert process.stdout is not None
        ports = json.loads(await process.stdout.readline())
        reader, writer = await asyncio.open_connection("127.0.0.1", ports["control_port"], limit=ANSWER_BYTES)
        try:
            yield Sink(ports["smtp_port"], reader, writer)
        finally:
            writer.close()


@asynccontextmanager
async def running(
    name: str, command: list[str], *, environ: Mapping[str, str] | None = None, log: Path | None = None
) -> AsyncIterator[Process]:
    """A process of ours from the repository's root; stopped at the end of the block, killed if it will not.

    Its standard output is `process.stdout`, or with `log` goes there together with its errors.
    """
    with log.open("ab") if log else nullcontext() as file:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=REPOSITORY,
            env=None if environ is None else dict(environ),
            stdin=subprocess.PIPE,
            # Its own session: Ctrl-C is ours to handle, and the order of stopping too.
            start_new_session=True,
            stdout=file or subprocess.PIPE,
            stderr=file,
        )
    try:
        yield process
    finally:
        await _stop(name, process)


async def _stop(name: str, process: Process) -> None:
    if process.returncode is None:
        assert process.stdin is not None
        process.stdin.close()
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise BenchError(f"{name} did not stop within {STOP_SECONDS:g} s of SIGTERM and was killed") from None
