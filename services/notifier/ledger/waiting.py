"""Events that waited for a contact: woken when it comes, ended when their time is over."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog

from schemas.envelope import Event, EventError, read_record, write_structured
from schemas.types import Data
from services.notifier.ledger.inserting import Accepted, Inserting, Room, Row
from services.notifier.ledger.known import Known, planned_for
from services.notifier.ledger.rows import Sealer
from services.notifier.plan import Cancels, Notification, Planned, Refused, Rules, Skipped, Waiting, plan_failure
from services.runtime.database import Database, Record, Session, columns
from services.runtime.vault import VaultError

log = structlog.get_logger()


class WaitingEvents:
    def __init__(self, database: Database, sealer: Sealer, inserting: Inserting, rules: Rules) -> None:
        self._database = database
        self._sealer = sealer
        self._inserting = inserting
        self._rules = rules

    def seal(self, event: Event[Data]) -> bytes:
        value, _ = write_structured(event)
        return self._sealer.vault.encrypt(value, f"events/{event.source}/{event.id}/payload")

    async def of(self, session: Session, members: list[str]) -> Sequence[Record]:
        """Locked until the caller's transaction ends."""
        return await session.fetch(
            """
            SELECT day, source, id, payload FROM notifier.events
            WHERE state = 'waiting' AND member_id = ANY($1::text[]) FOR UPDATE
            """,
            members,
        )

    async def wake(
        self,
        session: Session,
        waiting: Sequence[Record],
        contacts: Mapping[str, Known],
        now: datetime,
        room: Room,
        accepted: Accepted,
    ) -> None:
        """In the transaction that has asked for those `waiting`. Who is not known yet goes on waiting."""
        rows: list[Row] = []
        ended: list[tuple[object, ...]] = []
        for stored in waiting:
            event = self._open(stored)
            if event is None:
                continue
            decision = planned_for(event, contacts, now, self._rules)
            if isinstance(decision, Waiting):
                continue
            accepted.count("woken")
            state, reason, notifications = _woken(event, decision)
            rows += [(event, notification) for notification in notifications]
            ended.append((stored["day"], stored["source"], stored["id"], state, reason))
        await self._inserting.insert(session, rows, now, room, accepted)
        await session.execute(
            """
            UPDATE notifier.events e
            SET state = asked.state, reason = asked.reason, payload = NULL, waits_until = NULL
            FROM unnest($1::date[], $2::text[], $3::text[], $4::text[], $5::text[])
                AS asked (day, source, id, state, reason)
            WHERE e.day = asked.day AND e.source = asked.source AND e.id = asked.id
            """,
            *columns(ended, 5),
        )

    async def end(self, now: datetime) -> int:
        """Events whose time to wait is over end `failed: no-contact`, visibly. Returns how many."""
        async with self._database.acquire() as session, session.transaction():
            rows = await session.fetch(
                """
                SELECT day, source, id, payload FROM notifier.events
                WHERE state = 'waiting' AND waits_until <= $1 LIMIT 500 FOR UPDATE SKIP LOCKED
                """,
                now,
            )
            ended: list[Row] = []
            reasons: list[str] = []
            for row in rows:
                event = self._open(row)
                reasons.append("unreadable" if event is None else "no-contact")
                if event is not None:
                    ended += [(event, row_) for row_ in plan_failure(event, "no-contact").notifications]
            await self._inserting.insert(session, ended, now, {}, Accepted())
            await session.execute(
                """
                UPDATE notifier.events e SET state = 'failed', reason = asked.reason, payload = NULL, waits_until = NULL
                FROM unnest($1::date[], $2::text[], $3::text[], $4::text[]) AS asked (day, source, id, reason)
                WHERE e.day = asked.day AND e.source = asked.source AND e.id = asked.id
                """,
                *columns([(row["day"], row["source"], row["id"]) for row in rows], 3),
                reasons,
            )
            return len(rows)

    def _open(self, row: Record) -> Event[Data] | None:
        """None: this one cannot be read. It goes on waiting, loudly, and keeps nobody else from going."""
        source, id_ = row["source"], row["id"]
        try:
            return read_record((), self._sealer.vault.decrypt(row["payload"], f"events/{source}/{id_}/payload"))
        except (VaultError, EventError) as error:
            log.error("waiting_event_unreadable", source=source, id=id_, why=str(error))
            return None


def _woken(
    event: Event[Data], decision: Planned | Skipped | Cancels | Refused
) -> tuple[str, str | None, tuple[Notification, ...]]:
    """The event's state, its reason, and the rows that tell of it."""
    match decision:
        case Planned(notifications):
            return "planned", None, notifications
        case Skipped(reason) | Cancels(reason=reason):
            return "skipped", reason, ()
        case Refused(error):
            return "failed", error.code, plan_failure(event, error.code).notifications
