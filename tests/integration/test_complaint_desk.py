"""The service desk's questions about complaints, over HTTP and from the command line, on the real database."""

import asyncio
import hashlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from services.cli import tell_all
from services.complaint_sla.service_desk import ServiceDesk
from services.runtime.clock import FixedClock
from services.runtime.commands import CommandError
from services.runtime.database import close, connect
from services.runtime.vault import Vault
from tests.support.commands import Printed, process_settings
from tests.support.complaint_records import Records, records_on
from tests.support.complaint_story import AMARA, at, event_of, outcome_of, received
from tests.support.database import temporary_database

TOKEN = secrets.token_hex(32)
HASHES = (hashlib.sha256(b"old").hexdigest(), hashlib.sha256(TOKEN.encode()).hexdigest())
T0 = at("2026-12-01 10:00")
PHONE, LETTER = "+32 470 11 12 22", "Planted words of a letter"
PLANTED = {
    **AMARA, "name": "Planted Peeters", "email": "planted.anna@example.test", "address": f"Rue Plantée 7\n{PHONE}",
}  # fmt: skip
PRIVATE = (PHONE, PHONE.replace(" ", ""), "Plantée", LETTER, "planted.anna", "Planted Peeters", "robin@", "Lindqvist")


@dataclass
class Desk:
    dsn: str
    records: Records
    http: httpx.AsyncClient

    async def ask(self, path: str, token: str | None = TOKEN, accept: str = "*/*", **parameters: Any) -> httpx.Response:
        headers = {"accept": accept} | ({"authorization": f"Bearer {token}"} if token else {})
        return await self.http.get(f"/v1/complaints{path}", params=parameters, headers=headers)

    async def acknowledged(self, complaint: str = "c-1", **data: Any) -> None:
        """Received, acknowledged, and all of it published."""
        await self.records.hear(received(complaint, T0, **data))
        await self.records.sweep(T0 + timedelta(minutes=15))
        letter = f"{complaint}/acknowledgement/letter/1"
        await self.records.hear(outcome_of(letter, complaint, "sent", T0 + timedelta(minutes=16)))
        await self.records.published()

    async def why(self, asked: str, *, as_json: bool = False) -> tuple[int, str]:
        printed, settings = Printed(), process_settings(self.dsn)
        clock = FixedClock(self.records.clock.at)
        status = await tell_all(settings, asked, as_json=as_json, say=printed, clock=clock)
        return status, printed.text


def app_of(records: Records, tokens: tuple[str, ...] = HASHES) -> Starlette:
    return Starlette(routes=ServiceDesk(records.reading, records.rulebook, records.clock, tokens).routes())


