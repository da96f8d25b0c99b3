"""What the intake asks of the database, beside its outbox."""

from collections.abc import Collection

from services.runtime.database import Database


async def any_queued(database: Database, keys: Collection[str]) -> bool:
    """Whether an event of one of these keys still waits in the outbox."""
    return bool(
        await database.fetchval(
            "SELECT EXISTS (SELECT FROM auth_events.outbox WHERE key = ANY($1::text[]))", list(keys)
        )
    )
