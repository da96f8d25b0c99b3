"""Letters of a complaint: the higher rank takes the lower one's place, and what was written is kept.

Ranks are kept in rows of their own, as the newest of a supersede group is: they outlive the notifications. Whoever
changes what may leave of a complaint holds its lock until the end of the transaction.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from schemas.envelope import Event
from schemas.notifications import Cause
from schemas.types import Data
from services.notifier.ledger.rows import Leased
from services.notifier.plan import Notification
from services.runtime.database import Database, Session, columns
from services.runtime.vault import Vault, VaultError

log = structlog.get_logger()

Row = tuple[Event[Data], Notification]
Kept = tuple[uuid.UUID, bool]
"""Notification, and whether it says that it may be a second copy."""
LETTERS_LIVE = timedelta(days=2192)
"""Six years with their leap days (COMPLAINTS, Enforcement; the regulator asks for three)."""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The letter of this cause is not to leave any more."""

    complaint: str
    cause: Cause
    reason: str
    time: datetime


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """What was written, but for its contents."""

    id: uuid.UUID
    again: bool
    notice: str
    composed_at: datetime
    sha256: bytes
    """Of the message as it left."""


async def lock_complaints(session: Session, complaints: set[str]) -> None:
    """Until the transaction ends; all at once and in order, so that two transactions cannot wait for each other."""
    await session.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(complaint, 11)) FROM unnest($1::text[]) AS complaint",
        sorted(complaints),
    )


async def cancel(session: Session, cancellations: Sequence[Cancellation], now: datetime) -> None:
    """Open letters of these causes end `cancelled`; one that is accepted later is born so. Twice changes nothing.

    The caller holds the complaints' lock, here and below.
    """
    if not cancellations:
        return
    causes = columns([(each.complaint, each.cause.source, each.cause.id) for each in cancellations], 3)
    await session.execute(
        """
        INSERT INTO notifier.cancelled_letters (complaint, source, id, reason, time)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
        ON CONFLICT DO NOTHING
        """,
        *causes,
        [each.reason for each in cancellations],
        [each.time for each in cancellations],
    )
    await session.execute(
        """
        UPDATE notifier.notifications n
        SET state = 'cancelled', reason = c.reason, state_at = $4, secrets = NULL, due_at = NULL, lease_token = NULL
        FROM notifier.cancelled_letters c
        WHERE (c.complaint, c.source, c.id) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))
          AND n.member_id = c.complaint AND n.event_source = c.source AND n.event_id = c.id
          AND n.cancelled_from IS NOT NULL AND n.due_at IS NOT NULL AND n.state <> 'handing-over'
        """,
        *causes,
        now,
    )


async def outranked(session: Session, rows: list[Row], now: datetime) -> list[Row]:
    """A letter that will leave cancels open ones that rank lower and are not newer; what it outranks is born so.

    One that is handed over now stays: whoever hands over next asks again.
    """
    letters = [(event, row) for event, row in rows if row.letter is not None]
    if not letters:
        return rows
    complaints = sorted({event.subject for event, _ in letters})
    reasons = await _cancelled_by_cause(session, letters)
    rows = [(event, _ended(row, reasons.get((event.subject, event.source, event.id)))) for event, row in rows]
    await _raise(session, rows)
    await session.execute(
        """
        UPDATE notifier.notifications n
        SET state = 'cancelled', reason = 'higher-letter', state_at = $2, secrets = NULL, due_at = NULL,
            lease_token = NULL
        FROM notifier.letter_ranks r
        WHERE r.complaint = ANY($1::text[]) AND n.member_id = r.complaint
          AND n.cancelled_from <= r.rank AND n.event_time <= r.newest_time
          AND n.due_at IS NOT NULL AND n.state <> 'handing-over'
        """,
        complaints,
        now,
    )
    known: dict[str, list[tuple[int, datetime]]] = {}
    for stored in await session.fetch(
        "SELECT complaint, rank, newest_time FROM notifier.letter_ranks WHERE complaint = ANY($1::text[])", complaints
    ):
        known.setdefault(stored["complaint"], []).append((stored["rank"], stored["newest_time"]))
    return [
        (event, _ended(row, "higher-letter" if _is_outranked(event, row, known.get(event.subject, ())) else None))
        for event, row in rows
    ]


def _is_outranked(event: Event[Data], row: Notification, known: Sequence[tuple[int, datetime]]) -> bool:
    from_ = row.cancelled_from
    return from_ is not None and any(rank >= from_ and newest >= event.time for rank, newest in known)


def _ended(row: Notification, reason: str | None) -> Notification:
    return row if reason is None or row.state != "accepted" else replace(row, state="cancelled", reason=reason)


