"""The naive pipeline as a process: refuses another than the frozen one, feeds it, reads its figures."""

import asyncio
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from tests.bench.load import Member, PasswordChange
from tests.bench.rig import BenchError, Rig, running
from tests.bench.rounds import Round, measure

FOLDER = Path(__file__).parent / "peers" / "naive"
WARM_UP = 30
SECONDS_A_MAIL = 0.25
"""The slowest we wait for."""


def refuse_unless_frozen(folder: Path = FOLDER) -> None:
    """FROZEN lists SHA-256 and name of every file, as sha256sum writes it."""
    lines = (line.split() for line in (folder / "FROZEN").read_text().splitlines())
    recorded = {name: digest for digest, name in lines}
    present = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file() and path.name != "FROZEN"
    }
    if recorded != present:
        changed = sorted(name for name, _ in recorded.items() ^ present.items())
        raise BenchError(f"the naive pipeline is frozen, but these files of it changed: {', '.join(changed)}")


async def prepare(rig: Rig, members: Sequence[Member]) -> None:
    connection = await asyncpg.connect(await rig.create_database("naive"))
    try:
        await connection.execute((FOLDER / "schema.sql").read_text())
        rows = [(member.id, member.name, member.email, member.language, member.time_zone) for member in members]
        await connection.copy_records_to_table("members", records=rows)
    finally:
        await connection.close()


async def run(rig: Rig, name: str, warm_up: Sequence[PasswordChange], changes: Sequence[PasswordChange]) -> Round:
    """One round in a process, topic and consumer group of its own. CPU by its own clock, first event to last record."""
    topic = f"bench-naive-{name}"
    await rig.create_topics({topic: {}})
    command = [sys.executable, str(FOLDER / "pipeline.py"), "--bootstrap", rig.bootstrap, "--topic", topic]
    command += ["--group", topic, "--dsn", rig.dsn("naive"), "--smtp-port", str(rig.sink.smtp_port)]
    command += ["--templates", str(rig.folder / "templates")]
    command += ["--warm-up", str(len(warm_up)), "--count", str(len(changes))]
    async with running("the naive pipeline", command) as process:
        figures = await measure(
            rig, warm_up, changes, publish_on=topic, within_seconds=SECONDS_A_MAIL * len(changes) + 30
        )
        assert process.stdout is not None
        async with asyncio.timeout(30):
            told = json.loads((await process.stdout.read()).splitlines()[-1])
            await process.wait()
    if process.returncode != 0 or told["mails"] != len(changes):
        raise BenchError(
            f"the naive pipeline sent {told['mails']} of {len(changes)} mails, status {process.returncode}"
        )
    return figures.with_cpu(told["cpu_seconds"])
