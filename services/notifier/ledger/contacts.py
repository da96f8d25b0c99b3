"""Contacts, and the events that waited for one. State, not events: only a higher version counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from schemas.envelope import Event, EventError, read_record, write_structured
from schemas.members import ContactV1
from schemas.types import Data
from services.notifier.addresses import (
    addresses_of,
    confirmed_by,
    counting_anew,
)
from services.notifier.ledger.inserting import Accepted, Inserting, Room, Row
from services.notifier.ledger.known import Known, open_known, planned_for, seal_known
from services.notifier.ledger.rows import Sealer
from services.notifier.ledger.suppressions import lift, taking_mail
from services.notifier.ledger.verdicts import IS_MEMBERS
from services.notifier.plan import (
    Cancels,
    Notification,
    Planned,
    Refused,
    Rules,
    Skipped,
    Waiting,
    plan_failure,
)
from services.runtime.database import Database, Record, Session, columns
from services.runtime.vault import VaultError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StoredContact:
    """A contact as it arrived; `contact` None is a tombstone. `time` is the event's, or the tombstone record's."""

    member_id: str
    time: datetime
    contact: ContactV1 | None


class Contacts:
    """Stores contacts, wakes who waited for one, and ends who waited in vain."""

    def __init__(self, database: Database, sealer: Sealer, inserting: Inserting, rules: Rules) -> None:
        self._database = database
        self._sealer = sealer
        self._inserting = inserting
        self._rules = rules

    async def of(self, session: Session, members: set[str]) -> dict[str, Known]:
        """As planning sees them. Raises `VaultError`."""
        rows = await _stored(session, members)
        return await taking_mail(
            session, {row["member_id"]: open_known(self._sealer, row) for row in rows}, self._sealer
        )

    async def store(self, batch: Sequence[StoredContact], now: datetime, room: Room) -> Accepted:
        """A higher version counts, a tombstone by its time; either way the member's waiting events wake here and now.

        `batch` names each member once.
        """
        accepted = Accepted()
        async with self._database.acquire() as session, session.transaction():
            await lock_members(session, sorted(entry.member_id for entry in batch))
            before = await self._before(session, {entry.member_id for entry in batch})
            known = [(entry, entry.contact) for entry in batch if entry.contact is not None]
            stored = await self._upsert(session, known, before)
            await self._lift(
                session, [(entry, contact) for entry, contact in known if entry.member_id in stored], before, now
            )
            await self._forget(session, [entry for entry in batch if entry.contact is None], before, now)
            await self._wake(session, [entry.member_id for entry, _ in known], now, room, accepted)
        return accepted

    async def _before(self, session: Session, members: set[str]) -> dict[str, Known]:
        """One that cannot be read counts as none, loudly: it must not keep out what takes its place, or a tombstone."""
        before: dict[str, Known] = {}
        for row in await _stored(session, members):
            try:
                before[row["member_id"]] = open_known(self._sealer, row)
            except VaultError as error:
                log.error("contact_unreadable", member=row["member_id"], why=str(error))
        return before

    async def _upsert(
        self, session: Session, known: Sequence[tuple[StoredContact, ContactV1]], before: Mapping[str, Known]
    ) -> set[str]:
        """Returns the members of whom this is news."""
        rows = await session.fetch(
            """
            INSERT INTO notifier.contacts AS stored (member_id, version, time, data, left_addresses)
            SELECT * FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::bytea[], $5::bytea[])
            ON CONFLICT (member_id) DO UPDATE
            SET version = EXCLUDED.version, time = EXCLUDED.time, data = EXCLUDED.data,
                left_addresses = EXCLUDED.left_addresses, stored_at = clock_timestamp()
            WHERE EXCLUDED.version > stored.version
            RETURNING member_id
            """,
            *columns(
                [
                    (
                        entry.member_id,
                        contact.version,
                        entry.time,
                        *seal_known(self._sealer, entry.member_id, before.get(entry.member_id), contact, entry.time),
                    )
                    for entry, contact in known
                ],
                5,
            ),
        )
        return {row["member_id"] for row in rows}

    async def _lift(
        self,
        session: Session,
        news: Sequence[tuple[StoredContact, ContactV1]],
        before: Mapping[str, Known],
        now: datetime,
    ) -> None:
        """Addresses that a higher version adds or confirms are written to again."""
        anew: dict[str, set[bytes]] = {}
        for entry, contact in news:
            was = before.get(entry.member_id)
            for channel, addresses in counting_anew(None if was is None else was.contact, contact).items():
                anew.setdefault(channel, set()).update(map(self._sealer.search_hash, addresses))
        await lift(session, anew, "contact", now)

    async def end_waiting(self, now: datetime) -> int:
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
                event = self._open_waiting(row)
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

    def seal_waiting(self, event: Event[Data]) -> bytes:
        value, _ = write_structured(event)
        return self._sealer.vault.encrypt(value, f"events/{event.source}/{event.id}/payload")

    async def confirmed(self, session: Session, events: Iterable[Event[Data]], now: datetime) -> None:
        """What the member has confirmed is written to again, from these events on."""
        addresses = {address for event in events if (address := confirmed_by(event.data)) is not None}
        await lift(session, {"email": set(map(self._sealer.search_hash, addresses))}, "confirmed", now)

    async def _forget(
        self, session: Session, tombstones: list[StoredContact], before: Mapping[str, Known], now: datetime
    ) -> None:
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
            [entry.member_id for entry in tombstones],
            [entry.time for entry in tombstones],
        )
        members = [row["member_id"] for row in forgotten]
        # Windows before the notifications they carry, as whoever accepts locks them.
        await self._forget_addresses(session, members, before)
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

    async def _forget_addresses(self, session: Session, members: list[str], before: Mapping[str, Known]) -> None:
        """Their hashes too, whatever they were kept for."""
        known = [before[member] for member in members if member in before]
        addresses = [
            *(address for each in known for some in addresses_of(each.contact).values() for address in some),
            *(left.address for each in known for left in each.left),
        ]
        hashes = set(map(self._sealer.search_hash, addresses))
        await session.execute("DELETE FROM notifier.suppressions WHERE address_hash = ANY($1::bytea[])", list(hashes))
        await session.execute("DELETE FROM notifier.throttles WHERE member_id = ANY($1::text[])", members)

    async def _wake(self, session: Session, members: list[str], now: datetime, room: Room, accepted: Accepted) -> None:
        waiting = await session.fetch(
            """
            SELECT day, source, id, payload FROM notifier.events
            WHERE state = 'waiting' AND member_id = ANY($1::text[]) FOR UPDATE
            """,
            members,
        )
        if not waiting:
            return
        contacts = await self.of(session, set(members))
        rows: list[Row] = []
        ended: list[tuple[object, ...]] = []
        for stored in waiting:
            event = self._open_waiting(stored)
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

    def _open_waiting(self, row: Record) -> Event[Data] | None:
        """None: this one cannot be read. It goes on waiting, loudly, and keeps nobody else from going."""
        source, id_ = row["source"], row["id"]
        try:
            return read_record((), self._sealer.vault.decrypt(row["payload"], f"events/{source}/{id_}/payload"))
        except (VaultError, EventError) as error:
            log.error("waiting_event_unreadable", source=source, id=id_, why=str(error))
            return None


async def _stored(session: Session, members: set[str]) -> Sequence[Record]:
    """Without those who were forgotten."""
    return await session.fetch(
        """
        SELECT member_id, data, left_addresses FROM notifier.contacts
        WHERE member_id = ANY($1::text[]) AND data IS NOT NULL
        """,
        list(members),
    )


async def lock_members(session: Session, members: list[str]) -> None:
    """Until the transaction ends; sorted by the caller, so that two batches cannot wait for each other."""
    await session.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(member, 7)) FROM unnest($1::text[]) AS member", members
    )


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
