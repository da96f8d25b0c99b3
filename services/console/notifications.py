"""What was sent and what was not, from the notifier's views: a list by what one has in hand, and one of them.

The ledger has a partition a day and few indexes, so a search by anything but the member goes from day to day, newest
first, and says how far it came when its time is over.
"""

import hashlib
import hmac
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.console.figures import LATE, LOOK_BACK
from services.runtime.database import Database, Record

PAGE_ROWS = 50
KEPT = timedelta(days=133)
"""The ledger's days: 130 back, 2 ahead."""
SEARCH_SECONDS = 1.5
OPEN = ("accepted", "claimed", "handing-over", "retrying", "unknown")
ENDED = ("sent", "delivered", "bounced", "failed", "expired", "superseded", "suppressed", "cancelled")
_NEWEST = "ORDER BY event_time DESC, id DESC LIMIT"
_FIRST_ID, _LAST_ID = uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Place:
    """Between two rows of a list: what is older follows. Written `<time>,<uuid>` in an address."""

    at: datetime
    id: uuid.UUID

    def __str__(self) -> str:
        return f"{self.at.isoformat()},{self.id}"

    @classmethod
    def read(cls, text: str) -> "Place":
        """Raises `ValueError`."""
        at, _, id_ = text.partition(",")
        instant = datetime.fromisoformat(at)
        if instant.tzinfo is None:
            raise ValueError("without a zone")
        return cls(instant.astimezone(UTC), uuid.UUID(id_))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for; empty: whatever it is. `state`: one, or open, for all that has not ended."""

    member: str = ""
    state: str = ""
    notice: str = ""
    lane: str = ""
    address_hash: bytes = b""
    late: bool = False
    """Handed over late in the last hour."""


@dataclass(frozen=True, slots=True)
class Found:
    """`older`: where to go on. `through`: the search ended there because its time was over."""

    rows: Sequence[Record]
    older: Place | None = None
    through: date | None = None


def search_hash(key: bytes, address: str) -> bytes:
    """As the notifier makes it: HMAC of the normalised address."""
    return hmac.digest(key, address.strip().lower().encode(), hashlib.sha256)


class Notifications:
    """Raises what PostgreSQL raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def search(self, wanted: Wanted, now: datetime, before: Place | None) -> Found:
        """Newest event first."""
        conditions, arguments = _conditions(wanted, now)
        place = before or Place(now + timedelta(days=2), _LAST_ID)
        if wanted.member or wanted.state in {"open", *OPEN}:
            return _found(await self._rows(conditions, [*arguments, place.at, place.id], PAGE_ROWS + 1))
        oldest = (now - LOOK_BACK if wanted.late else now - KEPT).date()
        return await self._day_by_day(conditions, arguments, place, oldest)

    async def of_event(self, event: Record) -> Sequence[Record]:
        """In the order of notice, role and channel."""
        return await self._database.fetch(
            """
            SELECT * FROM notifier.console_notifications
            WHERE day = $1 AND member_id = $2 AND event_source = $3 AND event_id = $4 ORDER BY notice, role, channel
            """,
            event["day"],
            event["member_id"],
            event["source"],
            event["id"],
        )

    async def one(self, id_: uuid.UUID, now: datetime) -> Record | None:
        return await self._database.fetchrow(
            "SELECT * FROM notifier.console_notifications WHERE day = ANY($1::date[]) AND id = $2", _days(now), id_
        )

    async def attempts(self, row: Record) -> Sequence[Record]:
        return await self._database.fetch(
            "SELECT * FROM notifier.console_attempts WHERE day = $1 AND notification_id = $2 ORDER BY attempt",
            row["day"],
            row["id"],
        )

    async def taught(self, row: Record) -> Record | None:
        """The suppression in force that this notification taught."""
        return await self._database.fetchrow(
            "SELECT * FROM notifier.console_suppressions WHERE notification_id = $1 AND lifted_at IS NULL", row["id"]
        )

    async def suppressions(self) -> Sequence[Record]:
        """In force, the latest first."""
        return await self._database.fetch(
            """
            SELECT notification_id, channel, reason, since FROM notifier.console_suppressions
            WHERE lifted_at IS NULL ORDER BY since DESC LIMIT $1
            """,
            PAGE_ROWS * 4,
        )

    async def _day_by_day(self, conditions: str, arguments: list[Any], place: Place, oldest: date) -> Found:
        rows: list[Record] = []
        day, until = place.at.date(), time.monotonic() + SEARCH_SECONDS
        while day >= oldest and len(rows) <= PAGE_ROWS:
            if time.monotonic() > until:
                start = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
                return Found(rows, Place(start, _FIRST_ID), day + timedelta(days=1))
            narrowed = f"{conditions} AND day = ${len(arguments) + 1}"
            values = [*arguments, day, place.at, place.id]
            rows += await self._rows(narrowed, values, PAGE_ROWS + 1 - len(rows))
            day -= timedelta(days=1)
        return _found(rows)

    async def _rows(self, conditions: str, arguments: list[Any], limit: int) -> Sequence[Record]:
        """The last two arguments are the place."""
        at, id_, most = (f"${len(arguments) + offset}" for offset in (-1, 0, 1))
        return await self._database.fetch(
            f"SELECT * FROM notifier.console_notifications WHERE {conditions}"  # noqa: S608 (words of this module)
            f" AND (event_time, id) < ({at}, {id_}) {_NEWEST} {most}",
            *arguments,
            limit,
        )


