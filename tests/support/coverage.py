"""Coverage that ends and comes back, and an auth_events under test: the real one, in this process."""

import json
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import asyncpg

from schemas.envelope import Event, write_structured
from schemas.topics import ACTIVITY, AUTH_EVENTS_DEAD_LETTERS
from schemas.types import Data
from services.auth_events.access import NOTICE
from services.auth_events.main import AuthEvents
from services.auth_events.publishers import Publishers
from services.auth_events.settings import AuthEventsSettings
from services.auth_events.upstreams import Upstreams
from services.runtime.clock import FixedClock
from services.runtime.database import connect
from tests.support.auth_events import PublishersFile
from tests.support.kafka import Tape, groups_from_now
from tests.support.notifier import VAULT_KEYS, Upstream, event_of, logging_of_a_process
from tests.support.waiting import wait_for

ADMINISTRATION = "urn:test:administration"


def ended(member: str, at: datetime, ended_on: date, *, id: str | None = None) -> Event[Data]:
    """`members.coverage-ended.v1`, said at `at`."""
    name = id or f"{member}-ended-{at.isoformat()}"
    return event_of(
        "members.coverage-ended.v1", member, id=name, time=at, source=ADMINISTRATION, ended_on=ended_on.isoformat()
    )


def reinstated(member: str, at: datetime, *, id: str | None = None) -> Event[Data]:
    return event_of(
        "members.coverage-reinstated.v1",
        member,
        id=id or f"{member}-reinstated-{at.isoformat()}",
        time=at,
        source=ADMINISTRATION,
        reinstated_on=at.date().isoformat(),
    )


@dataclass
class Former:
    """Everything a story needs; `clock` is the service's and stands still until it is moved."""

    kafka: str
    database: str
    upstream: Upstream
    group: str
    tape: Tape
    clock: FixedClock
    folder: Path

    def member(self) -> str:
        return f"m-{uuid.uuid4().hex[:12]}"

    def settings(self, **more: Any) -> AuthEventsSettings:
        values: dict[str, Any] = {
            "kafka_bootstrap_servers": self.kafka,
            "auth_events_kafka_group": self.group,
            "database_url": self.database,
            "vault_keys": VAULT_KEYS,
            "auth_events_publishers_file": PublishersFile(self.folder / "publishers.toml").path,
        }
        return AuthEventsSettings(**(values | more))

    @asynccontextmanager
    async def running(self, **more: Any) -> AsyncIterator[AuthEvents]:
        """Started, and stopped gracefully at the end; a part that failed fails the test."""
        values = self.settings(**more)
        with logging_of_a_process("auth-events-under-test"):
            publishers = Publishers.read(values.auth_events_publishers_file)
            service = AuthEvents(values, self.clock, (publishers, Upstreams()), await connect(self.database))
            try:
                await service.start()
                yield service
            finally:
                status = await service.process.stop()
                await service.close()
            assert status == 0, "auth_events failed; its log says why"

    async def say(self, *events: Event[Data]) -> None:
        for event in events:
            value, headers = write_structured(event)
            await self.upstream.raw(ACTIVITY.name, event.subject.encode(), value, headers)

    async def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.database)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    async def settled(self) -> None:
        """All that is on the topic now has been heard, and all that is due by the clock has been said and published."""

        async def known() -> bool:
            (row,) = await self.fetch("SELECT min(through) AS through FROM auth_events.progress")
            return row["through"] is not None and row["through"] >= self.clock.at

        async def said() -> bool:
            due = await self.fetch("SELECT FROM auth_events.portal_access WHERE due_at <= $1", self.clock.at)
            return not due and not await self.fetch("SELECT FROM auth_events.outbox")

        # Twice: the clock stands still, so an answer to a question from before looks like one to a question from now.
        for _ in range(2):
            await self.fetch("UPDATE auth_events.progress SET through = '2000-01-01T00:00:00Z'")
            await wait_for(known, f"coverage known up to {self.clock.at}", within_seconds=60)
        await wait_for(said, f"everything said up to {self.clock.at}", within_seconds=60)

    async def move(self, instant: datetime) -> None:
        self.clock.at = instant
        await self.settled()

    async def notices(self, member: str) -> list[dict[str, Any]]:
        """What the topic holds for the member by now, as documents; each record, copies too."""
        return (await self.notices_of_all())[member]

    async def notices_of_all(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for record in await self.tape.rest():
            if record.topic == ACTIVITY.name and ("ce_type", NOTICE.encode()) in record.headers:
                document = json.loads(record.value)
                found[document["subject"]].append(document)
        return found

    async def dead_letters(self, member: str) -> list[str]:
        """Their reasons."""
        return [
            dict(record.headers)["reason"].decode()
            for record in await self.tape.rest()
            if record.topic == AUTH_EVENTS_DEAD_LETTERS.name and record.key == member.encode()
        ]


def reminders(notices: list[dict[str, Any]]) -> list[tuple[bool, str, str]]:
    """(reminder, access ends on, time) of each."""
    return [(notice["data"]["reminder"], notice["data"]["access_ends_on"], notice["time"]) for notice in notices]


async def fresh_group(kafka: str) -> str:
    """A prefix whose group starts at the present end of the topic."""
    return await groups_from_now(kafka, [ACTIVITY.name])
