"""SMS towards a local Twilio: one request a message, every answer a consequence, nothing private in an error."""

import asyncio
import json
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from demo.catcher import Catcher, Fault
from services.notifier.channels.base import ChannelError, Consequence, OutgoingMessage, Sent
from services.notifier.channels.sms_twilio import CONSEQUENCES, OPTED_OUT, TwilioChannel
from services.runtime.clock import FixedClock

T0 = datetime(2030, 1, 1, tzinfo=UTC)
TO, TEXT = "+32470123456", "Zq7 Your code is 246810 🔐"
SENDER, TOKEN = "+32460000000", "Zq7-token"
CLOCK = FixedClock(T0)
LOST_SECONDS = 0.5
"""The whole time-out of a channel whose answer never comes."""


def message(to: str = TO, *, expires_at: datetime | None = T0 + timedelta(minutes=10)) -> OutgoingMessage:
    return OutgoingMessage(id="n-1", address=to, body=TEXT.encode(), sender="", expires_at=expires_at)


@asynccontextmanager
async def channel_to(url: str, *, seconds: float = 10, token: str = TOKEN, **more: Any) -> AsyncIterator[TwilioChannel]:
    values = {"account_sid": "AC" + "0" * 32, "sender": SENDER, **more}
    channel = TwilioChannel(auth_token=token, base_url=url, send_seconds=seconds, clock=CLOCK, **values)
    try:
        yield channel
    finally:
        await channel.close()


@pytest.fixture
async def catcher() -> AsyncIterator[Catcher]:
    async with Catcher(auth_token=TOKEN) as running:
        yield running


@pytest.fixture
async def channel(catcher: Catcher) -> AsyncIterator[TwilioChannel]:
    async with channel_to(f"{catcher.twilio_url}/") as channel:
        yield channel


async def refused(channel: TwilioChannel, sms: OutgoingMessage | None = None) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await channel.send(sms or message())
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
    for private in (TO, TEXT, "246810", TOKEN, "Zq7"):
        assert private not in told
    return caught.value


async def test_a_message_arrives_with_what_remains_of_its_time(catcher: Catcher, channel: TwilioChannel) -> None:
    sent = await channel.send(message())
    (text,) = catcher.texts
    assert (text.to, text.body, text.sender) == (TO, TEXT, SENDER)
    assert text.form["ValidityPeriod"] == "600"
    assert sent == Sent(reply_code="201", reference=text.sid)
    assert await channel.check() is None


@pytest.mark.parametrize(
    ("expires_at", "seconds"),
    [
        (None, 14_400),
        (T0 + timedelta(days=3), 14_400),
        (T0 + timedelta(seconds=61, milliseconds=900), 61),
        (T0 + timedelta(milliseconds=10), 1),
        (T0 - timedelta(minutes=1), 1),
    ],
)
async def test_validity_is_what_remains_on_the_process_clock_within_twilios_bounds(
    catcher: Catcher, channel: TwilioChannel, expires_at: datetime | None, seconds: int
) -> None:
    await channel.send(message(expires_at=expires_at))
    assert catcher.texts[0].form["ValidityPeriod"] == str(seconds)


async def test_a_messaging_service_sends_in_place_of_a_number(catcher: Catcher) -> None:
    async with channel_to(catcher.twilio_url, sender="MG" + "1" * 32) as channel:
        await channel.send(message())
    (text,) = catcher.texts
    assert text.form["MessagingServiceSid"] == "MG" + "1" * 32
    assert "From" not in text.form


@pytest.mark.parametrize(("code", "consequence"), CONSEQUENCES.items())
async def test_each_code_of_the_table_has_its_consequence(
    catcher: Catcher, channel: TwilioChannel, code: int, consequence: Consequence
) -> None:
    catcher.misbehave(Fault(at="sms", status=400, code=code, reply=f"{TO} is no good"))
    error = await refused(channel)
    stop = code == OPTED_OUT
    assert (error.consequence, error.reason) == (consequence, "opted-out" if stop else f"twilio:{code}")
    assert (error.reply_code, error.suppresses) == ("400", "opted-out" if stop else None)
    assert (await channel.check() is None) is (consequence is not Consequence.CONFIGURATION)


