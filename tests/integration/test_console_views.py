"""What the console's role can see, and that it can do nothing else: on the real database, as that role."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from services.runtime.migrations import CONSOLE_ROLE, console_role

TIME, TEXT = "timestamp with time zone", "text"
CONTRACT = {
    "notifier.console_notifications": {
        "day": "date", "id": "uuid", "event_source": TEXT, "event_id": TEXT, "event_type": TEXT, "event_time": TIME,
        "member_id": TEXT, "notice": TEXT, "channel": TEXT, "role": TEXT, "lane": TEXT, "brand": TEXT, "locale": TEXT,
        "address_hash": "bytea", "state": TEXT, "state_at": TIME, "reason": TEXT, "attempts": "integer",
        "due_at": TIME, "not_before": TIME, "limit_at": TIME, "expires_at": TIME, "hand_over_by": TIME,
        "accepted_at": TIME, "sent_at": TIME, "carried_by": TEXT, "of_complaint": "boolean",
    },
    "notifier.console_attempts": {
        "day": "date", "notification_id": "uuid", "attempt": "integer", "started_at": TIME, "ended_at": TIME,
        "result": TEXT, "reply_code": TEXT, "reason": TEXT,
    },
    "notifier.console_events": {
        "day": "date", "source": TEXT, "id": TEXT, "type": TEXT, "member_id": TEXT, "time": TIME, "state": TEXT,
        "reason": TEXT, "origin": TEXT, "accepted_at": TIME, "waits_until": TIME,
    },
    "notifier.console_suppressions": {
        "address_hash": "bytea", "channel": TEXT, "reason": TEXT, "notification_id": "uuid", "since": TIME,
        "lifted_at": TIME,
    },
    "notifier.console_breaches": {
        "day": "date", "id": "uuid", "lane": TEXT, "at": TIME, "since": TIME, "never": "boolean",
    },
    "notifier.console_interventions": {
        "id": "bigint", "at": TIME, "kind": TEXT, "subject": TEXT, "who": TEXT, "why": TEXT, "result": TEXT,
    },
    "notifier.console_outbox": {"id": "bigint", "topic": TEXT, "written_at": TIME},
    "complaint_sla.console_cases": {
        "complaint_id": TEXT, "licence": TEXT, "brand": TEXT, "received_at": TIME, "closed_at": TIME, "how": TEXT,
        "next_at": TIME, "unregistered": "boolean", "unconfirmed": "integer", "rules_version": TEXT,
        "calendar_version": TEXT, "stuck_at": TIME, "changed_at": TIME,
    },
    "complaint_sla.console_obligations": {
        "complaint_id": TEXT, "obligation": TEXT, "licence": TEXT, "limit_at": TIME, "send_by": "date", "state": TEXT,
        "met_at": TIME, "detected_at": TIME, "source": TEXT,
    },
    "complaint_sla.console_heard": {
        "complaint_id": TEXT, "source": TEXT, "id": TEXT, "number": "bigint", "type": TEXT, "time": TIME,
        "accepted_at": TIME,
    },
    "complaint_sla.console_said": {
        "complaint_id": TEXT, "id": TEXT, "number": "bigint", "type": TEXT, "at": TIME,
    },
    "complaint_sla.console_progress": {
        "topic": TEXT, "partition": "integer", "through": TIME, "written_at": TIME,
    },
}  # fmt: skip
EVERYTHING = """
SELECT oid::regclass::text FROM pg_class
WHERE relnamespace = ANY(ARRAY['notifier', 'complaint_sla', 'auth_events']::regnamespace[])
  AND relkind IN ('r', 'p', 'v') ORDER BY 1
"""


@asynccontextmanager
async def as_console(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn, server_settings={"role": CONSOLE_ROLE})
    try:
        yield connection
    finally:
        await connection.close()


async def everything(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row[0] for row in await connection.fetch(EVERYTHING)]
    finally:
        await connection.close()


@pytest.mark.parametrize("view", CONTRACT)
async def test_a_view_has_the_columns_the_console_was_promised(migrated_template: str, view: str) -> None:
    connection = await asyncpg.connect(migrated_template)
    try:
        rows = await connection.fetch(
            "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
            " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            view,
        )
    finally:
        await connection.close()
    assert {row["attname"]: row["type"] for row in rows} == CONTRACT[view]


def test_what_an_administrator_grants_by_hand_is_all_of_them() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    granted = page.partition("GRANT SELECT ON ")[2].partition(f" TO {CONSOLE_ROLE}")[0]
    assert {each.strip() for each in granted.split(",")} == set(CONTRACT)


async def test_the_role_reads_the_views_and_nothing_else(database: str) -> None:
    names = await everything(database)
    assert set(CONTRACT) <= set(names)
    async with as_console(database) as console:
        for name in names:
            if name in CONTRACT:
                await console.fetch(f"SELECT * FROM {name} LIMIT 1")  # noqa: S608 (names of the database)
                continue
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await console.fetch(f"SELECT 1 FROM {name} LIMIT 1")  # noqa: S608


async def test_the_role_has_no_right_to_change_anything(migrated_template: str) -> None:
    connection = await asyncpg.connect(migrated_template)
    try:
        rows = await connection.fetch(
            "SELECT c.name, r.name AS right FROM unnest($1::text[]) AS c (name), unnest($2::text[]) AS r (name)"
            " WHERE has_table_privilege($3::name, c.name, r.name)",
            await everything(migrated_template),
            ["INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"],
            CONSOLE_ROLE,
        )
    finally:
        await connection.close()
    assert rows == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO notifier.console_suppressions (channel) VALUES ('email')",
        "UPDATE notifier.console_suppressions SET channel = 'sms'",
        "DELETE FROM notifier.console_suppressions",
        "UPDATE notifier.console_notifications SET state = 'sent'",
        "DELETE FROM complaint_sla.console_obligations",
        "DELETE FROM notifier.notifications",
        "UPDATE complaint_sla.cases SET stuck_at = NULL",
        "CREATE TABLE notifier.mine ()",
        "SELECT notifier.ensure_partitions('2040-01-01', '2040-01-01')",
    ],
)
async def test_what_the_role_tries_to_change_is_refused(migrated_template: str, statement: str) -> None:
    async with as_console(migrated_template) as console:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await console.execute(statement)


async def test_who_may_not_make_roles_is_told_where_it_says_how(migrated_template: str) -> None:
    told: list[str] = []
    async with as_console(migrated_template) as nobody:
        nobody.add_log_listener(lambda _connection, message: told.append(str(message)))
        await nobody.execute(console_role().replace(CONSOLE_ROLE, "made_by_nobody"))
        assert not await nobody.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'made_by_nobody')")
    assert any("docs/operations.md" in each for each in told)
