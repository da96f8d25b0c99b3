"""What people did by hand, from the notifier's view: with who and why, as far as both may be shown."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.console.redacted import said_by_people
from services.runtime.database import Database, Record

ROWS = 200
KINDS: Mapping[str, str] = {
    "retry": "Tried again", "replay": "Replayed", "reveal": "Contents looked at", "lift": "Suppression lifted",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Intervention:
    """`subject`: a notification where `notification` says so, else a record's topic/partition/offset.

    `result`: None while it is under way, or where whoever did it was cut off.
    """

    at: datetime
    kind: str
    subject: str
    who: str
    why: str
    result: str | None
    notification: bool


class Interventions:
    """Raises what PostgreSQL raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self, kind: str) -> Sequence[Intervention]:
        """The newest first; `kind` empty: every one."""
        rows = await self._database.fetch(
            """
            SELECT at, kind, subject, who, why, result FROM notifier.console_interventions
            WHERE $1 = '' OR kind = $1 ORDER BY id DESC LIMIT $2
            """,
            kind,
            ROWS,
        )
        return [_intervention(row) for row in rows]

    async def about(self, notification: Record) -> Sequence[Intervention]:
        """Of the notification, or of the record its event was read from; in the order they were made."""
        rows = await self._database.fetch(
            """
            SELECT i.at, i.kind, i.subject, i.who, i.why, i.result
            FROM (SELECT $1::text AS subject UNION ALL
                  SELECT origin FROM notifier.console_events WHERE day = $2 AND source = $3 AND id = $4) known
            JOIN notifier.console_interventions i ON known.subject IN (i.subject, i.result)
            ORDER BY i.id LIMIT $5
            """,
            str(notification["id"]),
            notification["day"],
            notification["event_source"],
            notification["event_id"],
            ROWS,
        )
        return [_intervention(row) for row in rows]


def _intervention(row: Record) -> Intervention:
    told = {name: None if row[name] is None else said_by_people(row[name]) for name in ("who", "why", "result")}
    return Intervention(
        at=row["at"],
        kind=row["kind"],
        subject=row["subject"],
        who=told["who"] or "",
        why=told["why"] or "",
        result=told["result"],
        notification=_is_uuid(row["subject"]),
    )


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
