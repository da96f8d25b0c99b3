"""Migrations 0002 and 0003 of auth_events beside a running service of the version before."""

import asyncio

import asyncpg

from schemas.topics import CODES
from tests.support.database import migrate

_AS_BEFORE = "INSERT INTO auth_events.outbox (topic, key, headers, value, encrypted) VALUES ($1, $2, '[]', $3, false)"


async def _as_before_0002(connection: asyncpg.Connection) -> None:
    for table in ("portal_access", "progress"):
        await connection.execute(f"DROP TABLE auth_events.{table}")
    await connection.execute("UPDATE auth_events.alembic_version SET version_num = '0001'")


async def test_timers_come_beside_a_full_outbox_that_is_being_written(database: str) -> None:
    connection, writer = await asyncpg.connect(database), await asyncpg.connect(database)
    try:
        await _as_before_0002(connection)
        await connection.executemany(_AS_BEFORE, [(CODES.name, f"m-{number}", b"before") for number in range(2000)])
        migrating = asyncio.gather(*(migrate(database) for _ in range(3)))
        written = 0
        while not migrating.done():
            await writer.execute(_AS_BEFORE, CODES.name, "m-meanwhile", b"meanwhile")
            written += 1
        await migrating
        await writer.execute(_AS_BEFORE, CODES.name, "m-after", b"after")
        assert written > 0
        assert await connection.fetchval("SELECT count(*) FROM auth_events.outbox") == 2000 + written + 1
        assert await connection.fetchval("SELECT version_num FROM auth_events.alembic_version") == "0003"
        assert await connection.fetchval("SELECT count(*) FROM auth_events.portal_access") == 0
    finally:
        await connection.close()
        await writer.close()


async def test_an_outbox_that_is_locked_does_not_keep_the_migration_waiting(database: str) -> None:
    connection, holder = await asyncpg.connect(database), await asyncpg.connect(database)
    try:
        await _as_before_0002(connection)
        async with holder.transaction():
            await holder.execute("LOCK TABLE auth_events.outbox IN ACCESS EXCLUSIVE MODE")
            async with asyncio.timeout(20):
                await migrate(database)
        assert await connection.fetchval("SELECT to_regclass('auth_events.portal_access')") is not None
    finally:
        await connection.close()
        await holder.close()
