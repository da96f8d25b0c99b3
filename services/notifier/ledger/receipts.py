"""What became of it after it was sent. Only forward, and once; the trigger tells it, as every state."""

from datetime import datetime

from services.notifier.ledger.suppressions import Suppression, suppress
from services.notifier.story import NotificationRow
from services.runtime.database import Database


class Receipts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def bounced(self, row: NotificationRow, reason: str, now: datetime, *, suppresses: bool = False) -> bool:
        """One transaction. False: it is not as `row` says any more.

        What was `unknown` did leave, then, and does not go again. `suppresses`: its address takes no mail any more.
        """
        async with self._database.acquire() as session, session.transaction():
            done = await session.fetchrow(
                """
                UPDATE notifier.notifications
                SET state = 'bounced', reason = $4, state_at = $5, secrets = NULL, due_at = NULL, lease_token = NULL
                WHERE day = $1 AND id = $2 AND state = $3 AND state IN ('sent', 'delivered', 'unknown')
                RETURNING address_hash, channel, coalesce(sent_at, accepted_at) AS sent_at
                """,
                row.day,
                row.id,
                row.state,
                reason,
                now,
            )
            if done is not None and suppresses and done["address_hash"] is not None:
                learnt = Suppression(
                    done["address_hash"], done["channel"], "address-bounced", row.id, sent_at=done["sent_at"]
                )
                await suppress(session, [learnt], now)
        return done is not None
