"""POST /v1/events as a publisher meets it; what stands behind the 202 is a fake that keeps what it takes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from schemas.envelope import read_event
from schemas.topics import CODES, CONTACTS
from services.auth_events.body import BODY_SECONDS, MAX_BODY_BYTES
from services.auth_events.hand_over import UnavailableError
from services.auth_events.intake import Intake, _messages
from services.auth_events.metrics import Metrics, Place
from services.auth_events.problems import RefusedError
from services.auth_events.publishers import Publishers
from services.runtime.publisher import Message
from tests.support.auth_events import BATCH, CODE, STRUCTURED, Document, PublishersFile, binary, code, contact

MARKER = "Zq7MARKER7qZ"


class Desk:
    """The intake under test, with what it handed over."""

    def __init__(self, folder: Path, *, body_seconds: float = BODY_SECONDS) -> None:
        self.file = PublishersFile(folder / "publishers.toml")
        self.registry = CollectorRegistry()
        self.taken: list[Message] = []
        self.fails: Exception | None = None
        intake = Intake(Publishers.read(self.file.path), self._take, Metrics(self.registry), body_seconds)
        app = Starlette(routes=intake.routes(), exception_handlers=intake.exception_handlers())
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://auth-events")

    async def _take(self, messages: Sequence[Message]) -> Place:
        if self.fails is not None:
            raise self.fails
        self.taken += messages
        return "broker"

    async def post(
        self, content: bytes | Any, content_type: str = STRUCTURED, *, token: str | None = None, **headers: str
    ) -> httpx.Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        sent = {"authorization": f"Bearer {token or self.file.login}", "content-type": content_type, **headers}
        return await self.http.post("/v1/events", content=body, headers=sent)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    async with desk.http:
        yield desk


def told(response: httpx.Response) -> tuple[int, str, str | None]:
    document = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert document["status"] == response.status_code
    assert document["title"]
    assert document["detail"]
    return response.status_code, document["type"].rpartition(":")[2], document.get("field")


async def test_an_event_is_handed_over_as_the_record_of_its_topic(desk: Desk) -> None:
    document = code()
    response = await desk.post(document)
    assert (response.status_code, response.json()) == (202, {"accepted": 1})
    (message,) = desk.taken
    assert (message.topic, message.key) == (CODES.name, b"m-1")
    assert json.loads(message.value or b"")["data"] == CODE["data"]
    assert dict(message.headers)["ce_id"] == document["id"].encode()


async def test_binary_mode(desk: Desk) -> None:
    headers, body = binary(code())
    response = await desk.post(body, "application/json", **{k: v for k, v in headers.items() if k != "content-type"})
    assert response.status_code == 202
    assert desk.taken[0].topic == CODES.name


async def test_an_event_twice_in_a_batch_is_published_once(desk: Desk) -> None:
    document = code()
    response = await desk.post([document, code(subject="m-2"), document], BATCH)
    assert (response.status_code, response.json()) == (202, {"accepted": 3})
    assert [message.key for message in desk.taken] == [b"m-1", b"m-2"]


async def test_one_bad_event_keeps_a_whole_batch_from_being_published(desk: Desk) -> None:
    bad = code(data={**CODE["data"], "phone": "x"})
    assert told(await desk.post([code(), bad, code()], BATCH)) == (422, "data-invalid", "data.phone")
    assert told(await desk.post([code(), code(source="urn:foreign")], BATCH)) == (403, "source-not-yours", "source")
    assert desk.taken == []


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer wrong", "Basic bG9naW46", "bearer  "])
async def test_without_a_valid_token_nothing_is_read(desk: Desk, value: str) -> None:
    response = await desk.http.post("/v1/events", content=b"{", headers={"authorization": value})
    assert told(response) == (401, "token", "authorization")
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_that_is_given_twice_is_none(desk: Desk) -> None:
    twice = [("authorization", f"Bearer {desk.file.login}"), ("authorization", "Bearer wrong")]
    response = await desk.http.post("/v1/events", content=b"{", headers=twice)
    assert told(response) == (401, "token", "authorization")


@pytest.mark.parametrize(
    ("document", "refusal"),
    [
        (code(source="urn:administration"), (403, "source-not-yours", "source")),
        (contact(source=CODE["source"]), (403, "type-not-yours", "type")),
    ],
)
async def test_a_token_is_bound_to_sources_and_types(
    desk: Desk, document: Document, refusal: tuple[int, str, str]
) -> None:
    assert told(await desk.post(document)) == refusal
    assert desk.taken == []


async def test_the_administration_writes_contacts(desk: Desk) -> None:
    assert (await desk.post(contact(), token=desk.file.administration)).status_code == 202
    assert desk.taken[0].topic == CONTACTS.name


async def test_a_body_over_the_limit_is_refused_by_its_length_before_it_is_read(desk: Desk) -> None:
    response = await desk.post(b" " * (MAX_BODY_BYTES + 1))
    assert told(response) == (413, "too-large", None)
    assert response.headers["connection"] == "close"


async def test_a_length_of_thousands_of_digits_is_too_large(desk: Desk) -> None:
    assert told(await desk.post(b"{}", **{"content-length": "9" * 5000})) == (413, "too-large", None)


async def test_a_body_over_the_limit_is_refused_while_it_streams(desk: Desk) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    response = await desk.http.post(
        "/v1/events",
        content=endless(),
        headers={"authorization": f"Bearer {desk.file.login}", "content-type": STRUCTURED},
    )
    assert told(response) == (413, "too-large", None)
    assert sent <= MAX_BODY_BYTES + 2 * 65_536


async def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    desk = Desk(tmp_path, body_seconds=0.05)

    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with desk.http:
        response = await desk.http.post(
            "/v1/events",
            content=stuck(),
            headers={"authorization": f"Bearer {desk.file.login}", "content-type": STRUCTURED},
        )
    assert told(response) == (408, "slow-body", None)
    assert response.headers["connection"] == "close"


def test_a_record_must_fit_its_topic() -> None:
    small = read_event(contact(), publishing=True)
    large = replace(small, id="large", data=small.data.model_copy(update={"name": "x" * CONTACTS.max_message_bytes}))
    with pytest.raises(RefusedError) as caught:
        _messages([small, large])
    assert (caught.value.problem.status, caught.value.problem.event) == (413, 1)


async def test_a_body_at_the_limit_is_read(desk: Desk) -> None:
    document = json.dumps(code()).encode()
    assert (await desk.post(document + b" " * (MAX_BODY_BYTES - len(document)))).status_code == 202


async def test_other_methods_and_paths_are_problems_too(desk: Desk) -> None:
    response = await desk.http.get("/v1/events")
    assert told(response) == (405, "method-not-allowed", None)
    assert response.headers["allow"] == "POST"
    assert told(await desk.http.post("/v1/elsewhere")) == (404, "not-found", None)


async def test_when_nobody_takes_it_the_publisher_is_told_when_to_come_back(desk: Desk) -> None:
    desk.fails = UnavailableError()
    response = await desk.post(code())
    assert told(response) == (503, "unavailable", None)
    assert int(response.headers["retry-after"]) > 0


async def test_a_defect_of_ours_shows_nothing(desk: Desk) -> None:
    desk.fails = RuntimeError(MARKER)
    with capture_logs() as logs:
        response = await desk.post(code())
    assert told(response) == (500, "internal", None)
    assert MARKER not in response.text
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["request_failed"]


async def test_metrics_count_by_publisher_type_and_place(desk: Desk) -> None:
    await desk.post([code(), code()], BATCH)
    await desk.post(b"{")
    text = generate_latest(desk.registry).decode()
    type_ = CODE["type"]
    assert f'auth_events_accepted_total{{place="broker",publisher="login",type="{type_}"}} 2.0' in text
    assert 'auth_events_refused_total{code="not-json"} 1.0' in text
    assert 'auth_events_answer_seconds_count{status="400"} 1.0' in text


Plant = Callable[[Desk], Awaitable[httpx.Response]]


def _post_of(document: Document) -> Plant:
    return lambda desk: desk.post(document)


def _plants() -> dict[str, Plant]:
    """A marker in every place a request has."""
    plants: dict[str, Plant] = {
        "token": lambda desk: desk.post(code(), token=MARKER),
        "content-type": lambda desk: desk.post(code(), f"text/{MARKER}"),
        "charset": lambda desk: desk.post(code(), f"{STRUCTURED}; charset={MARKER}"),
        "body": lambda desk: desk.post(MARKER.encode()),
        "header name": lambda desk: desk.post(b"{}", "application/json", **{f"ce-{MARKER}_": "x"}),
        "header value": lambda desk: desk.post(b"{}", "application/json", **{"ce-specversion": MARKER}),
        "path": lambda desk: desk.http.post(f"/v1/{MARKER}"),
        "query": lambda desk: desk.http.post(f"/v1/events?{MARKER}"),
        "a name in the data": lambda desk: desk.post(code(data={**CODE["data"], MARKER: "x"})),
        "a foreign source": lambda desk: desk.post(code(source=f"urn:{MARKER}")),
        "one id twice": lambda desk: desk.post([code(id=MARKER), code(id=MARKER, subject="m-2")], BATCH),
    }
    for name in CODE:
        plants[f"attribute {name}"] = _post_of(code(**{name: f" {MARKER}"}))
    for name in CODE["data"]:
        plants[f"data {name}"] = _post_of(code(data={**CODE["data"], name: f" {MARKER}"}))
    return plants


@pytest.mark.parametrize("plant", _plants().values(), ids=_plants().keys())
async def test_no_refusal_echoes_what_was_sent(desk: Desk, plant: Plant) -> None:
    with capture_logs() as logs:
        response = await plant(desk)
    assert 400 <= response.status_code < 500
    assert MARKER.lower() not in f"{response.text}{response.headers}{logs}{generate_latest(desk.registry)!r}".lower()


async def test_the_log_of_an_accepted_event_holds_nothing_of_its_data(desk: Desk) -> None:
    with capture_logs() as logs:
        await desk.post(code())
    (line,) = logs
    assert line == {
        "event": "events_accepted",
        "log_level": "info",
        "publisher": "login",
        "types": {CODE["type"]: 1},
        "status": 202,
        "place": "broker",
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=8,
)
almost_events = st.builds(
    lambda attributes, data: {**CODE, **attributes, "data": {**CODE["data"], **data}},
    st.dictionaries(st.sampled_from(sorted(CODE)), json_values, max_size=2),
    st.dictionaries(st.sampled_from(sorted(CODE["data"])) | st.text(max_size=10), json_values, max_size=2),
)
bodies = (
    st.binary(max_size=200)
    | json_values.map(lambda value: json.dumps(value).encode())
    | (almost_events | st.lists(almost_events, max_size=3)).map(lambda value: json.dumps(value).encode())
)
header_values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=bodies,
    content_type=st.sampled_from([STRUCTURED, BATCH, "application/json", "application/json; charset=x"])
    | header_values,
    attributes=st.dictionaries(
        st.sampled_from(["ce-specversion", "ce-id", "ce-type", "ce-source", "ce-time", "ce-subject", "ce-data"]),
        header_values | st.just("1.0"),
        max_size=4,
    ),
)
async def test_no_request_makes_a_500(desk: Desk, body: bytes, content_type: str, attributes: dict[str, str]) -> None:
    headers = {"authorization": f"Bearer {desk.file.login}", "content-type": content_type, **attributes}
    sent = [(name.encode(), value.strip().encode("latin-1")) for name, value in headers.items()]
    response = await desk.http.post("/v1/events", content=body, headers=sent)
    assert response.status_code in {202, 400, 403, 413, 415, 422}
    if response.status_code != 202:
        told(response)
