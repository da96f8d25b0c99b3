"""The first goes at once; what follows of the same notice to the same reader soon after leaves as one summary.

The first of those that follow carries the summary: it waits for the end of the window, and takes in the facts of the
others, which end `superseded` and name it. So a window has at most one open row, and nothing has to come by later and
gather: whoever sends it sends all of it, and a crash loses none.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

from schemas.envelope import Event
from schemas.types import Data
from services.notifier.catalogue import THROTTLED
from services.notifier.facts import ACTIONS, action_of
from services.notifier.ledger.rows import Sealer
from services.notifier.plan import Notification
from services.runtime.database import Record, Session, columns

MOST_LISTED = 20
"""Actions in one summary, which stays below what a mail client cuts off; the next one begins another."""
Row = tuple[Event[Data], Notification]
Key: TypeAlias = tuple[str, str, str, str]
"""Member, notice, channel, role."""


@dataclass(slots=True, kw_only=True)
class _Window:
    address_hash: bytes
    until: datetime
    day: date | None
    carrier: uuid.UUID | None
    facts: dict[str, Any] | None = None
    """Of the carrier, if it is open and stood in the ledger before."""
    index: int | None = None
    """Of the carrier, if it came in this batch."""
    changed: bool = False
    listed_more: bool = False


class Throttling:
    """`window`: from the first on. E-mail alone: the portal's inbox is a list already."""

    def __init__(self, sealer: Sealer, window: timedelta) -> None:
        self._sealer = sealer
        self._window = window

    async def throttled(self, session: Session, rows: list[Row], now: datetime) -> list[Row]:
        """In the caller's transaction, in the order of `rows`; two processes at one window wait for each other."""
        ours = {index: _key(event, row) for index, (event, row) in enumerate(rows) if _is_throttled(row)}
        if not ours:
            return rows
        windows = await self._windows(session, rows, ours)
        rows = list(rows)
        for index, key in ours.items():
            self._take(rows, index, windows[key], now)
        await self._write(session, windows)
        return rows

    def _take(self, rows: list[Row], index: int, window: _Window, now: datetime) -> None:
        event, row = rows[index]
        address_hash = self._sealer.search_hash(row.address or "")
        if window.until <= now or window.address_hash != address_hash:
            window.address_hash, window.until, window.changed = address_hash, now + self._window, True
            window.day = window.carrier = window.facts = window.index = None
            return
        facts = window.facts if window.index is None else dict(rows[window.index][1].facts)
        if facts is None or len(facts.get(ACTIONS, ())) >= MOST_LISTED:
            window.day, window.carrier, window.facts, window.index = event.time.date(), row.id, None, index
            window.changed = True
            rows[index] = (event, replace(row, not_before=window.until, reason="throttled"))
            return
        facts[ACTIONS] = [*(facts.get(ACTIONS) or [action_of(facts)]), action_of(row.facts)]
        if window.index is None:
            window.facts, window.listed_more = facts, True
        else:
            carrying, carrier = rows[window.index]
            rows[window.index] = (carrying, replace(carrier, facts=facts))
        rows[index] = (event, replace(row, state="superseded", reason="in-summary", listed_in=window.carrier))

    async def _windows(self, session: Session, rows: Sequence[Row], ours: dict[int, Key]) -> dict[Key, _Window]:
        """Locked until the transaction ends, in the order of their keys."""
        first = {key: rows[index][1].address or "" for index, key in reversed(ours.items())}
        found = await session.fetch(
            """
            INSERT INTO notifier.throttles AS stored (member_id, notice, channel, role, address_hash, until)
            SELECT *, '-infinity'::timestamptz
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[])
            ON CONFLICT (member_id, notice, channel, role) DO UPDATE SET until = stored.until
            RETURNING member_id, notice, channel, role, address_hash,
                      CASE WHEN isfinite(until) THEN until END AS until, day, carrier
            """,
            *columns([(*key, self._sealer.search_hash(first[key])) for key in sorted(first)], 5),
        )
        carriers = await self._carriers(session, [row for row in found if row["carrier"] is not None])
        return {
            (row["member_id"], row["notice"], row["channel"], row["role"]): _Window(
                address_hash=row["address_hash"],
                until=row["until"] or datetime.min.replace(tzinfo=UTC),
                day=row["day"],
                carrier=row["carrier"],
                facts=carriers.get(row["carrier"]),
            )
            for row in found
        }

    async def _carriers(self, session: Session, found: Sequence[Record]) -> dict[uuid.UUID, dict[str, Any]]:
        """The facts of those that nobody has taken yet; nobody takes them while we hold them."""
        if not found:
            return {}
        rows = await session.fetch(
            """
            SELECT n.id, n.facts FROM notifier.notifications n
            JOIN unnest($1::date[], $2::uuid[]) AS asked (day, id) ON n.day = asked.day AND n.id = asked.id
            WHERE n.state = 'accepted' AND n.facts IS NOT NULL ORDER BY n.id FOR UPDATE OF n
            """,
            *columns([(row["day"], row["carrier"]) for row in found], 2),
        )
        return {
            row["id"]: json.loads(self._sealer.vault.decrypt(row["facts"], f"notifications/{row['id']}/facts"))
            for row in rows
        }

    async def _write(self, session: Session, windows: dict[Key, _Window]) -> None:
        changed = sorted(
            (*key, window.address_hash, window.until, window.day, window.carrier)
            for key, window in windows.items()
            if window.changed
        )
        await session.execute(
            """
            UPDATE notifier.throttles t
            SET address_hash = w.address_hash, until = w.until, day = w.day, carrier = w.carrier
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[], $7::date[],
                        $8::uuid[]) AS w (member_id, notice, channel, role, address_hash, until, day, carrier)
            WHERE (t.member_id, t.notice, t.channel, t.role) = (w.member_id, w.notice, w.channel, w.role)
            """,
            *columns(changed, 8),
        )
        more = [
            (window.day, window.carrier, self._sealer.seal_facts(window.carrier, window.facts))
            for window in windows.values()
            if window.listed_more and window.carrier is not None and window.facts is not None
        ]
        if more:
            await session.execute(
                """
                UPDATE notifier.notifications n SET facts = asked.facts
                FROM unnest($1::date[], $2::uuid[], $3::bytea[]) AS asked (day, id, facts)
                WHERE n.day = asked.day AND n.id = asked.id
                """,
                *columns(more, 3),
            )


def _is_throttled(row: Notification) -> bool:
    return row.state == "accepted" and row.channel == "email" and row.notice in THROTTLED


def _key(event: Event[Data], row: Notification) -> Key:
    return (event.subject, row.notice, row.channel, row.role)
