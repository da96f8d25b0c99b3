"""Events are planned once: the event and its notifications in one transaction."""

from collections.abc import Sequence
from datetime import datetime

from schemas.envelope import Event
from schemas.types import Data
from services.notifier.catalogue import OF_COMPLAINTS
from services.notifier.ledger.contacts import Contacts, lock_members
from services.notifier.ledger.inserting import Accepted, Inserting, ReadEvent, Room
from services.notifier.ledger.known import Known, planned_for
from services.notifier.ledger.letters import Cancellation, cancel, lock_complaints
from services.notifier.plan import Cancels, Plan, Planned, Refused, Rules, Skipped, Waiting
from services.runtime.database import Database, Session, columns

_EVENT_STATE: dict[type[Plan], str] = {Planned: "planned", Waiting: "waiting", Skipped: "skipped", Cancels: "skipped"}


class Accepting:
    """Accepts events."""

    def __init__(self, database: Database, contacts: Contacts, inserting: Inserting, rules: Rules) -> None:
        self._database = database
        self._contacts = contacts
        self._inserting = inserting
        self._rules = rules

    async def accept(self, batch: Sequence[ReadEvent], now: datetime, room: Room) -> Accepted:
        """One transaction. Raises what PostgreSQL raises: the caller waits, or bisects."""
        async with self._database.acquire() as session, session.transaction():
            contacts = await self._contacts_of(session, batch)
            accepted = Accepted()
            planned: list[tuple[ReadEvent, Plan]] = []
            refused: dict[str, tuple[ReadEvent, Refused]] = {}
            for entry in batch:
                decision = planned_for(entry.event, contacts, now, self._rules)
                if isinstance(decision, Refused):
                    refused[entry.origin] = (entry, decision)
                else:
                    planned.append((entry, decision))
            new = await self._insert_events(session, planned, now, accepted)
            # Planned before, and refused by today's rules: it stays as it was planned.
            unknown_events = await self._compare_with_stored(
                session, [entry for entry, _ in refused.values()], accepted
            )
            accepted.refused += [refused[entry.origin] for entry in unknown_events]
            for _, decision in new:
                accepted.count(_kind(decision))
            complaints = {entry.event.subject for entry, _ in new if entry.event.type in OF_COMPLAINTS}
            if complaints:
                await lock_complaints(session, complaints)
                # First: what is cancelled may come in the same batch.
                await cancel(session, _cancellations(new), now)
            await self._contacts.confirmed(session, (entry.event for entry, _ in new), now)
            rows = [
                (entry.event, notification)
                for entry, decision in new
                if isinstance(decision, Planned)
                for notification in decision.notifications
            ]
            await self._inserting.insert(session, rows, now, room, accepted)
            return accepted

    async def _contacts_of(self, session: Session, batch: Sequence[ReadEvent]) -> dict[str, Known | None]:
        """By member, None where it cannot be read; a complaint has none."""
        members = {entry.event.subject for entry in batch if entry.event.type not in OF_COMPLAINTS}
        contacts = await self._contacts.of(session, members)
        unknown = sorted(members - contacts.keys())
        if unknown:
            # A contact stored between this read and our insert would never wake the event: the lock, which
            # storing takes too, puts one after the other.
            await lock_members(session, unknown)
            contacts |= await self._contacts.of(session, set(unknown))
        return contacts

    async def _insert_events(
        self, session: Session, planned: list[tuple[ReadEvent, Plan]], now: datetime, accepted: Accepted
    ) -> list[tuple[ReadEvent, Plan]]:
        """The new ones. A conflict means "already planned" and changes nothing."""
        first: dict[tuple[object, str, str], tuple[ReadEvent, Plan]] = {}
        again: list[ReadEvent] = []
        for entry, decision in planned:
            key = _key(entry.event)
            if key in first:
                again.append(entry)
            else:
                first[key] = (entry, decision)
        rows = await session.fetch(
            """
            INSERT INTO notifier.events (day, source, id, type, member_id, time, content_sha256, state, reason,
                                         origin, accepted_at, waits_until, payload)
            SELECT day, source, id, type, member_id, time, sha, state, reason, origin, $12, waits_until, payload
            FROM unnest($1::date[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bytea[],
                        $8::text[], $9::text[], $10::text[], $11::timestamptz[], $13::bytea[])
                 AS e (day, source, id, type, member_id, time, sha, state, reason, origin, waits_until, payload)
            ON CONFLICT (day, source, id) DO NOTHING
            RETURNING day, source, id
            """,
            *self._event_columns(list(first.values()), now),
        )
        inserted = {(row["day"], row["source"], row["id"]) for row in rows}
        again += [entry for key, (entry, _) in first.items() if key not in inserted]
        await self._compare_with_stored(session, again, accepted)
        return [pair for key, pair in first.items() if key in inserted]

    def _event_columns(self, planned: list[tuple[ReadEvent, Plan]], now: datetime) -> list[object]:
        made = columns(
            [
                (
                    event.time.date(),
                    event.source,
                    event.id,
                    event.type,
                    event.subject,
                    event.time,
                    event.content_sha256,
                    _EVENT_STATE[type(decision)],
                    decision.reason if isinstance(decision, Skipped | Cancels) else None,
                    entry.origin,
                    decision.until if isinstance(decision, Waiting) else None,
                    self._contacts.waiting.seal(event) if isinstance(decision, Waiting) else None,
                )
                for entry, decision in planned
                for event in (entry.event,)
            ],
            12,
        )
        return [*made[:11], now, made[11]]

    async def _compare_with_stored(
        self, session: Session, again: list[ReadEvent], accepted: Accepted
    ) -> list[ReadEvent]:
        """Tells redeliveries from ids used twice; returns those that are not stored."""
        if not again:
            return []
        rows = await session.fetch(
            """
            SELECT e.day, e.source, e.id, e.content_sha256 FROM notifier.events e
            JOIN unnest($1::date[], $2::text[], $3::text[]) AS asked (day, source, id) USING (day, source, id)
            """,
            *columns([_key(entry.event) for entry in again], 3),
        )
        stored = {(row["day"], row["source"], row["id"]): row["content_sha256"] for row in rows}
        unknown: list[ReadEvent] = []
        for entry in again:
            sha = stored.get(_key(entry.event))
            if sha is None:
                unknown.append(entry)
            elif sha == entry.event.content_sha256:
                accepted.count("duplicate")
            else:
                accepted.reused.append(entry)
        return unknown


def _key(event: Event[Data]) -> tuple[object, str, str]:
    return (event.time.date(), event.source, event.id)


def _cancellations(new: list[tuple[ReadEvent, Plan]]) -> list[Cancellation]:
    return [
        Cancellation(entry.event.subject, decision.cause, decision.why, entry.event.time)
        for entry, decision in new
        if isinstance(decision, Cancels)
    ]


def _kind(decision: Plan) -> str:
    if isinstance(decision, Cancels):
        return decision.reason
    return f"skipped:{decision.reason}" if isinstance(decision, Skipped) else _EVENT_STATE[type(decision)]
