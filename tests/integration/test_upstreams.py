"""What providers post reaches the outbox once, under its member, or is refused with nothing told and nothing echoed."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.auth_events.body import MAX_BODY_BYTES
from tests.support.upstreams import (
    AUTH0_TOKEN,
    KEYCLOAK_SECRET,
    OKTA_TOKEN,
    SAMPLES,
    Receiver,
    sample,
)

CAPTURES = sorted(path.stem for path in (SAMPLES / "keycloak").glob("*.json"))


@pytest.fixture
async def receiver(tmp_path: Path, database: str) -> AsyncIterator[Receiver]:
    async with Receiver(tmp_path, database) as running:
        yield running


def captured_at(name: str) -> datetime:
    return datetime.fromtimestamp(sample(f"keycloak/{name}.json")["body"]["time"] / 1000, UTC)


@pytest.mark.parametrize("name", CAPTURES)
async def test_a_capture_of_keycloak_is_accepted_at_its_time_and_refused_a_day_later(
    receiver: Receiver, name: str
) -> None:
    await receiver.contact()
    receiver.clock.at = captured_at(name) + timedelta(seconds=1)
    response = await receiver.captured(name)
    expected = [] if name == "access_LOGIN_ERROR" else ["m-1"]
    assert (response.status_code, response.json()) == (202, {"accepted": len(expected)})
    told = await receiver.told()
    assert [event["subject"] for event in told] == expected
    receiver.clock.at += timedelta(hours=25)
    late = await receiver.captured(name)
    assert (late.status_code, late.json()["type"]) == (403, "urn:member-notices:problem:outside-window")
    assert await receiver.told() == told


@pytest.mark.parametrize("name", CAPTURES)
async def test_one_byte_changed_and_the_signature_proves_nothing(receiver: Receiver, name: str) -> None:
    await receiver.contact()
    capture = sample(f"keycloak/{name}.json")
    receiver.clock.at = captured_at(name)
    body = capture["body_raw"].replace('"demo"', '"demO"', 1)
    response = await receiver.keycloak(body, capture["headers"]["X-Keycloak-Signature"])
    assert (response.status_code, response.json()["field"]) == (401, "x-keycloak-signature")
    assert await receiver.told() == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_one_change_of_a_password_is_told_once_whichever_of_its_twins_comes_first(
    receiver: Receiver, order: tuple[int, int]
) -> None:
    await receiver.contact()
    twins = ("access_UPDATE_CREDENTIAL", "access_UPDATE_PASSWORD")
    receiver.clock.at = captured_at(twins[0])
    for _ in range(2):  # Keycloak sends again after a 503
        for position in order:
            assert (await receiver.captured(twins[position])).status_code == 202
    (told,) = await receiver.told()
    assert told["type"] == "identity.password-changed.v1"
    assert receiver.metric('auth_events_upstream_events_total{fate="twin",upstream="demo"} 1.0')


async def test_twins_that_come_at_once_are_told_once(receiver: Receiver) -> None:
    await receiver.contact()
    receiver.clock.at = captured_at("access_UPDATE_PASSWORD")
    await asyncio.gather(*map(receiver.captured, ("access_UPDATE_CREDENTIAL", "access_UPDATE_PASSWORD") * 3))
    assert len(await receiver.told()) == 1


async def test_two_changes_of_a_password_are_told_twice(receiver: Receiver) -> None:
    await receiver.contact()
    receiver.clock.at = captured_at("access_UPDATE_PASSWORD")
    body = sample("keycloak/access_UPDATE_PASSWORD.json")["body"]
    await receiver.captured("access_UPDATE_PASSWORD")
    await receiver.keycloak(json.dumps(body | {"id": "another", "time": body["time"] + 400}))
    assert len(await receiver.told()) == 2


async def test_a_secret_is_bound_to_its_realm(receiver: Receiver) -> None:
    body = sample("keycloak/access_UPDATE_PASSWORD.json")["body"] | {"realmName": "other"}
    response = await receiver.keycloak(json.dumps(body))
    assert (response.status_code, response.json()["field"]) == (403, "realmName")


async def test_oktas_challenge_is_answered(receiver: Receiver) -> None:
    response = await receiver.http.get("/v1/okta/event-hook", headers={"x-okta-verification-challenge": "c-4711"})
    assert (response.status_code, response.json()) == (200, {"verification": "c-4711"})
    assert (await receiver.http.get("/v1/okta/event-hook")).status_code == 400


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("password-changed", ["identity.password-changed.v1"]),
        ("factors-reset", ["identity.security-method-reset.v1"]),
        ("email-changed", ["identity.email-address-changed.v1"]),
        ("session-start", ["identity.signed-on.v1"]),
        ("failed", []),
    ],
)
async def test_a_delivery_of_okta_is_answered_204_and_told_once(
    receiver: Receiver, name: str, types: list[str]
) -> None:
    await receiver.contact()
    for _ in range(2):
        response = await receiver.okta(sample(f"okta/{name}.json"))
        assert (response.status_code, response.content) == (204, b"")
    assert [event["type"] for event in await receiver.told()] == types


async def test_a_reset_whose_deactivations_come_apart_is_told_once(receiver: Receiver) -> None:
    await receiver.contact()
    document = sample("okta/factors-reset.json")
    for event in document["data"]["events"]:
        await receiver.okta(document | {"data": {"events": [event]}})
    assert len(await receiver.told()) == 1


@pytest.mark.parametrize("name", ["lines.jsonl", "array.json", "object.json"])
async def test_a_log_stream_of_auth0_is_told_once(receiver: Receiver, name: str) -> None:
    await receiver.contact()
    for _ in range(2):
        assert (await receiver.auth0((SAMPLES / "auth0" / name).read_bytes())).status_code == 202
    assert len(await receiver.told()) == {"lines.jsonl": 3, "array.json": 2, "object.json": 1}[name]


async def test_what_is_no_log_stream_is_refused(receiver: Receiver) -> None:
    for body in (b"", b"{", b'{"a": 1} {', b"\xff"):
        assert (await receiver.auth0(body)).status_code == 400


@pytest.mark.parametrize("token", ["", "wrong", OKTA_TOKEN + " ", f"Bearer {OKTA_TOKEN}"])
async def test_without_the_header_agreed_upon_nothing_is_read(receiver: Receiver, token: str) -> None:
    for response in (await receiver.okta(sample("okta/locked.json"), token), await receiver.auth0(b"{}", token)):
        assert (response.status_code, response.json()["field"]) == (401, "authorization")
    assert await receiver.told() == []


async def test_a_body_over_the_limit_is_not_read(receiver: Receiver) -> None:
    body = b" " * (MAX_BODY_BYTES + 1)
    assert (await receiver.auth0(body)).status_code == 413
    assert (await receiver.keycloak(body)).status_code == 413
    assert (await receiver.security_event(body)).status_code == 413


async def test_strangers_are_counted_and_do_not_stand_in_a_providers_way(receiver: Receiver) -> None:
    answers = [(await receiver.okta({}, "wrong")).status_code for _ in range(30)]
    assert answers[0] == 401
    assert answers[-1] == 429
    assert (await receiver.okta(sample("okta/failed.json"))).status_code == 204


async def test_more_than_an_entry_allows_is_to_be_sent_again(tmp_path: Path, database: str) -> None:
    async with Receiver(tmp_path, database, per_second=1) as receiver:
        receiver.clock.at = captured_at("access_LOGIN_ERROR")
        answers = [await receiver.captured("access_LOGIN_ERROR") for _ in range(8)]
    assert (answers[0].status_code, answers[-1].status_code) == (202, 503)
    assert answers[-1].headers["retry-after"]


async def test_while_the_database_is_locked_the_answer_comes_in_time_and_says_when_to_come_back(
    receiver: Receiver, database: str
) -> None:
    holder = await asyncpg.connect(database)
    loop = asyncio.get_running_loop()
    async with holder.transaction():
        await holder.execute("LOCK TABLE auth_events.taken IN ACCESS EXCLUSIVE MODE")
        started = loop.time()
        response = await receiver.okta(sample("okta/locked.json"))
        assert loop.time() - started < 3
    await holder.close()
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    await receiver.contact()
    assert (await receiver.okta(sample("okta/locked.json"))).status_code == 204
    assert len(await receiver.told()) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)


@st.composite
def disturbed(draw: st.DrawFn, whole: Any) -> Any:
    if draw(st.integers(0, 11)) == 0:
        return draw(json_values)
    if isinstance(whole, dict):
        return {name: draw(disturbed(value)) for name, value in whole.items()}
    return [draw(disturbed(value)) for value in whole] if isinstance(whole, list) else whole


payloads = st.one_of(
    st.tuples(st.just("keycloak"), disturbed(sample("keycloak/access_UPDATE_PASSWORD.json")["body"])),
    st.tuples(st.just("okta"), disturbed(sample("okta/factors-reset.json"))),
    st.tuples(st.just("auth0"), disturbed(sample("auth0/array.json"))),
    st.tuples(st.just("ssf"), disturbed(sample("ssf/password-changed.json"))),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payloads)
async def test_no_payload_makes_a_500_or_shows_a_secret(receiver: Receiver, payload: tuple[str, Any]) -> None:
    kind, document = payload
    body = json.dumps(document).encode()
    with capture_logs() as logs:
        match kind:
            case "keycloak":
                response = await receiver.keycloak(body)
            case "okta":
                response = await receiver.okta(document)
            case "auth0":
                response = await receiver.auth0(body)
            case _:
                response = await receiver.security_event(receiver.transmitter.sign(body))
    assert response.status_code in {202, 204, 400, 403}
    shown = f"{response.text}{dict(response.headers)}{logs}"
    for secret in (KEYCLOAK_SECRET, OKTA_TOKEN, AUTH0_TOKEN, "ann@example.test", "Traceback"):
        assert secret not in shown
