"""A canary code through the real path: what it measures, why it fails, and what it leaves alone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.catcher import Catcher, Fault
from services.notifier.ledger.promise import Promise
from services.notifier.metrics import REGISTRY as NOTIFIER
from services.probe.main import Probe, once, record
from services.probe.metrics import REGISTRY as PROBE
from services.probe.settings import ProbeSettings
from services.runtime.database import connect
from services.runtime.kafka import producer_of
from services.runtime.publisher import Publisher
from tests.support.auth_events import AuthEvents
from tests.support.house import House
from tests.support.notifier import event_of, fresh_group, upstream
from tests.support.waiting import wait_for

PORTAL = "https://www.cignahealthbenefits.com/"
CANARY = "member-notices-canary"
ADDRESS = "canary@example.test"


@pytest.fixture
async def house(kafka: str, database: str) -> AsyncIterator[House]:
    group = await fresh_group(kafka)
    async with Catcher() as catcher, upstream(kafka) as up:
        yield House(kafka, database, catcher, up, group)


@pytest.fixture
def lines() -> list[str]:
    return []


def settings(kafka: str, **more: Any) -> ProbeSettings:
    values = {"kafka_bootstrap_servers": kafka, "probe_url": PORTAL, "probe_address": ADDRESS, **more}
    return ProbeSettings(**values)


def sent(lane: str) -> float:
    return NOTIFIER.get_sample_value("notifier_sent_after_seconds_count", {"lane": lane, "channel": "email"}) or 0.0


def failures(reason: str) -> float:
    return PROBE.get_sample_value("probe_failures_total", {"reason": reason}) or 0.0


async def test_a_canary_that_arrives_says_how_long_it_took_and_counts_for_no_members_promise(
    house: House, lines: list[str]
) -> None:
    members, canaries = sent("codes"), sent("canary")
    async with house.notifier():
        assert await once(settings(house.kafka), lines.append) == 0
    (line,) = lines
    assert line.startswith("handed over after ")
    (mail,) = house.catcher.mails_to(ADDRESS)
    assert "CANARY-000" in mail.text
    assert sent("canary") == canaries + 1
    assert sent("codes") == members


async def test_a_canary_goes_in_at_auth_events_as_an_upstream_does(
    house: House, lines: list[str], tmp_path: Path
) -> None:
    async with AuthEvents(tmp_path, kafka=house.kafka, database=house.database) as service, house.notifier():
        by_http = settings(
            house.kafka,
            auth_events_url=str(service.http.base_url),
            auth_events_token=service.file.login,
            probe_source="https://login.example.test/probe",
        )
        assert await once(by_http, lines.append) == 0, lines


async def test_a_canary_that_auth_events_refuses_is_not_accepted(
    house: House, lines: list[str], tmp_path: Path
) -> None:
    async with AuthEvents(tmp_path, kafka=house.kafka, database=house.database) as service:
        stranger = settings(
            house.kafka, auth_events_url=str(service.http.base_url), auth_events_token="no-token-of-theirs"
        )
        assert await once(stranger, lines.append) == 1
    assert lines == ["not-accepted"]


async def test_a_canary_that_nobody_sends_has_no_outcome(house: House, lines: list[str]) -> None:
    assert await once(settings(house.kafka, probe_give_up_seconds=1), lines.append) == 1
    assert lines == ["no-outcome"]


async def test_a_canary_that_the_relay_refuses_for_good_failed(house: House, lines: list[str]) -> None:
    house.catcher.misbehave(Fault(at="rcpt", reply="554 5.7.1 Not from here"))
    async with house.notifier():
        assert await once(settings(house.kafka), lines.append) == 1
    assert lines == ["failed"]


async def test_a_canary_that_takes_longer_than_a_member_would_wait_is_late_and_measured(house: House) -> None:
    values = settings(house.kafka, probe_late_seconds=0.001)
    publisher = Publisher(lambda: producer_of(values, "probe"))
    before, measured = failures("late"), PROBE.get_sample_value("probe_seconds_count") or 0
    async with house.notifier():
        record(await Probe(values, publisher).go())
    await publisher.stop()
    assert failures("late") == before + 1
    assert PROBE.get_sample_value("probe_seconds_count") == measured + 1


async def test_where_kafka_is_away_a_canary_is_not_accepted(lines: list[str]) -> None:
    assert await once(settings("127.0.0.1:1"), lines.append) == 1
    assert lines == ["not-accepted"]


async def test_what_is_open_by_notice_leaves_the_canary_out(house: House) -> None:
    member = house.member()
    at = datetime.now(UTC)
    for whose in (member, CANARY):
        await house.upstream.contact(whose, version=int(at.timestamp()) + 1)
    house.catcher.misbehave(Fault(at="rcpt", reply="450 4.2.0 Try again later", times=None))
    async with house.notifier():
        for whose in (member, CANARY):
            await house.upstream.publish(
                event_of(
                    "identity.verification-code-issued.v1",
                    whose,
                    id=f"{whose}-{at.timestamp()}",
                    time=at,
                    channel="email",
                    code="246810",
                    url=PORTAL,
                    purpose="sign-in",
                    expires_at=at + timedelta(minutes=15),
                )
            )
        for whose in (member, CANARY):
            await wait_for(lambda whose=whose: house.attempts(whose), "refused hand-over")  # type: ignore[misc]
        database = await connect(house.database, size=1)
        try:
            work = await Promise(database, CANARY).open_work()
            assert [(each.notice, each.count) for each in work] == [("one-time-verification-code", 1)]
            assert (await Promise(database, CANARY).backlog()).expired == {}
        finally:
            await database.close()
