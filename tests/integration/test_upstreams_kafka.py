"""Providers' events through the process, on the real broker: whose they are, and who signs on from where."""

import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from schemas.topics import AUTH_EVENTS_DEAD_LETTERS, CONTACTS, SECURITY
from services.runtime.kafka import producer_of
from services.runtime.settings import KafkaSettings
from tests.support.auth_events import AuthEvents
from tests.support.kafka import Record, Tape
from tests.support.upstreams import (
    AUTH0,
    AUTH0_TOKEN,
    OKTA,
    OKTA_TOKEN,
    REALM,
    TRANSMITTER,
    Transmitter,
    contact_of,
    providers_file,
    rows,
    sample,
    serving,
    signature,
)
from tests.support.waiting import wait_for


@pytest.fixture
def transmitter() -> Transmitter:
    return Transmitter()


@pytest.fixture
async def service(kafka: str, database: str, tmp_path: Path, transmitter: Transmitter) -> AsyncIterator[AuthEvents]:
    async def jwks(_: web.Request) -> web.Response:
        return web.Response(body=await transmitter.fetch(""), content_type="application/json")

    async with serving({"/jwks": jwks}) as base:
        providers = providers_file(tmp_path / "providers.toml", jwks_uri=f"{base}/jwks")
        async with AuthEvents(tmp_path, kafka=kafka, database=database, providers=providers) as running:
            yield running


class Member:
    """A member with a user of her own at each provider, and what the provider sends of her now."""

    def __init__(self, service: AuthEvents, database: str) -> None:
        self.id = f"m-{uuid.uuid4().hex[:12]}"
        self.user = uuid.uuid4().hex
        self._service = service
        self._database = database

    async def contact(self) -> None:
        document = contact_of(self.id, [(issuer, self.user) for issuer in (REALM, OKTA, AUTH0, TRANSMITTER)])
        response = await self._service.post(document, token=self._service.file.administration)
        assert response.status_code == 202

        async def known() -> list[Any]:
            return await rows(self._database, f"SELECT FROM auth_events.identities WHERE member_id = '{self.id}'")

        await wait_for(known, "identity of the member")

    async def okta(self, name: str, **changes: Any) -> None:
        document = sample(f"okta/{name}.json")
        for event in document["data"]["events"]:
            event |= {"uuid": uuid.uuid4().hex, "published": datetime.now(UTC).isoformat(), **changes}
            event["target"] = [{"type": "User", "id": self.user}]
            event["actor"] = {"type": "User", "id": self.user}
        response = await self._service.http.post(
            "/v1/okta/event-hook", json=document, headers={"Authorization": OKTA_TOKEN}
        )
        assert response.status_code == 204

    async def keycloak(self, name: str) -> None:
        body = sample(f"keycloak/{name}.json")["body"]
        body |= {"id": uuid.uuid4().hex, "time": int(datetime.now(UTC).timestamp() * 1000)}
        body["authDetails"]["userId"] = self.user
        raw = json.dumps(body).encode()
        response = await self._service.http.post(
            "/v1/keycloak/events", content=raw, headers={"X-Keycloak-Signature": signature(raw)}
        )
        assert response.status_code == 202

    def types(self, records: list[Record]) -> list[str]:
        return [json.loads(record.value or b"")["type"] for record in records if record.key == self.id.encode()]


async def test_an_event_before_its_contact_is_told_when_the_contact_comes(
    service: AuthEvents, kafka: str, database: str
) -> None:
    member = Member(service, database)
    async with Tape(kafka, SECURITY.name) as tape:
        await member.okta("password-changed")
        await member.keycloak("access_UPDATE_CREDENTIAL")
        await member.keycloak("access_UPDATE_PASSWORD")
        assert member.types(await tape.rest()) == []
        await member.contact()
        records = await tape.until(lambda records: len(member.types(records)) >= 2, "what waited")
        assert member.types(records) == ["identity.password-changed.v1"] * 2
        await member.okta("locked")
        await tape.until(lambda records: member.types(records)[2:] == ["identity.account-locked.v1"], "lock")


