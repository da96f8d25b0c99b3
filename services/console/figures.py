"""The numbers of the overview, as the services' views tell them at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.console.breaches import Run, runs
from services.runtime.database import Database, Record

WORRY_SECONDS: Mapping[str, int] = {"codes": 60, "security": 600, "letters": 3600, "general": 3600}
"""Unsent for longer breaks the promise; the same as in docs/operations.md."""
LATE_SECONDS: Mapping[str, int] = {"codes": 10, "security": 60, "letters": 3600, "general": 3600}
"""Sent later than so long after the event (or after it might leave) counts as late."""
LATE_SHARE = 0.01
LOOK_BACK = timedelta(days=4)
"""Links live that long; what was sent in the last hour is of these days."""

LATE = """
sent_at - greatest(event_time, not_before) >
    CASE lane WHEN 'codes' THEN interval '10 seconds' WHEN 'security' THEN interval '60 seconds'
              ELSE interval '1 hour' END
"""
_OPEN = """
SELECT lane, count(*) AS open, count(*) FILTER (WHERE state = 'unknown') AS unknown,
       coalesce(extract(epoch FROM $1::timestamptz - min(greatest(event_time, not_before))
           FILTER (WHERE lane <> 'letters' OR state <> 'unknown')), 0)::float8 AS oldest
FROM notifier.console_notifications WHERE due_at IS NOT NULL GROUP BY lane
"""
_SENT = f"""
SELECT lane, count(*) AS sent, count(*) FILTER (WHERE {LATE}) AS late
FROM notifier.console_notifications WHERE day >= $1 AND sent_at > $2 GROUP BY lane
"""  # noqa: S608 (constants of this module)
_OVER = """
SELECT lane, count(*) AS expired FROM notifier.console_breaches WHERE day >= $1 AND at > $2 AND never GROUP BY lane
"""
_BACKLOG = """
SELECT (SELECT count(*) FROM notifier.console_events WHERE state = 'waiting') AS waiting,
       (SELECT count(*) FROM notifier.console_suppressions WHERE lifted_at IS NULL) AS suppressed,
       count(*) AS rows, coalesce(extract(epoch FROM clock_timestamp() - min(written_at)), 0)::float8 AS seconds
FROM notifier.console_outbox
"""
_COMPLAINTS = """
SELECT lately.missed, lately.missed_since,
       (SELECT count(*) FROM complaint_sla.console_obligations WHERE state = 'missed') AS missed_ever,
       (SELECT count(*) FROM complaint_sla.console_obligations
        WHERE state IN ('open', 'held') AND limit_at < $1 + interval '7 days') AS due,
       (SELECT count(*) FROM complaint_sla.console_obligations
        WHERE state IN ('open', 'held') AND limit_at < $1 + interval '1 day') AS due_today,
       (SELECT count(*) FROM complaint_sla.console_cases
        WHERE unregistered OR unconfirmed > 0 OR stuck_at IS NOT NULL) AS for_a_person,
       (SELECT extract(epoch FROM $1::timestamptz - min(through))::float8
        FROM complaint_sla.console_progress) AS watermark
FROM (SELECT count(*) AS missed, min(limit_at) AS missed_since FROM complaint_sla.console_obligations
      WHERE state = 'missed' AND detected_at > $1::timestamptz - interval '1 day') lately
"""


@dataclass(frozen=True, slots=True)
class Lane:
    """`oldest_seconds`: since the event, or since it might leave; a letter that waits to be reconciled is not counted.
    `sent`, `late`, `expired`: of the last hour. `run`: of breaches in the last 24 hours."""

    open: int = 0
    unknown: int = 0
    oldest_seconds: float = 0.0
    sent: int = 0
    late: int = 0
    expired: int = 0
    run: Run | None = None


@dataclass(frozen=True, slots=True)
class Complaints:
    """`missed` in the last 24 hours, `missed_since` the first limit of these; `due` in the next 7 days.

    `watermark_seconds`: None before a first start.
    """

    missed: int
    missed_since: datetime | None
    missed_ever: int
    due: int
    due_today: int
    for_a_person: int
    watermark_seconds: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    lanes: Mapping[str, Lane]
    waiting_events: int
    suppressed: int
    outbox_rows: int
    outbox_seconds: float
    complaints: Complaints


async def figures(database: Database, now: datetime) -> Figures:
    """Raises what PostgreSQL raises."""
    async with database.acquire() as session, session.transaction(isolation="repeatable_read", readonly=True):
        open_ = {row["lane"]: row for row in await session.fetch(_OPEN, now)}
        lately = (now - LOOK_BACK).date(), now - timedelta(hours=1)
        sent = {row["lane"]: row for row in await session.fetch(_SENT, *lately)}
        expired = {row["lane"]: row["expired"] for row in await session.fetch(_OVER, *lately)}
        broken = await runs(session, now, LOOK_BACK)
        backlog = await session.fetchrow(_BACKLOG)
        complaints = await session.fetchrow(_COMPLAINTS, now)
    assert backlog is not None, "a row of aggregates"
    assert complaints is not None, "a row of aggregates"
    return Figures(
        lanes={
            name: _lane(open_.get(name), sent.get(name), expired.get(name, 0), broken.get(name))
            for name in sorted(open_.keys() | sent.keys() | expired.keys() | broken.keys())
        },
        waiting_events=backlog["waiting"],
        suppressed=backlog["suppressed"],
        outbox_rows=backlog["rows"],
        outbox_seconds=max(0.0, backlog["seconds"]),
        complaints=_complaints(complaints),
    )


def _lane(open_: Record | None, sent: Record | None, expired: int, run: Run | None) -> Lane:
    return Lane(
        open=0 if open_ is None else open_["open"],
        unknown=0 if open_ is None else open_["unknown"],
        oldest_seconds=0.0 if open_ is None else max(0.0, open_["oldest"]),
        sent=0 if sent is None else sent["sent"],
        late=0 if sent is None else sent["late"],
        expired=expired,
        run=run,
    )


def _complaints(row: Record) -> Complaints:
    age = row["watermark"]
    return Complaints(
        missed=row["missed"],
        missed_since=row["missed_since"],
        missed_ever=row["missed_ever"],
        due=row["due"],
        due_today=row["due_today"],
        for_a_person=row["for_a_person"],
        watermark_seconds=None if age is None else max(0.0, age),
    )
