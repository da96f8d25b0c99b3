"""What is taken for a transmitter's key, and what an endpoint may answer, on a real small server."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from services.auth_events.jwks import MAX_BYTES, fetch, read_keys
from tests.support.upstreams import serving


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def keys(_: web.Request) -> web.Response:
        return web.json_response({"keys": []})

    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPFound("/keys")

    async def endless(_: web.Request) -> web.Response:
        return web.Response(body=b" " * (MAX_BYTES + 1))

    async with serving({"/keys": keys, "/moved": moved, "/endless": endless}) as base:
        yield base


async def test_keys_are_fetched(url: str) -> None:
    assert json.loads(await fetch(f"{url}/keys")) == {"keys": []}


@pytest.mark.parametrize("path", ["/moved", "/endless", "/nowhere"])
async def test_no_redirect_no_error_and_no_flood_is_followed(url: str, path: str) -> None:
    with pytest.raises(ValueError, match=r"200|too long"):
        await fetch(url + path)


async def test_an_endpoint_that_is_not_there_is_an_error(url: str) -> None:
    with pytest.raises(aiohttp.ClientError):
        await fetch("http://127.0.0.1:9/keys")
    assert url


def published(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


def test_public_keys_that_sign_are_kept_and_nothing_else() -> None:
    rsa = RSAKey.generate_key(2048).as_dict(private=False)
    entries = [
        {**rsa, "kid": "rsa"},
        {**ECKey.generate_key("P-256").as_dict(private=False), "kid": "ec"},
        {**OKPKey.generate_key("Ed25519").as_dict(private=False), "kid": "ed"},
        {**rsa, "kid": "encrypts", "use": "enc"},
        {**rsa, "kid": 7},
        {key: value for key, value in rsa.items() if key != "kid"},
        {**OctKey.generate_key(256).as_dict(), "kid": "a-secret"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": 7},
        {"kty": "unknown", "kid": "unknown"},
        "text",
    ]
    assert set(read_keys(published(*entries))) == {"rsa", "ec", "ed"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": {}}', b"\xff"])
def test_what_is_no_set_of_keys_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"JWK set|Expecting value|can't decode"):
        read_keys(body)
