"""Broker, database, catcher and upstream of one story, and the notifier that is started in it."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from demo.catcher import Catcher
from services.notifier.main import Notifier
from services.runtime.clock import Clock
from tests.support.notifier import Upstream, running, settings
from tests.support.waiting import wait_for


@dataclass
class House:
    """Everything a story needs."""

    kafka: str
    database: str
    catcher: Catcher
    upstream: Upstream
    group: str

    def member(self) -> str:
        return f"m-{uuid.uuid4().hex[:12]}"

    @asynccontextmanager
    async def notifier(self, clock: Clock | None = None, **more: Any) -> AsyncIterator[Notifier]:
        async with running(settings(self.kafka, self.database, self.catcher, self.group, **more), clock) as notifier:
            yield notifier

    async def rows(self, member: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.database)
        try:
            return await connection.fetch(
                "SELECT * FROM notifier.notifications WHERE member_id = $1 ORDER BY event_time, role", member
            )
        finally:
            await connection.close()

    async def attempts(self, member: str) -> int:
        """How many hand-overs to the member have been tried and recorded."""
        return sum(row["attempts"] for row in await self.rows(member) if row["state"] != "handing-over")

    async def event_states(self, member: str) -> list[str]:
        connection = await asyncpg.connect(self.database)
        try:
            rows = await connection.fetch("SELECT state FROM notifier.events WHERE member_id = $1", member)
        finally:
            await connection.close()
        return [row["state"] for row in rows]

    async def contact_version(self, member: str, version: int) -> bool:
        connection = await asyncpg.connect(self.database)
        try:
            stored = await connection.fetchval("SELECT version FROM notifier.contacts WHERE member_id = $1", member)
        finally:
            await connection.close()
        return bool(stored == version)

    async def ended(self, member: str, count: int) -> list[tuple[str, str, str, str | None]]:
        """(notice, role, state, reason) once `count` of the member's notifications are in a terminal state."""

        async def enough() -> list[asyncpg.Record] | None:
            rows = [row for row in await self.rows(member) if row["due_at"] is None]
            return rows if len(rows) >= count else None

        rows = await wait_for(enough, f"{count} ended notifications of {member}")
        return [(row["notice"], row["role"], row["state"], row["reason"]) for row in rows or []]
