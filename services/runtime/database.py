"""PostgreSQL: the pool, and what an error means.

asyncpg's error text prints the parameters of the whole batch: only class and SQLSTATE may be logged (`describe`).
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import asyncpg
from asyncpg import Connection, Pool, Record
from asyncpg.pool import PoolConnectionProxy

from services.runtime.settings import SettingsError

if TYPE_CHECKING:
    Database = Pool[Record]
    Session = Connection[Record] | PoolConnectionProxy[Record]
    """One connection, for a transaction or a lock."""
else:  # asyncpg's classes are generic in its stubs only
    Database = Pool
    Session = Connection | PoolConnectionProxy
CLOSE_SECONDS = 2.0
_ABOUT_DATA = frozenset({"22", "23", "54"})


async def connect(dsn: str, *, size: int = 8, application: str = "member-notices") -> Database:
    """A pool that keeps its statements prepared, under plans that do not change with the data.

    Every statement of a service finds its rows by key or by a partial index. A plan made while a partition was small
    reads all of it, and a cached generic plan would go on doing so when it is large: those paths are off.
    """
    pool: Database = await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        command_timeout=30,
        server_settings={
            "application_name": application,
            "plan_cache_mode": "force_generic_plan",
            "enable_seqscan": "off",
            "enable_hashjoin": "off",
            "enable_mergejoin": "off",
            "jit": "off",
            # What stands still in a transaction, or whose machine is gone, must not keep its locks from the others.
            "idle_in_transaction_session_timeout": "30s",
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        },
    )
    return pool


async def connect_to_schema(dsn: str, *, service: str, schema: str, size: int = 8) -> Database:
    """For a process that starts. Raises `SettingsError`: nobody answers there, or it was not migrated."""
    try:
        database = await connect(dsn, size=size, application=service)
        migrated = await database.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{schema}.outbox")
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        told = " ".join(describe(error).values())
        raise SettingsError(service, [f"DATABASE_URL: no usable database there ({told})"]) from None
    if not migrated:
        await close(database)
        raise SettingsError(service, [f"the database has no schema {schema}; run member-notices migrate"])
    return database


async def close(database: Database) -> None:
    """Politely, and after a while regardless: a server that is away answers no goodbye."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await database.close()
    except TimeoutError:
        database.terminate()


def is_away(error: BaseException) -> bool:
    """Is it the database's trouble (wait), or the data's (bisect)? In doubt the database's: waiting loses nothing.

    A read-only replica, a missing right, table or partition say nothing about a record; only the classes 22 and 23, the
    limits of class 54 and asyncpg's own refusal of a value do.
    """
    if isinstance(error, asyncpg.PostgresError):
        missing_partition = isinstance(error, asyncpg.CheckViolationError) and not error.constraint_name
        return missing_partition or (error.sqlstate or "")[:2] not in _ABOUT_DATA
    if isinstance(error, asyncpg.DataError):  # asyncpg's own refusal of a value is an InterfaceError, too
        return False
    # InternalClientError: what asyncpg raises on a connection that was lost while it changed state.
    return isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError | asyncio.TimeoutError)


def describe(error: BaseException) -> dict[str, str]:
    """For logs and reasons: class and SQLSTATE, never the text."""
    told = {"error": type(error).__name__}
    if isinstance(error, asyncpg.PostgresError) and error.sqlstate:
        told["sqlstate"] = error.sqlstate
    return told


def columns(rows: Sequence[tuple[object, ...]], width: int) -> list[object]:
    """Rows as the arrays `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


__all__ = ["Database", "Record", "Session", "close", "columns", "connect", "connect_to_schema", "describe", "is_away"]
