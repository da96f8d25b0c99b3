"""A complaint_sla under test: the real one, in this process, on the real broker and database."""

import asyncio
import json
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from schemas.envelope import Event, write_structured
from schemas.topics import DEADLINES, LIFECYCLE, OUTCOMES
from schemas.types import Data
from services.complaint_sla.main import READ, ComplaintSla
from services.complaint_sla.rulebook import Rulebook, load_rulebook
from services.complaint_sla.settings import ComplaintSlaSettings
from services.runtime.clock import Clock
from services.runtime.database import connect
from tests.support import kafka as test_kafka
from tests.support.complaint_story import outcome_of
from tests.support.kafka import Tape, groups_from_now
from tests.support.notifier import VAULT_KEYS, Upstream, logging_of_a_process
from tests.support.waiting import wait_for

PARTITIONS = {(topic, number) for topic in READ for number in range(test_kafka.PARTITIONS)}


def settings(kafka: str, database: str, group: str, **more: Any) -> ComplaintSlaSettings:
    values: dict[str, Any] = {
        "kafka_bootstrap_servers": kafka,
        "kafka_group": group,
        "database_url": database,
        "vault_keys": VAULT_KEYS,
    }
    return ComplaintSlaSettings(**(values | more))


@asynccontextmanager
async def running(
    values: ComplaintSlaSettings, clock: Clock, rulebook: Rulebook | None = None
) -> AsyncIterator[ComplaintSla]:
    """Started, and stopped gracefully at the end; a part that failed fails the test."""
    with logging_of_a_process("complaint-sla-under-test"):
        database = await connect(str(values.database_url), size=8)
        service = ComplaintSla(values, clock, database, rulebook or load_rulebook())
        try:
            await service.start(PARTITIONS)
            yield service
        finally:
            status = await service.process.stop()
            await service.close()
        assert status == 0, "complaint_sla failed; its log says why"


async def fresh_group(kafka: str) -> str:
    """A prefix whose groups start at the present end of every topic it reads."""
    return await groups_from_now(kafka, READ)


def said_of(records: list[Any]) -> dict[str, list[str]]:
    """Complaint → ids of what was said of it, from records of `complaints.deadlines.v1`, in their order."""
    said: dict[str, list[str]] = defaultdict(list)
    for record in records:
        if record.topic == DEADLINES.name:
            document = json.loads(record.value)
            said[document["subject"]].append(document["id"])
    return said


@dataclass
class Desk:
    """Everything a story needs; `clock` is the service's and stands still until it is moved."""

    kafka: str
    database: str
    upstream: Upstream
    group: str
    tape: Tape
    clock: Any

    def complaint(self) -> str:
        return f"c-{uuid.uuid4().hex[:12]}"

    def running(self, **more: Any) -> Any:
        return running(settings(self.kafka, self.database, self.group, **more), self.clock)

    async def say_all(self, events: Iterable[Event[Data]], topic: str = LIFECYCLE.name) -> None:
        """Many, not one after the other."""
        await asyncio.gather(*(self.say(event, topic=topic) for event in events))

    async def say(self, *events: Event[Data], topic: str = LIFECYCLE.name) -> None:
        for event in events:
            value, headers = write_structured(event)
            await self.upstream.raw(topic, event.subject.encode(), value, headers)

    async def outcome(self, complaint: str, request: str, state: str, when: datetime) -> None:
        await self.say(outcome_of(request, complaint, state, when), topic=OUTCOMES.name)

    async def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.database)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    async def heard(self, complaint: str, count: int) -> None:
        async def enough() -> bool:
            rows = await self.fetch("SELECT 1 FROM complaint_sla.heard WHERE complaint_id = $1", complaint)
            return len(rows) >= count

        await wait_for(enough, f"{count} events heard of {complaint}")

    async def heard_of(self, count: int) -> None:
        """So many events, of all complaints."""

        async def enough() -> bool:
            return bool((await self.fetch("SELECT count(*) FROM complaint_sla.heard"))[0][0] >= count)

        await wait_for(enough, f"{count} events heard", within_seconds=120)

    async def known_through(self, instant: datetime) -> None:
        """The watermark has come there, and a whole sweep has run with it since."""

        async def there() -> bool:
            rows = await self.fetch("SELECT min(through) AS through FROM complaint_sla.progress")
            due = await self.fetch("SELECT 1 FROM complaint_sla.cases WHERE next_at <= $1 LIMIT 1", instant)
            return bool(rows[0]["through"] is not None and rows[0]["through"] >= instant and not due)

        await wait_for(there, f"watermark at {instant}, and nothing due")

    async def move(self, instant: datetime) -> None:
        self.clock.at = instant
        await self.known_through(instant)

    async def states(self, complaint: str) -> dict[str, str]:
        rows = await self.fetch(
            "SELECT obligation, state FROM complaint_sla.obligations WHERE complaint_id = $1", complaint
        )
        return {row["obligation"]: row["state"] for row in rows}

    async def said(self, complaint: str) -> list[str]:
        """Ids on the topic, after everything that was decided has been published."""

        await self.published()
        return said_of(await self.tape.rest())[complaint]

    async def published(self) -> None:
        async def empty() -> bool:
            return not await self.fetch("SELECT 1 FROM complaint_sla.outbox LIMIT 1")

        await wait_for(empty, "empty outbox", within_seconds=60)
