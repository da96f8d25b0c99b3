"""Reading for people: events and notifications by what somebody at a desk has in hand. Changes nothing.

Every partition is asked by key, one day after the other: an index of their own for these few questions would cost each
accepted event more than it saves here.
"""

import json
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from schemas.masking import masked
from schemas.members import ContactV1
from services.notifier.story import (
    AttemptRow,
    ContactRow,
    EventRow,
    InterventionRow,
    NotificationRow,
    Story,
)
from services.runtime.database import Database, Record, columns
from services.runtime.vault import Vault, VaultError

LIMIT = 50
_EVENT = ", ".join(f"e.{column.name}" for column in fields(EventRow))
_DAYS = """
WITH days AS MATERIALIZED (
    SELECT to_date(right(relname, 8), 'YYYYMMDD') AS day FROM pg_class
    WHERE relnamespace = 'notifier'::regnamespace AND relname ~ '^events_[0-9]{8}$')
"""
_BY_SOURCE_AND_ID = f"""{_DAYS}
SELECT {_EVENT} FROM days JOIN notifier.events e ON e.day = days.day AND e.source = $1 AND e.id = $2
ORDER BY e.time DESC LIMIT $3
"""  # noqa: S608 (constants of this module)
_BY_ID = f"""{_DAYS}
SELECT {_EVENT} FROM days CROSS JOIN LATERAL (
    WITH RECURSIVE sources AS (
        (SELECT source FROM notifier.events WHERE day = days.day ORDER BY source LIMIT 1)
        UNION ALL
        SELECT (SELECT source FROM notifier.events WHERE day = days.day AND source > sources.source
                ORDER BY source LIMIT 1)
        FROM sources WHERE sources.source IS NOT NULL)
    SELECT found.* FROM sources
    JOIN notifier.events found ON found.day = days.day AND found.source = sources.source AND found.id = $1) e
ORDER BY e.time DESC LIMIT $2
"""  # noqa: S608 (constants of this module)
"""Few systems publish, so the sources of a day are few: they are hopped over, and each is asked by key."""
_NOT_PLANNED = f"""
SELECT {_EVENT} FROM notifier.events e WHERE e.member_id = $1 AND e.state <> 'planned'
ORDER BY e.time DESC LIMIT $2
"""  # noqa: S608 (constants of this module)
_BY_NOTIFICATION = f"""{_DAYS}
SELECT n.* FROM days JOIN notifier.notifications n ON n.day = days.day AND n.id = $1
"""  # noqa: S608 (constants of this module)


