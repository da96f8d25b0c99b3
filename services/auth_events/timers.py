"""The table `portal_access`: a row for each member whose coverage ended or came back, and when it is spoken of next.

Kept of a member: the opaque id, dates, and ids of events; no address, nothing to encrypt. A member who is forgotten on
`members.contacts.v1` keeps the row: auth_events reads no contacts, and the notifier sends nothing to whom it does not
know (the event waits its seven days and ends `failed: no-contact`). The row goes with `forget_at`.

Any number of replicas hear and fire at once: a row is locked by whoever changes it. What is said is in the outbox in
the transaction that records it as said, so each notice is made once, whatever dies where.
"""

from collections.abc import Sequence
from datetime import datetime

from schemas.envelope import EventError
from services.auth_events.access import Access, Fired, Heard, Result, fire, forget_at, hear
from services.auth_events.records import told
from services.runtime.database import Database, Record, Session, columns
from services.runtime.failpoints import failpoint
from services.runtime.outbox import Outbox

_COLUMNS = """member_id, event_source, event_id, event_time, ended_on, cause_source, cause_id, access_ends_on, told_at,
    reminded_at, due_at"""

IN_ORDER = "SET LOCAL enable_sort = off"
"""A plan made while the table was small sorts all that is due for each batch, and is kept when much is."""
DUE = (
    f"SELECT {_COLUMNS} FROM auth_events.portal_access WHERE due_at <= $1"  # noqa: S608
    " ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED"
)
OLDEST = "SELECT min(due_at) FROM auth_events.portal_access WHERE due_at IS NOT NULL"


class Timers:
    """Raises what PostgreSQL raises."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    async def hear(self, heard: Sequence[Heard], now: datetime) -> list[Result | EventError]:
        """One transaction. What became of each, in order; an `EventError` is a refusal that left no trace."""
        results: list[Result | EventError] = []
        async with self._database.acquire() as session, session.transaction():
            known = await self._locked(session, {each.member for each in heard}, now)
            changed: dict[str, Access] = {}
            for each in heard:
                before = known.get(each.member)
                try:
                    after, result = hear(before, each, now)
                except EventError as error:
                    results.append(error)
                    continue
                results.append(result)
                if after is not before:
                    known[each.member] = changed[each.member] = after
            await self._save(session, list(changed.values()), now)
        return results

    async def fire(self, until: datetime, now: datetime, limit: int) -> list[Fired]:
        """What is due up to `until`, oldest first, that no other replica has: said as of `now`, at most `limit`."""
        async with self._database.acquire() as session, session.transaction():
            await session.execute(IN_ORDER)
            rows = await session.fetch(DUE, until, limit)
            if not rows:
                return []
            fired = [fire(_access(row), now) for row in rows]
            await self._outbox.add(session, [told(event) for _, event, _ in fired if event is not None])
            await self._save(session, [access for access, _, _ in fired], now)
            failpoint("timers-fired-before-commit")
        return [what for _, _, what in fired]

    async def overdue_seconds(self, now: datetime) -> float:
        """How long the oldest timer that is due has waited; 0: none is due. Members are many, so none is counted."""
        oldest: datetime | None = await self._database.fetchval(OLDEST)
        return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())

    async def forget_old(self, now: datetime, limit: int) -> int:
        """Members of whom nothing can be said any more. Returns how many."""
        rows = await self._database.fetch(
            """
            DELETE FROM auth_events.portal_access WHERE member_id = ANY(ARRAY(
                SELECT member_id FROM auth_events.portal_access WHERE forget_at <= $1 AND due_at IS NULL
                ORDER BY forget_at LIMIT $2 FOR UPDATE SKIP LOCKED))
            RETURNING member_id
            """,
            now,
            limit,
        )
        return len(rows)

    async def _locked(self, session: Session, members: set[str], now: datetime) -> dict[str, Access]:
        """Those that are known; the others are locked as well, empty, in the order of their names.

        One statement: between two, what it has seen could be forgotten by another replica.
        """
        rows = await session.fetch(
            f"""
            INSERT INTO auth_events.portal_access AS stored (member_id, forget_at)
            SELECT member, $2 FROM unnest($1::text[]) AS member
            ON CONFLICT (member_id) DO UPDATE SET forget_at = stored.forget_at
            RETURNING {_COLUMNS}
            """,  # noqa: S608
            sorted(members),
            now,
        )
        return {row["member_id"]: _access(row) for row in rows if row["event_source"] is not None}

    async def _save(self, session: Session, accesses: Sequence[Access], now: datetime) -> None:
        if not accesses:
            return
        status = await session.execute(
            """
            UPDATE auth_events.portal_access a
            SET event_source = e.event_source, event_id = e.event_id, event_time = e.event_time,
                ended_on = e.ended_on, cause_source = e.cause_source, cause_id = e.cause_id,
                access_ends_on = e.access_ends_on, told_at = e.told_at, reminded_at = e.reminded_at,
                due_at = e.due_at, forget_at = e.forget_at
            FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::date[], $6::text[], $7::text[],
                        $8::date[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[])
                AS e (member_id, event_source, event_id, event_time, ended_on, cause_source, cause_id, access_ends_on,
                      told_at, reminded_at, due_at, forget_at)
            WHERE a.member_id = ANY($1) AND a.member_id = e.member_id
            """,
            *columns([_row(access, now) for access in accesses], 12),
        )
        if int(status.rsplit(maxsplit=1)[-1]) != len(accesses):
            raise LookupError("portal_access: a row that was locked is gone; the transaction is taken back")


def _row(access: Access, now: datetime) -> tuple[object, ...]:
    newest = access.newest
    return (
        newest.member,
        newest.source,
        newest.id,
        newest.time,
        newest.ended_on,
        *(access.cause or (None, None)),
        access.access_ends_on,
        access.told_at,
        access.reminded_at,
        access.due_at,
        forget_at(access, now),
    )


def _access(row: Record) -> Access:
    return Access(
        newest=Heard(
            member=row["member_id"],
            time=row["event_time"],
            source=row["event_source"],
            id=row["event_id"],
            ended_on=row["ended_on"],
        ),
        cause=None if row["cause_source"] is None else (row["cause_source"], row["cause_id"]),
        access_ends_on=row["access_ends_on"],
        told_at=row["told_at"],
        reminded_at=row["reminded_at"],
        due_at=row["due_at"],
    )
