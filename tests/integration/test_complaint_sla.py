"""Complaints on the real broker and database: heard once, acted on behind the watermark, told once."""

import hashlib
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from schemas.topics import COMPLAINT_SLA_DEAD_LETTERS, DEADLINES
from services.complaint_sla.case import Case
from services.complaint_sla.engine import decide
from services.runtime.clock import FixedClock
from tests.support.complaint_sla import Desk, fresh_group
from tests.support.complaint_story import TEXT, at, event_of, received
from tests.support.kafka import Tape
from tests.support.notifier import upstream

T0 = at("2026-12-01 10:00")


@pytest.fixture
async def desk(kafka: str, database: str) -> AsyncIterator[Desk]:
    group = await fresh_group(kafka)
    async with upstream(kafka) as publisher, Tape(kafka, DEADLINES.name, COMPLAINT_SLA_DEAD_LETTERS.name) as tape:
        yield Desk(kafka, database, publisher, group, tape, FixedClock(T0))


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


async def test_a_case_that_cannot_be_saved_keeps_no_other_from_its_turn(desk: Desk) -> None:
    poisoned, good = desk.complaint(), desk.complaint()
    async with desk.running():
        await desk.say(received(poisoned, T0), received(good, T0))
        await desk.heard(good, 1)
        await desk.heard(poisoned, 1)
        await desk.fetch(
            "INSERT INTO complaint_sla.said (complaint_id, id, type, at, payload) VALUES ($1, $2, 'x', now(), '')",
            poisoned,
            f"{poisoned}/acknowledgement/letter/1",
        )
        await desk.move(T0 + timedelta(minutes=15))
        assert await desk.said(good) == [f"{good}/acknowledgement/letter/1"]
        stuck = await desk.fetch("SELECT complaint_id FROM complaint_sla.cases WHERE stuck_at IS NOT NULL")
    assert [row["complaint_id"] for row in stuck] == [poisoned]


async def test_a_defect_of_ours_is_told_apart_from_a_value_the_database_refuses(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = desk.complaint(), desk.complaint()

    def break_for_one(case: Case, *rest: Any) -> Any:
        assert case.id != bad
        return decide(case, *rest)

    monkeypatch.setattr("services.complaint_sla.ingest.decide", break_for_one)
    async with desk.running():
        await desk.say(received(bad, T0), received(good, T0))
        await desk.heard(good, 1)
        records = await desk.tape.until(
            lambda records: any(record.topic == COMPLAINT_SLA_DEAD_LETTERS.name for record in records), "a dead letter"
        )
    [letter] = [record for record in records if record.topic == COMPLAINT_SLA_DEAD_LETTERS.name]
    assert (letter.key.decode(), dict(letter.headers)["reason"]) == (bad, b"internal-error (AssertionError)")
