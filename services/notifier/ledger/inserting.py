"""Notifications into the ledger, in the caller's transaction: leased where there is room, superseding as they come."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from schemas.envelope import Event
from schemas.types import Data
from services.notifier.ledger.letters import outranked
from services.notifier.ledger.rows import Leased, Sealer
from services.notifier.ledger.suppressions import born_suppressed
from services.notifier.ledger.throttling import Throttling
from services.notifier.plan import Notification, Refused
from services.runtime.database import Session, columns

Room = Mapping[str, int]
"""Lane → how many notifications this process can take at once; those are leased as they are accepted."""
Row = tuple[Event[Data], Notification]
GROUPS_LIVE = timedelta(days=7)
"""No code or link waits longer to be sent: what is older needs no superseding."""


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """A valid event and where it was read: `topic/partition/offset`."""

    event: Event[Data]
    origin: str


@dataclass(slots=True)
class Accepted:
    """What one batch came to."""

    leased: list[Leased] = field(default_factory=list)
    reused: list[ReadEvent] = field(default_factory=list)
    """The same source and id with other content: dead letters."""
    refused: list[tuple[ReadEvent, Refused]] = field(default_factory=list)
    """Refused by the plan: dead letters, nothing in the ledger."""
    plans: dict[str, int] = field(default_factory=dict)
    """Counts by kind: planned, waiting, skipped:<reason>, duplicate."""
    left_for_others: set[str] = field(default_factory=set)
    """Lanes with rows accepted but not leased here."""

    def count(self, kind: str) -> None:
        self.plans[kind] = self.plans.get(kind, 0) + 1


class Inserting:
    """Inserts notifications and keeps the newest of each supersede group."""

    def __init__(self, sealer: Sealer, lease_seconds: float, throttling: Throttling) -> None:
        self._sealer = sealer
        self._throttling = throttling
        self._lease_seconds = lease_seconds

    async def insert(
        self,
        session: Session,
        rows: list[tuple[Event[Data], Notification]],
        now: datetime,
        room: Room,
        accepted: Accepted,
    ) -> None:
        if not rows:
            return
        rows = await born_suppressed(session, rows, self._sealer)
        rows = await self._throttling.throttled(session, rows, now)
        rows = await outranked(session, await _supersede(session, rows, now), now)
        token = uuid.uuid4()
        left = dict(room)
        leased: list[tuple[Event[Data], Notification]] = []
        states: list[str] = []
        for event, row in rows:
            may_go = row.state == "accepted" and (row.not_before is None or row.not_before <= now)
            if may_go and left.get(row.lane, 0) > 0:
                left[row.lane] -= 1
                leased.append((event, row))
                states.append("claimed")
            else:
                states.append(row.state)
                if may_go:
                    accepted.left_for_others.add(row.lane)
        await session.execute(
            """
            INSERT INTO notifier.notifications (day, id, event_source, event_id, event_type, event_time, member_id,
                notice, channel, role, lane, brand, locale, address, address_hash, facts, secrets, supersede_group,
                expires_at, hand_over_by, state, reason, cancelled_from, not_before, limit_at, reference,
                state_at, accepted_at, lease_token, due_at)
            SELECT n.*, $27, $27,
                CASE WHEN n.state = 'claimed' THEN $28::uuid END,
                CASE WHEN n.state = 'claimed' THEN clock_timestamp() + $29::float8 * interval '1 second'
                     WHEN n.reason = 'throttled' THEN clock_timestamp() + (n.not_before - $27)
                     WHEN n.state = 'accepted' THEN clock_timestamp() END
            FROM unnest($1::date[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[],
                $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[],
                $15::bytea[], $16::bytea[], $17::bytea[], $18::text[], $19::timestamptz[], $20::timestamptz[],
                $21::text[], $22::text[], $23::smallint[], $24::timestamptz[], $25::timestamptz[],
                $26::text[])
                AS n (day, id, event_source, event_id, event_type, event_time, member_id, notice, channel, role, lane,
                      brand, locale, address, address_hash, facts, secrets, supersede_group, expires_at, hand_over_by,
                      state, reason, cancelled_from, not_before, limit_at, reference)
            """,
            *columns(
                [self._notification_row(event, row, state) for (event, row), state in zip(rows, states, strict=True)],
                26,
            ),
            now,
            token,
            self._lease_seconds,
        )
        accepted.leased += [_leased(event, row, token, now) for event, row in leased]

    def _notification_row(self, event: Event[Data], row: Notification, state: str) -> tuple[object, ...]:
        address, address_hash, facts, secrets = self._sealer.seal(row)
        return (
            event.time.date(), row.id, event.source, event.id, event.type, event.time, event.subject, row.notice,
            row.channel, row.role, row.lane, row.brand, row.locale, address, address_hash, facts, secrets,
            row.supersede_group, row.expires_at, row.hand_over_by, state, row.reason,
            row.cancelled_from, row.not_before, row.limit_at, None if row.listed_in is None else str(row.listed_in),
        )  # fmt: skip


async def _supersede(
    session: Session, rows: list[tuple[Event[Data], Notification]], now: datetime
) -> list[tuple[Event[Data], Notification]]:
    """Newer = later time, then larger id. Only a deliverable one supersedes; hand-over checks again.

    The group's newest is kept in a row of its own: its lock orders two replicas, and it outlives the notifications.
    """
    grouped = {(event.subject, row.supersede_group) for event, row in rows if row.supersede_group is not None}
    if not grouped:
        return rows
    newest: dict[tuple[str, str], tuple[datetime, str]] = {}
    for event, row in rows:
        if row.supersede_group is not None and row.state == "accepted":
            key = (event.subject, row.supersede_group)
            newest[key] = max(newest.get(key, (event.time, event.id)), (event.time, event.id))
    await session.execute(
        """
        INSERT INTO notifier.supersede_groups AS stored (member_id, supersede_group, newest_time, newest_id)
        SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
        ON CONFLICT (member_id, supersede_group) DO UPDATE
        SET newest_time = EXCLUDED.newest_time, newest_id = EXCLUDED.newest_id
        WHERE (EXCLUDED.newest_time, EXCLUDED.newest_id COLLATE "C")
            > (stored.newest_time, stored.newest_id COLLATE "C")
        """,
        *columns([(*key, *newest[key]) for key in sorted(newest)], 4),
    )
    await session.execute(
        """
        UPDATE notifier.notifications n
        SET state = 'superseded', reason = 'newer', state_at = $3, secrets = NULL, due_at = NULL, lease_token = NULL
        FROM notifier.supersede_groups g
        WHERE (g.member_id, g.supersede_group) IN (SELECT * FROM unnest($1::text[], $2::text[]))
          AND n.member_id = g.member_id AND n.supersede_group = g.supersede_group
          AND (n.event_time, n.event_id COLLATE "C") < (g.newest_time, g.newest_id COLLATE "C")
          AND n.day >= $4 AND n.due_at IS NOT NULL AND n.state <> 'handing-over'
        """,
        *columns(sorted(grouped), 2),
        now,
        (now - GROUPS_LIVE).date(),
    )
    stored = await session.fetch(
        """
        SELECT member_id, supersede_group, newest_time, newest_id FROM notifier.supersede_groups
        WHERE (member_id, supersede_group) IN (SELECT * FROM unnest($1::text[], $2::text[]))
        """,
        *columns(sorted(grouped), 2),
    )
    latest = {(row["member_id"], row["supersede_group"]): (row["newest_time"], row["newest_id"]) for row in stored}
    return [(event, _born(event, row, latest)) for event, row in rows]


def _born(
    event: Event[Data], row: Notification, latest: Mapping[tuple[str, str], tuple[datetime, str]]
) -> Notification:
    newest = latest.get((event.subject, row.supersede_group or ""))
    if row.state != "accepted" or newest is None or (event.time, event.id) >= newest:
        return row
    return replace(row, state="superseded", reason="newer")


def _leased(event: Event[Data], row: Notification, token: uuid.UUID, now: datetime) -> Leased:
    return Leased(
        day=event.time.date(),
        id=row.id,
        token=token,
        notice=row.notice,
        channel=row.channel,
        role=row.role,
        lane=row.lane,
        brand=row.brand,
        locale=row.locale,
        attempts=0,
        event_time=event.time,
        accepted_at=now,
        expires_at=row.expires_at,
        hand_over_by=row.hand_over_by,
        member_id=event.subject,
        event_source=event.source,
        event_id=event.id,
        address=row.address or "",
        facts={**row.facts, **row.secrets},
        complaint=None if row.letter is None else event.subject,
        limit_at=row.limit_at,
        not_before=row.not_before,
    )
