"""auth_events is killed wherever a provider's event could be lost or doubled: each is told once."""

import uuid
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.envelope import read_record
from schemas.topics import SECURITY
from tests.support.auth_events import AuthEvents
from tests.support.kafka import Record, Tape
from tests.support.notifier import VAULT_KEYS
from tests.support.upstreams import OKTA, OKTA_TOKEN, contact_of, providers_file, sample
from tests.support.waiting import wait_for

POINTS = ("upstream-taken-before-commit", "contact-heard-before-commit", "sign-ons-seen-before-commit")
TOLD = {"identity.account-locked.v1": 1, "identity.new-sign-on-detected.v1": 1}


class Story:
    """A lock before its contact, the contact, a first browser and another: the same each time it is told."""

    def __init__(self) -> None:
        self.member, self.user = f"m-{uuid.uuid4().hex[:12]}", uuid.uuid4().hex
        self._contact = contact_of(self.member, [(OKTA, self.user)])
        browsers = [{"debugContext": {"debugData": {"deviceFingerprint": device}}} for device in ("d-1", "d-2")]
        self._deliveries = [
            self._delivery("locked"),
            *(self._delivery("session-start", **browser) for browser in browsers),
        ]

    async def tell(self, service: AuthEvents) -> None:
        lock, *sign_ons = self._deliveries
        await self._hook(service, lock)
        assert (await service.post(self._contact, token=service.file.administration)).status_code == 202
        for sign_on in sign_ons:
            await self._hook(service, sign_on)

    def told(self, records: list[Record]) -> Counter[str]:
        """Types by the ids on the topic: a record that the relay repeats is one."""
        mine = [read_record(each.headers, each.value) for each in records if each.key == self.member.encode()]
        return Counter({event.id: event.type for event in mine}.values())

    def _delivery(self, name: str, **changes: Any) -> Any:
        document = sample(f"okta/{name}.json")
        (event,) = document["data"]["events"]
        event |= {"uuid": uuid.uuid4().hex, "published": datetime.now(UTC).isoformat(), **changes}
        event["target"] = [{"type": "User", "id": self.user}]
        return document

    async def _hook(self, service: AuthEvents, document: Any) -> None:
        headers = {"Authorization": OKTA_TOKEN}
        assert (await service.http.post("/v1/okta/event-hook", json=document, headers=headers)).status_code == 204


@pytest.mark.parametrize("point", POINTS)
async def test_what_a_provider_sent_is_told_once_though_it_died_there(
    point: str, kafka: str, database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    story, group = Story(), f"test-{uuid.uuid4()}"
    hits = tmp_path_factory.mktemp("hits") / "hits"
    dying = {"DELIVERY_MODE": "capture", "FAILPOINTS_LOG": str(hits), "FAILPOINTS": f"{point}:kill"}
    async with Tape(kafka, SECURITY.name) as tape:
        async with _service(tmp_path_factory.mktemp("killed"), kafka, database, group, dying) as killed:
            with suppress(httpx.TransportError):  # it died before it answered: Okta sends again
                await story.tell(killed)
            await wait_for(killed._ended, "end of auth_events", within_seconds=120)
        async with _service(tmp_path_factory.mktemp("again"), kafka, database, group, {}) as again:
            await story.tell(again)
            # A dead member of a group is missed after its session time-out, 30 s.
            await tape.until(lambda records: story.told(records) >= Counter(TOLD), "both", within_seconds=180)
            assert story.told(await tape.rest()) == TOLD
    assert len(hits.read_text().splitlines()) == 1


def _service(folder: Path, kafka: str, database: str, group: str, more: dict[str, str]) -> AuthEvents:
    """One life; every life has the same keys and the same group."""
    providers = providers_file(folder / "providers.toml")
    life = AuthEvents(folder, kafka=kafka, database=database, providers=providers)
    life._environment |= {"VAULT_KEYS": VAULT_KEYS, "AUTH_EVENTS_KAFKA_GROUP": group, **more}
    return life
