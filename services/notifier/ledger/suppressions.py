"""Addresses to which nothing goes for now: mail that came back for good, phones that answered STOP.

Kept by the hash of the address, so that the list is not one of addresses. A row that was lifted stays: what was sent
before and comes back late does not close the address again.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from schemas.envelope import Event
from schemas.types import Data
from services.notifier.channels.base import Suppresses
from services.notifier.ledger.known import Known
from services.notifier.ledger.rows import Sealer
from services.notifier.plan import Notification
from services.runtime.database import Database, Session, columns

Row = tuple[Event[Data], Notification]
_BOUNCED_BETWEEN = "lifted_at IS NULL AND reason = 'address-bounced' AND since >= $1 AND since < $2"
BOUNCE_STOPS = frozenset({"security", "general"})
"""A code or link was asked for a moment ago, also to prove that the address works; a letter is owed, and its bounce is
the handler's. Both are tried. STOP stops every text message."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """`since` is when it was learnt; `sent_at` when what taught it left, or was refused."""

    address_hash: bytes
    channel: str
    reason: Suppresses
    notification: uuid.UUID
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class SuppressedAddress:
    """A line of the list: known by the notification that taught it, for the address itself is not kept."""

    notification: uuid.UUID
    channel: str
    reason: str
    since: datetime


async def born_suppressed(session: Session, rows: list[Row], sealer: Sealer) -> list[Row]:
    """What would go to a suppressed address ends before it begins, and supersedes nothing."""
    hashes = {
        row.id: sealer.search_hash(row.address)
        for _, row in rows
        if row.state == "accepted" and row.address is not None
    }
    if not hashes:
        return rows
    reasons = await _in_force(session, set(hashes.values()))
    if not reasons:
        return rows
    return [(event, _judged(row, reasons.get((hashes.get(row.id, b""), row.channel)))) for event, row in rows]


async def taking_mail(session: Session, members: dict[str, Known], sealer: Sealer) -> dict[str, Known]:
    """Without the left addresses that are suppressed: a dead one must not stand before one that the owner reads."""
    hashes = {left.address: sealer.search_hash(left.address) for each in members.values() for left in each.left}
    if not hashes:
        return members
    reasons = await _in_force(session, set(hashes.values()))
    return {
        member: replace(each, left=tuple(left for left in each.left if (hashes[left.address], "email") not in reasons))
        for member, each in members.items()
    }


async def _in_force(session: Session, hashes: set[bytes]) -> dict[tuple[bytes, str], str]:
    """Hash and channel → why."""
    rows = await session.fetch(
        """
        SELECT address_hash, channel, reason FROM notifier.suppressions
        WHERE lifted_at IS NULL AND address_hash = ANY($1::bytea[])
        """,
        list(hashes),
    )
    return {(row["address_hash"], row["channel"]): row["reason"] for row in rows}


def _judged(row: Notification, reason: str | None) -> Notification:
    if reason is None or (reason == "address-bounced" and row.lane not in BOUNCE_STOPS):
        return row
    return replace(row, state="suppressed", reason=reason)


async def suppress(asking: Database | Session, learnt: Sequence[Suppression], now: datetime) -> None:
    """Twice changes nothing; older news than the last lifting changes nothing either."""
    await asking.execute(
        """
        INSERT INTO notifier.suppressions AS stored (address_hash, channel, reason, notification_id, since)
        SELECT DISTINCT ON (address_hash, channel) address_hash, channel, reason, id, $6
        FROM unnest($1::bytea[], $2::text[], $3::text[], $4::uuid[], $5::timestamptz[])
            AS learnt (address_hash, channel, reason, id, sent_at)
        WHERE NOT EXISTS (SELECT FROM notifier.suppressions s
                          WHERE s.address_hash = learnt.address_hash AND s.channel = learnt.channel
                            AND (s.lifted_at IS NULL OR s.lifted_at >= learnt.sent_at))
        ORDER BY address_hash, channel
        ON CONFLICT (address_hash, channel) DO UPDATE
        SET reason = EXCLUDED.reason, notification_id = EXCLUDED.notification_id, since = EXCLUDED.since,
            lifted_at = NULL, lifted_because = NULL
        WHERE stored.lifted_at IS NOT NULL
        """,
        *columns(
            [(each.address_hash, each.channel, each.reason, each.notification, each.sent_at) for each in learnt], 5
        ),
        now,
    )