async def test_what_auth0_and_a_transmitter_send_is_told_once(
    service: AuthEvents, kafka: str, database: str, transmitter: Transmitter
) -> None:
    member = Member(service, database)
    await member.contact()
    now = datetime.now(UTC)
    log = sample("auth0/array.json")[1]
    log |= {"log_id": uuid.uuid4().hex, "data": log["data"] | {"user_id": member.user, "date": now.isoformat()}}
    subject = {"format": "iss_sub", "iss": TRANSMITTER, "sub": member.user}
    claims = sample("ssf/security-key-created.json") | {"jti": uuid.uuid4().hex, "sub_id": subject}
    claims["iat"] = int(now.timestamp())
    for payload in claims["events"].values():
        payload["event_timestamp"] = int(now.timestamp())
    media_type = {"Content-Type": "application/secevent+jwt"}
    async with Tape(kafka, SECURITY.name) as tape:
        for _ in range(2):
            response = await service.http.post("/v1/auth0/logs", json=log, headers={"Authorization": AUTH0_TOKEN})
            assert response.status_code == 202
            token = transmitter.sign(claims)
            response = await service.http.post("/v1/security-events", content=token, headers=media_type)
            assert (response.status_code, response.content) == (202, b"")
        await tape.until(lambda records: len(member.types(records)) == 2, "both")
        await member.okta("password-changed")
        records = await tape.until(lambda records: len(member.types(records)) > 2, "what came after them")
    assert member.types(records) == [
        "identity.account-locked.v1",
        "identity.security-method-enrolled.v1",
        "identity.password-changed.v1",
    ]
    assert transmitter.fetches == 1


async def test_a_second_browser_is_told_of_and_the_first_is_not(service: AuthEvents, kafka: str, database: str) -> None:
    member = Member(service, database)
    await member.contact()
    async with Tape(kafka, SECURITY.name) as tape:
        for device in ("d-1", "d-1", "d-2", "d-2"):
            await member.okta("session-start", debugContext={"debugData": {"deviceFingerprint": device}})
        # Behind the four in the outbox and on its topic: when it was looked at, so were they.
        await tape.until(lambda records: len(member.types(records)) == 1, "new sign-on")
        await wait_for(lambda: _counted(service, 4), "four sign-ons looked at")
        records = await tape.rest()
    (told,) = [json.loads(record.value or b"") for record in records if record.key == member.id.encode()]
    assert told["type"] == "identity.new-sign-on-detected.v1"
    assert told["data"]["browser"] == "Chrome"
    assert told["data"]["place"] == "Brussels, Belgium"
    assert "Mozilla" not in json.dumps(told)


async def _counted(service: AuthEvents, count: int) -> bool:
    metrics = (await service.http.get("/metrics")).text
    found = [
        float(line.rpartition(" ")[2]) for line in metrics.splitlines() if line.startswith("auth_events_sign_ons_total")
    ]
    return sum(found) >= count


async def test_a_contact_that_cannot_be_read_is_a_dead_letter_and_its_neighbours_are_heard(
    service: AuthEvents, kafka: str, database: str
) -> None:
    member = Member(service, database)
    async with Tape(kafka, AUTH_EVENTS_DEAD_LETTERS.name) as tape:
        producer = producer_of(KafkaSettings(kafka_bootstrap_servers=kafka), "test")
        async with producer:
            await producer.send_and_wait(CONTACTS.name, key=member.id.encode(), value=b"{")
        await member.contact()
        await tape.until(lambda records: any(record.key == member.id.encode() for record in records), "dead letter")


async def test_nothing_of_a_request_is_in_the_log_of_the_process(service: AuthEvents, database: str) -> None:
    member = Member(service, database)
    await member.contact()
    await member.okta("email-changed")
    await member.keycloak("access_UPDATE_PROFILE_2")
    for value in (OKTA_TOKEN, "s3cr3t", "ann@example.test", "ann2@example.test", member.user, "198.51.100.17"):
        assert value not in service.log
    assert not service.lines("request_failed")


async def test_an_address_with_a_slash_too_many_sends_nobody_and_no_secret_elsewhere(service: AuthEvents) -> None:
    for path in ("/v1/events/", "/v1/okta/event-hook/", "/v1/auth0/logs/"):
        response = await service.http.post(path, headers={"Authorization": OKTA_TOKEN, "Host": "elsewhere.test"})
        assert (response.status_code, "location" in response.headers) == (404, False)


async def test_without_a_providers_file_its_addresses_are_not_there(kafka: str, database: str, tmp_path: Path) -> None:
    async with AuthEvents(tmp_path, kafka=kafka, database=database) as service:
        for path in ("/v1/keycloak/events", "/v1/okta/event-hook", "/v1/auth0/logs", "/v1/security-events"):
            assert (await service.http.post(path)).status_code == 404
