"""Identity providers for the tests of auth_events: their entries, their secrets, and a receiver on a real database."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import asyncpg
import httpx
from aiohttp import web
from aiohttp.typedefs import Handler
from joserfc import jws
from joserfc.jwk import Key, RSAKey
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette

from schemas.members import ContactV1
from services.auth_events.hooks import Hooks
from services.auth_events.identities import Known, identity_of
from services.auth_events.intake import Intake
from services.auth_events.jwks import Jwks
from services.auth_events.metrics import Metrics, UpstreamMetrics
from services.auth_events.publishers import Publishers
from services.auth_events.reception import Taking
from services.auth_events.upstreams import Upstreams
from services.auth_events.whose import Whose
from services.runtime.clock import FixedClock
from services.runtime.database import Database, close, connect
from services.runtime.outbox import Outbox
from services.runtime.vault import Vault

SAMPLES = Path(__file__).parents[2] / "demo" / "samples"
NOW = datetime(2026, 11, 26, 10, 1, tzinfo=UTC)
KEYCLOAK_SECRET = "s3cr3t"
OKTA_TOKEN = "okta-Zq7SECRET7qZ"
AUTH0_TOKEN = "Bearer auth0-Zq7SECRET7qZ"
REALM = "https://login.example.test/realms/demo"
OKTA = "https://example.okta.test"
AUTH0 = "https://example.auth0.test/"
TRANSMITTER = "https://idp.example.test"
AUDIENCE = "https://notices.example.test/v1/security-events"
ANN = "7e3016a8-2e4e-483c-b9fc-e540adfcf744"
ANN_AT_OKTA = "00uttidj01jqL21aM1d6"
ANN_AT_AUTH0 = "auth0|5f7c8ec7c33c6c004bbafe82"
IDENTITIES = ((REALM, ANN), (OKTA, ANN_AT_OKTA), (AUTH0, ANN_AT_AUTH0), (TRANSMITTER, "7e3016a8"))
Told = dict[str, Any]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def providers_file(path: Path, *, jwks_uri: str = "http://127.0.0.1:9/jwks", per_second: int = 1000) -> Path:
    (path.parent / "keycloak-secret").write_text(f"{KEYCLOAK_SECRET}\n")
    path.write_text(
        f"""
        [[keycloak]]
        name = "demo"
        realm = "demo"
        issuer = "{REALM}"
        brand = "cm"
        secrets = ["file:{path.parent / "keycloak-secret"}"]
        per_second = {per_second}
        [[okta]]
        name = "org"
        issuer = "{OKTA}"
        brand = "cigna-healthcare"
        token_sha256 = ["{sha256(OKTA_TOKEN)}"]
        [[auth0]]
        name = "tenant"
        issuer = "{AUTH0}"
        token_sha256 = ["{sha256(AUTH0_TOKEN)}"]
        [[ssf]]
        name = "idp"
        issuer = "{TRANSMITTER}"
        audience = "{AUDIENCE}"
        jwks_uri = "{jwks_uri}"
        """
    )
    return path


def sample(path: str) -> Any:
    return json.loads((SAMPLES / path).read_text())


def signature(body: bytes) -> str:
    return hmac.new(KEYCLOAK_SECRET.encode(), body, hashlib.sha256).hexdigest()


class Transmitter:
    """A Shared Signals transmitter: its keys as published, and tokens that it signs."""

    def __init__(self) -> None:
        self.key: Key = RSAKey.generate_key(2048, parameters={"kid": "key-1", "use": "sig"})
        self.published: list[dict[str, Any]] = [self.key.as_dict(private=False)]
        self.fetches = 0
        self.fails: Exception | None = None

    async def fetch(self, _: str) -> bytes:
        self.fetches += 1
        if self.fails is not None:
            raise self.fails
        return json.dumps({"keys": self.published}).encode()

    def sign(self, claims: Any, *, key: Any = None, **header: Any) -> bytes:
        whole = {"alg": "RS256", "kid": "key-1", "typ": "secevent+jwt", **header}
        whole = {name: value for name, value in whole.items() if value is not None}
        body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        return jws.serialize_compact(whole, body, key or self.key, algorithms=[whole["alg"]]).encode()


class Receiver:
    """The hooks of auth_events on a real database; what they would relay lies in the outbox. Use with `async with`."""

    def __init__(self, folder: Path, database: str, *, per_second: int = 1000) -> None:
        self.clock = FixedClock(NOW)
        self.transmitter = Transmitter()
        self.registry = CollectorRegistry()
        self.vault = Vault({"test": bytes(32)})
        self._file = providers_file(folder / "providers.toml", per_second=per_second)
        self._dsn = database
        self._seconds = 0.0

    async def __aenter__(self) -> Self:
        self.database: Database = await connect(self._dsn)
        self.outbox = Outbox("auth_events", self.vault)
        self.whose = Whose(self.database, self.outbox, self.vault)
        metrics = (Metrics(self.registry), UpstreamMetrics(self.registry))
        self.metrics = metrics[1]
        self.jwks = Jwks("https://idp.example.test/jwks", self.transmitter.fetch, lambda: self._seconds)
        self.hooks = Hooks(
            Upstreams.read(self._file),
            Taking(self.whose, self.clock).take,
            self.clock,
            {"idp": self.jwks},
            metrics,
        )
        handlers = Intake(Publishers({}), None, metrics[0]).exception_handlers()  # type: ignore[arg-type]
        app = Starlette(routes=self.hooks.routes(), exception_handlers=handlers)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://auth-events")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
        await self.jwks.close()
        await close(self.database)

    def later(self, seconds: float) -> None:
        """On the clock that only grows."""
        self._seconds += seconds

    async def contact(self, member: str = "m-1", version: int = 1, identities: Any = IDENTITIES) -> int:
        known = Known(
            member=member,
            version=version,
            time=self.clock.now(),
            identities=frozenset(identity_of(issuer, subject) for issuer, subject in identities),
        )
        return await self.whose.hear([known], self.clock.now())

    async def keycloak(self, body: bytes | str, sig: str | None = None) -> httpx.Response:
        raw = body if isinstance(body, bytes) else body.encode()
        headers = {"X-Keycloak-Signature": signature(raw) if sig is None else sig, "Content-Type": "application/json"}
        return await self.http.post("/v1/keycloak/events", content=raw, headers=headers)

    async def captured(self, name: str) -> httpx.Response:
        """A capture of Keycloak, posted as it was."""
        capture = sample(f"keycloak/{name}.json")
        headers = {key: value for key, value in capture["headers"].items() if key not in ("Host", "Connection")}
        return await self.http.post("/v1/keycloak/events", content=capture["body_raw"].encode(), headers=headers)

    async def okta(self, document: Any, token: str = OKTA_TOKEN) -> httpx.Response:
        return await self.http.post("/v1/okta/event-hook", json=document, headers={"Authorization": token})

    async def auth0(self, body: bytes, token: str = AUTH0_TOKEN) -> httpx.Response:
        return await self.http.post("/v1/auth0/logs", content=body, headers={"Authorization": token})

    async def security_event(self, token: bytes, media_type: str = "application/secevent+jwt") -> httpx.Response:
        return await self.http.post("/v1/security-events", content=token, headers={"Content-Type": media_type})

    async def told(self) -> list[Told]:
        """What would be relayed, as CloudEvents, in order."""
        rows = await self.database.fetch("SELECT topic, value FROM auth_events.outbox ORDER BY id")
        return [json.loads(self.vault.decrypt(row["value"], f"outbox/{row['topic']}")) for row in rows]

    def metric(self, line: str) -> bool:
        return line in generate_latest(self.registry).decode()


def contact_of(member: str, identities: Any = IDENTITIES, **changes: Any) -> Told:
    """A contact event as published on members.contacts.v1."""
    data = {
        "version": 1,
        "brand": "cm",
        "language": "nl",
        "login_email": "ann@example.test",
        "identities": [{"issuer": issuer, "subject": subject} for issuer, subject in identities],
        **changes,
    }
    ContactV1.model_validate(data)
    return {
        "specversion": "1.0",
        "type": "members.contact.v1",
        "source": "urn:administration",
        "id": f"contact-{member}-{data['version']}",
        "subject": member,
        "time": datetime.now(UTC).isoformat(),
        "data": data,
    }


@asynccontextmanager
async def serving(pages: Mapping[str, Handler]) -> AsyncIterator[str]:
    """A small HTTP server on a free port; yields its address."""
    app = web.Application()
    app.router.add_routes([web.get(path, page) for path, page in pages.items()])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def rows(dsn: str, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()
