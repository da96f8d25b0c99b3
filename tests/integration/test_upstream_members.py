"""Whose event it is: it waits for the contact that says so, encrypted, not for ever, and is never lost in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.auth_events.identities import Known
from tests.support.upstreams import ANN, OKTA, REALM, Receiver, sample


@pytest.fixture
async def receiver(tmp_path: Path, database: str) -> AsyncIterator[Receiver]:
    async with Receiver(tmp_path, database) as running:
        yield running


async def test_an_event_waits_for_its_member_and_is_told_when_the_contact_comes(receiver: Receiver) -> None:
    await receiver.okta(sample("okta/password-changed.json"))
    assert await receiver.told() == []
    receiver.clock.at += timedelta(hours=71)
    assert await receiver.contact("m-7") == 1
    (told,) = await receiver.told()
    assert (told["subject"], told["time"]) == ("m-7", "2026-11-26T10:00:01.129000Z")
    assert await receiver.contact("m-7", 2) == 0


async def test_what_waits_is_encrypted_and_ends_visibly_when_nobody_claims_it(receiver: Receiver) -> None:
    await receiver.okta(sample("okta/email-changed.json"))
    (row,) = await receiver.database.fetch("SELECT payload FROM auth_events.waiting")
    assert b"ann" not in row["payload"]
    assert (await receiver.whose.waiting(receiver.clock.now())).count == 1
    receiver.clock.at += timedelta(hours=72)
    with capture_logs() as logs:
        assert await receiver.whose.end_waiting(receiver.clock.now(), 100) == 1
    assert [line["event"] for line in logs] == ["no_contact_for_event"]
    (row,) = await receiver.database.fetch("SELECT payload, ended_at FROM auth_events.waiting")
    assert row["payload"] is None
    assert row["ended_at"] is not None
    assert await receiver.contact() == 0
    assert await receiver.told() == []


async def test_a_deleted_account_whose_contact_is_gone_already_is_told_to_the_address_named(
    receiver: Receiver,
) -> None:
    await receiver.okta(sample("okta/deleted.json"))
    (told,) = await receiver.told()
    assert told["subject"].startswith("user-")
    assert told["data"]["email"] == "ann@example.test"
    assert told["data"]["brand"] == "cigna-healthcare"


async def test_an_event_that_comes_while_its_contact_comes_is_never_lost(receiver: Receiver) -> None:
    document = sample("okta/password-changed.json")
    for number in range(20):
        event = document["data"]["events"][0] | {"uuid": f"event-{number}", "target": None}
        event["target"] = [{"id": f"user-{number}", "type": "User"}]
        event["actor"] = {"id": f"user-{number}", "type": "User"}
        await asyncio.gather(
            receiver.okta({"data": {"events": [event]}}),
            receiver.contact(f"m-{number}", 1, [(OKTA, f"user-{number}")]),
        )
    assert {event["subject"] for event in await receiver.told()} == {f"m-{number}" for number in range(20)}


async def test_an_older_version_of_a_contact_changes_nothing(receiver: Receiver) -> None:
    await receiver.contact("m-1", 2)
    await receiver.contact("m-1", 1, [])
    await receiver.okta(sample("okta/locked.json"))
    assert [event["subject"] for event in await receiver.told()] == ["m-1"]


async def test_a_tombstone_forgets_and_an_old_one_forgets_nothing_newer(receiver: Receiver) -> None:
    await receiver.contact("m-1")

    def tombstone(at: datetime) -> Known:
        return Known(member="m-1", version=None, time=at)

    await receiver.whose.hear([tombstone(receiver.clock.now() - timedelta(hours=1))], receiver.clock.now())
    assert await receiver.database.fetchval("SELECT count(*) FROM auth_events.identities") == 4
    await receiver.whose.hear([tombstone(receiver.clock.now())], receiver.clock.now())
    for table in ("identities", "members"):
        assert await receiver.database.fetchval(f"SELECT count(*) FROM auth_events.{table}") == 0  # noqa: S608


async def test_an_identity_that_moves_belongs_to_the_later_contact(receiver: Receiver) -> None:
    await receiver.contact("m-1", 1, [(REALM, ANN)])
    receiver.clock.at += timedelta(seconds=1)
    await receiver.contact("m-2", 1, [(REALM, ANN)])
    capture = sample("keycloak/admin_USER-ACTION.json")["body"]
    receiver.clock.at = datetime.fromtimestamp(capture["time"] / 1000, UTC)
    await receiver.captured("admin_USER-ACTION")
    assert [event["subject"] for event in await receiver.told()] == ["m-2"]
