"""A real Keycloak posts to auth_events what a member and an administrator do: on Kafka it is there once.

`make test-keycloak`; no part of `make test`. Writes a dated report into docs/reports when all of it holds.
"""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.topics import SECURITY
from tests.keycloak.realm import Realm
from tests.keycloak.server import EVENTS, KEYCLOAK, Keycloak
from tests.support.auth_events import AuthEvents
from tests.support.kafka import Record, Tape
from tests.support.upstreams import contact_of
from tests.support.waiting import wait_for

REPORTS = Path(__file__).parents[2] / "docs" / "reports"
TOLD = {
    "identity.email-address-changed.v1": 1,
    "identity.password-reset.v1": 1,
    "identity.password-changed.v1": 1,
    "identity.account-locked.v1": 1,
}


@pytest.fixture(scope="module")
async def keycloak(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Keycloak]:
    async with Keycloak(tmp_path_factory.mktemp("keycloak")) as running:
        yield running


async def test_what_happens_at_keycloak_is_told_once(
    keycloak: Keycloak, kafka: str, database: str, tmp_path: Path
) -> None:
    realm = await asyncio.to_thread(Realm, keycloak.url)
    secret = secrets.token_hex(16)
    (tmp_path / "secret").write_text(secret)
    providers = tmp_path / "providers.toml"
    providers.write_text(
        f'[[keycloak]]\nname = "live"\nrealm = "demo"\nissuer = "{realm.issuer}"\nbrand = "cm"\n'
        f'secrets = ["file:{tmp_path / "secret"}"]\n'
    )
    async with (
        AuthEvents(tmp_path, kafka=kafka, database=database, providers=providers) as service,
        Tape(kafka, SECURITY.name) as tape,
    ):
        webhook = f"{service.http.base_url}/v1/keycloak/events".replace("//v1", "/v1")
        await asyncio.to_thread(realm.create, webhook, secret)
        member = f"m-{realm.user}"[:40]
        document = contact_of(member, [(realm.issuer, realm.user)])
        assert (await service.post(document, token=service.file.administration)).status_code == 202

        assert (await asyncio.to_thread(realm.sign_on)).status_code == 200
        await asyncio.to_thread(realm.change_email, "ann2@example.test")
        await asyncio.to_thread(realm.reset_password_by_administrator, "two-Three-4")
        await asyncio.to_thread(realm.sign_on_and_change_password, "three-Four-5")
        await asyncio.to_thread(realm.lock)

        def told(records: list[Record]) -> Counter[str]:
            mine = [record for record in records if record.key == member.encode()]
            return Counter(json.loads(record.value or b"")["type"] for record in mine)

        try:
            await tape.until(lambda records: told(records) >= Counter(TOLD), "everything that happened")
            fates = await wait_for(lambda: _twins(service), "twin of the changed password")
        finally:
            print(told(tape.records), service.log[-6000:])
        assert told(await tape.rest()) == TOLD
        assert not service.lines("upstream_refused")
        assert secret not in service.log
    await asyncio.to_thread(realm.close)
    (REPORTS / f"{datetime.now(UTC):%Y-%m-%d}-keycloak.md").write_text(_report(fates))


async def _twins(service: AuthEvents) -> list[str]:
    """What the service counted, once the twin is among it."""
    lines = (await service.http.get("/metrics")).text.splitlines()
    ours = [line for line in lines if line.startswith(("auth_events_upstream_", "auth_events_sign_ons_total"))]
    counted = [line for line in ours if "_created" not in line]
    return counted if any('fate="twin"' in line for line in counted) else []


def _report(counted: list[str]) -> str:
    rows = "\n".join(f"| `{type_}` | {count} |" for type_, count in TOLD.items())
    metrics = "\n".join(f"    {line}" for line in sorted(counted))
    return f"""# Keycloak, live, {datetime.now(UTC):%d %B %Y}

By `make test-keycloak`: Keycloak {KEYCLOAK} with keycloak-events {EVENTS}, its webhook pointed at auth_events on a real
Kafka and PostgreSQL. A member signed on, changed her address in her account, signed on with the password that an
administrator had reset, chose another (UPDATE_CREDENTIAL and UPDATE_PASSWORD), and was locked out after wrong ones. On
`identity.security.v1`, and nothing else of her:

| event | |
|---|---|
{rows}

What auth_events counted:

{metrics}
"""
