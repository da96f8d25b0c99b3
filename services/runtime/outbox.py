"""Transactional outbox: rows written with the state they tell of, relayed at least once, in order, then deleted.

One relay per service at a time holds a session advisory lock, so that rows of one key leave in the order of their ids
and no transaction stays open while the broker is asked. Its connection's end, however it ends, frees the lock.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from services.runtime.database import Database, Record, Session, describe, is_away
from services.runtime.failpoints import failpoint
from services.runtime.publisher import BrokerAwayError, Message, Publisher
from services.runtime.vault import Vault, VaultError

log = structlog.get_logger()

BATCH = 500
IDLE_SECONDS = 0.1
"""How long an outcome may lie before it is seen."""
AWAY_SECONDS = 1.0
PUBLISH_SECONDS = 10.0
STANDSTILL_SECONDS = 30
"""A leader that asks PostgreSQL nothing for so long stands still: its session ends, and another leads."""


WATCH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits to be published; `seconds`: for how long the oldest has."""

    rows: int
    seconds: float


class Outbox:
    """The `outbox` table of one service's schema."""

    def __init__(self, schema: str, vault: Vault) -> None:
        self._schema = schema
        self._vault = vault
        self._unreadable: set[int] = set()

    async def add(self, connection: Session | Database, messages: Sequence[Message]) -> None:
        """In the caller's transaction, with the state the messages tell of. Values are encrypted."""
        await connection.execute(
            f"INSERT INTO {self._schema}.outbox (topic, key, headers, value, encrypted)"  # noqa: S608 (schema is ours)
            " SELECT *, true FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::bytea[])",
            [message.topic for message in messages],
            [None if message.key is None else message.key.decode() for message in messages],
            [json.dumps([[name, value.decode()] for name, value in message.headers]) for message in messages],
            [
                None if message.value is None else self._vault.encrypt(message.value, f"outbox/{message.topic}")
                for message in messages
            ],
        )

    async def waiting(self, database: Database) -> Waiting:
        row = await database.fetchrow(
            f"SELECT count(*) AS rows, clock_timestamp() - min(written_at) AS oldest FROM {self._schema}.outbox"  # noqa: S608
        )
        if row is None:
            raise LookupError("an aggregate without a row")
        return Waiting(row["rows"], max(0.0, row["oldest"].total_seconds()) if row["rows"] else 0.0)

    async def watch(
        self,
        database: Database,
        stopping: asyncio.Event,
        record: Callable[[Waiting], None],
        failed: Callable[[], None],
    ) -> None:
        """Tell `record` every few seconds, or `failed` that it could not be asked, until told to stop."""
        while not await pause(stopping, WATCH_SECONDS):
            try:
                record(await self.waiting(database))
            except Exception as error:
                # What is only measured must not end what it measures.
                failed()
                log.warning("watch_failed", exc_info=error)

    async def relay(
        self, database: Database, publisher: Publisher, *, stopping: asyncio.Event, relayed: Callable[[int], None]
    ) -> None:
        """Publish until told to stop. Survives a broker and a database that go away and come back."""
        while not stopping.is_set():
            try:
                async with database.acquire() as connection:
                    await self._lead(connection, publisher, stopping=stopping, relayed=relayed)
            except BrokerAwayError:
                await pause(stopping, AWAY_SECONDS)
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("outbox_waits_for_database", **describe(error))
                await pause(stopping, AWAY_SECONDS)

    async def _lead(
        self,
        connection: Session,
        publisher: Publisher,
        *,
        stopping: asyncio.Event,
        relayed: Callable[[int], None],
    ) -> None:
        lock = f"{self._schema}.outbox"
        while not await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", lock):
            if await pause(stopping, AWAY_SECONDS):
                return
        # Released to the pool, the connection forgets it.
        await connection.execute(f"SET idle_session_timeout = '{STANDSTILL_SECONDS}s'")
        try:
            while True:
                count = await self._relay_batch(connection, publisher)
                if count:
                    relayed(count)
                elif await pause(stopping, IDLE_SECONDS):
                    return
        finally:
            if not connection.is_closed():
                await connection.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", lock)

    async def _relay_batch(self, connection: Session, publisher: Publisher) -> int:
        rows = await connection.fetch(
            f"SELECT id, topic, key, headers, value, encrypted FROM {self._schema}.outbox"  # noqa: S608 (schema is ours)
            " WHERE id <> ALL($2::bigint[]) ORDER BY id LIMIT $1",
            BATCH,
            list(self._unreadable),
        )
        messages = {row["id"]: message for row in rows if (message := self._message(row))}
        if not messages:
            return 0
        failpoint("recorded-before-relay")
        await publisher.publish(list(messages.values()), timeout=PUBLISH_SECONDS)
        failpoint("relayed-before-delete")
        await connection.execute(
            f"DELETE FROM {self._schema}.outbox WHERE id = ANY($1::bigint[])",  # noqa: S608
            list(messages),
        )
        return len(messages)

    def _message(self, row: Record) -> Message | None:
        """None: its key is not among ours. It stays, loudly, for a process that has the key; the others go."""
        value = row["value"]
        if row["encrypted"] and value is not None:
            try:
                value = self._vault.decrypt(value, f"outbox/{row['topic']}")
            except VaultError as error:
                log.error("outbox_row_unreadable", id=row["id"], topic=row["topic"], why=str(error))
                self._unreadable.add(row["id"])
                return None
        return Message(
            topic=row["topic"],
            key=None if row["key"] is None else row["key"].encode(),
            value=value,
            headers=[(name, text.encode()) for name, text in json.loads(row["headers"])],
        )


async def pause(stopping: asyncio.Event, seconds: float) -> bool:
    """Wait, or return True at once when told to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return False
    return True
