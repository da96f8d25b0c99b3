"""One line of JSON for each event; nothing a message held gets into one, whoever logs it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SECRETS = ("Zq7", "246810", "anna@example.test")
PREAMBLE = """
import asyncio, logging, warnings
import asyncpg, structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from services.runtime import logs
from services.runtime.database import describe
log = structlog.get_logger()
logs.configure("notifier", "info")
SECRET = "Zq7 246810 anna@example.test"

def raised(error):
    try:
        raise error
    except type(error) as caught:
        return caught
"""


def logged(program: str, *, level: str = "info") -> list[dict[str, Any]]:
    """What a process of its own writes: `configure` is for a whole process."""
    source = PREAMBLE.replace('"info"', f'"{level}"') + program
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    told = done.stdout + done.stderr
    for secret in SECRETS:
        assert secret not in told, told
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_event_is_a_name_with_keys() -> None:
    (line,) = logged('log.info("dead_letter", origin="t/0/1")')
    assert line.pop("at").endswith("Z")
    assert line == {"event": "dead_letter", "origin": "t/0/1", "level": "info", "service": "notifier"}


@pytest.mark.parametrize(
    "error",
    [
        'asyncpg.exceptions.CharacterNotInRepertoireError(f"invalid byte sequence: {SECRET}")',
        'asyncpg.exceptions.UniqueViolationError(f"duplicate key: Key (email)=({SECRET})")',
        'asyncpg.exceptions.InterfaceError(f"invalid input for query argument $1: [{SECRET!r}]")',
        'KafkaError(f"record {SECRET}")',
        "MessageSizeTooLargeError(SECRET)",
        "UnicodeDecodeError('utf-8', SECRET.encode(), 0, 1, SECRET)",
        "ExceptionGroup(SECRET, [ValueError(SECRET)])",
    ],
)
@pytest.mark.parametrize("logger", ["log", 'logging.getLogger("aiokafka.consumer")', 'logging.getLogger("asyncpg")'])
def test_an_exception_is_its_class_and_place(error: str, logger: str) -> None:
    lines = logged(
        f"""
try:
    try:
        raise {error}
    except Exception as inner:
        inner.add_note(SECRET)
        raise RuntimeError(SECRET) from inner
except RuntimeError:
    {logger}.exception("it_failed")
{logger}.error("it_failed", exc_info=raised({error}))
"""
    )
    assert [line["event"] for line in lines] == ["it_failed"] * 2
    assert lines[0]["error"] == "RuntimeError"
    assert lines[1]["error"] == error.partition("(")[0].rpartition(".")[2]
    assert lines[0]["raised_at"]
    assert "exc_info" not in lines[0]


def test_a_librarys_line_is_kept_as_its_template() -> None:
    lines = logged(
        """
logging.getLogger("aiokafka").error("Unable to decode %s: %r", SECRET, [SECRET])
logging.getLogger("faststream").warning("%(value)s", {"value": SECRET})
logging.getLogger("somebody").warning(ValueError(SECRET))
logging.getLogger("somebody").warning("with extra", extra={"address": SECRET})
logging.getLogger("somebody").warning("with stack", stack_info=True)
"""
    )
    assert [line["event"] for line in lines] == [
        "Unable to decode %s: %r",
        "%(value)s",
        "ValueError",
        "with extra",
        "with stack",
    ]
    assert lines[0]["logger"] == "aiokafka"


def test_a_task_nobody_awaited_does_not_print_its_error() -> None:
    (line,) = logged(
        """
async def fails():
    raise asyncpg.exceptions.UniqueViolationError(SECRET)

async def main():
    task = asyncio.create_task(fails())
    await asyncio.wait([task])
    del task

asyncio.run(main())
import gc; gc.collect()
"""
    )
    assert (line["logger"], line["error"]) == ("asyncio", "UniqueViolationError")


def test_a_database_error_is_described_by_class_and_sqlstate() -> None:
    (line,) = logged('log.warning("waits", **describe(asyncpg.exceptions.UniqueViolationError(SECRET)))')
    assert (line["error"], line["sqlstate"]) == ("UniqueViolationError", "23505")


def test_below_the_level_nothing_is_written() -> None:
    assert logged('log.info("one"); logging.getLogger("x").info("two")', level="warning") == []


def test_libraries_are_quiet_below_a_warning() -> None:
    names = ("aiokafka", "faststream", "uvicorn", "twilio", "alembic", "asyncio")
    told = "; ".join(f'logging.getLogger("{name}").info("chatter")' for name in names)
    assert logged(told) == []
