"""Whose event it is: a provider's subject ↔ a member, through the `identities` of the member's contact.

`take` and `hear` are one transaction each. What a provider sent is recorded as taken, and is in the outbox or waits for
its member, or all of it is not: a retry finds what was taken and changes nothing. An event that waits is woken by the
contact that names its subject, in the transaction that stores the identity. Both sides lock the identity first, so that
an event cannot begin to wait just after its contact came by.

Kept of a member: the opaque id, a version, and hashes of issuer and subject. What waits is encrypted.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from schemas.envelope import Event, new_event, read_event
from schemas.identity import AccountDeletedV1
from schemas.types import Data
from services.auth_events import identities
from services.auth_events.identities import Known
from services.auth_events.metrics import Told
from services.auth_events.providers.signals import Signal
from services.auth_events.records import message
from services.runtime.database import Database, Session
from services.runtime.failpoints import failpoint
from services.runtime.outbox import Outbox
from services.runtime.publisher import Message
from services.runtime.vault import Vault, VaultError

log = structlog.get_logger()

LIFE = timedelta(hours=72)
"""Of a security notice (NOTICES): so long an event waits for its member, from its own time."""
TWINS_WITHIN = timedelta(seconds=1)
"""Keycloak's come within a millisecond or two; two changes by hand do not come within a second, and those of one kind
are never twins."""
TAKEN_FOR = timedelta(days=8)
"""Longer than a provider retries. Later the notifier still knows the id."""
ENDED_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Waiting:
    """For metrics."""

    count: int
    oldest_seconds: float


class Whose:
    """Raises what PostgreSQL raises."""

    def __init__(self, database: Database, outbox: Outbox, vault: Vault) -> None:
        self._database = database
        self._outbox = outbox
        self._vault = vault

    async def take(self, signals: Sequence[Signal], now: datetime) -> list[Told]:
        """What became of each, in order. `late`: its member is not known, and a notice would be too late already."""
        named = [identities.identity_of(each.issuer, each.subject) for each in signals]
        fates: list[Told] = []
        async with self._database.acquire() as session, session.transaction():
            await identities.lock(session, named)
            members = await identities.members(session, named)
            messages: list[Message] = []
            for each, identity in zip(signals, named, strict=True):
                fate = await _repeated(session, each, identity, now)
                member = members.get(identity) or _stand_in(each, identity)
                if fate is None and member is not None:
                    messages.append(message(_of_member(each, member)))
                    fate = "told"
                elif fate is None:
                    fate = await self._wait(session, each, identity, now)
                fates.append(fate)
            if messages:
                await self._outbox.add(session, messages)
            failpoint("upstream-taken-before-commit")
        return fates

    async def hear(self, batch: Sequence[Known], now: datetime) -> int:
        """Contacts, each member and each identity once (`identities.runs`). Returns how many events were woken."""
        contacts = [each for each in batch if each.version is not None]
        async with self._database.acquire() as session, session.transaction():
            await identities.lock(session, [identity for each in contacts for identity in each.identities])
            await identities.forget(session, [each for each in batch if each.version is None])
            newer = await identities.newer(session, contacts)
            named = await identities.name(session, [each for each in contacts if each.member in newer])
            woken = await self._wake(session, named, now)
            failpoint("contact-heard-before-commit")
        return woken

    async def end_waiting(self, now: datetime, limit: int) -> int:
        """What waited its time ends here, and says so in its row. Returns how many."""
        rows = await self._database.fetch(
            """
            UPDATE auth_events.waiting SET ended_at = $1, payload = NULL WHERE id = ANY(ARRAY(
                SELECT id FROM auth_events.waiting WHERE ended_at IS NULL AND waits_until <= $1
                ORDER BY waits_until LIMIT $2 FOR UPDATE SKIP LOCKED))
            RETURNING source, event_id, type
            """,
            now,
            limit,
        )
        for row in rows:
            log.warning("no_contact_for_event", source=row["source"], id=row["event_id"], type=row["type"])
        return len(rows)

    async def forget_old(self, now: datetime) -> None:
        await self._database.execute("DELETE FROM auth_events.taken WHERE taken_at < $1", now - TAKEN_FOR)
        await self._database.execute("DELETE FROM auth_events.waiting WHERE ended_at < $1", now - ENDED_FOR)

    async def waiting(self, now: datetime) -> Waiting:
        row = await self._database.fetchrow(
            "SELECT count(*) AS count, min(waits_until) AS until FROM auth_events.waiting WHERE ended_at IS NULL"
        )
        if row is None or row["until"] is None:
            return Waiting(0, 0.0)
        return Waiting(row["count"], max(0.0, (now - (row["until"] - LIFE)).total_seconds()))

    async def _wait(self, session: Session, each: Signal, identity: bytes, now: datetime) -> Told:
        until = each.time + LIFE
        if until <= now:
            return "late"
        sealed = self._vault.encrypt(json.dumps(_document(each)).encode(), _place(each.source, each.id))
        await session.execute(
            "INSERT INTO auth_events.waiting (identity, source, event_id, type, payload, waits_until)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            identity,
            each.source,
            each.id,
            each.type,
            sealed,
            until,
        )
        return "waiting"

    async def _wake(self, session: Session, named: Mapping[bytes, str], now: datetime) -> int:
        rows = await session.fetch(
            "SELECT id, identity, source, event_id, payload FROM auth_events.waiting"
            " WHERE identity = ANY($1::bytea[]) AND ended_at IS NULL AND waits_until > $2 ORDER BY id FOR UPDATE",
            list(named),
            now,
        )
        told: dict[int, Message] = {}
        for row in rows:
            try:
                document = json.loads(self._vault.decrypt(row["payload"], _place(row["source"], row["event_id"])))
            except VaultError as error:
                # It stays, for a process that has the key, and ends visibly otherwise.
                log.error("waiting_event_unreadable", id=row["id"], why=str(error))
                continue
            told[row["id"]] = message(read_event(document | {"subject": named[row["identity"]]}, publishing=True))
        if told:
            await self._outbox.add(session, list(told.values()))
            await session.execute("DELETE FROM auth_events.waiting WHERE id = ANY($1::bigint[])", list(told))
        return len(told)


def _stand_in(each: Signal, identity: bytes) -> str | None:
    """Whose account is gone may be forgotten already, and no contact will come: an event that says whom to write to,
    and in whose name, is told under an id that says nothing else."""
    complete = isinstance(each.data, AccountDeletedV1) and each.data.brand is not None
    return f"user-{identity.hex()[:40]}" if complete else None


def _of_member(each: Signal, member: str) -> Event[Data]:
    return new_event(source=each.source, id=each.id, type=each.type, subject=member, time=each.time, data=each.data)


def _document(each: Signal) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "source": each.source,
        "id": each.id,
        "type": each.type,
        "time": each.time.isoformat(),
        "data": each.data.model_dump(mode="json", exclude_unset=True),
    }


def _place(source: str, id: str) -> str:
    return f"waiting/{source}/{id}"


async def _repeated(session: Session, each: Signal, identity: bytes, now: datetime) -> Told | None:
    """None: told for the first time. Whatever it is, it is taken now."""
    group, kind = (each.twin.group, each.twin.kind) if each.twin else (None, None)
    fresh = await session.fetchval(
        "INSERT INTO auth_events.taken (source, event_id, identity, twin_group, twin_kind, at, taken_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING true",
        each.source,
        each.id,
        identity,
        group,
        kind,
        each.time,
        now,
    )
    if not fresh:
        return "duplicate"
    if group is None:
        return None
    twin = await session.fetchval(
        """
        UPDATE auth_events.taken SET paired = true WHERE source = $1 AND event_id = (
            SELECT event_id FROM auth_events.taken
            WHERE source = $1 AND identity = $2 AND twin_group = $3 AND twin_kind <> $4 AND NOT paired
                AND at BETWEEN $5::timestamptz - $6::interval AND $5::timestamptz + $6::interval
            ORDER BY abs(extract(epoch FROM at - $5::timestamptz)) LIMIT 1)
        RETURNING event_id
        """,
        each.source,
        identity,
        group,
        kind,
        each.time,
        TWINS_WITHIN,
    )
    if twin is None:
        return None
    await session.execute(
        "UPDATE auth_events.taken SET paired = true WHERE source = $1 AND event_id = $2", each.source, each.id
    )
    return "twin"
