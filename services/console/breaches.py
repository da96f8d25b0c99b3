"""When the promise was broken in the last 24 hours, by lane: what left late, or was over before it left."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.runtime.database import Session

WINDOW = timedelta(hours=24)
PAUSE = timedelta(hours=1)
"""As long as the overview looks back: breaches less than so long after each other are one run."""
LANES = ("codes", "security", "letters", "general")
# From the newest breach to the oldest one within an hour before it, and so on: at most some fifty rows a lane are read
# from the index, however many were late.
_RUNS = """
WITH RECURSIVE run AS (
    SELECT lanes.lane, newest.at, newest.since
    FROM unnest($1::text[]) AS lanes (lane) CROSS JOIN LATERAL (
        SELECT at, since FROM notifier.console_breaches b
        WHERE b.day >= $2 AND b.lane = lanes.lane AND b.at > $3 ORDER BY b.at DESC LIMIT 1) newest
    UNION ALL
    SELECT run.lane, earlier.at, earlier.since
    FROM run CROSS JOIN LATERAL (
        SELECT at, since FROM notifier.console_breaches b
        WHERE b.day >= $2 AND b.lane = run.lane AND b.at < run.at
          AND b.at > greatest($3, run.at - $4::interval) ORDER BY b.at LIMIT 1) earlier)
SELECT lane, max(at) AS last, min(since) AS since FROM run GROUP BY lane
"""


@dataclass(frozen=True, slots=True)
class Run:
    """Breaches of one lane, none more than an hour after the one before.

    `since`: when the first of them should have left; `last`: when the last one did, or was given up.
    """

    since: datetime
    last: datetime


async def runs(session: Session, now: datetime, back: timedelta) -> Mapping[str, Run]:
    """Lane → its latest run, without lanes that kept the promise for 24 hours. `back`: how old an event may be."""
    rows = await session.fetch(_RUNS, list(LANES), (now - WINDOW - back).date(), now - WINDOW, PAUSE)
    return {row["lane"]: Run(row["since"], row["last"]) for row in rows}
