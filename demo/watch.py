"""The ledger and the inbox as anybody may see them: read-only SQL and the catcher's API."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import asyncpg

from demo import client
from demo.check import IN_APP, Arrived, Row
from demo.environment import VAULT_KEYS
from services.runtime.database import Database, Record
from services.runtime.vault import Vault

PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen(Row):
    """A row with its times; for an event that waits, a row without notice."""

    brand: str
    event_type: str
    event_time: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many notifications of some members are where."""

    all: int
    open: int
    sent: int
    explained: int
    """Attempts after which nobody knew, so that one more copy is explained."""


class Ledger:
    """The notifier's ledger over a connection that cannot write. Use with `async with`."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._vault = Vault.parse(VAULT_KEYS)
        self._addresses: dict[str, str | None] = {}
        self._pool: Database | None = None

    async def __aenter__(self) -> Self:
        self._pool = await asyncpg.create_pool(
            self._dsn,
            min_size=1,
            max_size=2,
            command_timeout=30,
            server_settings={"application_name": "demo", "default_transaction_read_only": "on"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._pool is not None:
            await self._pool.close()

    async def rows(self, members: Collection[str]) -> list[Seen]:
        """In the order accepted; events that wait for a contact come with the notice `-`."""
        records = await self._fetch(
            """
            SELECT event_id, event_type, event_time, accepted_at, id::text, notice, channel, role, brand, locale,
                   state, reason, attempts, reference, sent_at, address
            FROM notifier.notifications WHERE member_id = ANY($1::text[])
            UNION ALL
            SELECT id, type, time, accepted_at, id, '-', '-', '-', '-', '-',
                   'waiting', 'no contact yet', 0, NULL, NULL, NULL
            FROM notifier.events WHERE member_id = ANY($1::text[]) AND state = 'waiting'
            ORDER BY 4, 3, 8
            """,
            list(members),
        )
        return [self._seen(record) for record in records]

    async def contact_version(self, member: str) -> int:
        """0: not stored."""
        records = await self._fetch("SELECT version FROM notifier.contacts WHERE member_id = $1", member)
        return int(records[0]["version"]) if records else 0

    async def tally(self, prefix: str) -> Tally:
        """Of all members whose id starts with `prefix`."""
        (record,) = await self._fetch(
            """
            SELECT count(*) AS all, count(*) FILTER (WHERE due_at IS NOT NULL) AS open,
                   count(*) FILTER (WHERE state = 'sent') AS sent,
                   (SELECT count(*) FROM notifier.attempts a JOIN notifier.notifications m
                    ON (m.day, m.id) = (a.day, a.notification_id)
                    WHERE starts_with(m.member_id, $1) AND a.result IN ('unknown', 'lost-lease')) AS explained
            FROM notifier.notifications WHERE starts_with(member_id, $1)
            """,
            prefix,
        )
        return Tally(**dict(record))

    async def untold(self) -> int:
        """Outcomes that still lie in the outbox."""
        (record,) = await self._fetch("SELECT count(*) AS count FROM notifier.outbox")
        return int(record["count"])

    async def _fetch(self, query: str, *arguments: object) -> list[Record]:
        assert self._pool is not None
        return await self._pool.fetch(query, *arguments)

    def _seen(self, record: Record) -> Seen:
        return Seen(
            event=record["event_id"],
            event_type=record["event_type"],
            event_time=record["event_time"],
            notification=record["id"],
            notice=record["notice"],
            channel=record["channel"],
            role=record["role"],
            to=self._address(record),
            brand=record["brand"],
            locale=record["locale"],
            state=record["state"],
            reason=record["reason"],
            attempts=record["attempts"],
            reference=record["reference"],
            sent_at=record["sent_at"],
        )

    def _address(self, record: Record) -> str | None:
        """Opened once, with the demo's own key."""
        id_, sealed = record["id"], record["address"]
        if id_ not in self._addresses:
            if sealed is None:
                return None
            self._addresses[id_] = self._vault.decrypt(sealed, f"notifications/{id_}/address").decode()
        return self._addresses[id_]


class Inbox:
    """The catcher over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def arrived(self) -> list[Arrived]:
        """The newest `PAGE` messages, whoever they are for."""
        answer = await client.get(f"{self.url}/api/messages?limit={PAGE}")
        return [_arrived(message) for message in answer["messages"]]

    async def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = await client.get(f"{self.url}/api/stats")
        return stats

    async def grey_list(self, address: str) -> None:
        """The relay says "try again later" to mail for this address, until `accept_all`."""
        fault = {"at": "rcpt", "to": address, "times": None, "reply": "450 4.2.0 Greylisted, try again later"}
        await client.post_json(f"{self.url}/api/faults", fault)

    async def accept_all(self) -> None:
        await client.delete(f"{self.url}/api/faults")

    async def relay_down(self, seconds: float) -> None:
        await client.post_json(f"{self.url}/api/relay", {"down_seconds": seconds})

    async def show(self, message: dict[str, Any]) -> None:
        """What a portal shows its member."""
        await client.post_json(f"{self.url}/api/portal", message)


_CHANNELS = {"mail": "email", "sms": "sms", "portal": IN_APP}


def _arrived(message: dict[str, Any]) -> Arrived:
    references = {"mail": "message_id", "sms": "sid", "portal": "event"}
    return Arrived(
        channel=_CHANNELS[message["kind"]],
        to=message["to"][0],
        language=message.get("language", ""),
        reference=message[references[message["kind"]]].strip("<>").partition("@")[0],
        subject=message["subject"],
    )
