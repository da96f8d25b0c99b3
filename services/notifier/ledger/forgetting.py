"""What is forgotten, in the caller's transaction: a member, with what was still to be sent; addresses long left."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import structlog

from services.notifier.addresses import LEFT_FOR, addresses_of, still_left
from services.notifier.ledger.known import Known, open_left, seal_left
from services.notifier.ledger.rows import Sealer
from services.notifier.ledger.verdicts import IS_MEMBERS
from services.runtime.database import Record, Session, columns
from services.runtime.vault import VaultError

log = structlog.get_logger()


async def forget(
    session: Session, sealer: Sealer, tombstones: Mapping[str, datetime], before: Mapping[str, Known], now: datetime
) -> None:
    """`tombstones`: member → since when it is to be forgotten. What is newer than that stays.

    The caller has locked their suppressions, with what else it changes of them.
    """
    if not tombstones:
        return
    forgotten = await session.fetch(
        """
        UPDATE notifier.contacts c
        SET data = NULL, left_addresses = NULL, left_until = NULL, time = asked.time, stored_at = clock_timestamp()
        FROM unnest($1::text[], $2::timestamptz[]) AS asked (member_id, time)
        WHERE c.member_id = asked.member_id AND asked.time > c.time
        RETURNING c.member_id
        """,
        *columns(list(tombstones.items()), 2),
    )
    members = [row["member_id"] for row in forgotten]
    # Windows before the notifications they carry, as whoever accepts locks them.
    await _forget_addresses(session, sealer, members, before)
    await session.execute(
        f"""
        UPDATE notifier.notifications n
        SET state = 'suppressed', reason = 'forgotten', state_at = $2, secrets = NULL, due_at = NULL,
            lease_token = NULL
        WHERE n.member_id = ANY($1::text[]) AND n.due_at IS NOT NULL AND n.state <> 'handing-over'
          AND n.notice <> 'account-deleted' AND {IS_MEMBERS}
        """,  # noqa: S608 (a constant)
        members,
        now,
    )
    await session.execute(
        f"""
        UPDATE notifier.notifications n SET address = NULL, address_hash = NULL, facts = NULL
        WHERE n.member_id = ANY($1::text[]) AND n.due_at IS NULL AND n.facts IS NOT NULL AND {IS_MEMBERS}
        """,  # noqa: S608 (a constant)
        members,
    )


async def _forget_addresses(session: Session, sealer: Sealer, members: list[str], before: Mapping[str, Known]) -> None:
    """Their hashes too, whatever they were kept for."""
    hashes = hashes_of(sealer, [before[member] for member in members if member in before])
    await session.execute("DELETE FROM notifier.suppressions WHERE address_hash = ANY($1::bytea[])", list(hashes))
    # In the order in which whoever accepts locks them: that of code points.
    await session.execute(
        """
        WITH going AS MATERIALIZED (
            SELECT member_id, notice, channel, role FROM notifier.throttles WHERE member_id = ANY($1::text[])
            ORDER BY member_id COLLATE "C", notice COLLATE "C", channel COLLATE "C", role COLLATE "C" FOR UPDATE
        )
        DELETE FROM notifier.throttles t USING going
        WHERE (t.member_id, t.notice, t.channel, t.role) = (going.member_id, going.notice, going.channel, going.role)
        """,
        members,
    )


def hashes_of(sealer: Sealer, members: Iterable[Known]) -> set[bytes]:
    """Of every address they have or have left."""
    hashes: set[bytes] = set()
    for each in members:
        hashes.update(sealer.search_hash(address) for some in addresses_of(each.contact).values() for address in some)
        hashes.update(sealer.search_hash(left.address) for left in each.left)
    return hashes


async def forget_left(session: Session, sealer: Sealer, now: datetime) -> int:
    """Without a date, or with one that is over: looked into, and dated anew if any of its days are left."""
    rows = await session.fetch(
        """
        SELECT member_id, left_addresses, stored_at FROM notifier.contacts
        WHERE left_addresses IS NOT NULL AND coalesce(left_until, '-infinity'::timestamptz) <= $1
        ORDER BY coalesce(left_until, '-infinity'::timestamptz) LIMIT 1000 FOR UPDATE SKIP LOCKED
        """,
        now,
    )
    await session.execute(
        """
        UPDATE notifier.contacts c SET left_addresses = asked.left_addresses, left_until = asked.left_until
        FROM unnest($1::text[], $2::bytea[], $3::timestamptz[]) AS asked (member_id, left_addresses, left_until)
        WHERE c.member_id = asked.member_id
        """,
        *columns([(row["member_id"], *_still_left(sealer, row, now)) for row in rows], 3),
    )
    return len(rows)


def _still_left(sealer: Sealer, row: Record, now: datetime) -> tuple[bytes | None, datetime | None]:
    """What cannot be read waits for its key until the days of the last that can be in it are over, and goes unread."""
    member = row["member_id"]
    try:
        return seal_left(sealer, member, still_left(open_left(sealer, row), now))
    except VaultError as error:
        log.error("left_addresses_unreadable", member=member, why=str(error))
        until = row["stored_at"] + LEFT_FOR
        return (row["left_addresses"], until) if until > now else (None, None)
