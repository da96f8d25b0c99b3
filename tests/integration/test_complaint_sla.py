"""Complaints on the real broker and database: heard once, acted on behind the watermark, told once."""

import hashlib
import socket
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from schemas.envelope import Event, write_structured
from schemas.topics import COMPLAINT_SLA_DEAD_LETTERS, DEADLINES, LIFECYCLE, OUTCOMES
from schemas.types import Data
from services.runtime.clock import FixedClock
from tests.support.complaint_sla import fresh_group, running, settings, told
from tests.support.complaint_story import TEXT, at, event_of, outcome_of, received
from tests.support.kafka import Tape
from tests.support.notifier import Upstream, upstream
from tests.support.waiting import wait_for

T0 = at("2026-12-01 10:00")


@dataclass
class Desk:
    """Everything a story needs; `clock` is the service's and stands still until it is moved."""

    kafka: str
    database: str
    upstream: Upstream
    group: str
    tape: Tape
    clock: FixedClock = field(default_factory=lambda: FixedClock(T0))

    def complaint(self) -> str:
        return f"c-{uuid.uuid4().hex[:12]}"

    def running(self, **more: Any) -> Any:
        return running(settings(self.kafka, self.database, self.group, **more), self.clock)

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

        async def published() -> bool:
            return not await self.fetch("SELECT 1 FROM complaint_sla.outbox LIMIT 1")

        await wait_for(published, "empty outbox")
        return told(await self.tape.rest(), complaint)


@pytest.fixture
async def desk(kafka: str, database: str) -> AsyncIterator[Desk]:
    group = await fresh_group(kafka)
    async with upstream(kafka) as publisher, Tape(kafka, DEADLINES.name, COMPLAINT_SLA_DEAD_LETTERS.name) as tape:
        yield Desk(kafka, database, publisher, group, tape)


async def test_an_acknowledgement_is_asked_for_behind_the_watermark_and_met_by_its_outcome(desk: Desk) -> None:
    complaint = desk.complaint()
    async with desk.running():
        await desk.say(received(complaint, T0))
        await desk.heard(complaint, 1)
        await desk.move(T0 + timedelta(minutes=15))
        letter = f"{complaint}/acknowledgement/letter/1"
        assert await desk.said(complaint) == [letter]
        assert (await desk.states(complaint))["acknowledgement"] == "open"
        await desk.outcome(complaint, letter, "sent", T0 + timedelta(minutes=16))
        await desk.heard(complaint, 2)
        assert (await desk.states(complaint))["acknowledgement"] == "met"


async def test_replaying_everything_says_nothing_new(desk: Desk) -> None:
    complaint = desk.complaint()
    issued = event_of(
        "final-response-issued", complaint, T0 + timedelta(hours=2),
        delivery="send", issued_at=T0 + timedelta(hours=2), **TEXT,
    )  # fmt: skip
    story = [received(complaint, T0), issued]
    async with desk.running():
        await desk.say(*story)
        await desk.heard(complaint, 2)
        await desk.move(T0 + timedelta(hours=3))
        before = await desk.said(complaint)
        await desk.say(*story, *story, event_of("withdrawn", complaint, T0, withdrawn_at=T0 + timedelta(hours=3)))
        await desk.heard(complaint, 3)
        after = await desk.said(complaint)
    assert before == [f"{complaint}/final-response/letter/1"]
    assert after == [*before, f"{complaint}/final-response/cancelled/1", f"{complaint}/closed/1"]


async def test_a_final_response_before_its_complaint_makes_no_false_miss(desk: Desk) -> None:
    complaint = desk.complaint()
    issued = T0 + timedelta(days=2)
    async with desk.running():
        await desk.say(
            event_of(
                "final-response-issued", complaint, issued, delivery="already-sent", issued_at=issued, sent_at=issued
            )
        )
        await desk.heard(complaint, 1)
        await desk.move(T0 + timedelta(days=60))
        assert await desk.said(complaint) == []
        assert [row["unregistered"] for row in await desk.fetch("SELECT unregistered FROM complaint_sla.cases")] == [
            True
        ]
        await desk.say(received(complaint, T0))
        await desk.heard(complaint, 2)
        await desk.known_through(desk.clock.at)
        assert await desk.said(complaint) == [f"{complaint}/closed/1"]
    states = await desk.states(complaint)
    assert {states[name] for name in ("acknowledgement", "decision-or-holding", "final-response")} == {"met"}


async def test_what_no_deadline_can_be_computed_from_is_a_dead_letter(desk: Desk) -> None:
    unknown, ahead, good = desk.complaint(), desk.complaint(), desk.complaint()
    async with desk.running():
        await desk.say(
            received(unknown, T0, licence="fr"),
            received(ahead, T0 + timedelta(minutes=6)),
            received(good, T0),
        )
        await desk.heard(good, 1)
        letters = await desk.tape.until(
            lambda records: sum(record.topic == COMPLAINT_SLA_DEAD_LETTERS.name for record in records) >= 2,
            "two dead letters",
        )
    reasons = {
        record.key.decode(): dict(record.headers)["reason"].decode()
        for record in letters
        if record.topic == COMPLAINT_SLA_DEAD_LETTERS.name
    }
    assert reasons == {
        unknown: "procedure-refuses: data.licence (licence-unknown)",
        ahead: "procedure-refuses: data.received_at (received-ahead)",
    }
    assert not await desk.fetch("SELECT 1 FROM complaint_sla.heard WHERE complaint_id <> $1", good)


async def test_the_process_itself_answers_the_service_desk(desk: Desk) -> None:
    complaint, token = desk.complaint(), "the service desk's"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with (
        desk.running(service_desk_token_sha256=hashlib.sha256(token.encode()).hexdigest(), http_port=port),
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {token}"}, trust_env=False
        ) as http,
    ):
        await desk.say(received(complaint, T0))
        await desk.heard(complaint, 1)
        told = (await http.get(f"/v1/complaints/{complaint}")).json()
        due = (await http.get("/v1/complaints", params={"due_before": "2027-12-01T00:00:00Z"})).json()
        assert (told["complaint"], told["state"], told["as_of"]) == (complaint, "open", "2026-12-01T10:00:00Z")
        assert {each["complaint"] for each in due["obligations"]} == {complaint}
        assert (await http.get("/healthz")).status_code == 200
