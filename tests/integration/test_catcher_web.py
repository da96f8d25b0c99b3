"""The catcher over HTTP: what scripts and the web inbox see, and what they are kept from."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
import pytest

from demo.catcher import Catcher
from demo.catcher.inbox import Inbox

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def catcher() -> AsyncIterator[Catcher]:
    async with Catcher() as running:
        yield running


@pytest.fixture
async def http(catcher: Catcher) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=catcher.http_url) as client:
        yield client


def mail(subject: str = "Hello", html: str = "<html><head></head><p>Hello</p></html>", number: int = 1) -> bytes:
    message = EmailMessage()
    message["Subject"] = subject
    message["Message-ID"] = f"<{number}@example.test>"
    message.set_content("Hello")
    message.add_alternative(html, subtype="html")
    message.add_attachment(b"<script>", maintype="text", subtype="html", filename="../evil.html")
    return message.as_bytes(policy=message.policy.clone(linesep="\r\n"))


def fill(inbox: Inbox, count: int) -> None:
    for number in range(1, count + 1):
        inbox.add_mail("s@x.test", (f"m{number % 2}@x.test",), mail(f"Mail {number}", number=number))


async def get(http: httpx.AsyncClient, path: str) -> Any:
    response = await http.get(path)
    assert response.status_code == 200, response.text
    return response.json()


async def test_the_list_is_newest_first_and_pages_by_id(catcher: Catcher, http: httpx.AsyncClient) -> None:
    fill(catcher.inbox, 5)
    first = await get(http, "/api/messages?limit=2")
    assert [message["id"] for message in first["messages"]] == [5, 4]
    assert (first["total"], first["newer"], first["more"]) == (5, 0, True)
    last = await get(http, "/api/messages?limit=3&before=4")
    assert [message["id"] for message in last["messages"]] == [3, 2, 1]
    assert (last["total"], last["newer"], last["more"]) == (5, 2, False)
    assert [message["id"] for message in (await get(http, "/api/messages?after=3"))["messages"]] == [5, 4]


@pytest.mark.parametrize(
    ("query", "subjects"),
    [
        ("to=M1@x.test", ["Mail 3", "Mail 1"]),
        ("q=mail 2", ["Mail 2"]),
        ("q=M0@", ["Mail 2"]),
        ("kind=sms", ["Your code"]),
        ("q=123456", ["Your code"]),
        ("q=nothing", []),
    ],
)
async def test_the_list_is_filtered_by_address_and_words(
    catcher: Catcher, http: httpx.AsyncClient, query: str, subjects: list[str]
) -> None:
    fill(catcher.inbox, 3)
    catcher.inbox.add_text(sid="SM1", sender="+1", to="+32470000001", body="Your code\n@x.test #123456", form={})
    found = await get(http, f"/api/messages?{query}")
    assert [message["subject"] for message in found["messages"]] == subjects


async def test_a_message_is_shown_in_all_its_parts(catcher: Catcher, http: httpx.AsyncClient) -> None:
    catcher.inbox.add_mail("s@x.test", ("m@x.test",), mail())
    shown = await get(http, "/api/messages/1")
    assert (shown["from"], shown["to"], shown["message_id"]) == ("s@x.test", ["m@x.test"], "<1@example.test>")
    assert ["Subject", "Hello"] in shown["headers"]
    assert shown["text"].strip() == "Hello"
    assert "<p>Hello</p>" in (await http.get("/api/messages/1/html")).text
    assert (await http.get("/api/messages/1/raw")).content == catcher.mails[0].raw
    assert (await http.get("/api/messages/2")).status_code == 404


SHOWN = {
    "event": "n-1", "record": "notifications.in-app.v1/0/7", "portal": "My CM", "to": "zoe-1", "name": "Zoé Lefèvre",
    "notice": "pin-blocked", "locale": "fr", "title": "Code PIN bloqué", "text": "Cinq fois.\n\nEt maintenant ?",
}  # fmt: skip


async def test_what_a_portal_shows_is_a_third_kind_of_message(catcher: Catcher, http: httpx.AsyncClient) -> None:
    fill(catcher.inbox, 1)
    for _ in range(2):
        assert (await http.post("/api/portal", json=SHOWN)).status_code == 201
    found = (await get(http, "/api/messages?kind=portal"))["messages"]
    assert [(each["event"], each["to"], each["language"], each["subject"]) for each in found] == [
        ("n-1", ["zoe-1"], "fr", "Code PIN bloqué")
    ] * 2
    assert (await get(http, "/api/messages?q=lefèvre"))["total"] == 2
    assert (await get(http, f"/api/messages/{found[0]['id']}"))["text"] == SHOWN["text"]
    assert (await get(http, "/api/stats"))["shown"] == 2
    assert (await http.post("/api/portal", json={**SHOWN, "html": "<b>"})).status_code == 422


async def test_a_gallery_is_shown_once_it_is_there_and_its_mails_may_do_nothing(tmp_path: Path) -> None:
    async with Catcher(gallery=tmp_path / "gallery") as catcher, httpx.AsyncClient(base_url=catcher.http_url) as http:
        assert (await get(http, "/api/stats"))["gallery"] is False
        assert (await http.get("/gallery/")).status_code == 404
        (tmp_path / "gallery").mkdir()
        for name in ("index.html", "mail.html"):
            (tmp_path / "gallery" / name).write_text("<p>Hello", encoding="utf-8")
        assert (await get(http, "/api/stats"))["gallery"] is True
        page, framed = await http.get("/gallery/"), await http.get("/gallery/mail.html")
    assert "frame-src 'self'" in page.headers["content-security-policy"]
    assert "script-src" not in framed.headers["content-security-policy"]
    assert "sandbox" in framed.headers["content-security-policy"]


async def test_a_stranger_s_html_may_do_nothing(catcher: Catcher, http: httpx.AsyncClient) -> None:
    catcher.inbox.add_mail("s@x.test", ("m@x.test",), mail(html="<script>alert(1)</script>"))
    response = await http.get("/api/messages/1/html?view")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert '<base target="_blank">' in response.text


async def test_an_attachment_is_saved_and_never_shown(catcher: Catcher, http: httpx.AsyncClient) -> None:
    catcher.inbox.add_mail("s@x.test", ("m@x.test",), mail())
    response = await http.get("/api/messages/1/attachments/0")
    assert response.content.strip() == b"<script>"
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"] == 'attachment; filename="attachment-0"'
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_copies_of_one_message_to_one_mailbox_are_counted(catcher: Catcher, http: httpx.AsyncClient) -> None:
    for recipient in ("a@x.test", "a@x.test", "b@x.test"):
        catcher.inbox.add_mail("s@x.test", (recipient,), mail(number=7))
    catcher.inbox.add_mail("s@x.test", ("c@x.test",), b"Subject: no id\r\n\r\n")
    catcher.inbox.add_mail("s@x.test", ("c@x.test",), b"Subject: no id\r\n\r\n")
    stats = await get(http, "/api/stats")
    assert stats["duplicates"] == [{"message_id": "<7@example.test>", "recipient": "a@x.test", "copies": 2}]
    assert (stats["mails"], stats["recipients"]) == (5, 3)
    assert await get(http, "/api/recipients") == {"a@x.test": 2, "b@x.test": 1, "c@x.test": 2}


async def test_emptying_forgets_messages_and_counts_but_uses_no_id_again(
    catcher: Catcher, http: httpx.AsyncClient
) -> None:
    fill(catcher.inbox, 2)
    assert (await http.delete("/api/messages")).status_code == 204
    assert (await get(http, "/api/stats"))["mails"] == 0
    fill(catcher.inbox, 1)
    assert catcher.mails[0].id == 3


async def test_the_inbox_is_bounded_and_still_counts_everything() -> None:
    by_count = Inbox(kept_messages=10)
    fill(by_count, 25)
    assert [message.id for message in by_count] == list(range(16, 26))
    assert by_count.mail_count == 25
    by_size = Inbox(kept_bytes=3 * len(mail("Mail 1")) + 10)
    fill(by_size, 25)
    assert len(by_size) <= 4
    assert by_size.bytes == sum(message.size for message in by_size)


async def test_faults_are_ordered_and_cleared_over_http(catcher: Catcher, http: httpx.AsyncClient) -> None:
    order = {"at": "dot", "action": "silence", "store": True, "to": "anna@*"}
    answer = await http.post("/api/faults", json=[order, {"at": "sms", "status": 429, "code": 20429}])
    assert answer.status_code == 201
    armed = answer.json()["faults"]["armed"]
    assert [fault["at"] for fault in armed] == ["dot", "sms"]
    assert (await http.delete("/api/faults")).status_code == 204
    assert catcher.faults.armed == []


@pytest.mark.parametrize(
    "order",
    [
        {"at": "nowhere"},
        {"at": "dot"},
        {"at": "dot", "reply": "451 4.3.0 a\r\n250 ok"},
        {"at": "body", "reply": "451 4.3.0 no"},
        {"at": "rcpt", "reply": "450 4.2.0 later", "store": True},
        {"at": "sms", "action": "drip"},
        {"at": "dot", "reply": "450 4.2.0 later", "times": 0},
        {"at": "dot", "reply": "450 4.2.0 later", "unknown": 1},
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(http: httpx.AsyncClient, order: dict[str, Any]) -> None:
    assert (await http.post("/api/faults", json=order)).status_code == 422


async def test_the_relay_is_taken_down_over_http(catcher: Catcher, http: httpx.AsyncClient) -> None:
    down = await http.post("/api/relay", json={"down_seconds": 60})
    assert down.json()["relay"]["down_until"] is not None
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await aiosmtplib.SMTP(hostname="127.0.0.1", port=catcher.smtp_port).connect()
    assert (await http.post("/api/relay", json={"down_seconds": 0})).json()["relay"]["down_until"] is None


async def test_a_page_elsewhere_can_neither_order_nor_read(http: httpx.AsyncClient) -> None:
    form = await http.post("/api/relay", content=b'{"down_seconds": 30}', headers={"content-type": "text/plain"})
    assert form.status_code == 415
    rebound = await http.get("/api/messages", headers={"host": "evil.test"})
    assert rebound.status_code == 400


async def test_the_stream_tells_of_what_comes_in(catcher: Catcher, http: httpx.AsyncClient) -> None:
    async with http.stream("GET", "/api/stream") as stream:
        lines = stream.aiter_lines()

        async def next_status() -> dict[str, Any]:
            async for line in lines:
                if line.startswith("data: "):
                    status: dict[str, Any] = json.loads(line.removeprefix("data: "))
                    return status
            raise AssertionError("the stream ended")

        assert (await next_status())["mails"] == 0
        fill(catcher.inbox, 3)
        assert (await next_status())["mails"] == 3
        catcher.relay_down(60)
        assert (await next_status())["relay"]["down_until"] is not None


async def test_the_page_runs_nothing_but_its_own(http: httpx.AsyncClient) -> None:
    page = await http.get("/")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    for name in ("inbox.css", "reading.css", "main.js", "list.js", "reading.js", "read.js", "dom.js"):
        assert (await http.get(f"/page/{name}")).status_code == 200
    assert "http://" not in page.text.replace("http://www.w3.org/2000/svg", "")


async def test_waiting_says_what_was_missing_and_what_came_instead(catcher: Catcher) -> None:
    catcher.inbox.add_mail("s@x.test", ("other@x.test",), mail("Something else"))
    with pytest.raises(TimeoutError, match=r"(?s)the mail to anna.*other@x\.test: Something else") as missing:
        await catcher.wait_for(lambda: catcher.mails_to("anna@x.test"), "the mail to anna", timeout=0.01)
    assert "1 mails, 0 texts" in str(missing.value)


async def test_waiting_ends_with_what_was_waited_for(catcher: Catcher) -> None:
    waiting = asyncio.create_task(catcher.wait_for(lambda: catcher.mails_to("M1@x.test"), "a mail"))
    counting = asyncio.create_task(catcher.wait_for(2, "two messages"))
    fill(catcher.inbox, 2)
    assert [each.subject for each in await waiting] == ["Mail 1"]
    assert await counting == 2


async def test_the_process_says_where_it_is_and_leaves_on_a_signal() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "demo.catcher", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        ready = json.loads(await process.stdout.readline())
        async with aiosmtplib.SMTP(hostname=ready["smtp_host"], port=ready["smtp_port"], start_tls=False) as client:
            await client.sendmail("s@x.test", ["m@x.test"], mail())
        async with httpx.AsyncClient(base_url=ready["http_url"]) as http:
            assert (await get(http, "/api/stats"))["mails"] == 1
            await http.post("/api/relay", json={"down_seconds": 60})
            await http.post("/api/relay", json={"down_seconds": 0})
        async with aiosmtplib.SMTP(hostname=ready["smtp_host"], port=ready["smtp_port"], start_tls=False) as client:
            await client.noop()
    finally:
        process.send_signal(signal.SIGTERM)
        code = await process.wait()
    assert code == 0
