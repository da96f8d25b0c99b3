"""What complaints are owed, from complaint_sla's views: due, missed, for a person; and one of them with its story."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.runtime.database import Database, Record

ROWS = 200
LATELY = timedelta(days=30)
LISTS = ("due", "missed", "person")
OF_STATE: Mapping[str, str] = {
    "open": "It is still owed.",
    "held": "It waits until the summary letter is sent.",
    "met": "It was met in time.",
    "met-not-delivered": "It was met in time, but the letter came back after the limit.",
    "missed": "It was not met in time. The letter is still owed.",
    "lapsed": "It was not used, and need not have been.",
    "cancelled": "It is not needed any more.",
}
KIND: Mapping[str, str] = {"met": "good", "missed": "bad", "met-not-delivered": "look"}
_DUE = """
SELECT complaint_id, obligation, licence, limit_at, send_by, state, detected_at FROM complaint_sla.console_obligations
"""
# Each is counted by an index alone: over all that is kept it would be millions of rows.
_TOLD = """
SELECT (SELECT count(*) FROM complaint_sla.console_cases WHERE closed_at IS NULL AND received_at IS NOT NULL) AS open,
       (SELECT count(*) FROM complaint_sla.console_obligations
        WHERE state = 'missed' AND detected_at > $1::timestamptz - $2::interval) AS missed,
       count(*) FILTER (WHERE state = 'met') AS met,
       count(*) FILTER (WHERE state = 'met-not-delivered') AS not_delivered
FROM complaint_sla.console_obligations WHERE met_at > $1::timestamptz - $2::interval
"""
_TROUBLE = """
SELECT complaint_id, licence, received_at, unregistered, unconfirmed, stuck_at, changed_at
FROM complaint_sla.console_cases WHERE unregistered OR unconfirmed > 0 OR stuck_at IS NOT NULL
ORDER BY complaint_id LIMIT $1
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """`days`: day → obligations due then, of the next 14; `open`: complaints. The others: obligations, of `LATELY`."""

    days: Sequence[Record]
    open: int
    met: int
    not_delivered: int
    missed: int


@dataclass(frozen=True, slots=True)
class Complaint:
    case: Record
    obligations: Sequence[Record]
    story: Sequence[Record]
    """What was heard and said, in its order: types and times."""


class Complaints:
    """Raises what PostgreSQL raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def standing(self, now: datetime) -> Standing:
        days = await self._database.fetch(
            """
            SELECT (limit_at AT TIME ZONE 'UTC')::date AS day, count(*) AS due FROM complaint_sla.console_obligations
            WHERE state IN ('open', 'held') AND limit_at < $1::timestamptz + interval '14 days' GROUP BY 1 ORDER BY 1
            """,
            now,
        )
        told = await self._database.fetchrow(_TOLD, now, LATELY)
        assert told is not None, "a row of numbers"
        return Standing(days, told["open"], told["met"], told["not_delivered"], told["missed"])

    async def due(self) -> Sequence[Record]:
        """Open and held, the nearest limit first."""
        return await self._database.fetch(
            f"{_DUE} WHERE state IN ('open', 'held') ORDER BY limit_at, complaint_id, obligation LIMIT $1", ROWS
        )

    async def missed(self) -> Sequence[Record]:
        """The latest first."""
        return await self._database.fetch(f"{_DUE} WHERE state = 'missed' ORDER BY detected_at DESC LIMIT $1", ROWS)

    async def for_a_person(self) -> Sequence[Record]:
        return await self._database.fetch(_TROUBLE, ROWS)

    async def one(self, id_: str) -> Complaint | None:
        case = await self._database.fetchrow("SELECT * FROM complaint_sla.console_cases WHERE complaint_id = $1", id_)
        if case is None:
            return None
        obligations = await self._database.fetch(
            "SELECT * FROM complaint_sla.console_obligations WHERE complaint_id = $1 ORDER BY limit_at, obligation", id_
        )
        story = await self._database.fetch(
            """
            SELECT accepted_at AS at, true AS heard, number, type, id FROM complaint_sla.console_heard
            WHERE complaint_id = $1
            UNION ALL
            SELECT at, false, number, type, id FROM complaint_sla.console_said WHERE complaint_id = $1
            ORDER BY at, heard DESC, number
            """,
            id_,
        )
        return Complaint(case, obligations, story)
