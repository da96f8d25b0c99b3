"""Parts run until somebody says stop or one of them fails; then everything ends in order, whatever it does."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from structlog.testing import capture_logs

from services.runtime import process as module
from services.runtime.process import Process

ROOT = Path(__file__).parents[2]


async def until(stopping: asyncio.Event) -> None:
    await stopping.wait()


async def fails() -> NoReturn:
    raise ZeroDivisionError


async def ends() -> None:
    return


async def test_told_to_stop_it_ends_with_0() -> None:
    process = Process("test")
    process.run("part", until(process.stopping))
    assert await process.stop() == 0


async def test_a_part_that_raises_ends_the_process_with_1() -> None:
    process = Process("test")
    with capture_logs() as logs:
        process.run("good", until(process.stopping))
        process.run("bad", fails())
        await process.stopping.wait()
        assert await process.stop() == 1
    assert [line["event"] for line in logs if line["log_level"] == "critical"] == ["process_failed"]


async def test_a_part_that_ends_by_itself_is_a_failure_too() -> None:
    process = Process("test")
    process.run("short", ends())
    await process.stopping.wait()
    assert await process.stop() == 1


async def test_the_first_failure_is_the_one_that_is_told() -> None:
    process = Process("test")
    with capture_logs() as logs:
        process.fail(ValueError())
        process.fail(ZeroDivisionError())
    assert [type(line["exc_info"]) for line in logs] == [ValueError]


async def test_a_cancelled_part_is_no_failure() -> None:
    process = Process("test")
    process.fail(asyncio.CancelledError())
    assert not process.stopping.is_set()
    assert await process.stop() == 0


async def test_steps_run_in_order_before_the_parts_are_awaited_and_one_that_fails_keeps_none_from_running() -> None:
    process, done = Process("test"), []
    released = asyncio.Event()

    async def part() -> None:
        await released.wait()
        done.append("part")

    async def first() -> None:
        done.append("first")
        raise ZeroDivisionError

    async def second() -> None:
        done.append("second")
        released.set()

    process.run("part", part())
    process.on_stop("first", first)
    process.on_stop("second", second)
    with capture_logs() as logs:
        assert await process.stop() == 0
    assert done == ["first", "second", "part"]
    assert [line["step"] for line in logs if line["event"] == "stop_step_failed"] == ["first"]


async def test_a_part_that_does_not_end_is_cancelled_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.05)
    process, cancelled = Process("test"), asyncio.Event()

    async def deaf() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    process.run("deaf", deaf())
    with capture_logs() as logs:
        assert await process.stop() == 0
    assert cancelled.is_set()
    assert [line["still"] for line in logs if line["event"] == "stop_took_too_long"] == [["deaf"]]


PROGRAM = """
import asyncio
from services.runtime.process import Process

async def main():
    process = Process("test")
    process.run("part", process.stopping.wait())
    async def say():
        print("stopping in order", flush=True)
    process.on_stop("say", say)
    running = asyncio.create_task(process.until_stopped())
    await asyncio.sleep(0)  # its signal handlers are in place
    print("ready", flush=True)
    return await running

raise SystemExit(asyncio.run(main()))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_gracefully(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        while running.stdout.readline() != "ready\n":
            assert running.poll() is None
        running.send_signal(number)
        assert "stopping in order\n" in running.stdout.read()
        assert running.wait(30) == 0
