"""Whatever the OpenAPI documents allow, and what they do not, asked of the running processes: each answer is one that
the document names, none is a 5xx, and none repeats what was sent.
"""

import asyncio
import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from demo import environment
from demo.environment import Publishers
from demo.processes import PROGRAM, Service
from demo.providers import Providers
from schemas import openapi_desk, openapi_document
from tests.support.complaint_sla import fresh_group
from tests.support.complaint_story import at, received
from tests.support.database import temporary_database
from tests.support.notifier import upstream
from tests.support.waiting import wait_for

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 25
REPEATED_FROM = 8
"""Letters of a text that is in an answer by no coincidence."""
DESK_TOKEN = "desk-Zq7SECRET7qZ"
COMPLAINT = f"c-{uuid.uuid4().hex[:12]}"
CHALLENGE = "GET /v1/okta/event-hook"
"""Answered by repeating it, as Okta wants it."""
SET = "application/secevent+jwt"
Prove = Callable[[requests.PreparedRequest], None]


@schemathesis.serializer(SET)
def _token(_: Any, value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")


def operations(document: dict[str, Any]) -> dict[str, Any]:
    found: list[Any] = list(schemathesis.openapi.from_dict(document).get_all_operations())
    return {each.ok().label: each.ok() for each in found}


AUTH_EVENTS, DESK = operations(openapi_document.document()), operations(openapi_desk.document())
MODES = [mode for mode in GenerationMode if mode.name in {"POSITIVE", "NEGATIVE"}]


@asynccontextmanager
async def started(name: str, values: dict[str, str], ready: str, folder: Path) -> AsyncIterator[Service]:
    """The process; none of its answers may have been a defect of ours."""
    service = Service(name, PROGRAM, [name], folder=folder, environment=values, ready_event=ready)
    await asyncio.to_thread(service.start)
    try:
        yield service
    finally:
        await asyncio.to_thread(service.stop)
    log = service.log.read_text()
    assert not any(failed in log for failed in ("request_failed", "service_desk_failed", "Traceback")), log


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("openapi")


@pytest.fixture(scope="module")
async def database(database_server: str, migrated_template: str) -> AsyncIterator[str]:
    async with temporary_database(database_server, template=migrated_template) as dsn:
        yield dsn


@pytest.fixture(scope="module")
async def providers(folder: Path) -> AsyncIterator[Providers]:
    async with Providers(folder) as running:
        yield running


@pytest.fixture(scope="module")
def publishers(folder: Path) -> Publishers:
    return Publishers.write(folder)


@pytest.fixture(scope="module")
async def auth_events(
    kafka: str, database: str, folder: Path, providers: Providers, publishers: Publishers
) -> AsyncIterator[Service]:
    files = (publishers.file, providers.file)
    values = environment.of_auth_events(kafka, database, files, f"test-{uuid.uuid4()}")
    async with started("auth-events", values, "listening", folder) as service:
        yield service


@pytest.fixture(scope="module")
async def desk(kafka: str, database: str, folder: Path) -> AsyncIterator[Service]:
    """One complaint is known."""
    token = {"SERVICE_DESK_TOKEN_SHA256": hashlib.sha256(DESK_TOKEN.encode()).hexdigest()}
    values = environment.of_complaint_sla(kafka, database, await fresh_group(kafka)) | token
    async with started("complaint-sla", values, "started", folder) as service, upstream(kafka) as up:
        await up.publish(received(COMPLAINT, at("2026-12-01 10:00")))
        await wait_for(lambda: _asked(service, f"/v1/complaints/{COMPLAINT}").ok, "the complaint at the desk")
        yield service


def _asked(service: Service, path: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {DESK_TOKEN}"}
    return requests.get(service.address + path, headers=headers, timeout=30)


def ask(service: Service, operation: Any, mode: GenerationMode, prove: Prove) -> None:
    """`EXAMPLES` requests, some of them proven; for a thread, because the loop answers for the providers."""

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode), st.booleans())
    def asked(case: Case[Any], proven: bool) -> None:
        request = prepared(case, service.address)
        if proven:
            prove(request)
        with requests.Session() as session:
            response = session.send(request, timeout=30, allow_redirects=False)
        case.validate_response(response, checks=CHECKS)
        repeated = [text for text in texts(request.body) if text in response.text]
        assert repeated == [] or operation.label == CHALLENGE
        assert "Traceback" not in response.text

    asked()


def prepared(case: Case[Any], address: str) -> requests.PreparedRequest:
    sent = case.as_transport_kwargs(base_url=address)
    known = ("method", "url", "headers", "params", "json", "data", "files", "cookies")
    request = requests.Request(**{name: sent[name] for name in known if name in sent}).prepare()
    if isinstance(request.body, str):
        request.prepare_body(request.body.encode("utf-8", "surrogatepass"), None)
    return request


def texts(body: Any) -> Iterator[str]:
    """Those of a JSON body that are long enough."""
    try:
        document = json.loads(body or b"null")
    except ValueError:
        return
    waiting = [document]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str) and len(found) >= REPEATED_FROM:
            yield found
        waiting += found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", AUTH_EVENTS)
async def test_auth_events_answers_as_its_document_says(
    auth_events: Service, providers: Providers, publishers: Publishers, label: str, mode: GenerationMode
) -> None:
    def prove(request: requests.PreparedRequest) -> None:
        body = request.body or b""
        assert isinstance(body, bytes)
        path = str(request.path_url)
        if path == "/v1/events":
            request.headers["Authorization"] = f"Bearer {next(iter(publishers.tokens.values()))}"
        elif path == "/v1/security-events":
            request.prepare_body(providers.token(body), None)
        else:
            request.headers.update(providers.proof(path.split("/")[2], body))

    await asyncio.to_thread(ask, auth_events, AUTH_EVENTS[label], mode, prove)
    assert not any(secret in auth_events.log.read_text() for secret in providers.secrets)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", DESK)
async def test_the_desk_answers_as_its_document_says(desk: Service, label: str, mode: GenerationMode) -> None:
    def prove(request: requests.PreparedRequest) -> None:
        request.headers["Authorization"] = f"Bearer {DESK_TOKEN}"

    await asyncio.to_thread(ask, desk, DESK[label], mode, prove)


async def test_a_complaint_is_told_as_the_document_says(desk: Service) -> None:
    for path, label in (
        (f"/v1/complaints/{COMPLAINT}", "GET /v1/complaints/{id}"),
        (f"/v1/complaints/{COMPLAINT}?as=picture", "GET /v1/complaints/{id}"),
        ("/v1/complaints?due_before=2027-12-24T16:30:00Z", "GET /v1/complaints"),
    ):
        response = await asyncio.to_thread(_asked, desk, path)
        assert response.status_code == 200
        DESK[label].validate_response(response)
