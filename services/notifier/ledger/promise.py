"""Is the promise kept right now? What is open, how old it is, what waits to be told."""

from dataclasses import dataclass

from services.runtime.database import Database

ENOUGH = 10_000
"""What is counted on and on every few seconds has an end: beyond it nobody acts otherwise."""
BACKLOG = """
SELECT (SELECT count(*) FROM notifier.events WHERE state = 'waiting') AS waiting, count(*) AS rows,
       (SELECT count(*) FROM (
           SELECT FROM notifier.suppressions WHERE lifted_at IS NULL AND since > now() - interval '1 hour' LIMIT $1
       ) AS lately) AS suppressed,
       coalesce(extract(epoch FROM clock_timestamp() - min(written_at)), 0)::float8 AS oldest
FROM notifier.outbox
"""
"""`now()`, for an index is not narrowed by `clock_timestamp()`, which may change while it is read."""


@dataclass(frozen=True, slots=True)
class OpenWork:
    """Open notifications of one notice in one state; `oldest_seconds` counts from their event's time."""

    lane: str
    notice: str
    state: str
    count: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """`outbox_seconds`: how long the oldest outcome has been waiting to be told."""

    waiting_events: int
    outbox_rows: int
    outbox_seconds: float
    newly_suppressed: int
    """In the last hour; counted no further than `ENOUGH`."""
    expired: dict[str, int]
    """By lane: whose time was over before they left, in the last hour."""


class Promise:
    """What members are promised: a canary's messages do not count."""

    def __init__(self, database: Database, canary: str) -> None:
        """`canary`: the member whose codes measure the path (`member-notices probe`)."""
        self._database = database
        self._canary = canary

    async def open_work(self) -> list[OpenWork]:
        """By notice and state; the age counts from the event's time, which is what the member experiences.

        What a person may not be told yet is not late.
        """
        rows = await self._database.fetch(
            """
            SELECT lane, notice, state, count(*) AS count,
                   extract(epoch FROM clock_timestamp() - min(greatest(event_time, not_before)))::float8 AS oldest
            FROM notifier.notifications WHERE due_at IS NOT NULL AND member_id <> $1 GROUP BY lane, notice, state
            """,
            self._canary,
        )
        return [
            OpenWork(row["lane"], row["notice"], row["state"], row["count"], max(0.0, row["oldest"])) for row in rows
        ]

    async def backlog(self) -> Backlog:
        row = await self._database.fetchrow(BACKLOG, ENOUGH)
        if row is None:
            raise LookupError("an aggregate without a row")
        return Backlog(row["waiting"], row["rows"], max(0.0, row["oldest"]), row["suppressed"], await self._expired())

    async def _expired(self) -> dict[str, int]:
        """Contents are kept for 30 days, so that the index over them has every row that ended within the hour."""
        rows = await self._database.fetch(
            """
            SELECT lane, count(*) AS count FROM notifier.notifications
            WHERE state_at > clock_timestamp() - interval '1 hour' AND due_at IS NULL AND facts IS NOT NULL
              AND state = 'expired' AND member_id <> $1
            GROUP BY lane
            """,
            self._canary,
        )
        return {row["lane"]: row["count"] for row in rows}
