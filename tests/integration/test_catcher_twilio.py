"""The catcher's Twilio, called by Twilio's own SDK."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from demo.catcher import Catcher, Fault

T = TypeVar("T")
FROM = "+15005550006"


class _Redirected(TwilioHttpClient):  # type: ignore[misc]  # the SDK is untyped
    """The SDK knows one host; everything else about the request stays its own."""

    def __init__(self, base_url: str, timeout: float) -> None:
        super().__init__(timeout=timeout)
        self._base_url = base_url

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        return super().request(method, url.replace("https://api.twilio.com", self._base_url), *args, **kwargs)


@pytest.fixture
async def catcher() -> AsyncIterator[Catcher]:
    async with Catcher() as running:
        yield running


@pytest.fixture
def client(catcher: Catcher) -> Client:
    return client_of(catcher)


def client_of(catcher: Catcher, *, auth_token: str | None = None, timeout: float = 30) -> Client:
    http = _Redirected(catcher.twilio_url, timeout)
    return Client(catcher.account_sid, auth_token or catcher.auth_token, http_client=http)


async def call(function: Callable[[], T]) -> T:
    """The SDK blocks, and the catcher lives in this loop."""
    return await asyncio.to_thread(function)


async def refusal(function: Callable[[], object]) -> tuple[int, int]:
    with pytest.raises(TwilioRestException) as refused:
        await call(function)
    return refused.value.status, refused.value.code


async def test_a_message_is_kept_and_answered_with_the_whole_resource(catcher: Catcher, client: Client) -> None:
    body = "Your code is 123456.\n@portal.example #123456"
    sent = await call(lambda: client.messages.create(to="+32470000001", from_=FROM, body=body, validity_period=600))
    assert (sent.status, sent.direction, sent.num_segments, sent.error_code) == ("queued", "outbound-api", "1", None)
    assert (sent.to, sent.from_, sent.body) == ("+32470000001", FROM, body)
    (text,) = catcher.texts
    assert (text.sid, text.body, text.form["ValidityPeriod"]) == (sent.sid, body, "600")
    assert sent.date_created == text.received_at.replace(microsecond=0)


async def test_behind_a_messaging_service_the_sender_is_chosen_later(catcher: Catcher, client: Client) -> None:
    service = "MG" + "0" * 32
    sent = await call(lambda: client.messages.create(to="+32470000001", messaging_service_sid=service, body="Hello"))
    assert (sent.status, sent.num_segments, sent.from_) == ("accepted", "0", None)
    assert catcher.texts[0].sender == service


async def test_a_message_can_be_fetched_and_listed(client: Client) -> None:
    sent = await call(lambda: client.messages.create(to="+32470000001", from_=FROM, body="One"))
    fetched = await call(lambda: client.messages(sent.sid).fetch())
    listed = await call(lambda: client.messages.list(to="+32470000001", limit=5))
    assert fetched.status == "delivered"
    assert [each.sid for each in listed] == [sent.sid]
    assert await refusal(lambda: client.messages("SM" + "0" * 32).fetch()) == (404, 20404)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"to": "0470 00 00 01"}, 21211),
        ({"to": ""}, 21604),
        ({"from_": ""}, 21603),
        ({"from_": "+32470000001"}, 21266),
        ({"body": ""}, 21602),
        ({"body": "a" * 1601}, 21617),
        ({"validity_period": 36_001}, 21624),
        ({"validity_period": 0}, 21624),
        ({"to": "+15005550001"}, 21211),
        ({"to": "+15005550002"}, 21612),
        ({"to": "+15005550003"}, 21408),
        ({"to": "+15005550004"}, 21610),
        ({"to": "+15005550009"}, 21614),
    ],
)
async def test_a_refusal_has_twilio_s_code_and_keeps_nothing(
    catcher: Catcher, client: Client, fields: dict[str, Any], code: int
) -> None:
    wanted = {"to": "+32470000001", "from_": FROM, "body": "Hello", **fields}
    assert await refusal(lambda: client.messages.create(**wanted)) == (400, code)
    assert catcher.texts == ()


async def test_a_wrong_token_is_refused(catcher: Catcher) -> None:
    stranger = client_of(catcher, auth_token="wrong")
    assert await refusal(lambda: stranger.messages.create(to="+32470000001", from_=FROM, body="x")) == (401, 20003)


async def test_an_ordered_error_strikes_the_numbers_it_names_as_often_as_it_says(
    catcher: Catcher, client: Client
) -> None:
    catcher.misbehave(Fault(at="sms", to="+3247*", times=2, status=429, code=20429))

    def send(number: str) -> Any:
        return client.messages.create(to=number, from_=FROM, body="Hello")

    assert await refusal(lambda: send("+32470000001")) == (429, 20429)
    assert (await call(lambda: send("+33600000001"))).status == "queued"
    assert await refusal(lambda: send("+32470000001")) == (429, 20429)
    assert (await call(lambda: send("+32470000001"))).status == "queued"
    assert catcher.faults.struck == {"sms/reply": 2}


async def test_an_error_without_a_code_is_not_twilio_s_json(catcher: Catcher, client: Client) -> None:
    catcher.misbehave(Fault(at="sms", status=502))
    assert await refusal(lambda: client.messages.create(to="+32470000001", from_=FROM, body="x")) == (502, 502)


@pytest.mark.parametrize("store", [True, False])
async def test_silence_leaves_the_client_in_the_dark(catcher: Catcher, store: bool) -> None:
    catcher.misbehave(Fault(at="sms", action="silence", store=store))
    impatient = client_of(catcher, timeout=0.2)
    with pytest.raises(requests.exceptions.ReadTimeout):
        await call(lambda: impatient.messages.create(to="+32470000001", from_=FROM, body="x"))
    assert len(catcher.texts) == store


async def test_the_line_can_break_after_acceptance(catcher: Catcher, client: Client) -> None:
    catcher.misbehave(Fault(at="sms", action="disconnect", store=True))
    with pytest.raises(requests.exceptions.ConnectionError):
        await call(lambda: client.messages.create(to="+32470000001", from_=FROM, body="x"))
    assert len(catcher.texts) == 1
