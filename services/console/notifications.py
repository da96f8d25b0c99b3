"""What was sent and what was not, from the notifier's views: a list by what one has in hand, and one of them.

A list that an index does not find at once goes back stretch by stretch, newest first, and says how far it came when its
time is over.
"""

import hashlib
import hmac
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.console.figures import LOOK_BACK
from services.console.searching import Place, Wanted, question
from services.runtime.database import Database, Record

PAGE_ROWS = 50
KEPT = timedelta(days=133)
"""The ledger's days: 130 back, 2 ahead."""
SEARCH_SECONDS = 0.1
FIRST_STRETCH = timedelta(hours=1)
QUICK_SECONDS, SLOW_SECONDS = 0.01, 0.05
_FIRST_ID, _LAST_ID = uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Found:
    """`older`: where to go on. `through`: the search came that far back when its time was over."""

    rows: Sequence[Record]
    older: Place | None = None
    through: datetime | None = None


def search_hash(key: bytes, address: str) -> bytes:
    """As the notifier makes it: HMAC of the normalised address."""
    return hmac.digest(key, address.strip().lower().encode(), hashlib.sha256)


class Notifications:
    """Raises what PostgreSQL raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def search(self, wanted: Wanted, now: datetime, before: Place | None) -> Found:
        """Newest event first."""
        oldest = now - (LOOK_BACK if wanted.late else KEPT)
        place = before or Place(now + timedelta(days=2), _LAST_ID)
        if wanted.is_little:
            return _found(await self._ask(wanted, now, oldest, place, PAGE_ROWS + 1))
        return await self._back_from(place, wanted, now, oldest)

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
        return await self._database.fetchrow(_ONE, _days(now), id_)

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

    async def _back_from(self, place: Place, wanted: Wanted, now: datetime, oldest: datetime) -> Found:
        """Longer stretches while they are quick, shorter ones when they are not.

        The first is looked through whatever it takes, so that each page goes on; one that grew into a busy day is not.
        """
        rows: list[Record] = []
        since, stretch, until = min(place.at, now), FIRST_STRETCH, time.monotonic() + SEARCH_SECONDS
        while since > oldest and len(rows) <= PAGE_ROWS:
            began = time.monotonic()
            if began > until:
                return Found(rows, place, since)
            further = max(since - stretch, oldest)
            seconds = None if stretch <= FIRST_STRETCH else until - began + SLOW_SECONDS
            try:
                rows += await self._ask(wanted, now, further, place, PAGE_ROWS + 1 - len(rows), seconds)
            except TimeoutError:
                return Found(rows, place, since)
            since, place = further, Place(further, _FIRST_ID)
            taken = time.monotonic() - began
            stretch = stretch * 4 if taken < QUICK_SECONDS else stretch / 2 if taken > SLOW_SECONDS else stretch
        return _found(rows)

    async def _ask(  # noqa: PLR0913, PLR0917, RUF100 (a question)
        self, wanted: Wanted, now: datetime, since: datetime, before: Place, limit: int, seconds: float | None = None
    ) -> Sequence[Record]:
        """Raises `TimeoutError` after `seconds`."""
        statement, arguments = question(wanted, now, since, before, limit)
        return await self._database.fetch(statement, *arguments, timeout=seconds)


class Events:
    """Accepted events, also those that caused nothing. Raises what PostgreSQL raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, asked: str, now: datetime) -> Sequence[Record]:
        """`asked`: source|id, or id; the newest first."""
        source, bar, id_ = asked.rpartition("|")
        if bar:
            return await self._database.fetch(_BY_SOURCE, _days(now), source, id_, PAGE_ROWS)
        return await self._database.fetch(_BY_ID, _days(now), asked, PAGE_ROWS)

    async def not_planned(self, state: str, member: str) -> Sequence[Record]:
        """The newest first; `state` waiting, skipped or failed; of one member, or of all."""
        if member:
            return await self._database.fetch(_UNPLANNED_OF, state, member, PAGE_ROWS * 2)
        return await self._database.fetch(_UNPLANNED, state, PAGE_ROWS * 2)


_UNPLANNED = """
SELECT * FROM notifier.console_events WHERE state <> 'planned' AND state = $1 ORDER BY time DESC LIMIT $2
"""
_UNPLANNED_OF = """
SELECT * FROM notifier.console_events
WHERE state <> 'planned' AND state = $1 AND member_id = $2 ORDER BY time DESC LIMIT $3
"""
# Day by day inside: the keys begin with it, and a list of days would be looked for in each day's index.
_ONE = """
SELECT found.* FROM unnest($1::date[]) AS days (day) CROSS JOIN LATERAL (
    SELECT * FROM notifier.console_notifications n WHERE n.day = days.day AND n.id = $2 LIMIT 1) AS found
LIMIT 1
"""
_BY_SOURCE = """
SELECT found.* FROM unnest($1::date[]) AS days (day) CROSS JOIN LATERAL (
    SELECT * FROM notifier.console_events e WHERE e.day = days.day AND e.source = $2 AND e.id = $3 LIMIT 1) AS found
ORDER BY found.time DESC LIMIT $4
"""
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


def _found(rows: Sequence[Record]) -> Found:
    if len(rows) <= PAGE_ROWS:
        return Found(rows)
    last = rows[PAGE_ROWS - 1]
    return Found(rows[:PAGE_ROWS], Place(last["event_time"], last["id"]))
