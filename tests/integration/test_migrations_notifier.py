"""Migrations beside a running service: 0002 and 0006 go day by day; what was killed goes on or anew; 0003 waits."""

import asyncio
import uuid
from datetime import UTC, datetime

import asyncpg

from tests.support.database import migrate
from tests.support.waiting import wait_for

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


# --- 0003 -------------------------------------------------------------------------------------------------------------

_AS_BEFORE_0003 = """
INSERT INTO notifier.notifications (day, id, event_source, event_id, event_type, event_time, member_id, notice, channel,
    role, lane, brand, locale, state, state_at, accepted_at, due_at)
VALUES ($1, $2, 's', $3, 't', $4, 'm', 'n', 'email', 'login', 'security', 'b', 'en', 'accepted', $4, $4, $4)
"""


async def _without_letters(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "ALTER TABLE notifier.notifications"
        " DROP COLUMN cancelled_from CASCADE, DROP COLUMN not_before CASCADE, DROP COLUMN limit_at CASCADE"
    )
    for table in ("letter_ranks", "cancelled_letters", "letters"):
        await connection.execute(f"DROP TABLE notifier.{table}")
    await connection.execute("UPDATE notifier.alembic_version SET version_num = '0002'")


async def _write_as_before(connection: asyncpg.Connection) -> None:
    at = datetime.now(UTC)
    id_ = uuid.uuid4()
    await connection.execute(_AS_BEFORE_0003, at.date(), id_, str(id_), at)


async def test_letters_come_beside_a_service_of_the_version_before(database: str) -> None:
    connection, writer = await asyncpg.connect(database), await asyncpg.connect(database)
    try:
        await _without_letters(connection)
        migrating = asyncio.gather(*(migrate(database) for _ in range(3)))
        while not migrating.done():
            await _write_as_before(writer)
        await migrating
        await _write_as_before(writer)
        assert await connection.fetchval("SELECT count(*) FROM notifier.notifications WHERE cancelled_from IS NULL") > 0
    finally:
        await connection.close()
        await writer.close()


async def test_a_table_that_is_in_use_is_waited_for_without_holding_up_its_writers(database: str) -> None:
    connection, holder = await asyncpg.connect(database), await asyncpg.connect(database)
    try:
        await _without_letters(connection)
        busy = holder.transaction()
        await busy.start()
        await _write_as_before(holder)
        migrating = asyncio.create_task(migrate(database))
        waited = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock')"
        await wait_for(lambda: connection.fetchval(waited), "a migration that waits")
        async with asyncio.timeout(3):
            await _write_as_before(connection)
        await busy.commit()
        await migrating
    finally:
        await connection.close()
        await holder.close()


async def test_days_made_after_letters_came_know_them_too(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await _without_letters(connection)
        await migrate(database)
        assert await connection.fetchval("SELECT notifier.ensure_partitions(current_date + 3, current_date + 4)") > 0
    finally:
        await connection.close()


# --- 0006 -------------------------------------------------------------------------------------------------------------

_SEARCHED = ("notifications_notice", "notifications_state", "notifications_address", "notifications_sent")
_BUILT = """
SELECT count(*) FILTER (WHERE indisvalid) = count(*) AND count(*) = (
    SELECT count(*) + 1 FROM pg_inherits WHERE inhparent = 'notifier.notifications'::regclass)
FROM pg_index WHERE indexrelid = $1::text::regclass
   OR indexrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = $1::text::regclass)
"""


async def _not_searched(connection: asyncpg.Connection) -> None:
    for index in (*_SEARCHED, "events_unplanned_time"):
        await connection.execute(f"DROP INDEX notifier.{index}")
    await connection.execute("UPDATE notifier.alembic_version SET version_num = '0005'")


async def _are_built(connection: asyncpg.Connection) -> bool:
    return all([await connection.fetchval(_BUILT, f"notifier.{index}") for index in _SEARCHED])


async def test_what_is_searched_is_indexed_beside_a_service_that_writes(database: str) -> None:
    connection, writer = await asyncpg.connect(database), await asyncpg.connect(database)
    try:
        await _not_searched(connection)
        await _write_as_before(writer)
        migrating = asyncio.create_task(migrate(database))
        while not migrating.done():
            await _write_as_before(writer)
        await migrating
        assert await _are_built(connection)
    finally:
        await connection.close()
        await writer.close()


async def test_an_index_whose_build_was_broken_off_is_built_anew(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await _not_searched(connection)
        await _write_as_before(connection)
        partition = f"notifications_{datetime.now(UTC):%Y%m%d}"
        condition = "(sent_at) WHERE sent_at IS NOT NULL"
        await connection.execute(f"CREATE INDEX notifications_sent ON ONLY notifier.notifications {condition}")
        await connection.execute(f"CREATE INDEX {partition}_sent ON notifier.{partition} {condition}")
        await connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1::text::regclass", f"notifier.{partition}_sent"
        )
        await migrate(database)
        assert await _are_built(connection)
    finally:
        await connection.close()


# --- 0008 -------------------------------------------------------------------------------------------------------------

_CONTACT_AS_BEFORE_0008 = """
INSERT INTO notifier.contacts (member_id, version, time, data, left_addresses)
VALUES ($1, 1, clock_timestamp(), '', '')
"""


async def _undated(connection: asyncpg.Connection) -> None:
    await connection.execute("ALTER TABLE notifier.contacts DROP COLUMN left_until")
    await connection.execute("UPDATE notifier.alembic_version SET version_num = '0007'")


async def test_left_addresses_are_dated_beside_a_service_that_writes(database: str) -> None:
    connection, writer = await asyncpg.connect(database), await asyncpg.connect(database)
    try:
        await _undated(connection)
        migrating = asyncio.gather(*(migrate(database) for _ in range(3)))
        written = 0
        while not migrating.done():
            await writer.execute(_CONTACT_AS_BEFORE_0008, f"m-{written}")
            written += 1
        await migrating
        assert await connection.fetchval("SELECT count(*) FROM notifier.contacts WHERE left_until IS NULL") == written
    finally:
        await connection.close()
        await writer.close()


async def test_an_index_of_contacts_whose_build_was_broken_off_is_built_anew(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'notifier.contacts_left'::regclass"
        )
        await connection.execute("UPDATE notifier.alembic_version SET version_num = '0007'")
        await migrate(database)
        assert await connection.fetchval(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'notifier.contacts_left'::regclass"
        )
    finally:
        await connection.close()
