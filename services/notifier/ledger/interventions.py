"""What people do by hand, with who and why: never without its row in `interventions`."""

from datetime import datetime

from services.notifier.story import NotificationRow
from services.runtime.database import Database


class Interventions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def reopen(self, row: NotificationRow, now: datetime, *, who: str, why: str) -> bool:
        """The row due again and the record of it, in one conditional write. False: it is not as `row` says any more.

        Outcomes stay in order: nothing is told now, and the next attempt has a number of its own.
        """
        done = await self._database.fetchval(
            """
            WITH reopened AS (
                UPDATE notifier.notifications
                SET state = CASE state WHEN 'unknown' THEN 'unknown' ELSE 'retrying' END,
                    reason = CASE state WHEN 'unknown' THEN reason ELSE 'reopened' END,
                    state_at = CASE state WHEN 'unknown' THEN state_at ELSE $6 END,
                    due_at = clock_timestamp()
                WHERE day = $1 AND id = $2 AND state = $3 AND state_at = $4 AND attempts = $5
                  AND state IN ('failed', 'expired', 'unknown')
                  AND address IS NOT NULL AND facts IS NOT NULL AND (secrets IS NOT NULL OR NOT $7)
                  AND (hand_over_by IS NULL OR hand_over_by > $6)
                RETURNING id
            )
            INSERT INTO notifier.interventions (kind, subject, who, why, result)
            SELECT 'retry', id::text, $8, $9, $10 FROM reopened RETURNING id
            """,
            row.day,
            row.id,
            row.state,
            row.state_at,
            row.attempts,
            now,
            row.needs_secrets,
            who,
            why,
            f"was {row.state}: {row.reason} after {row.attempts} attempts",
        )
        return done is not None

    async def begin(self, kind: str, subject: str, *, who: str, why: str) -> int:
        """Written before the deed, so that none goes unrecorded; without a result it may or may not have happened."""
        number: int = await self._database.fetchval(
            "INSERT INTO notifier.interventions (kind, subject, who, why) VALUES ($1, $2, $3, $4) RETURNING id",
            kind,
            subject,
            who,
            why,
        )
        return number

    async def end(self, number: int, result: str) -> None:
        await self._database.execute("UPDATE notifier.interventions SET result = $2 WHERE id = $1", number, result)
