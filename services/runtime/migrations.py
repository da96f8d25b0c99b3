"""Each service owns its schema and its migrations (Alembic); one advisory lock lets replicas race harmlessly."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

_LOCK = 0x6D656D626572  # "member"
LOCK_SECONDS = 0.2
_KEEP_NOBODY = "SET lock_timeout = '5s'"


def upgrade(dsn: str, schema: str, directory: Path) -> None:
    """Bring `schema` to the newest revision of `directory`. Safe beside running services of the version before."""
    asyncio.run(upgrade_async(dsn, schema, directory))


async def upgrade_async(dsn: str, schema: str, directory: Path) -> None:
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await _lock(connection)
            await connection.run_sync(_upgrade, schema, directory)
    finally:
        await engine.dispose()


async def _lock(connection: AsyncConnection) -> None:
    """Asked for again and again: who waits inside a statement holds a snapshot, and the one who has the lock and builds
    an index CONCURRENTLY waits for every snapshot."""
    while not (await connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK})).scalar_one():
        await connection.commit()
        await asyncio.sleep(LOCK_SECONDS)
    await connection.commit()


def _upgrade(connection: Connection, schema: str, directory: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(directory))
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
    connection.commit()
    try:
        command.upgrade(config, "head")
        connection.commit()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
        connection.commit()


def run_online(connection: Connection, schema: str) -> None:
    """For each service's `env.py`."""
    from alembic import context  # noqa: PLC0415 (only inside Alembic's own run)

    context.configure(connection=connection, version_table_schema=schema, version_table="alembic_version")
    with context.begin_transaction():
        context.run_migrations()


CONSOLE_ROLE = "member_notices_console"
"""Who reads the console's views, and nothing else. Roles are of the whole server, so it may exist already."""


def console_role() -> str:
    """Make the role. A user who may not goes on without it, and docs/operations.md says what an administrator runs."""
    return f"""
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{CONSOLE_ROLE}') THEN
                CREATE ROLE {CONSOLE_ROLE} NOLOGIN;
            END IF;
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role {CONSOLE_ROLE} was not made: see "The console" in docs/operations.md';
            WHEN duplicate_object OR unique_violation THEN NULL;
        END $$
    """


def console_grants(schema: str, views: Iterable[str]) -> str:
    """These views and no more, if there is the role."""
    return f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{CONSOLE_ROLE}') THEN
                GRANT USAGE ON SCHEMA {schema} TO {CONSOLE_ROLE};
                GRANT SELECT ON {", ".join(f"{schema}.{view}" for view in views)} TO {CONSOLE_ROLE};
            END IF;
        END $$
    """


_BROKEN = """
SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(:index) AND NOT indisvalid)
"""
_WITHOUT = """
SELECT child.relname AS name, EXISTS (
    SELECT FROM pg_class made JOIN pg_index ON indexrelid = made.oid
    WHERE made.relnamespace = child.relnamespace AND made.relname = child.relname || :suffix
      AND NOT indisvalid) AS broken
FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = CAST(:table AS regclass) AND NOT inhdetachpending
  AND NOT EXISTS (
    SELECT FROM pg_inherits attached JOIN pg_index ON indexrelid = attached.inhrelid
    WHERE attached.inhparent = CAST(:index AS regclass) AND indrelid = child.oid)
ORDER BY child.relname
"""
_FILLED = """
SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = CAST(:table AS regclass) AND pg_relation_size(inhrelid) > 0)
"""


def index_table(schema: str, table: str, name: str, definition: str) -> None:
    """An index of a table that may be large, built beside its writers; one whose build was broken off is built anew.

    `definition`: its columns and condition.
    """
    from alembic import op  # noqa: PLC0415 (only inside Alembic's own run)

    with op.get_context().autocommit_block():
        if op.get_bind().execute(text(_BROKEN), {"index": f"{schema}.{name}"}).scalar_one():
            op.execute(f"DROP INDEX CONCURRENTLY {schema}.{name}")
        op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {schema}.{table} {definition}")


def index_partitions(schema: str, table: str, name: str, definition: str) -> None:
    """An index of a partitioned table, one partition after the other; new ones are born with it from the first moment.

    `definition`: its columns and condition. It keeps a writer for 5 seconds at most, else it fails; the next run goes
    on where this one ended.
    """
    from alembic import op  # noqa: PLC0415 (only inside Alembic's own run)

    suffix = name.removeprefix(table)
    asked = {"table": f"{schema}.{table}", "index": f"{schema}.{name}", "suffix": suffix}
    with op.get_context().autocommit_block():
        op.execute(_KEEP_NOBODY)
        # An empty table is done in a moment, as a whole.
        only = "ONLY " if op.get_bind().execute(text(_FILLED), asked).scalar_one() else ""
        op.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {only}{schema}.{table} {definition}")
        for child, broken in op.get_bind().execute(text(_WITHOUT), asked).all():
            index = f'"{child}{suffix}"'
            # Both wait for others' snapshots as long as they last, and keep nobody meanwhile.
            op.execute("RESET lock_timeout")
            if broken:
                op.execute(f"DROP INDEX CONCURRENTLY {schema}.{index}")
            op.execute(f'CREATE INDEX CONCURRENTLY IF NOT EXISTS {index} ON {schema}."{child}" {definition}')
            op.execute(_KEEP_NOBODY)
            op.execute(f"ALTER INDEX {schema}.{name} ATTACH PARTITION {schema}.{index}")
        op.execute("RESET lock_timeout")