@pytest.mark.parametrize(
    ("status", "consequence"),
    [
        (400, Consequence.PERMANENT),
        (401, Consequence.CONFIGURATION),
        (403, Consequence.CONFIGURATION),
        (404, Consequence.CONFIGURATION),
        (408, Consequence.RETRY),
        (422, Consequence.PERMANENT),
        (429, Consequence.RETRY),
        (500, Consequence.UNKNOWN),
        (503, Consequence.UNKNOWN),
    ],
)
async def test_a_code_we_do_not_know_is_judged_by_its_status(
    catcher: Catcher, channel: TwilioChannel, status: int, consequence: Consequence
) -> None:
    catcher.misbehave(Fault(at="sms", status=status, code=99_999), Fault(at="sms", status=status))
    assert (await refused(channel)).consequence is consequence
    assert (await refused(channel)).consequence is consequence


async def test_refused_credentials_are_ours_to_mend_and_readiness_says_where(catcher: Catcher) -> None:
    async with channel_to(catcher.twilio_url, token="Zq7-wrong") as channel:
        error = await refused(channel)
        assert (error.consequence, error.reason) == (Consequence.CONFIGURATION, "twilio:20003")
        assert "TWILIO_AUTH_TOKEN" in (await channel.check() or "")


async def test_readiness_recovers_with_the_first_message_that_goes(catcher: Catcher, channel: TwilioChannel) -> None:
    catcher.misbehave(Fault(at="sms", status=400, code=21603))
    await refused(channel)
    assert await channel.check() is not None
    await channel.send(message())
    assert await channel.check() is None


async def test_nobody_there_means_later() -> None:
    async with Catcher() as gone:
        url = gone.twilio_url
    async with channel_to(url) as channel:
        error = await refused(channel)
    assert (error.consequence, error.reason) == (Consequence.RETRY, "twilio:unreachable")


@pytest.mark.parametrize("store", [True, False])
async def test_a_time_out_is_unknown_and_nothing_is_asked_twice(catcher: Catcher, *, store: bool) -> None:
    catcher.misbehave(Fault(at="sms", action="silence", store=store))
    async with channel_to(catcher.twilio_url, seconds=LOST_SECONDS) as channel:
        error = await refused(channel)
        assert (error.consequence, error.reason) == (Consequence.UNKNOWN, "twilio:time-out")
        assert catcher.inbox.text_count == int(store)
        await channel.send(message())
    assert catcher.faults.struck == {"sms/silence": 1}
    assert catcher.inbox.text_count == 1 + int(store)


@pytest.mark.parametrize("store", [True, False])
async def test_a_connection_cut_after_the_request_is_unknown_and_nothing_is_asked_twice(
    catcher: Catcher, channel: TwilioChannel, *, store: bool
) -> None:
    await channel.send(message())  # so that the connection cut is a kept one, which HTTP clients like to repeat on
    catcher.misbehave(Fault(at="sms", action="disconnect", store=store))
    error = await refused(channel)
    assert (error.consequence, error.reason) == (Consequence.UNKNOWN, "twilio:broken-off")
    assert catcher.inbox.text_count == 1 + int(store)


async def test_many_at_once_go_at_once(catcher: Catcher, channel: TwilioChannel) -> None:
    numbers = [f"+3247000{number:04}" for number in range(40)]
    await asyncio.gather(*(channel.send(message(number)) for number in numbers))
    assert sorted(text.to for text in catcher.texts) == numbers


@pytest.mark.parametrize("name", ["TWILIO_EDGE", "TWILIO_REGION"])
async def test_what_the_sdk_reads_from_the_environment_does_not_lead_elsewhere(
    catcher: Catcher, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "dublin")
    async with channel_to(catcher.twilio_url) as channel:
        await channel.send(message())
    assert len(catcher.texts) == 1


# --- answers that the catcher does not give ---------------------------------------------------------------------------


