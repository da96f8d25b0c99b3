"""PostgreSQL in tests: one server, one migrated template, a database of its own for each test."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from services.runtime.migrations import upgrade_async

SERVICES = Path(__file__).parents[2] / "services"


async def migrate(dsn: str) -> None:
    """Bring every service's schema to its newest revision."""
    for directory in sorted(SERVICES.glob("*/migrations")):
        await upgrade_async(dsn, directory.parent.name, directory)


@asynccontextmanager
async def temporary_database(server_dsn: str, *, template: str | None = None) -> AsyncIterator[str]:
    """Create a database, yield its DSN, drop it with whatever is still connected.

    `template` is the DSN of a database nobody is connected to. The user of `server_dsn` needs CREATEDB.
    """
    name = f"test_{uuid.uuid4().hex}"
    suffix = f' TEMPLATE "{_name_of(template)}" STRATEGY FILE_COPY' if template else ""
    await _execute(server_dsn, f'CREATE DATABASE "{name}"{suffix}')
    try:
        yield urlunsplit(urlsplit(server_dsn)._replace(path=f"/{name}"))
    finally:
        await _execute(server_dsn, f'DROP DATABASE "{name}" WITH (FORCE)')


def _name_of(dsn: str) -> str:
    return urlsplit(dsn).path.removeprefix("/")


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
