"""Four identity providers as they are: what they send of Ann (`samples/`), of others, stamped and signed anew."""

import asyncio
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from joserfc import jws
from joserfc.jwk import ECKey

from demo import client

SAMPLES = Path(__file__).parent / "samples"
ANN = {
    "keycloak": "7e3016a8-2e4e-483c-b9fc-e540adfcf744",
    "okta": "00uttidj01jqL21aM1d6",
    "auth0": "auth0|5f7c8ec7c33c6c004bbafe82",
    "ssf": "7e3016a8",
}
"""Who she is at each provider."""
ANNS_ADDRESS = "ann@example.test"
ISSUERS = {
    "keycloak": "https://login.example.test/realms/demo",
    "okta": "https://example.okta.test",
    "auth0": "https://example.auth0.test/",
    "ssf": "https://idp.example.test",
}
LABELS = {"keycloak": "Keycloak", "okta": "Okta", "auth0": "Auth0", "ssf": "Shared Signals"}
SOURCE_OF = {name: f"urn:member-notices:upstream:{name}:demo" for name in ISSUERS}
"""Of the events that auth-events makes of theirs."""
AUDIENCE = "https://notices.example.test/v1/security-events"
NOTHING: Mapping[str, str] = {}
APART = timedelta(milliseconds=1)
"""Between events of one delivery."""
TRIES = 10
AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    email: str

    def at(self, provider: str) -> str:
        """Who this is at a provider: the subject of an identity."""
        name = uuid.uuid5(uuid.NAMESPACE_URL, self.id)
        forms = {"keycloak": f"{name}", "okta": f"00u{name.hex[:17]}", "auth0": f"auth0|{name.hex[:24]}"}
        return forms.get(provider, name.hex[:8])


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request. `ids`: of what it says, as auth-events names it."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    ids: tuple[str, ...]


class Providers:
    """Use with `async with`: meanwhile the transmitter publishes its key, and `file` says who they are."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "providers.toml"
        self._folder = folder
        self._secret = secrets.token_hex(16)
        self._tokens = {"okta": secrets.token_urlsafe(16), "auth0": f"Bearer {secrets.token_urlsafe(16)}"}
        self._key = ECKey.generate_key("P-256", parameters={"kid": "demo", "use": "sig"})
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/jwks.json", self._publish)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._write(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def delivery(
        self, provider: str, sample: str, person: Person, at: datetime, instead: Mapping[str, str] = NOTHING
    ) -> Delivery:
        """`at`: of its first event. `instead`: other texts that stand in the sample, and what to say there."""
        (file,) = (SAMPLES / provider).glob(f"{sample}.*")
        text = file.read_text("utf-8")
        for said, says in ({ANN[provider]: person.at(provider), ANNS_ADDRESS: person.email} | dict(instead)).items():
            text = text.replace(said, says)
        document = [json.loads(line) for line in text.splitlines()] if file.suffix == ".jsonl" else json.loads(text)
        makers = {"keycloak": self._keycloak, "okta": self._okta, "auth0": self._auth0, "ssf": self._set}
        return makers[provider](document, at)

    def _keycloak(self, capture: Any, at: datetime) -> Delivery:
        event = capture["body"] | {"id": str(uuid.uuid4()), "time": round(at.timestamp() * 1000)}
        body = json.dumps(event).encode()
        headers = self.proof("keycloak", body) | {"Content-Type": "application/json"}
        return Delivery("/v1/keycloak/events", headers, body, (event["id"],))

    def _okta(self, hook: Any, at: datetime) -> Delivery:
        transaction = uuid.uuid4().hex
        ids: dict[str, None] = {}
        for number, event in enumerate(hook["data"]["events"]):
            event |= {"uuid": str(uuid.uuid4()), "published": (at + number * APART).isoformat()}
            event["transaction"]["id"] = transaction
            reset = event["eventType"] == "user.mfa.factor.deactivate"
            ids[f"factors/{transaction}/{event['target'][0]['id']}" if reset else event["uuid"]] = None
        body = json.dumps(hook).encode()
        headers = self.proof("okta", body) | {"Content-Type": "application/json"}
        return Delivery("/v1/okta/event-hook", headers, body, tuple(ids))

    def _auth0(self, logs: Any, at: datetime) -> Delivery:
        """As JSON lines, whichever of the three forms the sample has."""
        logs = logs if isinstance(logs, list) else [logs]
        for number, log in enumerate(logs):
            log["log_id"] = log["data"]["log_id"] = uuid.uuid4().hex
            log["data"]["date"] = (at + number * APART).isoformat()
        body = "\n".join(map(json.dumps, logs)).encode()
        headers = self.proof("auth0", body) | {"Content-Type": "application/json"}
        return Delivery("/v1/auth0/logs", headers, body, tuple(log["log_id"] for log in logs))

    def _set(self, claims: Any, at: datetime) -> Delivery:
        now = int(at.timestamp())
        claims |= {"jti": uuid.uuid4().hex, "iat": now}
        for event in claims["events"].values():
            if "event_timestamp" in event:
                event["event_timestamp"] = now
        headers = {"Content-Type": "application/secevent+jwt"}
        return Delivery("/v1/security-events", headers, self.token(json.dumps(claims).encode()), (claims["jti"],))

    def proof(self, provider: str, body: bytes) -> dict[str, str]:
        """The header that proves the body to be the provider's; a token proves itself."""
        match provider:
            case "keycloak":
                return {"X-Keycloak-Signature": hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()}
            case "okta" | "auth0":
                return {"Authorization": self._tokens[provider]}
            case _:
                return {}

    def token(self, claims: bytes) -> bytes:
        header = {"alg": "ES256", "kid": "demo", "typ": "secevent+jwt"}
        return jws.serialize_compact(header, claims, self._key, algorithms=["ES256"]).encode()

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self._secret, *self._tokens.values())

    async def _publish(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [self._key.as_dict(private=False)]})

    def _write(self, port: int) -> None:
        secret = self._folder / "keycloak-secret"
        secret.write_text(self._secret)
        own = {
            "keycloak": f'realm = "demo"\nbrand = "cm"\nsecrets = ["file:{secret}"]',
            "okta": f'brand = "cigna-healthcare"\ntoken_sha256 = ["{_sha256(self._tokens["okta"])}"]',
            "auth0": f'token_sha256 = ["{_sha256(self._tokens["auth0"])}"]',
            "ssf": f'audience = "{AUDIENCE}"\njwks_uri = "http://127.0.0.1:{port}/jwks.json"',
        }
        entries = (f'[[{name}]]\nname = "demo"\nissuer = "{ISSUERS[name]}"\n{rest}\n' for name, rest in own.items())
        self.file.write_text("\n".join(entries))


def identities(person: Person, providers: Sequence[str]) -> tuple[Mapping[str, str], ...]:
    """As a contact says them."""
    return tuple({"issuer": ISSUERS[name], "subject": person.at(name)} for name in providers)


async def deliver(auth_events: str, delivery: Delivery) -> None:
    """As they do it: a 503 is sent again, anything else but 2xx is a `client.AnswerError`."""
    for left in reversed(range(TRIES)):
        try:
            await client.post(auth_events + delivery.path, delivery.body, delivery.headers)
        except client.AnswerError as error:
            if error.status != 503 or not left:
                raise
            await asyncio.sleep(AGAIN_SECONDS)
        else:
            return


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
