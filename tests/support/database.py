"""PostgreSQL in tests: one server, one migrated template, an empty database for each test.

A copy of the template is 3,300 files: one that a test has left in the template's shape is emptied and lent again.
"""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from services.runtime.database import Session
from services.runtime.migrations import upgrade_async

SERVICES = Path(__file__).parents[2] / "services"

_idle: dict[str, list[str]] = {}
"""Template → the DSNs of its empty copies."""
_shapes: dict[str, str] = {}
"""Template → what it is like."""

_OWN = "nspname !~ '^(pg_|information_schema)'"
_FILLED = f"""
    SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind = 'r' AND {_OWN} AND relname <> 'alembic_version' AND pg_relation_size(c.oid) > 0
"""  # noqa: S608 (constants, as below)
_SHAPE = f"""
    SELECT concat_ws('|',
        (SELECT concat_ws(' ', count(*), max(c.oid), sum(relnatts), sum(hashtext(concat(relname, relacl, reloptions))))
         FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE {_OWN} AND relkind <> 't'),
        (SELECT concat_ws(' ', count(*), max(oid), sum(hashtext(concat(prosrc, proacl)))) FROM pg_proc),
        (SELECT concat_ws(' ', count(*), max(oid), count(*) FILTER (WHERE tgenabled = 'O')) FROM pg_trigger),
        (SELECT concat_ws(' ', count(*), max(oid)) FROM pg_constraint),
        (SELECT concat_ws(' ', count(*) FILTER (WHERE indisvalid), sum(hashtext(indpred::text))) FROM pg_index),
        (SELECT concat_ws(' ', count(*), sum(hashtext(concat(nspname, nspacl)))) FROM pg_namespace WHERE {_OWN}),
        (SELECT count(*) FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
         WHERE datname = current_database()))
"""  # noqa: S608


async def migrate(dsn: str) -> None:
    """Bring every service's schema to its newest revision."""
    for directory in sorted(SERVICES.glob("*/migrations")):
        await upgrade_async(dsn, directory.parent.name, directory)


@asynccontextmanager
async def temporary_database(server_dsn: str, *, template: str | None = None) -> AsyncIterator[str]:
    """Yields the DSN of a database; afterwards whatever is still connected to it is ended.

    `template` is the DSN of a migrated database nobody is connected to. The user of `server_dsn` needs CREATEDB.
    """
    idle = _idle.setdefault(template, []) if template else []
    dsn = idle.pop() if idle else await _created(server_dsn, template)
    try:
        yield dsn
    finally:
        if template and await _emptied(dsn, template) and (renamed := await _renamed(server_dsn, dsn)):
            idle.append(renamed)
        else:
            for each in (dsn, *_idle.pop(dsn, ())):  # with its own copies, where it was a template
                await _execute(server_dsn, f'DROP DATABASE "{_name_of(each)}" WITH (FORCE)')


async def _created(server_dsn: str, template: str | None) -> str:
    suffix = f' TEMPLATE "{_name_of(template)}" STRATEGY FILE_COPY' if template else ""
    dsn = _new(server_dsn)
    await _execute(server_dsn, f'CREATE DATABASE "{_name_of(dsn)}"{suffix}')
    return dsn


async def _renamed(server_dsn: str, dsn: str) -> str | None:
    """A process that a test has left behind does not find it again. None: somebody is connected once more."""
    new = _new(server_dsn)
    try:
        await _execute(server_dsn, f'ALTER DATABASE "{_name_of(dsn)}" RENAME TO "{_name_of(new)}"')
    except asyncpg.ObjectInUseError:
        return None
    return new


def _new(server_dsn: str) -> str:
    return urlunsplit(urlsplit(server_dsn)._replace(path=f"/test_{uuid.uuid4().hex}"))


async def _emptied(dsn: str, template: str) -> bool:
    """False: it is not what the template is, and must go."""
    if template not in _shapes:
        original = await asyncpg.connect(template)
        try:
            _shapes[template] = await original.fetchval(_SHAPE)
        finally:
            await original.close()
    try:
        copy = await asyncpg.connect(dsn)
    except (OSError, asyncpg.PostgresError):
        return False
    try:
        return await _empty(copy) and await copy.fetchval(_SHAPE) == _shapes[template]
    except (OSError, asyncpg.PostgresError):
        return False
    finally:
        await copy.close(timeout=5)


async def _empty(copy: Session) -> bool:
    """False: somebody is connected and does not go."""
    ended = await copy.fetch(
        "SELECT pg_terminate_backend(pid, 5000) AS gone FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    if not all(row["gone"] for row in ended):
        return False
    if filled := [row[0] for row in await copy.fetch(_FILLED)]:
        await copy.execute(f"TRUNCATE {', '.join(filled)}")
    for (sequence,) in await copy.fetch(
        f"SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"  # noqa: S608
        f" WHERE relkind = 'S' AND {_OWN}"
    ):
        await copy.execute(f"ALTER SEQUENCE {sequence} RESTART")
    return True


def _name_of(dsn: str) -> str:
    return urlsplit(dsn).path.removeprefix("/")


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
