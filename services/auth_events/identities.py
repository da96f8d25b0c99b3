"""The tables `members` and `identities`: who is who at which provider, as the newest contact of each member says it.

Every function works in its caller's transaction, which holds the identities' locks.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.runtime.database import Session, columns

_LOCK_CLASS = 0x1DE7


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A contact as far as it matters here; `version` None: a tombstone, and `time` its record's."""

    member: str
    version: int | None
    time: datetime
    identities: frozenset[bytes] = frozenset()


def identity_of(issuer: str, subject: str) -> bytes:
    """NUL is in neither."""
    return hashlib.sha256(f"{issuer}\0{subject}".encode()).digest()


def runs(batch: Sequence[Known]) -> list[list[Known]]:
    """In order; in each run every member and every identity once, so that one statement can store it."""
    found: list[list[Known]] = []
    members: set[str] = set()
    identities: set[bytes] = set()
    for each in batch:
        if not found or each.member in members or not identities.isdisjoint(each.identities):
            found.append([])
            members, identities = set(), set()
        found[-1].append(each)
        members.add(each.member)
        identities |= each.identities
    return found


async def lock(session: Session, identities: Collection[bytes]) -> None:
    """In 256 stripes: so many that two seldom meet, so few that a large batch fits PostgreSQL's table of locks."""
    await session.execute(
        "SELECT pg_advisory_xact_lock($1, stripe) FROM unnest($2::integer[]) AS stripe",
        _LOCK_CLASS,
        sorted({identity[0] for identity in identities}),
    )


async def members(session: Session, identities: Collection[bytes]) -> dict[bytes, str]:
    rows = await session.fetch(
        "SELECT identity, member_id FROM auth_events.identities WHERE identity = ANY($1::bytea[])", list(identities)
    )
    return {row["identity"]: row["member_id"] for row in rows}


async def newer(session: Session, contacts: Sequence[Known]) -> set[str]:
    """Stored, and whose version is higher than what was known."""
    rows = await session.fetch(
        """
        INSERT INTO auth_events.members AS known (member_id, version, time)
        SELECT * FROM unnest($1::text[], $2::bigint[], $3::timestamptz[])
        ON CONFLICT (member_id) DO UPDATE SET version = EXCLUDED.version, time = EXCLUDED.time
        WHERE EXCLUDED.version > known.version
        RETURNING member_id
        """,
        *columns([(each.member, each.version, each.time) for each in contacts], 3),
    )
    return {row["member_id"] for row in rows}


async def name(session: Session, contacts: Sequence[Known]) -> dict[bytes, str]:
    """The identities of these members are these. One that two members claim belongs to the later contact."""
    pairs = [(identity, each.member, each.time) for each in contacts for identity in each.identities]
    identities, members, times = columns(pairs, 3)
    await session.execute(
        """
        DELETE FROM auth_events.identities i WHERE i.member_id = ANY($1::text[]) AND NOT EXISTS (
            SELECT FROM unnest($2::bytea[], $3::text[]) AS e (identity, member_id)
            WHERE e.identity = i.identity AND e.member_id = i.member_id)
        """,
        [each.member for each in contacts],
        identities,
        members,
    )
    rows = await session.fetch(
        """
        INSERT INTO auth_events.identities AS known (identity, member_id, time)
        SELECT * FROM unnest($1::bytea[], $2::text[], $3::timestamptz[])
        ON CONFLICT (identity) DO UPDATE SET member_id = EXCLUDED.member_id, time = EXCLUDED.time
        WHERE EXCLUDED.time >= known.time
        RETURNING identity, member_id
        """,
        identities,
        members,
        times,
    )
    return {row["identity"]: row["member_id"] for row in rows}


async def forget(session: Session, tombstones: Sequence[Known]) -> None:
    """By the record's time against the contact's: an old tombstone that is read again forgets nothing newer."""
    rows = await session.fetch(
        """
        DELETE FROM auth_events.members m
        USING unnest($1::text[], $2::timestamptz[]) AS e (member_id, time)
        WHERE m.member_id = e.member_id AND m.time <= e.time
        RETURNING m.member_id
        """,
        *columns([(each.member, each.time) for each in tombstones], 2),
    )
    gone = [row["member_id"] for row in rows]
    for table in ("identities", "browsers", "sign_ons"):
        await session.execute(
            f"DELETE FROM auth_events.{table} WHERE member_id = ANY($1::text[])",  # noqa: S608 (names of ours)
            gone,
        )
