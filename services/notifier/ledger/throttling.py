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
from operator import itemgetter
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
class _Carrier:
    day: date
    id: uuid.UUID
    facts: dict[str, Any]
    expires_at: datetime | None
    hand_over_by: datetime | None
    index: int | None = None
    """In the batch; None: it stood in the ledger before."""
    lists_more: bool = False

    @property
    def listed(self) -> int:
        return len(self.facts.get(ACTIONS, ()))

    def take_in(self, row: Notification) -> None:
        """It lives as long as the youngest that it lists."""
        self.facts = {
            **self.facts,
            ACTIONS: [*(self.facts.get(ACTIONS) or [action_of(self.facts)]), action_of(row.facts)],
        }
        self.expires_at = _later(self.expires_at, row.expires_at)
        self.hand_over_by = _later(self.hand_over_by, row.hand_over_by)
        self.lists_more = True


@dataclass(slots=True, kw_only=True)
class _Window:
    address_hash: bytes
    until: datetime
    carrier: _Carrier | None
    """None: the next begins one; what carried before is none any more, or in a sender's hands."""
    changed: bool = False


class Throttling:
    """`window`: from the first on; 0: none waits. E-mail alone: the portal's inbox is a list already."""

    def __init__(self, sealer: Sealer, window: timedelta) -> None:
        self._sealer = sealer
        self._window = window

    async def throttled(self, session: Session, rows: list[Row], now: datetime) -> list[Row]:
        """In the caller's transaction, in the order of `rows`; two processes at one window wait for each other."""
        ours = {index: _key(event, row) for index, (event, row) in enumerate(rows) if _is_throttled(row)}
        if not ours or not self._window:
            return rows
        windows = await self._windows(session, rows, ours)
        # Kept apart from their windows, which may go on to another carrier or address within this batch.
        stored = [window.carrier for window in windows.values() if window.carrier is not None]
        rows = list(rows)
        for index, key in ours.items():
            self._take(rows, index, windows[key], now)
        await self._write_windows(session, windows)
        await self._write_carriers(session, [carrier for carrier in stored if carrier.lists_more])
        return rows

    def _take(self, rows: list[Row], index: int, window: _Window, now: datetime) -> None:
        event, row = rows[index]
        address_hash = self._sealer.search_hash(row.address or "")
        if window.until <= now or window.address_hash != address_hash:
            window.address_hash, window.until, window.carrier = address_hash, now + self._window, None
            window.changed = True
        elif row.hand_over_by is not None and row.hand_over_by <= window.until:
            return  # It would be too late at the window's end: it goes at once, by itself.
        elif window.carrier is None or window.carrier.listed >= MOST_LISTED:
            window.carrier = _Carrier(
                day=event.time.date(),
                id=row.id,
                facts=dict(row.facts),
                expires_at=row.expires_at,
                hand_over_by=row.hand_over_by,
                index=index,
            )
            window.changed = True
            rows[index] = (event, replace(row, not_before=window.until, reason="throttled"))
        else:
            _list(rows, index, window.carrier)

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
                carrier=carriers.get(row["carrier"]),
            )
            for row in found
        }

    async def _carriers(self, session: Session, found: Sequence[Record]) -> dict[uuid.UUID, _Carrier]:
        """Those that nobody has taken yet; nobody takes them while we hold them."""
        if not found:
            return {}
        rows = await session.fetch(
            """
            SELECT n.day, n.id, n.facts, n.expires_at, n.hand_over_by FROM notifier.notifications n
            JOIN unnest($1::date[], $2::uuid[]) AS asked (day, id) ON n.day = asked.day AND n.id = asked.id
            WHERE n.state = 'accepted' AND n.facts IS NOT NULL ORDER BY n.id FOR UPDATE OF n
            """,
            *columns([(row["day"], row["carrier"]) for row in found], 2),
        )
        return {
            row["id"]: _Carrier(
                day=row["day"],
                id=row["id"],
                facts=json.loads(self._sealer.vault.decrypt(row["facts"], f"notifications/{row['id']}/facts")),
                expires_at=row["expires_at"],
                hand_over_by=row["hand_over_by"],
            )
            for row in rows
        }

    async def _write_windows(self, session: Session, windows: dict[Key, _Window]) -> None:
        changed = [
            (
                *key,
                window.address_hash,
                window.until,
                None if window.carrier is None else window.carrier.day,
                None if window.carrier is None else window.carrier.id,
            )
            for key, window in sorted(windows.items(), key=itemgetter(0))
            if window.changed
        ]
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

    async def _write_carriers(self, session: Session, carriers: Sequence[_Carrier]) -> None:
        if not carriers:
            return
        await session.execute(
            """
            UPDATE notifier.notifications n
            SET facts = asked.facts, expires_at = asked.expires_at, hand_over_by = asked.hand_over_by
            FROM unnest($1::date[], $2::uuid[], $3::bytea[], $4::timestamptz[], $5::timestamptz[])
                AS asked (day, id, facts, expires_at, hand_over_by)
            WHERE n.day = asked.day AND n.id = asked.id
            """,
            *columns(
                [
                    (
                        each.day,
                        each.id,
                        self._sealer.seal_facts(each.id, each.facts),
                        each.expires_at,
                        each.hand_over_by,
                    )
                    for each in carriers
                ],
                5,
            ),
        )


def _list(rows: list[Row], index: int, carrier: _Carrier) -> None:
    """This one's facts go with the carrier's, in the ledger or in the batch; it ends, and names the carrier."""
    event, row = rows[index]
    carrier.take_in(row)
    if carrier.index is not None:
        carrying, its = rows[carrier.index]
        rows[carrier.index] = (
            carrying,
            replace(its, facts=carrier.facts, expires_at=carrier.expires_at, hand_over_by=carrier.hand_over_by),
        )
    rows[index] = (event, replace(row, state="superseded", reason="in-summary", listed_in=carrier.id))


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    """None: without end."""
    return None if one is None or other is None else max(one, other)


def _is_throttled(row: Notification) -> bool:
    return row.state == "accepted" and row.channel == "email" and row.notice in THROTTLED


def _key(event: Event[Data], row: Notification) -> Key:
    return (event.subject, row.notice, row.channel, row.role)
