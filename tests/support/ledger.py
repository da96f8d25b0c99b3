"""The notifier's ledger on a real database, driven by hand: time is an argument, a lease lapses when a test says so."""

import json
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from schemas.envelope import Event, read_record
from schemas.members import ContactV1
from schemas.notifications import OutcomeV1
from schemas.types import Data
from services.notifier.brands import load_brands
from services.notifier.catalogue import LANES
from services.notifier.ledger.accepting import Accepting
from services.notifier.ledger.contacts import Contacts, StoredContact
from services.notifier.ledger.inserting import Accepted, Inserting, ReadEvent, Room
from services.notifier.ledger.rows import Leased, Sealer
from services.notifier.ledger.sending import AttemptResult, Sending
from services.notifier.ledger.throttling import Throttling
from services.notifier.ledger.upkeep import Upkeep
from services.notifier.plan import Rules
from services.runtime.database import Database, close, connect
from services.runtime.vault import Vault
from tests.support.notifier import contact, event_of

T0 = datetime.now(UTC).replace(microsecond=0)
"""The moment a story begins; the partitions of the test database lie around it."""
LINK = "https://www.cignahealthbenefits.com/sign-in?t=Zq7LINK"
CODE = "246810"
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
RULES = Rules(brands=load_brands(), deliverable=lambda _channel, _address: True)
NO_ROOM: Room = {}
ROOM: Room = dict.fromkeys(LANES, 100)


def password_changed(member: str, id: str = "e-1", at: datetime = T0) -> Event[Data]:
    return event_of("identity.password-changed.v1", member, id=f"{member}-{id}", time=at, changed_at=at)


def code(member: str, id: str = "c-1", at: datetime = T0, **data: Any) -> Event[Data]:
    """By e-mail for sign-in, good for 15 minutes, unless said otherwise."""
    values = {"channel": "email", "code": CODE, "url": LINK, "purpose": "sign-in", **data}
    values.setdefault("expires_at", at + timedelta(minutes=15))
    return event_of("identity.verification-code-issued.v1", member, id=f"{member}-{id}", time=at, **values)


def result(row: Leased, attempt: int, state: str, **more: Any) -> AttemptResult:
    """What an attempt came to; `state` retrying and unknown come with a delay."""
    values: dict[str, Any] = {"result": {"retrying": "retry"}.get(state, state), "state": state, **more}
    if state in {"retrying", "unknown"}:
        values.setdefault("delay_seconds", 0.0)
        values.setdefault("reason", "smtp:disconnected")
    return AttemptResult(row=row, attempt=attempt, **values)