class Events:
    """Accepted events, also those that caused nothing. Raises what PostgreSQL raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, asked: str, now: datetime) -> Sequence[Record]:
        """`asked`: source|id, or id; the newest first."""
        source, bar, id_ = asked.rpartition("|")
        if bar:
            return await self._database.fetch(
                """
                SELECT * FROM notifier.console_events WHERE day = ANY($1::date[]) AND source = $2 AND id = $3
                ORDER BY time DESC LIMIT $4
                """,
                _days(now),
                source,
                id_,
                PAGE_ROWS,
            )
        return await self._database.fetch(_BY_ID, _days(now), asked, PAGE_ROWS)

    async def not_planned(self, state: str, member: str) -> Sequence[Record]:
        """The newest first; `state` waiting, skipped or failed; of one member, or of all."""
        return await self._database.fetch(
            """
            SELECT * FROM notifier.console_events
            WHERE state <> 'planned' AND state = $1 AND ($2 = '' OR member_id = $2) ORDER BY time DESC LIMIT $3
            """,
            state,
            member,
            PAGE_ROWS * 2,
        )


_BY_ID = """
SELECT found.* FROM unnest($1::date[]) AS days (day) CROSS JOIN LATERAL (
    WITH RECURSIVE sources AS (
        (SELECT source FROM notifier.console_events WHERE day = days.day ORDER BY source LIMIT 1)
        UNION ALL
        SELECT (SELECT e.source FROM notifier.console_events e WHERE e.day = days.day AND e.source > sources.source
                ORDER BY e.source LIMIT 1)
        FROM sources WHERE sources.source IS NOT NULL)
    SELECT e.* FROM sources
    JOIN notifier.console_events e ON e.day = days.day AND e.source = sources.source AND e.id = $2) found
ORDER BY found.time DESC LIMIT $3
"""
"""The key begins with the source, and there are few: each day's are walked through, not its rows."""


def _days(now: datetime) -> list[date]:
    newest = now.date() + timedelta(days=2)
    return [newest - timedelta(days=number) for number in range(KEPT.days + 3)]


def _conditions(wanted: Wanted, now: datetime) -> tuple[str, list[Any]]:
    conditions: list[str] = ["true"]
    arguments: list[Any] = []
    for column, value in (
        ("member_id", wanted.member),
        ("state", "" if wanted.state == "open" else wanted.state),
        ("notice", wanted.notice),
        ("lane", wanted.lane),
        ("address_hash", wanted.address_hash),
    ):
        if value:
            arguments.append(value)
            conditions.append(f"{column} = ${len(arguments)}")
    if wanted.state in {"open", *OPEN}:
        conditions.append("due_at IS NOT NULL")
    if wanted.late:
        arguments.append(now - timedelta(hours=1))
        conditions.append(f"sent_at > ${len(arguments)} AND {LATE}")
    return " AND ".join(conditions), arguments


def _found(rows: Sequence[Record]) -> Found:
    if len(rows) <= PAGE_ROWS:
        return Found(rows)
    last = rows[PAGE_ROWS - 1]
    return Found(rows[:PAGE_ROWS], Place(last["event_time"], last["id"]))
