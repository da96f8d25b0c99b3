"""Partitions by the UTC day of the event, and contents that have lived long enough."""

from datetime import datetime, timedelta

from services.runtime.database import Database, Record, Session

HORIZON = timedelta(days=130)
"""How long an event is remembered: longest topic 90 days + dead letters 30 + margin."""
DEAD_LETTERS_LIVE = timedelta(days=30)
AHEAD = timedelta(minutes=5)
"""How far in the future a producer's clock may be."""
CONTENTS_LIVE = timedelta(days=30)
BOUNCES_LIVE = timedelta(days=400)
"""How long the hash of a dead address is kept that nobody changes or confirms: one mail a year that comes back costs
the relay nothing. STOP is a person's word, and holds until that person takes it back."""
THROTTLES_LIVE = timedelta(hours=1)
"""After a window's end, when it says nothing any more: further than two processes' clocks are apart."""
_DROPPING = "notifier.drop-partitions"
_OPEN_DAYS = """
SELECT to_char(day, 'YYYYMMDD') AS day FROM (
    SELECT day FROM notifier.notifications WHERE day < $1 AND due_at IS NOT NULL
    UNION SELECT day FROM notifier.events WHERE day < $1 AND state = 'waiting') AS open
"""
_OLD_PARTITIONS = """
SELECT child.relname AS name, parent.relname AS parent, inhdetachpending AS half_detached
FROM pg_class child
LEFT JOIN pg_inherits ON inhrelid = child.oid LEFT JOIN pg_class parent ON parent.oid = inhparent
WHERE child.relnamespace = 'notifier'::regnamespace AND child.relkind = 'r'
  AND child.relname ~ '^(events|notifications|attempts)_[0-9]{8}$'
  AND right(child.relname, 8) < to_char($1::date, 'YYYYMMDD') AND right(child.relname, 8) <> ALL($2::text[])
ORDER BY child.relname
"""
"""Without a parent: detached by a process that was killed before it could drop it."""


class Upkeep:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure_partitions(self, now: datetime) -> int:
        """From the horizon to two days ahead. Returns how many were made."""
        made: int = await self._database.fetchval(
            "SELECT notifier.ensure_partitions($1, $2)", (now - HORIZON).date(), (now + timedelta(days=2)).date()
        )
        return made

    async def erase_old_contents(self, now: datetime) -> int:
        """Address, its hash and facts of what ended long ago, a bounded number at a time; returns how many rows.

        The row, its reasons and its attempts stay until the horizon.
        """
        status: str = await self._database.execute(
            """
            WITH old AS MATERIALIZED (
                SELECT day, id FROM notifier.notifications
                WHERE facts IS NOT NULL AND due_at IS NULL AND state_at < $1
                ORDER BY state_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
            UPDATE notifier.notifications n SET address = NULL, address_hash = NULL, facts = NULL
            FROM old WHERE n.day = old.day AND n.id = old.id
            """,
            now - CONTENTS_LIVE,
        )
        return int(status.rsplit(maxsplit=1)[-1])

    async def forget_old_groups(self, now: datetime) -> None:
        """What was newest before the horizon has nothing older left to supersede, outrank, cancel or come back."""
        for table, age in (
            ("supersede_groups", "newest_time"),
            ("letter_ranks", "newest_time"),
            ("cancelled_letters", "time"),
        ):
            await self._database.execute(f"DELETE FROM notifier.{table} WHERE {age} < $1", now - HORIZON)  # noqa: S608

    async def forget_hashes(self, now: datetime) -> int:
        """Of addresses, where they serve nothing any more, a bounded number at a time; returns how many rows.

        A summary that has not left yet needs no window: its time is over, and the next one begins another.
        """
        forgotten = 0
        for table, served, before in (
            ("throttles", "until < $1", now - THROTTLES_LIVE),
            ("suppressions", "lifted_at < $1", now - HORIZON),
            ("suppressions", "lifted_at IS NULL AND reason = 'address-bounced' AND since < $1", now - BOUNCES_LIVE),
        ):
            # Who holds a row uses it; waiting for it could be mutual.
            status = await self._database.execute(
                f"""
                WITH old AS MATERIALIZED (
                    SELECT ctid FROM notifier.{table} WHERE {served} LIMIT 1000 FOR UPDATE SKIP LOCKED)
                DELETE FROM notifier.{table} t USING old WHERE t.ctid = old.ctid
                """,  # noqa: S608 (constants from the lines above)
                before,
            )
            forgotten += int(status.rsplit(maxsplit=1)[-1])
        return forgotten

    async def drop_old_partitions(self, now: datetime) -> list[str]:
        """Beyond the horizon, without an open row or a waiting event. One process at a time; returns what went.

        DETACH CONCURRENTLY, then DROP: nobody waits. Killed in between, the next run finishes it.
        """
        oldest = (now - HORIZON).date()
        async with self._database.acquire() as session:
            if not await session.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", _DROPPING):
                return []
            try:
                kept = await session.fetch(_OPEN_DAYS, oldest)
                old = await session.fetch(_OLD_PARTITIONS, oldest, [row["day"] for row in kept])
                for row in old:
                    await _drop(session, row)
                return [row["name"] for row in old]
            finally:
                if not session.is_closed():
                    await session.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", _DROPPING)


async def _drop(session: Session, partition: Record) -> None:
    name, parent = partition["name"], partition["parent"]
    if parent is not None:
        how = "FINALIZE" if partition["half_detached"] else "CONCURRENTLY"
        await session.execute(f'ALTER TABLE notifier."{parent}" DETACH PARTITION notifier."{name}" {how}')
    await session.execute(f'DROP TABLE notifier."{name}"')
