"""Contacts. State, not events: only a higher version counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from schemas.envelope import Event
from schemas.members import ContactV1
from schemas.types import Data
from services.notifier.addresses import confirmed_by, counting_anew
from services.notifier.ledger.forgetting import forget, forget_left, hashes_of
from services.notifier.ledger.inserting import Accepted, Inserting, Room
from services.notifier.ledger.known import Known, open_known, seal_known
from services.notifier.ledger.rows import Sealer
from services.notifier.ledger.suppressions import lift, lock, taking_mail
from services.notifier.ledger.waiting import WaitingEvents
from services.notifier.plan import Rules
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
    """Stores contacts, and wakes who waited for one."""

    def __init__(self, database: Database, sealer: Sealer, inserting: Inserting, rules: Rules) -> None:
        self._database = database
        self._sealer = sealer
        self.waiting = WaitingEvents(database, sealer, inserting, rules)

    async def of(self, session: Session, members: set[str]) -> dict[str, Known | None]:
        """As planning sees them; None: it cannot be read."""
        found = await self._opened(session, members)
        return {**found, **await taking_mail(session, _readable(found), self._sealer)}

    async def store(self, batch: Sequence[StoredContact], now: datetime, room: Room) -> Accepted:
        """A higher version counts, a tombstone by its time; either way the member's waiting events wake here and now.

        `batch` names each member once.
        """
        accepted = Accepted()
        async with self._database.acquire() as session, session.transaction():
            await lock_members(session, sorted(entry.member_id for entry in batch))
            # One that cannot be read counts as none: it must not keep out what takes its place, or a tombstone.
            before = _readable(await self._opened(session, {entry.member_id for entry in batch}))
            known = [(entry, entry.contact) for entry in batch if entry.contact is not None]
            stored = await self._upsert(session, known, before, now)
            anew = self._anew([(entry, contact) for entry, contact in known if entry.member_id in stored], before)
            tombstones = {entry.member_id: entry.time for entry in batch if entry.contact is None}
            if tombstones:
                going = hashes_of(self._sealer, [before[each] for each in tombstones.keys() & before.keys()])
                await lock(session, going.union(*anew.values()))
            await lift(session, anew, "contact", now)
            await forget(session, self._sealer, tombstones, before, now)
            members = [entry.member_id for entry, _ in known]
            if waiting := await self.waiting.of(session, members):
                # Who waits for one that cannot be read goes on waiting.
                contacts = _readable(await self.of(session, set(members)))
                await self.waiting.wake(session, waiting, contacts, now, room, accepted)
        return accepted

    async def _opened(self, session: Session, members: set[str]) -> dict[str, Known | None]:
        """None: it cannot be read, and the log says so."""
        found: dict[str, Known | None] = {}
        for row in await _stored(session, members):
            try:
                found[row["member_id"]] = open_known(self._sealer, row)
            except VaultError as error:
                log.error("contact_unreadable", member=row["member_id"], why=str(error))
                found[row["member_id"]] = None
        return found

    async def _upsert(
        self,
        session: Session,
        known: Sequence[tuple[StoredContact, ContactV1]],
        before: Mapping[str, Known],
        now: datetime,
    ) -> set[str]:
        """Returns the members of whom this is news."""
        rows = await session.fetch(
            """
            INSERT INTO notifier.contacts AS stored (member_id, version, time, data, left_addresses, left_until)
            SELECT * FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::bytea[], $5::bytea[],
                                 $6::timestamptz[])
            ON CONFLICT (member_id) DO UPDATE
            SET version = EXCLUDED.version, time = EXCLUDED.time, data = EXCLUDED.data,
                left_addresses = EXCLUDED.left_addresses, left_until = EXCLUDED.left_until,
                stored_at = clock_timestamp()
            WHERE EXCLUDED.version > stored.version
            RETURNING member_id
            """,
            *columns(
                [
                    (
                        entry.member_id,
                        contact.version,
                        entry.time,
                        # A time ahead of ours must not keep what was left the longer.
                        *seal_known(
                            self._sealer, entry.member_id, before.get(entry.member_id), contact, min(entry.time, now)
                        ),
                    )
                    for entry, contact in known
                ],
                6,
            ),
        )
        return {row["member_id"] for row in rows}

    def _anew(
        self, news: Sequence[tuple[StoredContact, ContactV1]], before: Mapping[str, Known]
    ) -> dict[str, set[bytes]]:
        """Channel → hashes of addresses that a higher version adds or confirms: they are written to again."""
        anew: dict[str, set[bytes]] = {}
        for entry, contact in news:
            was = before.get(entry.member_id)
            for channel, addresses in counting_anew(None if was is None else was.contact, contact).items():
                anew.setdefault(channel, set()).update(map(self._sealer.search_hash, addresses))
        return anew

    async def forget_left(self, now: datetime) -> int:
        """Addresses whose days are over, a bounded number of members at a time; returns how many members."""
        async with self._database.acquire() as session, session.transaction():
            return await forget_left(session, self._sealer, now)

    async def confirmed(self, session: Session, events: Iterable[Event[Data]], now: datetime) -> None:
        """What the member has confirmed is written to again, from these events on."""
        addresses = {address for event in events if (address := confirmed_by(event.data)) is not None}
        await lift(session, {"email": set(map(self._sealer.search_hash, addresses))}, "confirmed", now)


def _readable(found: Mapping[str, Known | None]) -> dict[str, Known]:
    return {member: known for member, known in found.items() if known is not None}


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
