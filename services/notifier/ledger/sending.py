"""Claim → hand over → record: a notification's way out. Every write carries the lease token; the row count decides."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from operator import itemgetter

import structlog

from services.notifier.catalogue import Lane
from services.notifier.channels.base import Suppresses
from services.notifier.ledger.handing_over import HandingOver, asked, by_day
from services.notifier.ledger.rows import Leased, Sealer
from services.notifier.ledger.suppressions import Suppression, suppress
from services.notifier.ledger.verdicts import (
    CANCELLED,
    CANCELLED_BECAUSE,
    FORGOTTEN,
    LATE,
    LATE_BECAUSE,
)
from services.notifier.retry import RECONCILED_AFTER
from services.runtime.database import Database, Record
from services.runtime.vault import VaultError

log = structlog.get_logger()


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

    suppresses: Suppresses | None = None
    """Why nothing more should go to its address."""

    @property
    def day(self) -> date:
        return self.row.day


class Sending(HandingOver):
    """Leases: longer than the whole send time-out plus 10 s; measured by PostgreSQL's clock alone."""

    def __init__(self, database: Database, sealer: Sealer, lease_seconds: float) -> None:
        super().__init__(database, lease_seconds)
        self._sealer = sealer

    async def claim(self, lane: Lane, limit: int, now: datetime) -> list[Leased]:
        """Due rows nobody holds: never leased, to be retried, or left by a process that is gone. Oldest event first."""
        token = uuid.uuid4()
        ended = f"({LATE} OR {FORGOTTEN} OR {CANCELLED})"
        newest_first = "event_time DESC" if lane == "codes" else "due_at"
        rows = await self._database.fetch(
            f"""
            WITH due AS MATERIALIZED (
                SELECT day, id FROM notifier.notifications
                WHERE lane = $1 AND due_at <= clock_timestamp() AND state <> 'handing-over'
                  AND (not_before IS NULL OR not_before <= $4)
                ORDER BY {newest_first} LIMIT $2 FOR UPDATE SKIP LOCKED)
            UPDATE notifier.notifications n
            SET state = CASE WHEN {LATE} THEN 'expired' WHEN {FORGOTTEN} THEN 'suppressed'
                             WHEN {CANCELLED} THEN 'cancelled' ELSE 'claimed' END,
                reason = CASE WHEN {LATE} THEN {LATE_BECAUSE} WHEN {FORGOTTEN} THEN 'forgotten'
                              WHEN {CANCELLED} THEN {CANCELLED_BECAUSE} END,
                state_at = $4,
                lease_token = CASE WHEN {ended} THEN NULL ELSE $3::uuid END,
                secrets = CASE WHEN {ended} THEN NULL ELSE n.secrets END,
                due_at = CASE WHEN {ended} THEN NULL ELSE clock_timestamp() + $5::float8 * interval '1 second' END
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
        leased = [row for record in rows if record["state"] == "claimed" and (row := self._open(record, token))]
        return await self._marked(leased)

    async def _marked(self, rows: list[Leased]) -> list[Leased]:
        """Letters to complainants that may have left already say so when they go again."""
        tried = [row for row in rows if row.to_complainant and row.attempts > 0]
        if not tried:
            return rows
        perhaps = await self._database.fetch(
            """
            SELECT DISTINCT a.notification_id FROM unnest($1::date[], $2::uuid[]) AS asked (day, id)
            JOIN notifier.attempts a ON a.day = asked.day AND a.notification_id = asked.id
            WHERE a.result IN ('unknown', 'lost-lease')
            """,
            [row.day for row in tried],
            [row.id for row in tried],
        )
        marked = {record["notification_id"] for record in perhaps}
        return [replace(row, again=True) if row.id in marked else row for row in rows]

    async def record(self, results: Sequence[AttemptResult], now: datetime) -> set[uuid.UUID]:
        """What the attempts came to. Returns those whose state was ours to write.

        The attempt is a fact and is always recorded, beside the lost lease that explains a second copy; the state only
        under the token. A late `sent` still counts while the row waits as `unknown` under the same token, so that it
        does not go again. An address that takes nothing is written down first: killed in between, we
        only hear it again.
        """
        learnt = [
            Suppression(self._sealer.search_hash(row.address), row.channel, result.suppresses, row.id, sent_at=now)
            for result in results
            for row in (result.row,)
            if result.suppresses is not None
        ]
        if learnt:
            await suppress(self._database, learnt, now)
        ours: set[uuid.UUID] = set()
        for day, some in by_day(results):
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
            *asked(rows),
            now,
        )

    async def lapse(self, lane: Lane, now: datetime) -> int:
        """A lease that ended in `handing-over`: nobody knows whether it went. It becomes `unknown` and may go again.

        A letter to a complainant waits to be reconciled first (`retry.reconciling`). The token stays, so that the
        sender, should it still live, can tell that it was sent. Returns how many.
        """
        count: int = await self._database.fetchval(
            """
            WITH lapsed AS MATERIALIZED (
                SELECT day, id FROM notifier.notifications
                WHERE lane = $2 AND due_at <= clock_timestamp() AND state = 'handing-over'
                LIMIT 500 FOR UPDATE SKIP LOCKED
            ), moved AS (
                UPDATE notifier.notifications n
                SET state = 'unknown', reason = 'lost-lease', state_at = $1,
                    due_at = clock_timestamp() + CASE WHEN n.role = 'complainant' THEN
                        greatest(interval '0', least($3::interval, (n.limit_at - $1) / 2)) ELSE interval '0' END
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
            RECONCILED_AFTER,
        )
        return count

    def _open(self, record: Record, token: uuid.UUID) -> Leased | None:
        try:
            return self._sealer.open(record, token)
        except VaultError as error:
            # This row alone fails, loudly; it stays leased and comes back until its key does.
            log.error("notification_unreadable", notification=str(record["id"]), why=str(error))
            return None


def _result_columns(results: Sequence[AttemptResult]) -> list[list[object]]:
    rows = [
        (result.row.id, result.row.token, result.attempt, result.result, result.state, result.reason,
         result.reply_code, result.reference, result.delay_seconds)
        for result in results
    ]  # fmt: skip
    return [list(column) for column in zip(*rows, strict=True)]
