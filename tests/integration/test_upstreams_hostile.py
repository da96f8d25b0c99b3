"""A hostile caller: what is said twice, packed, or meant for another method is refused, and nothing is told."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.upstreams import AUTH0_TOKEN, OKTA_TOKEN, Receiver, sample, signature

CHALLENGE = "x-okta-verification-challenge"
PATHS = ("/v1/keycloak/events", "/v1/okta/event-hook", "/v1/auth0/logs", "/v1/security-events")
OKTA = json.dumps(sample("okta/locked.json")).encode()
AUTH0 = json.dumps(sample("auth0/array.json")).encode()
KEYCLOAK = sample("keycloak/access_UPDATE_PASSWORD.json")["body_raw"].encode()
Headers = list[tuple[str, str]]


@pytest.fixture
async def receiver(tmp_path: Path, database: str) -> AsyncIterator[Receiver]:
    async with Receiver(tmp_path, database) as running:
        await running.contact()
        yield running


def told(response: httpx.Response) -> tuple[int, str, str | None]:
    document = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, document["type"].rpartition(":")[2], document.get("field")


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("path", "name", "right", "body"),
    [
        ("/v1/keycloak/events", "x-keycloak-signature", signature(KEYCLOAK), KEYCLOAK),
        ("/v1/okta/event-hook", "authorization", OKTA_TOKEN, OKTA),
        ("/v1/auth0/logs", "authorization", AUTH0_TOKEN, AUTH0),
    ],
)
async def test_a_proof_that_is_given_twice_proves_nothing(
    receiver: Receiver, path: str, name: str, right: str, body: bytes, first: bool
) -> None:
    headers = [(name, right), (name, "wrong")]
    response = await receiver.http.post(path, content=body, headers=headers if first else headers[::-1])
    assert told(response) == (401, "unproven", name)
    assert await receiver.told() == []


async def test_a_media_type_that_is_given_twice_is_none(receiver: Receiver) -> None:
    token = receiver.transmitter.sign(sample("ssf/password-changed.json"))
    headers = [("content-type", "application/secevent+jwt"), ("content-type", "text/plain")]
    response = await receiver.http.post("/v1/security-events", content=token, headers=headers)
    assert (response.status_code, response.json()["err"]) == (400, "invalid_request")
    assert await receiver.told() == []


async def test_a_challenge_that_is_given_twice_is_not_answered(receiver: Receiver) -> None:
    response = await receiver.http.get("/v1/okta/event-hook", headers=[(CHALLENGE, "a"), (CHALLENGE, "b")])
    assert told(response) == (400, "unreadable", CHALLENGE)


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "gzip, identity", "br"])
async def test_a_packed_body_is_not_unpacked_and_the_answer_says_so(receiver: Receiver, coding: str) -> None:
    keycloak, okta, auth0 = (gzip.compress(body) for body in (KEYCLOAK, OKTA, AUTH0))
    token = gzip.compress(receiver.transmitter.sign(sample("ssf/password-changed.json")))
    requests: list[tuple[str, bytes, Headers]] = [
        ("/v1/keycloak/events", keycloak, [("x-keycloak-signature", signature(keycloak))]),
        ("/v1/okta/event-hook", okta, [("authorization", OKTA_TOKEN)]),
        ("/v1/auth0/logs", auth0, [("authorization", AUTH0_TOKEN)]),
        ("/v1/security-events", token, [("content-type", "application/secevent+jwt")]),
    ]
    for path, body, headers in requests:
        response = await receiver.http.post(path, content=body, headers=[*headers, ("content-encoding", coding)])
        assert told(response) == (415, "encoded", "content-encoding")
    assert await receiver.told() == []


async def test_identity_is_no_packing(receiver: Receiver) -> None:
    headers = {"authorization": OKTA_TOKEN, "content-encoding": "identity"}
    assert (await receiver.http.post("/v1/okta/event-hook", content=OKTA, headers=headers)).status_code == 204


@pytest.mark.parametrize("path", PATHS)
async def test_other_methods_are_refused_with_those_that_there_are(receiver: Receiver, path: str) -> None:
    there = {"GET", "HEAD", "POST"} if path == "/v1/okta/event-hook" else {"POST"}
    for method in {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "BREW"} - there:
        response = await receiver.http.request(method, path)
        assert response.status_code == 405
        assert set(response.headers["allow"].split(", ")) == there
        assert method == "HEAD" or told(response)[1] == "method-not-allowed"


@pytest.mark.parametrize(
    "body", [b"", b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b'{"data":' + b"[" * 9999, b"9" * 9999]
)
async def test_what_is_no_json_of_a_sane_size_is_refused(receiver: Receiver, body: bytes) -> None:
    answers = [await receiver.keycloak(body), await receiver.auth0(body)]
    headers = {"authorization": OKTA_TOKEN}
    answers.append(await receiver.http.post("/v1/okta/event-hook", content=body, headers=headers))
    assert [told(response) for response in answers] == [(400, "unreadable", "$")] * 3