@dataclass
class Ledger:
    """One database; `using` gives a second process with other keys or rules on the same one."""

    database: Database
    vault: Vault
    rules: Rules
    throttle: timedelta = timedelta(minutes=10)

    def __post_init__(self) -> None:
        self.sealer = Sealer(self.vault, b"search")
        inserting = Inserting(self.sealer, 60.0, Throttling(self.sealer, self.throttle))
        self.contacts = Contacts(self.database, self.sealer, inserting, self.rules)
        self.accepting = Accepting(self.database, self.contacts, inserting, self.rules)
        self.sending = Sending(self.database, self.sealer, 60.0)
        self.upkeep = Upkeep(self.database)

    def using(self, *, keys: dict[str, bytes] | None = None, rules: Rules | None = None) -> "Ledger":
        return Ledger(self.database, Vault(keys) if keys else self.vault, rules or self.rules)

    def throttling(self, window: timedelta) -> "Ledger":
        """A second process with this setting."""
        return replace(self, throttle=window)

    def member(self) -> str:
        return f"m-{uuid.uuid4().hex[:12]}"

    async def known(self, **data: Any) -> str:
        """A new member with a contact at `<member>@example.test`."""
        member = self.member()
        await self.contact(member, **data)
        return member

    async def contact(
        self, member: str, *, at: datetime = T0, now: datetime = T0, room: Room = NO_ROOM, **data: Any
    ) -> Accepted:
        """`at`: the time of the contact's event."""
        event = contact(member, **data)
        assert isinstance(event.data, ContactV1)
        return await self.contacts.store([StoredContact(member, at, event.data)], now, room)

    async def forget(self, member: str, at: datetime = T0 + timedelta(seconds=1)) -> Accepted:
        return await self.contacts.store([StoredContact(member, at, None)], at, NO_ROOM)

    async def accept(self, *events: Event[Data], now: datetime = T0, room: Room = NO_ROOM) -> Accepted:
        batch = [ReadEvent(event, f"topic/0/{offset}") for offset, event in enumerate(events)]
        return await self.accepting.accept(batch, now, room)

    async def claimed(self, *events: Event[Data], now: datetime = T0) -> list[Leased]:
        """Accept and lease at once, in the order of `events`."""
        return (await self.accept(*events, now=now, room=ROOM)).leased

    async def handed_over(self, *events: Event[Data], now: datetime = T0) -> list[Leased]:
        rows = await self.claimed(*events, now=now)
        assert len(await self.sending.hand_over(rows, now)) == len(rows)
        return rows

    async def end_leases(self) -> None:
        """What is leased is due now, as if the time of the lease had passed."""
        await self.database.execute(
            "UPDATE notifier.notifications SET due_at = clock_timestamp() - interval '1 second'"
            " WHERE state IN ('claimed', 'handing-over', 'retrying', 'unknown')"
        )

    async def rows(self, member: str) -> Sequence[asyncpg.Record]:
        return await self.database.fetch(
            "SELECT * FROM notifier.notifications WHERE member_id = $1 ORDER BY event_time, event_id, role", member
        )

    async def states(self, member: str) -> list[tuple[str, str | None]]:
        return [(row["state"], row["reason"]) for row in await self.rows(member)]

    async def events(self, member: str) -> list[tuple[str, str | None]]:
        rows = await self.database.fetch(
            "SELECT state, reason FROM notifier.events WHERE member_id = $1 ORDER BY time, id", member
        )
        return [(row["state"], row["reason"]) for row in rows]

    async def attempts(self, row: Leased) -> list[tuple[int, str | None, str | None]]:
        """(attempt, result, reason) in order."""
        rows = await self.database.fetch(
            "SELECT attempt, result, reason FROM notifier.attempts WHERE notification_id = $1 ORDER BY attempt", row.id
        )
        return [(row["attempt"], row["result"], row["reason"]) for row in rows]

    async def outcomes(self, member: str) -> list[OutcomeV1]:
        """Told so far, in the order of the outbox, each valid against the contract and without an address."""
        records = await self.database.fetch(
            "SELECT headers, value FROM notifier.outbox WHERE key = $1 ORDER BY id", member
        )
        return list(_read_outcomes(records, member))


def _read_outcomes(records: Iterable[asyncpg.Record], member: str) -> Iterable[OutcomeV1]:
    for record in records:
        event = read_record(((name, text.encode()) for name, text in json.loads(record["headers"])), record["value"])
        assert event.subject == member
        assert b"@" not in record["value"]
        assert isinstance(event.data, OutcomeV1)
        assert event.data.occurred_at == event.time
        assert event.type == f"notifications.{event.data.state}.v1"
        yield event.data


@asynccontextmanager
async def ledger_on(dsn: str, *, size: int = 6) -> AsyncIterator[Ledger]:
    database = await connect(dsn, size=size)
    try:
        yield Ledger(database, Vault({"first": KEY}), RULES)
    finally:
        await close(database)


async def emptied(ledger: Ledger) -> Ledger:
    """The same database with nothing in it: making one costs seconds, for its hundreds of partitions."""
    for table in (
        "notifications", "attempts", "events", "contacts", "supersede_groups", "outbox",
        "letter_ranks", "cancelled_letters", "letters", "suppressions", "throttles",
    ):  # fmt: skip
        await ledger.database.execute(f"DELETE FROM notifier.{table}")  # noqa: S608 (names from the line above)
    return ledger


def undeliverable(rules: Rules = RULES) -> Rules:
    """As in mode allow-list with nobody on the list."""
    return replace(rules, deliverable=lambda _channel, _address: False)