async def _cancelled_by_cause(session: Session, letters: list[Row]) -> dict[tuple[str, str, str], str]:
    rows = await session.fetch(
        """
        SELECT complaint, source, id, reason FROM notifier.cancelled_letters
        WHERE (complaint, source, id) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))
        """,
        *columns([(event.subject, event.source, event.id) for event, _ in letters], 3),
    )
    return {(row["complaint"], row["source"], row["id"]): row["reason"] for row in rows}


async def _raise(session: Session, rows: list[Row]) -> None:
    """Only what will leave counts: a letter that cannot be delivered takes nobody's place."""
    newest: dict[tuple[str, int], datetime] = {}
    for event, row in rows:
        if row.rank is not None and row.state == "accepted":
            key = (event.subject, row.rank)
            newest[key] = max(newest.get(key, event.time), event.time)
    await session.execute(
        """
        INSERT INTO notifier.letter_ranks AS stored (complaint, rank, newest_time)
        SELECT * FROM unnest($1::text[], $2::smallint[], $3::timestamptz[])
        ON CONFLICT (complaint, rank) DO UPDATE SET newest_time = EXCLUDED.newest_time
        WHERE EXCLUDED.newest_time > stored.newest_time
        """,
        *columns([(*key, newest[key]) for key in sorted(newest)], 3),
    )


class KeptLetters:
    """What was written, sealed, before it is handed over the first time: the proof outlives the ledger."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def keep(self, composed: Sequence[tuple[Leased, bytes]], now: datetime) -> Mapping[Kept, bytes]:
        """The bytes to send: what is kept is what leaves, on every attempt.

        A letter that goes again because it may have left says so: those bytes are kept beside the first. One whose
        kept bytes cannot be opened is left out, loudly; it comes back until its key does.
        """
        rows = await self._database.fetch(
            """
            WITH asked AS (
                SELECT * FROM unnest($1::uuid[], $2::boolean[], $3::text[], $4::text[], $5::bytea[], $6::bytea[])
                    AS a (id, again, complaint, notice, sha256, body)
            ), kept AS (
                INSERT INTO notifier.letters (id, again, complaint, notice, sha256, body, composed_at)
                SELECT *, $7 FROM asked ON CONFLICT (id, again) DO NOTHING
            )
            SELECT l.id, l.again, l.body FROM notifier.letters l
            WHERE (l.id, l.again) IN (SELECT asked.id, asked.again FROM asked)
            """,
            *columns([self._sealed(row, body) for row, body in composed], 6),
            now,
        )
        bodies = {(row.id, row.again): body for row, body in reversed(composed)}
        for kept in rows:
            handle = (kept["id"], kept["again"])
            try:
                bodies[handle] = self._vault.decrypt(kept["body"], _name(*handle))
            except VaultError as error:
                log.error("letter_unreadable", notification=str(kept["id"]), why=str(error))
                del bodies[handle]
        return bodies

    async def of_complaint(self, complaint: str) -> list[KeptLetter]:
        """Oldest first."""
        rows = await self._database.fetch(
            """
            SELECT id, again, notice, composed_at, sha256 FROM notifier.letters
            WHERE complaint = $1 ORDER BY composed_at, id, again
            """,
            complaint,
        )
        return [KeptLetter(**row) for row in rows]

    async def read(self, id_: uuid.UUID, *, first: bool) -> bytes | None:
        """The last one written, or the `first`. Raises `VaultError`."""
        row = await self._database.fetchrow(
            "SELECT again, body FROM notifier.letters WHERE id = $1 AND NOT (again AND $2) ORDER BY again DESC LIMIT 1",
            id_,
            first,
        )
        return None if row is None else self._vault.decrypt(row["body"], _name(id_, row["again"]))

    async def drop_old(self, now: datetime) -> int:
        """A bounded number at a time; returns how many."""
        status: str = await self._database.execute(
            """
            DELETE FROM notifier.letters WHERE (id, again) IN (
                SELECT id, again FROM notifier.letters WHERE composed_at < $1 ORDER BY composed_at LIMIT 1000)
            """,
            now - LETTERS_LIVE,
        )
        return int(status.rsplit(maxsplit=1)[-1])

    def _sealed(self, row: Leased, body: bytes) -> tuple[object, ...]:
        sealed = self._vault.encrypt(body, _name(row.id, row.again))
        return row.id, row.again, row.complaint, row.notice, hashlib.sha256(body).digest(), sealed


def _name(id_: uuid.UUID, again: bool) -> str:
    return f"letters/{id_}/{'again' if again else 'first'}/body"
