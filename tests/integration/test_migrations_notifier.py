"""0002 is built day by day, beside a running service, and goes on where it was killed."""

import asyncio
from datetime import UTC, datetime

import asyncpg

from tests.support.database import migrate

_COVERED = """
SELECT indisvalid AND (SELECT count(*) FROM pg_inherits WHERE inhparent = 'notifier.events'::regclass)
    = (SELECT count(*) FROM pg_inherits WHERE inhparent = indexrelid)
FROM pg_index WHERE indexrelid = 'notifier.events_unplanned'::regclass
"""


async def _half_done(connection: asyncpg.Connection) -> None:
    """As a process left it that was killed after the first days: the index on the parent alone, and on two days."""
    days = await connection.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'notifier.events'::regclass LIMIT 2"
    )
    await connection.execute("DROP INDEX notifier.events_unplanned")
    await connection.execute(
        "CREATE INDEX events_unplanned ON ONLY notifier.events (member_id) WHERE state <> 'planned'"
    )
    (attached, only_built) = [row["name"].removeprefix("notifier.") for row in days]
    for name in (attached, only_built):
        await connection.execute(
            f"CREATE INDEX {name}_unplanned ON notifier.{name} (member_id) WHERE state <> 'planned'"
        )
    await connection.execute(f"ALTER INDEX notifier.events_unplanned ATTACH PARTITION notifier.{attached}_unplanned")
    await connection.execute("UPDATE notifier.alembic_version SET version_num = '0001'")


async def test_a_migration_that_was_killed_is_finished_by_the_next_of_several_at_once(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await _half_done(connection)
        assert not await connection.fetchval(_COVERED)
        await asyncio.gather(*(migrate(database) for _ in range(3)))
        assert await connection.fetchval(_COVERED)
        assert await connection.fetchval("SELECT version_num FROM notifier.alembic_version") >= "0002"
    finally:
        await connection.close()


async def test_days_made_later_are_covered_too(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("SELECT notifier.ensure_partitions(current_date + 3, current_date + 4)")
        assert await connection.fetchval(_COVERED)
    finally:
        await connection.close()


async def test_the_service_of_the_version_before_goes_on_accepting_meanwhile(database: str) -> None:
    """What it writes, its own statements; it knows nothing of 0002."""
    connection, writer = await asyncpg.connect(database), await asyncpg.connect(database)
    try:
        await _half_done(connection)
        migrating = asyncio.create_task(migrate(database))
        written = 0
        while not migrating.done():
            await writer.execute(
                "INSERT INTO notifier.events (day, source, id, type, member_id, time, content_sha256, state, origin,"
                " accepted_at) VALUES ($1, 's', $2, 't', 'm', $3, '', 'planned', 'o', $3)",
                datetime.now(UTC).date(),
                str(written),
                datetime.now(UTC),
            )
            written += 1
        await migrating
        assert written > 0
        assert await connection.fetchval("SELECT count(*) FROM notifier.events WHERE source = 's'") == written
        assert await connection.fetchval(_COVERED)
    finally:
        await connection.close()
        await writer.close()
