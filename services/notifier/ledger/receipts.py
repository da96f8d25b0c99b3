"""What became of it after it was sent. Only forward, and once; the trigger tells it, as every state."""

from datetime import datetime

from services.notifier.story import NotificationRow
from services.runtime.database import Database


class Receipts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def bounced(self, row: NotificationRow, reason: str, now: datetime) -> bool:
        """One conditional write. False: it is not as `row` says any more.

        What was `unknown` did leave, then, and does not go again.
        """
        done = await self._database.fetchval(
            """
            UPDATE notifier.notifications
            SET state = 'bounced', reason = $4, state_at = $5, secrets = NULL, due_at = NULL, lease_token = NULL
            WHERE day = $1 AND id = $2 AND state = $3 AND state IN ('sent', 'delivered', 'unknown')
            RETURNING id
            """,
            row.day,
            row.id,
            row.state,
            reason,
            now,
        )
        return done is not None