async def lock(session: Session, hashes: Collection[bytes]) -> None:
    """In the one order in which everybody locks them, for who changes them in more than one statement."""
    await session.execute(
        """
        SELECT FROM notifier.suppressions WHERE address_hash = ANY($1::bytea[])
        ORDER BY address_hash, channel FOR UPDATE
        """,
        list(hashes),
    )


async def lift(session: Session, addresses: Mapping[str, Collection[bytes]], because: str, now: datetime) -> None:
    """Channel → hashes of addresses that the member has changed to, or confirmed."""
    pairs = [(each, channel) for channel, hashes in addresses.items() for each in hashes]
    if not pairs:
        return
    await session.execute(
        """
        WITH meant AS MATERIALIZED (
            SELECT address_hash, channel FROM notifier.suppressions
            WHERE lifted_at IS NULL AND (address_hash, channel) IN (SELECT * FROM unnest($1::bytea[], $2::text[]))
            ORDER BY address_hash, channel FOR UPDATE
        )
        UPDATE notifier.suppressions s SET lifted_at = $3, lifted_because = $4
        FROM meant WHERE s.address_hash = meant.address_hash AND s.channel = meant.channel
        """,
        *columns(sorted(pairs), 2),
        now,
        because,
    )


class Suppressions:
    """What operators ask and do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now_in_force(self, limit: int) -> list[SuppressedAddress]:
        """The latest first."""
        rows = await self._database.fetch(
            """
            SELECT notification_id, channel, reason, since FROM notifier.suppressions
            WHERE lifted_at IS NULL ORDER BY since DESC LIMIT $1
            """,
            limit,
        )
        return [SuppressedAddress(row["notification_id"], row["channel"], row["reason"], row["since"]) for row in rows]

    async def count(self) -> int:
        count: int = await self._database.fetchval("SELECT count(*) FROM notifier.suppressions WHERE lifted_at IS NULL")
        return count

    async def bounced_between(self, since: datetime, until: datetime) -> int:
        """How many are in force because mail came back, learnt from `since` on and before `until`."""
        count: int = await self._database.fetchval(
            f"SELECT count(*) FROM notifier.suppressions WHERE {_BOUNCED_BETWEEN}",  # noqa: S608 (a constant)
            since,
            until,
        )
        return count

    async def lift_between(self, since: datetime, until: datetime, now: datetime, *, who: str, why: str) -> int:
        """All of `bounced_between`, with one record of who did it and why. Returns how many."""
        lifted: int = await self._database.fetchval(
            f"""
            WITH meant AS MATERIALIZED (
                SELECT address_hash, channel FROM notifier.suppressions WHERE {_BOUNCED_BETWEEN}
                ORDER BY address_hash, channel FOR UPDATE
            ), lifted AS (
                UPDATE notifier.suppressions s SET lifted_at = $3, lifted_because = 'by-hand'
                FROM meant WHERE s.address_hash = meant.address_hash AND s.channel = meant.channel RETURNING 1
            ), counted AS (SELECT count(*) AS lifted FROM lifted), kept AS (
                INSERT INTO notifier.interventions (kind, subject, who, why, result)
                SELECT 'lift', $4, $5, $6, 'lifted ' || lifted FROM counted WHERE lifted > 0
            )
            SELECT lifted FROM counted
            """,  # noqa: S608 (a constant)
            since,
            until,
            now,
            f"bounced {since:%Y-%m-%dT%H:%M:%SZ}/{until:%Y-%m-%dT%H:%M:%SZ}",
            who,
            why,
        )
        return lifted

    async def lift_by_hand(self, notification: uuid.UUID, now: datetime, *, who: str, why: str) -> bool:
        """With the record of who did it and why, in one statement. False: nothing in force was learnt from it."""
        done = await self._database.fetchval(
            """
            WITH lifted AS (
                UPDATE notifier.suppressions SET lifted_at = $2, lifted_because = 'by-hand'
                WHERE notification_id = $1 AND lifted_at IS NULL RETURNING reason, since
            )
            INSERT INTO notifier.interventions (kind, subject, who, why, result)
            SELECT 'lift', $1::text, $3, $4, 'was ' || reason FROM lifted RETURNING id
            """,
            notification,
            now,
            who,
            why,
        )
        return done is not None
