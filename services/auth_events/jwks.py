"""The keys of a transmitter: fetched, kept, and fetched again when one is asked for that is not among them.

One fetch at a time, and none within 30 s of the last: whoever invents key ids makes us fetch nothing. Keys that are
known go on while their endpoint is away or slow. Nobody waits longer for a fetch than an answer may take.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Literal

import aiohttp
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

log = structlog.get_logger()

FRESH_SECONDS = 600.0
"""After so long the next token makes us look again, behind its answer: a key that was withdrawn goes then."""
REST_SECONDS = 30.0
WAIT_SECONDS = 1.0
FETCH_SECONDS = 5.0
MAX_BYTES = 262_144
MAX_KEYS = 100
MIN_RSA_BITS = 2048

Fetch = Callable[[str], Awaitable[bytes]]
"""Raises anything; `fetch` below."""


class KeysAwayError(Exception):
    """The key is not known, and the endpoint that could say so does not answer."""


class Jwks:
    def __init__(
        self,
        uri: str,
        fetch: Fetch,
        now: Callable[[], float],
        fetched: Callable[[Literal["fetched", "failed"]], None] = lambda _: None,
    ) -> None:
        """`now`: seconds that only grow. `fetched`: told how each fetch ended."""
        self._uri = uri
        self._fetch = fetch
        self._now = now
        self._fetched = fetched
        self._keys: dict[str, tuple[Key, Mapping[str, Any]]] = {}
        self._known_at: float | None = None
        self._asked_at: float | None = None
        self._answered = False
        self._refresh: asyncio.Task[None] | None = None

    async def key(self, kid: str, now: datetime) -> Key | None:
        """None: the transmitter has no such key, or it has expired. Raises `KeysAwayError`."""
        if kid not in self._keys or self._stale():
            self._look_again()
        if kid not in self._keys and self._refresh is not None:
            await asyncio.wait({self._refresh}, timeout=WAIT_SECONDS)
        found = self._keys.get(kid)
        if found is not None:
            return None if _expired(found[1], now) else found[0]
        if self._refresh is not None or not self._answered:
            raise KeysAwayError
        return None

    async def close(self) -> None:
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.wait({self._refresh})

    def _stale(self) -> bool:
        return self._known_at is None or self._now() - self._known_at > FRESH_SECONDS

    def _look_again(self) -> None:
        rests = self._asked_at is not None and self._now() - self._asked_at < REST_SECONDS
        if self._refresh is None and not rests:
            self._asked_at = self._now()
            self._refresh = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                self._keys = read_keys(await self._fetch(self._uri))
            self._known_at, self._answered = self._now(), True
            self._fetched("fetched")
        except Exception as error:  # noqa: BLE001 (whatever it is: the keys that are known go on)
            self._answered = False
            self._fetched("failed")
            log.warning("keys_not_fetched", error=type(error).__name__, known=len(self._keys))
        finally:
            self._refresh = None


def read_keys(body: bytes) -> dict[str, tuple[Key, Mapping[str, Any]]]:
    """By key id. Keys that sign nothing, that are weak, or that are secrets are left out. Raises ValueError."""
    document = json.loads(body)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a JWK set")  # noqa: TRY004 (one kind of failure)
    keys: dict[str, tuple[Key, Mapping[str, Any]]] = {}
    for entry in entries[:MAX_KEYS]:
        if isinstance(entry, dict) and isinstance(entry.get("kid"), str) and entry.get("use", "sig") == "sig":
            key = _public(entry)
            if key is not None:
                keys[entry["kid"]] = (key, entry)
    return keys


def _public(entry: dict[str, Any]) -> Key | None:
    """A shared secret published as a key would let everybody sign."""
    try:
        key = JWKRegistry.import_key({name: entry[name] for name in entry if name not in ("key_ops", "alg")})
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAKey):
        return key if key.raw_value.key_size >= MIN_RSA_BITS else None
    return key if isinstance(key, ECKey | OKPKey) else None


def _expired(entry: Mapping[str, Any], now: datetime) -> bool:
    expires = entry.get("exp")
    return isinstance(expires, int | float) and expires <= now.timestamp()


async def fetch(uri: str) -> bytes:
    """No redirect, and no more than `MAX_BYTES`."""
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(uri, allow_redirects=False, headers={"Accept": "application/json"}) as response,
    ):
        if response.status != 200:
            raise ValueError("not 200")
        body = bytearray()
        async for chunk in response.content.iter_chunked(65_536):
            body += chunk
            if len(body) > MAX_BYTES:
                raise ValueError("too long")
        return bytes(body)