class Answering:
    """An HTTP server that gives one answer to everything, and counts."""

    def __init__(self, status: str, body: str, headers: dict[str, str]) -> None:
        self.requests: list[str] = []
        head = {"Content-Length": str(len(body.encode())), "Content-Type": "application/json", **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        self._answer = f"HTTP/1.1 {status}\r\n{lines}\r\n{body}".encode()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                self.requests.append(lines[0])
                length = next((line[16:] for line in lines if line.lower().startswith("content-length: ")), "0")
                await reader.readexactly(int(length))
                writer.write(self._answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def answering(status: str, body: Any = "", headers: dict[str, str] | None = None) -> AsyncIterator[Answering]:
    answers = Answering(status, body if isinstance(body, str) else json.dumps(body), headers or {})
    server = await asyncio.start_server(answers.serve, "127.0.0.1", 0)
    answers.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield answers
    finally:
        server.close()


THROTTLED = {"code": 20429, "message": f"{TO}: too many requests", "status": 429}


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        (None, None),
        ("7", timedelta(seconds=7)),
        ("0", timedelta(0)),
        ("86400", timedelta(hours=1)),
        ("9" * 40, timedelta(hours=1)),
        ("-5", None),
        ("soon", None),
        ("²", None),
        (format_datetime(datetime(2000, 1, 1, tzinfo=UTC), usegmt=True), timedelta(0)),
        (format_datetime(datetime(2099, 1, 1, tzinfo=UTC), usegmt=True), timedelta(hours=1)),
    ],
)
async def test_a_throttled_message_goes_when_twilio_says(header: str | None, asked: timedelta | None) -> None:
    headers = {} if header is None else {"Retry-After": header}
    async with answering("429 Too Many Requests", THROTTLED, headers) as server, channel_to(server.url) as channel:
        error = await refused(channel)
    assert (error.consequence, error.reason, error.retry_after) == (Consequence.RETRY, "twilio:429", asked)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_a_redirect_is_not_followed(status: str, catcher: Catcher) -> None:
    elsewhere = {"Location": f"{catcher.twilio_url}/2010-04-01/Accounts/AC{'0' * 32}/Messages.json"}
    async with answering(status, "", elsewhere) as server, channel_to(server.url) as channel:
        error = await refused(channel)
    assert error.consequence is Consequence.UNKNOWN
    assert len(server.requests) == 1
    assert catcher.inbox.text_count == 0


@pytest.mark.parametrize("body", ["", "{", "{}", '{"sid": null}', "[]", "null", "1", '"Zq7"', "<html>Zq7</html>"])
async def test_an_acceptance_that_cannot_be_read_is_unknown(body: str) -> None:
    async with answering("201 Created", body) as server, channel_to(server.url) as channel:
        error = await refused(channel)
    assert (error.consequence, error.reason) == (Consequence.UNKNOWN, "twilio:broken-off")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["500 Internal Server Error", "502 Bad Gateway", "504 Gateway Timeout"])
async def test_a_server_error_is_unknown_and_nothing_is_asked_twice(status: str) -> None:
    async with answering(status, "<html>Zq7</html>") as server, channel_to(server.url) as channel:
        error = await refused(channel)
    assert (error.consequence, error.reply_code) == (Consequence.UNKNOWN, status[:3])
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("problem", "consequence"),
    [
        ({"code": 21610}, Consequence.PERMANENT),
        ({"code": 20003}, Consequence.CONFIGURATION),
        ({"code": "Zq7"}, Consequence.PERMANENT),
    ],
)
async def test_a_problem_document_is_read_like_the_older_error(
    problem: dict[str, Any], consequence: Consequence
) -> None:
    body = {"type": "about:blank", "title": f"{TO} Zq7", "status": 400, **problem}
    async with answering("400 Bad Request", body) as server, channel_to(server.url) as channel:
        assert (await refused(channel)).consequence is consequence


async def test_an_answer_cut_short_is_unknown() -> None:
    async with (
        answering("201 Created", '{"sid": ', {"Content-Length": "500"}) as server,
        channel_to(server.url, seconds=LOST_SECONDS) as channel,
    ):
        assert (await refused(channel)).consequence is Consequence.UNKNOWN
    assert len(server.requests) == 1
