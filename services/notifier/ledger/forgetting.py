"""A member who is forgotten: contact, addresses and whatever was still to be sent, in the caller's transaction."""

from collections.abc import Mapping
from datetime import datetime

from services.notifier.addresses import addresses_of
from services.notifier.ledger.known import Known
from services.notifier.ledger.rows import Sealer
from services.notifier.ledger.verdicts import IS_MEMBERS
from services.runtime.database import Session, columns


async def forget(
    session: Session, sealer: Sealer, tombstones: Mapping[str, datetime], before: Mapping[str, Known], now: datetime
) -> None:
    """`tombstones`: member → since when it is to be forgotten. What is newer than that stays."""
    if not tombstones:
        return
    forgotten = await session.fetch(
        """
        UPDATE notifier.contacts c
        SET data = NULL, left_addresses = NULL, time = asked.time, stored_at = clock_timestamp()
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
    known = [before[member] for member in members if member in before]
    addresses = [
        *(address for each in known for some in addresses_of(each.contact).values() for address in some),
        *(left.address for each in known for left in each.left),
    ]
    hashes = set(map(sealer.search_hash, addresses))
    await session.execute("DELETE FROM notifier.suppressions WHERE address_hash = ANY($1::bytea[])", list(hashes))
    await session.execute("DELETE FROM notifier.throttles WHERE member_id = ANY($1::text[])", members)
