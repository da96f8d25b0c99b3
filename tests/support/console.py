"""A console under test: the real one, in this process, on the real broker and database, asked over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from services.console.main import Console
from services.console.settings import ConsoleSettings
from services.console.views import connect
from services.runtime.clock import Clock, SystemClock
from tests.support.notifier import logging_of_a_process


def settings(kafka: str, database: str, **more: Any) -> ConsoleSettings:
    values: dict[str, Any] = {
        "kafka_bootstrap_servers": kafka,
        "database_url": database,
        "console_open_on_loopback": "true",
        "search_key": "s" * 32,
    }
    return ConsoleSettings(**(values | more))


@asynccontextmanager
async def running(values: ConsoleSettings, clock: Clock | None = None) -> AsyncIterator[Console]:
    """Serving on a port of its own, and stopped gracefully at the end."""
    with logging_of_a_process("console-under-test"):
        database = await connect(str(values.database_url))
        console = Console(values, clock or SystemClock(), database)
        try:
            console.start()
            yield console
        finally:
            status = await console.process.stop()
            await console.close()
        assert status == 0, "the console failed; its log says why"


@asynccontextmanager
async def asked(console: Console) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{console.port}", timeout=20) as http:
        yield http
