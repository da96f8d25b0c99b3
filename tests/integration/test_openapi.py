"""The published OpenAPI names every address of auth_events and of the desk, and every answer is one that it names."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import jsonschema
import pytest

from schemas import openapi_desk
from schemas.openapi_document import document
from services.auth_events.body import MAX_BODY_BYTES
from services.auth_events.intake import Intake
from services.complaint_sla.service_desk import ServiceDesk
from tests.support.upstreams import Receiver, sample

OPENAPI = document()
Ask = Callable[[Receiver], Awaitable[httpx.Response]]


@pytest.fixture
async def receiver(tmp_path: Path, database: str) -> AsyncIterator[Receiver]:
    async with Receiver(tmp_path, database) as running:
        yield running


async def test_every_route_is_in_the_document_and_nothing_else(receiver: Receiver) -> None:
    intake = Intake(None, None, None)  # type: ignore[arg-type]
    there = {
        (route.path, method.lower())
        for route in (*intake.routes(), *receiver.hooks.routes())
        for method in route.methods or ()
        if method != "HEAD"
    }
    named = {(path, method) for path, methods in OPENAPI["paths"].items() for method in methods}
    assert named == there


def test_every_route_of_the_desk_is_in_its_document_and_nothing_else() -> None:
    desk = ServiceDesk(None, None, None, ())  # type: ignore[arg-type]
    assert set(openapi_desk.document()["paths"]) == {route.path for route in desk.routes()}


ASKED: dict[str, Ask] = {
    "keycloak 401": lambda receiver: receiver.keycloak(b"{}", "00"),
    "keycloak 400": lambda receiver: receiver.keycloak(b"[]"),
    "keycloak 403": lambda receiver: receiver.keycloak(b"{}"),
    "keycloak 413": lambda receiver: receiver.keycloak(b" " * (MAX_BODY_BYTES + 1)),
    "challenge 200": lambda receiver: receiver.http.get(
        "/v1/okta/event-hook", headers={"x-okta-verification-challenge": "c"}
    ),
    "challenge 400": lambda receiver: receiver.http.get("/v1/okta/event-hook"),
    "okta 204": lambda receiver: receiver.okta(sample("okta/locked.json")),
    "okta 400": lambda receiver: receiver.okta([]),
    "okta 401": lambda receiver: receiver.okta({}, "wrong"),
    "auth0 202": lambda receiver: receiver.auth0(b"{}"),
    "auth0 400": lambda receiver: receiver.auth0(b"{"),
    "set 202": lambda receiver: receiver.security_event(receiver.transmitter.sign(sample("ssf/verification.json"))),
    "set 400": lambda receiver: receiver.security_event(b"."),
}


@pytest.mark.parametrize("name", ASKED)
async def test_an_answer_is_as_the_document_says(receiver: Receiver, name: str) -> None:
    response = await ASKED[name](receiver)
    request = response.request
    assert response.status_code == int(name.rpartition(" ")[2])
    said = OPENAPI["paths"][request.url.path][request.method.lower()]["responses"][str(response.status_code)]
    if "content" not in said:
        assert response.content == b""
        return
    content = said["content"][response.headers["content-type"]]
    jsonschema.validate(json.loads(response.content), content["schema"] | {"components": OPENAPI["components"]})
