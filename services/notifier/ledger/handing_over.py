"""Mark before the first byte: who may go now, and what becomes of those who may not."""

import uuid
from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol, TypeVar

from services.notifier.ledger.letters import lock_complaints
from services.notifier.ledger.rows import Leased
from services.notifier.ledger.verdicts import (
    CANCELLED,
    CANCELLED_BECAUSE,
    EARLY,
    FORGOTTEN,
    LATE,
    LATE_BECAUSE,
    NEWER,
    SUPPRESSED,
    SUPPRESSED_BECAUSE,
)
from services.runtime.database import Database, Record, Session

Handle = tuple[uuid.UUID, uuid.UUID]
"""Notification and lease token: the same notification may lie in a queue twice, once under a lease that has lapsed."""
TURN_SECONDS = 1.0
"""How soon a letter looks again whether the other one of its complaint is through."""


class _HasDay(Protocol):
    @property
    def day(self) -> date: ...


Dated = TypeVar("Dated", bound=_HasDay)


class HandingOver:
    """The step between a lease and the first byte."""

    def __init__(self, database: Database, lease_seconds: float) -> None:
        self._database = database
        self._lease_seconds = lease_seconds

    async def hand_over(self, rows: Sequence[Leased], now: datetime, *, again: bool = False) -> dict[Handle, int]:
        """Mark `handing-over` before the first byte; returns the attempt's number of those that may go now.

        One conditional statement a day: whoever lost the lease, was superseded, cancelled, forgotten or has expired is
        not returned and not sent (`settle` writes down why). The lease starts anew. `again`: the answer to the first
        asking was lost; what it marked under these tokens is ours, and nothing of it has been sent.

        Of a complaint one letter goes at a time, over all processes: its lock orders who asks.
        """
        complaints = {row.complaint for row in rows if row.complaint is not None and row.to_complainant}
        if not complaints:
            return await self._mark_all(self._database, rows, now, again=again)
        async with self._database.acquire() as session, session.transaction():
            await lock_complaints(session, complaints)
            busy = await _in_hand_over(session, complaints)
            in_turn = [row for row in rows if _has_its_turn(row, busy)]
            return await self._mark_all(session, in_turn, now, again=again)

    async def _mark_all(
        self, asking: Database | Session, rows: Sequence[Leased], now: datetime, *, again: bool
    ) -> dict[Handle, int]:
        going: dict[Handle, int] = {}
        for day, some in by_day(rows):
            for record in await self._mark(asking, day, some, now, again=again):
                going[record["id"], record["lease_token"]] = record["attempts"]
        return going

    async def _mark(
        self, asking: Database | Session, day: date, rows: Sequence[Leased], now: datetime, *, again: bool
    ) -> list[Record]:
        """Of one day, so that PostgreSQL opens one partition and not all of them."""
        return await asking.fetch(
            f"""
            WITH moved AS (
                UPDATE notifier.notifications n
                SET state = 'handing-over', state_at = $4, attempts = n.attempts + (n.state = 'claimed')::int,
                    due_at = clock_timestamp() + $5::float8 * interval '1 second'
                FROM unnest($2::uuid[], $3::uuid[]) AS asked (id, token)
                WHERE n.day = $1 AND n.id = ANY($2) AND n.id = asked.id AND n.lease_token = asked.token
                  AND (n.state = 'claimed' OR ($6 AND n.state = 'handing-over'))
                  AND (n.hand_over_by IS NULL OR NOT {LATE})
                  AND (n.not_before IS NULL OR NOT {EARLY})
                  AND (n.supersede_group IS NULL OR NOT {NEWER})
                  AND NOT {FORGOTTEN}
                  AND NOT {CANCELLED}
                  AND NOT {SUPPRESSED}
                RETURNING n.day, n.id, n.attempts, n.lease_token
            ), started AS (
                INSERT INTO notifier.attempts (day, notification_id, attempt, lease_token, started_at)
                SELECT day, id, attempts, lease_token, clock_timestamp() FROM moved
                ON CONFLICT DO NOTHING
            )
            SELECT id, attempts, lease_token FROM moved
            """,  # noqa: S608 (constants of `verdicts`)
            day,
            [row.id for row in rows],
            [row.token for row in rows],
            now,
            self._lease_seconds,
            again,
        )

    async def settle(self, rows: Sequence[Leased], now: datetime) -> None:
        """Write down why these were not handed over; what only has to wait for its turn is due again at once.

        A lost lease needs no writing: the row is somebody else's.
        """
        ended = f"({LATE} OR {FORGOTTEN} OR {NEWER} OR {CANCELLED} OR {SUPPRESSED})"
        await self._database.execute(
            f"""
            UPDATE notifier.notifications n
            SET state = CASE WHEN {LATE} THEN 'expired' WHEN {FORGOTTEN} THEN 'suppressed'
                             WHEN {NEWER} THEN 'superseded' WHEN {CANCELLED} THEN 'cancelled'
                             WHEN {SUPPRESSED} THEN 'suppressed' ELSE 'accepted' END,
                reason = CASE WHEN {LATE} THEN {LATE_BECAUSE} WHEN {FORGOTTEN} THEN 'forgotten'
                              WHEN {NEWER} THEN 'newer' WHEN {CANCELLED} THEN {CANCELLED_BECAUSE}
                              WHEN {SUPPRESSED} THEN {SUPPRESSED_BECAUSE} ELSE 'waits-its-turn' END,
                state_at = $4, lease_token = NULL,
                secrets = CASE WHEN {ended} THEN NULL ELSE n.secrets END,
                due_at = CASE WHEN {ended} THEN NULL ELSE clock_timestamp() + $5::float8 * interval '1 second' END
            FROM unnest($1::date[], $2::uuid[], $3::uuid[]) AS asked (day, id, token)
            WHERE n.day = ANY($1) AND n.id = ANY($2)
              AND n.day = asked.day AND n.id = asked.id AND n.lease_token = asked.token AND n.state = 'claimed'
            """,  # noqa: S608 (constants of `verdicts`)
            *asked(rows),
            now,
            TURN_SECONDS,
        )


async def _in_hand_over(session: Session, complaints: set[str]) -> dict[str, Handle]:
    """Complaint → the letter that is being handed over, by whomever."""
    rows = await session.fetch(
        """
        SELECT member_id, id, lease_token FROM notifier.notifications
        WHERE member_id = ANY($1::text[]) AND role = 'complainant' AND state = 'handing-over'
        """,
        sorted(complaints),
    )
    return {row["member_id"]: (row["id"], row["lease_token"]) for row in rows}


def _has_its_turn(row: Leased, busy: dict[str, Handle]) -> bool:
    """Of each complaint the letter that was marked before under this very token, or else the first, or none."""
    handle = (row.id, row.token)
    return row.complaint is None or not row.to_complainant or busy.setdefault(row.complaint, handle) == handle


def by_day(rows: Sequence[Dated]) -> list[tuple[date, list[Dated]]]:
    """Usually one day, two around midnight."""
    days: dict[date, list[Dated]] = {}
    for row in rows:
        days.setdefault(row.day, []).append(row)
    return list(days.items())


def asked(rows: Sequence[Leased]) -> tuple[list[object], list[object], list[object]]:
    """Sorted, so that two statements lock the same rows in the same order."""
    rows = sorted(rows, key=lambda row: row.id)
    return [row.day for row in rows], [row.id for row in rows], [row.token for row in rows]