def client_of(app: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk.test")


@pytest.fixture(scope="module")
async def records(database_server: str, migrated_template: str) -> AsyncIterator[tuple[str, Records]]:
    async with temporary_database(database_server, template=migrated_template) as dsn, records_on(dsn) as records:
        yield dsn, records


@pytest.fixture
async def desk(records: tuple[str, Records]) -> AsyncIterator[Desk]:
    dsn, kept = records
    await kept.emptied()
    async with client_of(app_of(kept)) as http:
        yield Desk(dsn, kept, http)


# --- one complaint ----------------------------------------------------------------------------------------------------


async def test_a_complaint_is_told_whole(desk: Desk) -> None:
    await desk.acknowledged()
    answer = await desk.ask("/c-1")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    told = answer.json()
    assert (told["state"], told["licence"], told["zone"]) == ("open", "uk", "Europe/London")
    assert {each["obligation"]: each["state"] for each in told["obligations"]} == {
        "summary-resolution": "open", "acknowledgement": "met", "decision-or-holding": "open", "final-response": "open",
    }  # fmt: skip
    assert [(each["heard"], each["type"]) for each in told["story"]] == [
        (True, "complaints.received.v1"),
        (False, "complaints.letter-due.v1"),
        (True, "notifications.sent.v1"),
    ]
    assert told["story"][1]["published"] is True
    assert told["letters"][0]["sent_at"] == "2026-12-01T10:16:00Z"
    assert told["next"] == {"at": "2026-12-04T17:00:05Z", "what": "the window for summary resolution closes"}


async def test_what_waits_in_the_outbox_is_said_to_be_unpublished(desk: Desk) -> None:
    await desk.records.hear(received("c-1", T0))
    await desk.records.sweep(T0 + timedelta(minutes=15))
    assert [each["published"] for each in (await desk.ask("/c-1")).json()["story"]] == [True, False]


async def test_a_complaint_nobody_registered_is_told_as_such(desk: Desk) -> None:
    await desk.records.hear(event_of("withdrawn", "c-9", T0, withdrawn_at=T0))
    told = (await desk.ask("/c-9")).json()
    assert (told["state"], told["received_at"], told["obligations"]) == ("unregistered", None, [])
    assert (await desk.ask("/c-9", **{"as": "picture"})).status_code == 200


@pytest.mark.parametrize(
    ("accept", "parameters", "kind"),
    [
        ("*/*", {}, "application/json"),
        ("application/json", {}, "application/json"),
        ("image/avif,image/webp,image/svg+xml,*/*;q=0.8", {}, "image/svg+xml"),
        ("image/svg+xml, application/json", {}, "application/json"),
        ("application/json", {"as": "picture"}, "image/svg+xml"),
        ("image/svg+xml", {"as": "json"}, "application/json"),
    ],
)
async def test_it_comes_as_a_picture_to_who_asks_for_one(
    desk: Desk, accept: str, parameters: dict[str, str], kind: str
) -> None:
    await desk.acknowledged()
    answer = await desk.ask("/c-1", accept=accept, **parameters)
    assert answer.headers["content-type"].partition(";")[0] == kind
    assert answer.headers["vary"] == "Accept"
    if kind == "image/svg+xml":
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.text.startswith("<svg ")


async def test_a_picture_is_shaded_by_the_calendar_it_was_counted_by(desk: Desk) -> None:
    when = at("2026-12-24 16:30")
    await desk.records.hear(received("c-1", when, licence="be"))
    assert "Fri 25 Dec: Christmas Day" in (await desk.ask("/c-1", **{"as": "picture"})).text


async def test_an_unknown_complaint_says_what_it_may_mean_and_echoes_nothing(desk: Desk) -> None:
    answer = await desk.ask("/planted-id")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:member-notices:problem:complaint-unknown")
    assert "complaint-sla.dead-letters.v1" in answer.json()["detail"]
    assert "planted" not in answer.text


@pytest.mark.parametrize(
    ("path", "parameters", "named"),
    [
        ("/planted%00", {}, "id"),
        ("/planted.anna@example.test", {}, "id"),
        (f"/{'p' * 65}", {}, "id"),
        ("/c-1", {"as": "planted"}, "as"),
        ("/c-1", {"planted": "x"}, "query"),
        ("/c-1", {"as": ["json", "json"]}, "as"),
        ("", {}, "due_before"),
        ("", {"due_before": "planted"}, "due_before"),
        ("", {"due_before": "2026-12-01"}, "due_before"),
        ("", {"due_before": "2026-12-01T10:00:00"}, "due_before"),
        ("", {"due_before": "1767225600"}, "due_before"),
        ("", {"due_before": "9999-12-31T23:59:59-14:00"}, "due_before"),
        ("", {"due_before": "2026-12-01T10:00:00Z", "limit": "0"}, "limit"),
        ("", {"due_before": "2026-12-01T10:00:00Z", "limit": "501"}, "limit"),
        ("", {"due_before": "2026-12-01T10:00:00Z", "limit": "9" * 5000}, "limit"),
        ("", {"due_before": "2026-12-01T10:00:00Z", "planted": "x"}, "query"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_refused_by_name_and_rule(
    desk: Desk, path: str, parameters: dict[str, Any], named: str
) -> None:
    answer = await desk.ask(path, **parameters)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["parameter"] == named
    assert "planted" not in answer.text


# --- what is due ------------------------------------------------------------------------------------------------------


async def test_what_is_due_comes_by_limit_there_and_in_words(desk: Desk) -> None:
    await desk.acknowledged("c-1")
    await desk.records.hear(received("c-2", T0 + timedelta(days=1), licence="be"))
    answer = (await desk.ask("", due_before="2026-12-31T00:00:01+01:00")).json()
    assert [(each["complaint"], each["obligation"]) for each in answer["obligations"]] == [
        ("c-1", "summary-resolution"), ("c-2", "summary-resolution"), ("c-2", "acknowledgement"),
        ("c-1", "decision-or-holding"), ("c-2", "decision-or-holding"),
    ]  # fmt: skip
    assert answer["more"] is False
    last = answer["obligations"][-1]
    assert last["limit_local"].endswith("T00:00:00+01:00")
    assert last["in_words"].startswith("decision or holding until the end of Wed 30 Dec 2026 (Europe/Brussels), ")


async def test_a_limit_is_exclusive_and_never_more_come_than_asked(desk: Desk) -> None:
    await desk.records.hear(received("c-1", T0))
    at_the_limit = (await desk.ask("", due_before="2026-12-04T17:00:00Z")).json()
    assert at_the_limit == {"obligations": [], "more": False}
    one = (await desk.ask("", due_before="2026-12-31T00:00:00Z", limit=1)).json()
    assert (len(one["obligations"]), one["more"]) == (1, True)
    assert (await desk.ask("", due_before="2026-12-31T00:00:00Z", limit=3)).json()["more"] is False


async def test_what_is_held_is_due_and_says_so(desk: Desk) -> None:
    resolved = event_of("resolved", "c-1", T0 + timedelta(hours=1), resolved_at=T0 + timedelta(hours=1), accepted=True,
                        delivery="send", text={"en": "Settled."})  # fmt: skip
    await desk.records.hear(received("c-1", T0), resolved)
    held = [each for each in (await desk.ask("", due_before="2027-02-01T00:00:00Z")).json()["obligations"]
            if each["state"] == "held"]  # fmt: skip
    assert {each["obligation"] for each in held} == {"acknowledgement", "decision-or-holding", "final-response"}
    assert all(each["in_words"].endswith("held until the summary letter is sent") for each in held)


# --- who may ask ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/c-1", ""])
@pytest.mark.parametrize("token", [None, "wrong", HASHES[1]], ids=["none", "wrong", "the hash itself"])
async def test_only_who_has_a_token_may_ask(desk: Desk, path: str, token: str | None) -> None:
    answer = await desk.ask(path, token)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_either_token_may_while_one_is_being_replaced(desk: Desk) -> None:
    await desk.acknowledged()
    assert [(await desk.ask("/c-1", token)).status_code for token in ("old", TOKEN)] == [200, 200]


@pytest.mark.parametrize("path", ["/c-1", "?due_before=2026-12-01T10:00:00Z"])
async def test_without_its_setting_it_is_off_and_says_so(desk: Desk, path: str) -> None:
    async with client_of(app_of(desk.records, ())) as http:
        answer = await http.get(f"/v1/complaints{path}", headers={"authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:member-notices:problem:off")
    assert "SERVICE_DESK_TOKEN_SHA256" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/c-1", "?due_before=2026-12-01T10:00:00Z"])
async def test_a_database_that_is_away_is_said_so(desk: Desk, path: str) -> None:
    pool = await connect(desk.dsn, size=1)
    app = app_of(Records(pool))
    await close(pool)
    async with client_of(app) as http:
        answer = await http.get(f"/v1/complaints{path}", headers={"authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:member-notices:problem:unavailable")


async def test_a_complaint_whose_key_is_gone_says_which_setting(desk: Desk) -> None:
    await desk.acknowledged()
    other = Records(desk.records.database, vault=Vault({"other": b"o" * 32}))
    async with client_of(app_of(other)) as http:
        answer = await http.get("/v1/complaints/c-1", headers={"authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:member-notices:problem:sealed")
    assert "VAULT_KEYS" in answer.json()["detail"]


# --- why --------------------------------------------------------------------------------------------------------------


async def test_why_finds_a_complaint_by_its_id(desk: Desk) -> None:
    await desk.acknowledged()
    status, text = await desk.why("c-1")
    assert status == 0
    assert text.startswith("complaint   c-1  OPEN\nreceived    2026-12-01T10:00:00Z")
    assert "because until the end of business day 5, Tue 8 Dec 2026" in text
    assert len(text.splitlines()) <= 10
    assert "the ledger has no event" not in text


@pytest.mark.parametrize("named", ["c-1/acknowledgement/letter/1", "{source}|c-1/acknowledgement/letter/1"])
async def test_why_of_a_letters_event_tells_the_complaint_then_what_the_notifier_knows(desk: Desk, named: str) -> None:
    await desk.acknowledged()
    await _accepted_by_the_notifier(desk)
    status, text = await desk.why(named.format(source="urn:member-notices:complaint-sla"))
    complaint, _, notifier = text.partition("\n\n")
    assert status == 0
    assert complaint.startswith("complaint   c-1  OPEN")
    assert notifier.startswith("event       urn:member-notices:complaint-sla|c-1/acknowledgement/letter/1")


async def test_why_of_a_letter_the_notifier_never_heard_of_says_both(desk: Desk) -> None:
    await desk.acknowledged()
    status, text = await desk.why("c-1/acknowledgement/letter/1")
    assert status == 1
    assert text.startswith("complaint   c-1  OPEN")
    assert "the ledger has no event or notification of this name" in text


async def test_why_of_another_sources_event_of_that_name_is_the_notifiers(desk: Desk) -> None:
    await desk.acknowledged()
    status, text = await desk.why("urn:other|c-1/acknowledgement/letter/1")
    assert (status, text.splitlines()[0][:12]) == (1, "unknown     ")


async def test_why_of_what_nobody_knows_names_all_that_may_be_asked(desk: Desk) -> None:
    status, text = await desk.why("c-77")
    assert status == 1
    assert "a complaint id" in text


async def test_why_for_machines_is_the_document_of_the_route(desk: Desk) -> None:
    await desk.acknowledged()
    over_http = (await desk.ask("/c-1")).json()
    assert json.loads((await desk.why("c-1", as_json=True))[1]) == over_http
    both = json.loads((await desk.why("c-1/acknowledgement/letter/1", as_json=True))[1])
    assert both == {"complaint": over_http, "stories": []}


async def test_why_works_where_complaints_are_kept_elsewhere(database: str) -> None:
    pool = await connect(database, size=1)
    await pool.execute("DROP SCHEMA complaint_sla CASCADE")
    await close(pool)
    printed = Printed()
    assert await tell_all(process_settings(database), "c-1", as_json=False, say=printed) == 1
    assert "the ledger has no event or notification of this name" in printed.text


async def test_why_without_the_key_is_one_sentence(desk: Desk) -> None:
    await desk.records.hear(received("c-1", T0))
    settings = process_settings(desk.dsn, vault_keys="other:" + "Q" * 42 + "A=")
    with pytest.raises(CommandError, match="VAULT_KEYS"):
        await tell_all(settings, "c-1", as_json=False, say=Printed())


async def test_the_command_itself_finds_a_complaint(desk: Desk) -> None:
    await desk.acknowledged()
    settings = process_settings(desk.dsn)
    environment = os.environ | {
        "DATABASE_URL": desk.dsn,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "VAULT_KEYS": settings.vault_keys.get_secret_value(),
    }
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "services.cli", "why", "c-1"],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("complaint   c-1  OPEN")


# --- privacy ----------------------------------------------------------------------------------------------------------


async def test_nothing_private_is_in_any_answer(desk: Desk) -> None:
    text = {"en": f"{LETTER} {PHONE}"}
    await desk.acknowledged(complainant=PLANTED, handler={"email": "robin@claims.example.test", "name": "R Lindqvist"})
    when = T0 + timedelta(hours=3)
    await desk.records.hear(
        event_of("letter-sent", "c-1", when, letter="holding", sent_at=when, by="post", reference=PHONE),
        event_of("delay-explained", "c-1", when, reason=text, expected_by="2027-02-01", approved_by="Planted Peeters"),
        event_of("information-requested", "c-1", when, missing=["summary"], requested_at=when, text=text),
        event_of("final-response-issued", "c-1", when, delivery="send", issued_at=when, text=text),
    )
    texts = [(await desk.ask("/c-1", **{"as": form})).text for form in ("json", "picture")]
    texts.append((await desk.ask("", due_before="2027-12-31T00:00:00Z")).text)
    texts += [(await desk.why(asked, as_json=as_json))[1] for asked in ("c-1", "c-1/final-response/letter/1")
              for as_json in (False, True)]  # fmt: skip
    assert "final" in texts[0]
    for answer in texts:
        for private in PRIVATE:
            assert private not in answer
            assert json.dumps(private)[1:-1] not in answer


async def _accepted_by_the_notifier(desk: Desk) -> None:
    """As its ledger keeps an event without a message."""
    await desk.records.database.execute(
        "INSERT INTO notifier.events (day, source, id, type, member_id, time, content_sha256, state, reason, origin,"
        " accepted_at) VALUES ($1::timestamptz::date, 'urn:member-notices:complaint-sla',"
        " 'c-1/acknowledgement/letter/1', 'complaints.letter-due.v1', 'c-1', $1, '', 'skipped', 'no-notice', 't/0/0',"
        " $1)",
        datetime.now(UTC),
    )