class Stories:
    """Answers from the ledger, masked. Raises what PostgreSQL raises."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def events(self, asked: str, limit: int = LIMIT) -> list[EventRow]:
        """`source|id`, or an id alone, which several sources may have used. Newest first."""
        source, bar, id_ = asked.rpartition("|")
        found = await self._database.fetch(_BY_SOURCE_AND_ID, source, id_, limit) if bar else []
        if not found:
            found = await self._database.fetch(_BY_ID, asked, limit)
        return [EventRow(**row) for row in found]

    async def event_of(self, row: NotificationRow) -> EventRow | None:
        found = await self._database.fetchrow(
            f"SELECT {_EVENT} FROM notifier.events e WHERE e.day = $1 AND e.source = $2 AND e.id = $3",  # noqa: S608
            row.day,
            row.event_source,
            row.event_id,
        )
        return None if found is None else EventRow(**found)

    async def not_planned(self, member_id: str, limit: int = LIMIT) -> list[EventRow]:
        """A member's events that wait, were skipped or failed. Newest first."""
        return [EventRow(**row) for row in await self._database.fetch(_NOT_PLANNED, member_id, limit)]

    async def notification(self, id_: uuid.UUID) -> NotificationRow | None:
        rows = await self._database.fetch(_BY_NOTIFICATION, id_)
        return (await self._with_attempts(rows))[0] if rows else None

    async def of_member(self, member_id: str, limit: int = LIMIT) -> list[NotificationRow]:
        """Newest first."""
        return await self._with_attempts(
            await self._database.fetch(
                "SELECT * FROM notifier.notifications WHERE member_id = $1 ORDER BY event_time DESC, id LIMIT $2",
                member_id,
                limit,
            )
        )

    async def of_event(self, event: EventRow, limit: int = LIMIT) -> list[NotificationRow]:
        return await self._with_attempts(
            await self._database.fetch(
                """
                SELECT * FROM notifier.notifications
                WHERE day = $1 AND member_id = $2 AND event_source = $3 AND event_id = $4
                ORDER BY notice, role, channel LIMIT $5
                """,
                event.day,
                event.member_id,
                event.source,
                event.id,
                limit,
            )
        )

    async def story(self, event: EventRow, notifications: Sequence[NotificationRow]) -> Story:
        """The event with these of its notifications, and all that explains them."""
        return Story(
            event=event,
            notifications=notifications,
            contact=await self.contact_of(event),
            in_outbox=await self._in_outbox(event.member_id, notifications),
            newest=await self._newest(event.member_id),
            interventions=await self.interventions([event.origin, *(str(row.id) for row in notifications)]),
        )

    async def facts(self, row: NotificationRow) -> dict[str, Any] | None:
        """What its template was told, secrets not included. Raises `VaultError`."""
        sealed = await self._database.fetchval(
            "SELECT facts FROM notifier.notifications WHERE day = $1 AND id = $2", row.day, row.id
        )
        if sealed is None:
            return None
        facts: dict[str, Any] = json.loads(self._vault.decrypt(sealed, f"notifications/{row.id}/facts"))
        return facts

    async def interventions(self, subjects: Sequence[str]) -> list[InterventionRow]:
        """In the order they were made."""
        rows = await self._database.fetch(
            """
            SELECT at, kind, subject, who, why, result FROM notifier.interventions
            WHERE subject = ANY($1::text[]) OR result = ANY($1::text[]) ORDER BY id
            """,
            list(subjects),
        )
        return [InterventionRow(**row) for row in rows]

    async def contact_of(self, about: EventRow | NotificationRow) -> ContactRow | None:
        """None also for what is a complaint's: whatever contact has that name, it is not its."""
        member_id = about.member_id
        if about.of_complaint:
            return None
        row = await self._database.fetchrow(
            "SELECT version, time, stored_at, data FROM notifier.contacts WHERE member_id = $1", member_id
        )
        if row is None:
            return None
        contact: ContactV1 | None = None
        if row["data"] is not None:
            try:
                contact = ContactV1.model_validate_json(self._vault.decrypt(row["data"], f"contacts/{member_id}/data"))
            except VaultError:
                contact = None  # its language is then not told; the rest of the story is
        return ContactRow(
            version=row["version"],
            time=row["time"],
            stored_at=row["stored_at"],
            forgotten=row["data"] is None,
            language=contact.language if contact else None,
            brand=contact.brand if contact else None,
        )

    async def _with_attempts(self, rows: Sequence[Record]) -> list[NotificationRow]:
        tried: dict[uuid.UUID, list[AttemptRow]] = defaultdict(list)
        for row in await self._database.fetch(
            """
            SELECT a.notification_id, a.attempt, a.started_at, a.ended_at, a.result, a.reply_code, a.reason
            FROM unnest($1::date[], $2::uuid[]) AS asked (day, id)
            JOIN notifier.attempts a ON a.day = asked.day AND a.notification_id = asked.id
            ORDER BY a.notification_id, a.attempt
            """,
            *columns([(row["day"], row["id"]) for row in rows], 2),
        ):
            values = dict(row)
            tried[values.pop("notification_id")].append(AttemptRow(**values))
        return [replace(self._shown(row), tried=tuple(tried[row["id"]])) for row in rows]

    def _shown(self, row: Record) -> NotificationRow:
        given = {"address", "has_address", "has_facts", "has_secrets", "tried"}
        return NotificationRow(
            **{column.name: row[column.name] for column in fields(NotificationRow) if column.name not in given},
            address=self._masked(row),
            has_address=row["address"] is not None,
            has_facts=row["facts"] is not None,
            has_secrets=row["secrets"] is not None,
        )

    def _masked(self, row: Record) -> str | None:
        if row["address"] is None:
            return None if row["facts"] is not None else "(erased, 30 days after its end)"
        try:
            return masked(self._vault.decrypt(row["address"], f"notifications/{row['id']}/address").decode())
        except VaultError:
            return f"(sealed with key {Vault.key_id(row['address'])!r}, which is not among VAULT_KEYS)"

    async def _in_outbox(self, member_id: str, rows: Sequence[NotificationRow]) -> frozenset[str]:
        waiting = await self._database.fetch(
            """
            SELECT asked.id FROM unnest($2::text[]) AS asked (id)
            WHERE EXISTS (SELECT FROM notifier.outbox o WHERE o.key = $1
                          AND o.headers @> jsonb_build_array(jsonb_build_array('ce_id', asked.id)))
            """,
            member_id,
            [row.outcome_id for row in rows],
        )
        return frozenset(row["id"] for row in waiting)

    async def _newest(self, member_id: str) -> dict[str, tuple[datetime, str]]:
        rows = await self._database.fetch(
            "SELECT supersede_group, newest_time, newest_id FROM notifier.supersede_groups WHERE member_id = $1",
            member_id,
        )
        return {row["supersede_group"]: (row["newest_time"], row["newest_id"]) for row in rows}
