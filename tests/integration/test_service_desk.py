"""Did she get it? Asked over HTTP, of the real notifier on the real broker, database and relay."""

import asyncio
import hashlib
import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette

from demo.catcher import Catcher, Fault
from services.notifier.ledger.stories import Stories
from services.notifier.main import Notifier
from services.notifier.service_desk import ServiceDesk
from services.runtime.database import close, connect
from services.runtime.vault import Vault
from tests.support.database import temporary_database
from tests.support.notifier import Upstream, event_of, fresh_group, running, settings, upstream
from tests.support.waiting import wait_for

OLD_TOKEN, TOKEN = secrets.token_hex(32), secrets.token_hex(32)
HASHES = ",".join(hashlib.sha256(token.encode()).hexdigest() for token in (OLD_TOKEN, TOKEN))
CODE, LINK, PHONE = "864209", "https://www.cignahealthbenefits.com/sign-in?t=Zq7LINK", "+32470111222"


@dataclass
class Desk:
    http: httpx.AsyncClient
    upstream: Upstream
    catcher: Catcher

    async def ask(self, token: str | None = TOKEN, **parameters: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return await self.http.get("/v1/notifications", params=parameters, headers=headers)

    async def until(self, count: int, *states: str, **parameters: Any) -> list[dict[str, Any]]:
        """The notifications, once so many are in one of these states."""

        async def told() -> list[dict[str, Any]] | None:
            rows: list[dict[str, Any]] = (await self.ask(**parameters)).json()["notifications"]
            return rows if len([row for row in rows if row["state"] in states]) >= count else None

        return await wait_for(told, f"{count} notifications in {states}") or []


@asynccontextmanager
async def desk_of(notifier: Notifier, up: Upstream, catcher: Catcher) -> AsyncIterator[Desk]:
    app = Starlette(routes=list(notifier._desk.routes()))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as http:
        yield Desk(http, up, catcher)


@pytest.fixture(scope="module")
async def desk(kafka: str, database_server: str, migrated_template: str) -> AsyncIterator[Desk]:
    group = await fresh_group(kafka)
    async with (
        temporary_database(database_server, template=migrated_template) as database,
        Catcher() as catcher,
        upstream(kafka) as up,
        running(settings(kafka, database, catcher, group, service_desk_token_sha256=HASHES)) as notifier,
        desk_of(notifier, up, catcher) as desk,
    ):
        yield desk


def new_member() -> str:
    return f"m-{uuid.uuid4().hex[:12]}"


def code(member: str, id: str, **data: Any) -> Any:
    at = datetime.now(UTC)
    values = {"channel": "email", "code": CODE, "url": LINK, "purpose": "sign-in",
              "expires_at": at + timedelta(minutes=15), **data}  # fmt: skip
    return event_of("identity.verification-code-issued.v1", member, id=f"{member}-{id}", time=at, **values)


def password_changed(member: str, id: str = "e-1") -> Any:
    at = datetime.now(UTC)
    return event_of("identity.password-changed.v1", member, id=f"{member}-{id}", time=at, changed_at=at)


async def test_it_says_what_was_sent_to_whom_when_and_with_what_answer(desk: Desk) -> None:
    member = new_member()
    await desk.upstream.contact(member, language="fr")
    await desk.upstream.publish(password_changed(member))
    (row,) = await desk.until(1, "sent", member=member)
    assert (row["notice"], row["role"], row["channel"], row["language"]) == (
        "password-changed",
        "login",
        "email",
        "fr",
    )
    assert row["address"] == "m•••@example.test"
    assert (row["attempts"], row["reply_code"], row["reason"]) == (1, "250", None)
    assert row["in_words"] == "Sent: the provider took responsibility for it."
    assert row["accepted_at"] <= row["sent_at"] < row["expires_at"]


async def test_an_event_is_found_by_source_and_id_and_by_id_alone(desk: Desk) -> None:
    member = new_member()
    await desk.upstream.contact(member)
    await desk.upstream.publish(password_changed(member))
    (row,) = await desk.until(1, "sent", member=member)
    for asked in (f"urn:test:idp|{member}-e-1", f"{member}-e-1"):
        answer = (await desk.ask(event=asked)).json()
        assert answer["notifications"] == [row]
        assert [(event["id"], event["state"]) for event in answer["events"]] == [(f"{member}-e-1", "planned")]
    assert (await desk.ask(event=f"urn:other|{member}-e-1")).json()["events"] == []


async def test_what_waits_and_what_was_skipped_is_said_too(desk: Desk) -> None:
    member, at = new_member(), datetime.now(UTC)
    await desk.upstream.publish(
        password_changed(member),
        event_of("members.coverage-reinstated.v1", member, id=f"{member}-again", time=at, reinstated_on=at.date()),
    )

    async def both() -> list[dict[str, Any]] | None:
        events: list[dict[str, Any]] = (await desk.ask(member=member)).json()["events"]
        return events if len(events) == 2 else None

    events = {event["id"]: event for event in await wait_for(both, "both events") or []}
    waiting, skipped = events[f"{member}-e-1"], events[f"{member}-again"]
    assert (waiting["state"], waiting["in_words"]) == ("waiting", "Accepted; it waits for the member's contact.")
    assert waiting["waits_until"] is not None
    assert (skipped["state"], skipped["reason"]) == ("skipped", "no-notice")
    assert "no notice for this type" in skipped["in_words"]


async def test_a_refusal_is_told_with_the_providers_code_in_words(desk: Desk) -> None:
    member = new_member()
    desk.catcher.misbehave(Fault(at="rcpt", to=f"{member}@*", reply=f"550 5.1.1 no {member}@example.test", times=1))
    await desk.upstream.contact(member)
    await desk.upstream.publish(password_changed(member))
    (row,) = await desk.until(1, "failed", member=member)
    assert (row["reason"], row["reply_code"]) == ("smtp:550", "550")
    assert row["in_words"] == "Not sent, and it will not be by itself. Because the mail relay answered 550."


async def test_nothing_private_is_in_any_answer(desk: Desk) -> None:
    member = new_member()
    await desk.upstream.contact(member, phones=[PHONE], login_email=f"planted.{member}@example.test")
    await desk.upstream.publish(
        code(member, "mail"), code(member, "text", channel="sms", phone=PHONE, url=None, purpose="enrolment")
    )
    await desk.until(2, "sent", member=member)
    texts = [(await desk.ask(member=member)).text]
    texts += [(await desk.ask(event=f"{member}-{name}")).text for name in ("mail", "text")]
    texts += [(await desk.ask(member=f"planted.{member}@example.test")).text]
    for text in texts:
        for private in (CODE, LINK, "Zq7LINK", PHONE, PHONE[1:], f"planted.{member}"):
            assert private not in text
    assert "p•••@example.test" in texts[0]
    assert "+32•••22" in texts[0]


async def test_the_newest_come_first_and_never_more_than_asked(desk: Desk) -> None:
    member = new_member()
    await desk.upstream.contact(member)
    for number in range(3):
        await desk.upstream.publish(password_changed(member, f"e-{number}"))
    await desk.until(3, "sent", member=member)
    answer = (await desk.ask(member=member, limit=2)).json()
    assert [row["event"]["id"] for row in answer["notifications"]] == [f"{member}-e-2", f"{member}-e-1"]
    assert answer["more"] is True
    assert (await desk.ask(member=member, limit=3)).json()["more"] is False


@pytest.mark.parametrize("token", [TOKEN, OLD_TOKEN], ids=["new", "old"])
async def test_either_token_may_ask_while_one_is_being_replaced(desk: Desk, token: str) -> None:
    assert (await desk.ask(token, member=new_member())).status_code == 200


@pytest.mark.parametrize(
    "token",
    [None, "", "wrong", TOKEN[:-1], HASHES.split(",", maxsplit=1)[0], "é"],
    ids=["none", "empty", "wrong", "cut short", "the hash itself", "not ASCII"],
)
async def test_nobody_else_may(desk: Desk, token: str | None) -> None:
    headers = {} if token is None else {b"authorization": f"Bearer {token}".encode()}
    answer = await desk.http.get("/v1/notifications", params={"member": "m-1"}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({}, "member, event"),
        ({"member": "m-1", "event": "e-1"}, "member, event"),
        ({"member": ""}, "member"),
        ({"member": ["m-1", "m-2"]}, "member"),
        ({"event": "x" * 401}, "event"),
        ({"event": "a\x00b"}, "event"),
        ({"member": "m-1", "limit": "0"}, "limit"),
        ({"member": "m-1", "limit": "101"}, "limit"),
        ({"member": "m-1", "limit": "9" * 5000}, "limit"),
        ({"member": "m-1", "address": "anna@example.test"}, "query"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_refused_by_name(
    desk: Desk, parameters: dict[str, Any], named: str
) -> None:
    answer = await desk.ask(**parameters)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["parameter"] == named
    assert "anna@" not in answer.text


async def test_without_its_setting_the_route_is_off_and_says_so(database: str) -> None:
    pool = await connect(database, size=1)
    app = Starlette(routes=list(ServiceDesk(Stories(pool, Vault({"first": b"k" * 32})), ()).routes()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk.test") as http:
        answer = await http.get("/v1/notifications?member=m-1", headers={"authorization": f"Bearer {TOKEN}"})
    await close(pool)
    assert answer.status_code == 404
    assert "SERVICE_DESK_TOKEN_SHA256" in answer.json()["detail"]


async def test_a_ledger_that_is_away_is_said_so(database: str) -> None:
    pool = await connect(database, size=1)
    app = Starlette(routes=list(ServiceDesk(Stories(pool, Vault({"first": b"k" * 32})), HASHES.split(",")).routes()))
    await close(pool)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk.test") as http:
        answer = await http.get("/v1/notifications?member=m-1", headers={"authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:member-notices:problem:unavailable")


async def test_an_id_is_found_whichever_of_many_sources_used_it(database: str) -> None:
    connection, at = await asyncpg.connect(database), datetime.now(UTC)
    await connection.executemany(
        "INSERT INTO notifier.events (day, source, id, type, member_id, time, content_sha256, state, origin,"
        " accepted_at) VALUES ($1, $2, $3, 'identity.password-changed.v1', 'm-1', $4, '', 'planned', 't/0/0', $4)",
        [
            ((at - timedelta(days=days)).date(), f"urn:source:{source}", f"e-{number}", at - timedelta(days=days))
            for days in (0, 1, 90)
            for source in range(7)
            for number in range(3)
        ],
    )
    await connection.close()
    pool = await connect(database, size=2)
    try:
        stories = Stories(pool, Vault({"first": b"k" * 32}))
        found, one = await asyncio.gather(stories.events("e-1"), stories.events("urn:source:3|e-2"))
    finally:
        await close(pool)
    assert len(found) == 21
    assert [event.time for event in found] == sorted((event.time for event in found), reverse=True)
    assert {(event.source, event.id) for event in one} == {("urn:source:3", "e-2")}
    assert len(one) == 3
