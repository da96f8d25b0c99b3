"""Claim → hand over → record: a notification's way out. Every write carries the lease token; the row count decides."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import itemgetter
from typing import Protocol, TypeVar

import structlog

from services.notifier.catalogue import Lane
from services.notifier.ledger.rows import Leased, Sealer
from services.runtime.database import Database, Record
from services.runtime.vault import VaultError

log = structlog.get_logger()

_NEWER = """
EXISTS (SELECT FROM notifier.supersede_groups g
        WHERE g.member_id = n.member_id AND g.supersede_group = n.supersede_group
          AND (g.newest_time, g.newest_id COLLATE "C") > (n.event_time, n.event_id COLLATE "C"))
"""
_LATE = "n.hand_over_by <= $4"
_FORGOTTEN = """
(n.notice <> 'account-deleted'
 AND EXISTS (SELECT FROM notifier.contacts c
             WHERE c.member_id = n.member_id AND c.data IS NULL AND c.time >= n.event_time))
"""
"""Forgotten while it was accepted or handed over; what was not, the tombstone suppressed itself."""

Handle = tuple[uuid.UUID, uuid.UUID]
"""Notification and lease token: the same notification may lie in a queue twice, once under a lease that has lapsed."""


class _HasDay(Protocol):
    @property
    def day(self) -> date: ...


Dated = TypeVar("Dated", bound=_HasDay)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """What one attempt came to, and the state it leads to."""

    row: Leased
    attempt: int
    result: str
    """sent, retry, failed, unknown or given-back."""
    state: str
    reason: str | None = None
    reply_code: str | None = None
    reference: str | None = None
    delay_seconds: float | None = None
    """For retrying and unknown: when it may go again."""

    @property
    def day(self) -> date:
        return self.row.day


class Sending:
    """Leases: longer than the whole send time-out plus 10 s; measured by PostgreSQL's clock alone.

    `id = ANY($2)` repeats the join for a partition that was never analysed, as each day's is after midnight: taken for
    a row or two, it would be read whole for each chunk.
    """

    def __init__(self, database: Database, sealer: Sealer, lease_seconds: float) -> None:
        self._database = database
        self._sealer = sealer
        self._lease_seconds = lease_seconds

    async def claim(self, lane: Lane, limit: int, now: datetime) -> list[Leased]:
        """Due rows nobody holds: never leased, to be retried, or left by a process that is gone. Oldest event first."""
        token = uuid.uuid4()
        newest_first = "event_time DESC" if lane == "codes" else "due_at"
        rows = await self._database.fetch(
            f"""
            WITH due AS MATERIALIZED (
                SELECT day, id FROM notifier.notifications
                WHERE lane = $1 AND due_at <= clock_timestamp() AND state <> 'handing-over'
                ORDER BY {newest_first} LIMIT $2 FOR UPDATE SKIP LOCKED)
            UPDATE notifier.notifications n
            SET state = CASE WHEN {_LATE} THEN 'expired' WHEN {_FORGOTTEN} THEN 'suppressed' ELSE 'claimed' END,
                reason = CASE WHEN {_LATE} THEN CASE WHEN n.attempts > 0 THEN 'late-after-attempts' ELSE 'late' END
                              WHEN {_FORGOTTEN} THEN 'forgotten' END,
                state_at = $4,
                lease_token = CASE WHEN {_LATE} OR {_FORGOTTEN} THEN NULL ELSE $3::uuid END,
                secrets = CASE WHEN {_LATE} OR {_FORGOTTEN} THEN NULL ELSE n.secrets END,
                due_at = CASE WHEN {_LATE} OR {_FORGOTTEN} THEN NULL
                              ELSE clock_timestamp() + $5::float8 * interval '1 second' END
            FROM due WHERE n.day = due.day AND n.id = due.id
            RETURNING n.*
            """,  # noqa: S608 (constants of this module)
            lane,
            limit,
            token,
            now,
            self._lease_seconds,
        )
        # RETURNING has no order; whoever queues them sends codes from the end.
        rows.sort(key=itemgetter("event_time"))
        return [row for record in rows if record["state"] == "claimed" and (row := self._open(record, token))]

    async def hand_over(self, rows: Sequence[Leased], now: datetime, *, again: bool = False) -> dict[Handle, int]:
        """Mark `handing-over` before the first byte; returns the attempt's number of those that may go now.

        One conditional statement a day: whoever lost the lease, was superseded, cancelled, forgotten or has expired is
        not returned and not sent (`settle` writes down why). The lease starts anew. `again`: the answer to the first
        asking was lost; what it marked under these tokens is ours, and nothing of it has been sent.
        """
        going: dict[Handle, int] = {}
        for day, some in _by_day(rows):
            for record in await self._mark(day, some, now, again=again):
                going[record["id"], record["lease_token"]] = record["attempts"]
        return going

    async def _mark(self, day: date, rows: Sequence[Leased], now: datetime, *, again: bool) -> list[Record]:
        """Of one day, so that PostgreSQL opens one partition and not all of them."""
        return await self._database.fetch(
            f"""
            WITH moved AS (
                UPDATE notifier.notifications n
                SET state = 'handing-over', state_at = $4, attempts = n.attempts + (n.state = 'claimed')::int,
                    due_at = clock_timestamp() + $5::float8 * interval '1 second'
                FROM unnest($2::uuid[], $3::uuid[]) AS asked (id, token)
                WHERE n.day = $1 AND n.id = ANY($2) AND n.id = asked.id AND n.lease_token = asked.token
                  AND (n.state = 'claimed' OR ($6 AND n.state = 'handing-over'))
                  AND (n.hand_over_by IS NULL OR NOT {_LATE})
                  AND (n.supersede_group IS NULL OR NOT {_NEWER})
                  AND NOT {_FORGOTTEN}
                RETURNING n.day, n.id, n.attempts, n.lease_token
            ), started AS (
                INSERT INTO notifier.attempts (day, notification_id, attempt, lease_token, started_at)
                SELECT day, id, attempts, lease_token, clock_timestamp() FROM moved
                ON CONFLICT DO NOTHING
            )
            SELECT id, attempts, lease_token FROM moved
            """,  # noqa: S608 (constants of this module)
            day,
            [row.id for row in rows],
            [row.token for row in rows],
            now,
            self._lease_seconds,
            again,
        )

    async def record(self, results: Sequence[AttemptResult], now: datetime) -> set[uuid.UUID]:
        """What the attempts came to. Returns those whose state was ours to write.

        The attempt is a fact and is always recorded, beside the lost lease that explains a second copy; the state only
        under the token. A late `sent` still counts while the row waits as `unknown` under the same token, so that it
        does not go again.
        """
        ours: set[uuid.UUID] = set()
        for day, some in _by_day(results):
            ours |= {record["id"] for record in await self._record(day, some, now)}
        return ours

    async def _record(self, day: date, results: Sequence[AttemptResult], now: datetime) -> list[Record]:
        return await self._database.fetch(
            """
            WITH result AS (
                SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::int[], $5::text[], $6::text[], $7::text[],
                                     $8::text[], $9::text[], $10::float8[])
                    AS r (id, token, attempt, result, state, reason, reply_code, reference, delay)
            ), attempted AS (
                UPDATE notifier.attempts a
                SET ended_at = clock_timestamp(), result = result.result, reply_code = result.reply_code,
                    reason = coalesce(result.reason, a.reason)
                FROM result
                WHERE a.day = $1 AND a.notification_id = ANY($2)
                  AND a.notification_id = result.id AND a.attempt = result.attempt
            )
            UPDATE notifier.notifications n
            SET state = result.state, reason = result.reason, state_at = $11,
                sent_at = CASE WHEN result.state = 'sent' THEN $11 ELSE n.sent_at END,
                reference = coalesce(result.reference, n.reference),
                lease_token = NULL,
                secrets = CASE WHEN result.delay IS NULL THEN NULL ELSE n.secrets END,
                due_at = clock_timestamp() + result.delay * interval '1 second'
            FROM result
            WHERE n.day = $1 AND n.id = ANY($2) AND n.id = result.id AND n.lease_token = result.token
              AND n.attempts = result.attempt
              AND (n.state = 'handing-over' OR (n.state = 'unknown' AND result.state = 'sent'))
            RETURNING n.id
            """,
            day,
            *_result_columns(results),
            now,
        )

    async def end(self, row: Leased, state: str, reason: str, now: datetime) -> None:
        """Ended before any hand-over: it cannot be composed, or must not be sent from here."""
        await self._database.execute(
            """
            UPDATE notifier.notifications
            SET state = $4, reason = $5, state_at = $6, secrets = NULL, due_at = NULL, lease_token = NULL
            WHERE day = $1 AND id = $2 AND lease_token = $3 AND state = 'claimed'
            """,
            row.day,
            row.id,
            row.token,
            state,
            reason,
            now,
        )

    async def release(self, rows: Sequence[Leased], now: datetime) -> None:
        """Give back what was claimed and never handed over: at shutdown, so that nobody waits for a lease to lapse."""
        await self._database.execute(
            """
            UPDATE notifier.notifications n
            SET state = 'accepted', state_at = $4, lease_token = NULL, due_at = clock_timestamp()
            FROM unnest($1::date[], $2::uuid[], $3::uuid[]) AS asked (day, id, token)
            WHERE n.day = ANY($1) AND n.id = ANY($2)
              AND n.day = asked.day AND n.id = asked.id AND n.lease_token = asked.token AND n.state = 'claimed'
            """,
            *_asked(rows),
            now,
        )

    async def lapse(self, lane: Lane, now: datetime) -> int:
        """A lease that ended in `handing-over`: nobody knows whether it went. It becomes `unknown` and may go again.

        The token stays, so that the sender, should it still live, can tell that it was sent. Returns how many.
        """
        count: int = await self._database.fetchval(
            """
            WITH lapsed AS MATERIALIZED (
                SELECT day, id FROM notifier.notifications
                WHERE lane = $2 AND due_at <= clock_timestamp() AND state = 'handing-over'
                LIMIT 500 FOR UPDATE SKIP LOCKED
            ), moved AS (
                UPDATE notifier.notifications n
                SET state = 'unknown', reason = 'lost-lease', state_at = $1, due_at = clock_timestamp()
                FROM lapsed WHERE n.day = lapsed.day AND n.id = lapsed.id
                RETURNING n.day, n.id, n.attempts
            ), attempted AS (
                UPDATE notifier.attempts a SET result = 'lost-lease', reason = 'lost-lease'
                FROM moved
                WHERE a.day = moved.day AND a.notification_id = moved.id AND a.attempt = moved.attempts
            )
            SELECT count(*) FROM moved
            """,
            now,
            lane,
        )
        return count

    async def settle(self, rows: Sequence[Leased], now: datetime) -> None:
        """Write down why these were not handed over. A lost lease needs no writing: the row is somebody else's."""
        await self._database.execute(
            f"""
            UPDATE notifier.notifications n
            SET state = CASE WHEN {_LATE} THEN 'expired' WHEN {_FORGOTTEN} THEN 'suppressed' ELSE 'superseded' END,
                reason = CASE WHEN {_LATE} THEN CASE WHEN n.attempts > 0 THEN 'late-after-attempts' ELSE 'late' END
                              WHEN {_FORGOTTEN} THEN 'forgotten' ELSE 'newer' END,
                state_at = $4, secrets = NULL, due_at = NULL, lease_token = NULL
            FROM unnest($1::date[], $2::uuid[], $3::uuid[]) AS asked (day, id, token)
            WHERE n.day = ANY($1) AND n.id = ANY($2)
              AND n.day = asked.day AND n.id = asked.id AND n.lease_token = asked.token AND n.state = 'claimed'
              AND ({_LATE} OR {_NEWER} OR {_FORGOTTEN})
            """,  # noqa: S608 (constants of this module)
            *_asked(rows),
            now,
        )

    def _open(self, record: Record, token: uuid.UUID) -> Leased | None:
        try:
            return self._sealer.open(record, token)
        except VaultError as error:
            # This row alone fails, loudly; it stays leased and comes back until its key does.
            log.error("notification_unreadable", notification=str(record["id"]), why=str(error))
            return None


def _by_day(rows: Sequence[Dated]) -> list[tuple[date, list[Dated]]]:
    """Usually one day, two around midnight."""
    days: dict[date, list[Dated]] = {}
    for row in rows:
        days.setdefault(row.day, []).append(row)
    return list(days.items())


def _asked(rows: Sequence[Leased]) -> tuple[list[object], list[object], list[object]]:
    """Sorted, so that two statements lock the same rows in the same order."""
    rows = sorted(rows, key=lambda row: row.id)
    return [row.day for row in rows], [row.id for row in rows], [row.token for row in rows]


def _result_columns(results: Sequence[AttemptResult]) -> list[list[object]]:
    rows = [
        (result.row.id, result.row.token, result.attempt, result.result, result.state, result.reason,
         result.reply_code, result.reference, result.delay_seconds)
        for result in results
    ]  # fmt: skip
    return [list(column) for column in zip(*rows, strict=True)]
