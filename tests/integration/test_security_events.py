"""RFC 8935: a security event token is taken when its issuer signed it for us, and refused with the RFC's own words."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from tests.support.upstreams import NOW, Receiver, sample
from tests.support.waiting import wait_for


@pytest.fixture
async def receiver(tmp_path: Path, database: str) -> AsyncIterator[Receiver]:
    async with Receiver(tmp_path, database) as running:
        await running.contact()
        yield running


def claims(name: str = "password-changed", **changes: Any) -> dict[str, Any]:
    whole = sample(f"ssf/{name}.json") | changes
    return {key: value for key, value in whole.items() if value is not None}


async def refused(receiver: Receiver, token: bytes, **how: Any) -> str:
    response = await receiver.security_event(token, **how)
    assert response.status_code == 400, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-language"] == "en"
    document = response.json()
    assert set(document) == {"err", "description"}
    assert await receiver.told() == []
    return str(document["err"])


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("password-changed", ["identity.password-changed.v1"]),
        ("session-established", ["identity.signed-on.v1"]),
        ("identifier-changed", ["identity.email-address-changed.v1"]),
        ("account-disabled", []),
        ("credential-compromise", []),
        ("verification", []),
    ],
)
async def test_a_token_is_answered_202_without_a_body_and_told_once(
    receiver: Receiver, name: str, types: list[str]
) -> None:
    for _ in range(2):
        response = await receiver.security_event(receiver.transmitter.sign(claims(name)))
        assert (response.status_code, response.content) == (202, b"")
    assert [event["type"] for event in await receiver.told()] == types


@pytest.mark.parametrize(
    ("changes", "err"),
    [
        ({"iss": "https://other.example.test"}, "invalid_issuer"),
        ({"iss": None}, "invalid_issuer"),
        ({"aud": "https://other.example.test"}, "invalid_audience"),
        ({"aud": []}, "invalid_audience"),
        ({"aud": None}, "invalid_audience"),
        ({"jti": None}, "invalid_request"),
        ({"events": {}}, "invalid_request"),
        ({"iat": None}, "invalid_request"),
        ({"iat": 1700000000}, "invalid_request"),
        ({"iat": 1895687200}, "invalid_request"),
        ({"exp": 1795687000}, "invalid_request"),
        ({"sub_id": {"format": "iss_sub", "iss": "https://other.example.test", "sub": "x"}}, "access_denied"),
    ],
)
async def test_claims_that_are_not_for_us(receiver: Receiver, changes: dict[str, Any], err: str) -> None:
    assert await refused(receiver, receiver.transmitter.sign(claims(**changes))) == err


@pytest.mark.parametrize(
    ("header", "err"),
    [
        ({"typ": None}, "invalid_request"),
        ({"typ": "JWT"}, "invalid_request"),
        ({"kid": "unknown"}, "invalid_key"),
        ({"kid": None}, "invalid_key"),
    ],
)
async def test_headers_that_do_not_say_what_is_needed(receiver: Receiver, header: dict[str, Any], err: str) -> None:
    assert await refused(receiver, receiver.transmitter.sign(claims(), **header)) == err


def part(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def by_hand(algorithm: str) -> bytes:
    """Header and claims of a token that no library would sign."""
    header = {"alg": algorithm, "typ": "secevent+jwt", "kid": "key-1"}
    return part(json.dumps(header).encode()) + b"." + part(json.dumps(claims()).encode())


async def test_a_token_nobody_signed(receiver: Receiver) -> None:
    for algorithm in ("none", "None", ""):
        assert await refused(receiver, by_hand(algorithm) + b".") == "authentication_failed"


async def test_a_token_signed_with_the_public_key_as_if_it_were_a_secret(receiver: Receiver) -> None:
    key = receiver.transmitter.key
    assert isinstance(key, RSAKey)
    mac = hmac.new(key.as_pem(private=False), by_hand("HS256"), hashlib.sha256).digest()
    assert await refused(receiver, by_hand("HS256") + b"." + part(mac)) == "authentication_failed"


async def test_a_token_signed_by_somebody_else_under_the_issuers_key_id(receiver: Receiver) -> None:
    other = RSAKey.generate_key(2048)
    assert await refused(receiver, receiver.transmitter.sign(claims(), key=other)) == "authentication_failed"


async def test_a_token_whose_algorithm_does_not_fit_the_key(receiver: Receiver) -> None:
    token = receiver.transmitter.sign(claims(), key=ECKey.generate_key("P-256"), alg="ES256")
    assert await refused(receiver, token) == "invalid_key"


async def test_a_key_that_has_expired(receiver: Receiver) -> None:
    receiver.transmitter.published[0]["exp"] = int(NOW.timestamp()) - 1
    assert await refused(receiver, receiver.transmitter.sign(claims())) == "invalid_key"


async def test_a_key_that_was_withdrawn_goes_within_ten_minutes(receiver: Receiver) -> None:
    await receiver.security_event(receiver.transmitter.sign(claims("verification")))
    newer = RSAKey.generate_key(2048, parameters={"kid": "key-2"})
    receiver.transmitter.published[:] = [newer.as_dict(private=False)]
    receiver.later(601)
    # What makes us look is answered with what is known.
    await receiver.security_event(receiver.transmitter.sign(claims("verification", jti="second")))
    await wait_for(lambda: receiver.jwks._refresh is None, "end of the fetch behind the answer")
    assert await refused(receiver, receiver.transmitter.sign(claims())) == "invalid_key"


@pytest.mark.parametrize("body", [b"", b"a.b", b"....", b"{}", b"\xff.\xff.\xff", b"e30.e30.e30"])
async def test_what_is_no_token(receiver: Receiver, body: bytes) -> None:
    assert await refused(receiver, body) == "invalid_request"


async def test_another_media_type(receiver: Receiver) -> None:
    token = receiver.transmitter.sign(claims())
    assert await refused(receiver, token, media_type="application/jwt") == "invalid_request"


async def test_while_the_keys_cannot_be_fetched_those_that_are_known_go_on(receiver: Receiver) -> None:
    await receiver.security_event(receiver.transmitter.sign(claims("verification")))
    receiver.transmitter.fails = OSError()
    receiver.later(3600)
    response = await receiver.security_event(receiver.transmitter.sign(claims()))
    assert response.status_code == 202
    assert len(await receiver.told()) == 1


async def test_a_key_that_nobody_can_say_anything_of_is_asked_for_again_later(receiver: Receiver) -> None:
    receiver.transmitter.fails = OSError()
    response = await receiver.security_event(receiver.transmitter.sign(claims()))
    assert response.status_code == 503
    receiver.transmitter.fails = None
    receiver.later(31)
    assert (await receiver.security_event(receiver.transmitter.sign(claims()))).status_code == 202


async def test_an_endpoint_that_hangs_keeps_nobody_waiting_and_is_asked_once(receiver: Receiver) -> None:
    await receiver.security_event(receiver.transmitter.sign(claims("verification")))
    hanging = asyncio.Event()

    async def hang(_: str) -> bytes:
        receiver.transmitter.fetches += 1
        await hanging.wait()
        return b""

    receiver.jwks._fetch = hang
    receiver.later(3600)
    before = receiver.transmitter.fetches
    loop = asyncio.get_running_loop()
    started = loop.time()
    known = [receiver.security_event(receiver.transmitter.sign(claims(jti=f"j-{n}"))) for n in range(10)]
    unknown = [receiver.security_event(receiver.transmitter.sign(claims(), kid=f"k-{n}")) for n in range(10)]
    answers = [response.status_code for response in await asyncio.gather(*known, *unknown)]
    assert answers == [202] * 10 + [503] * 10
    assert loop.time() - started < 3
    assert receiver.transmitter.fetches == before + 1


async def test_invented_key_ids_fetch_nothing(receiver: Receiver) -> None:
    for number in range(10):
        await receiver.security_event(receiver.transmitter.sign(claims(), kid=f"invented-{number}"))
    assert receiver.transmitter.fetches == 1
