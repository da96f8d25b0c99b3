"""A sign-on from a browser that its member has not used in 90 days is told of, once; every other is silent."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.envelope import new_event, read_event
from schemas.identity import SignedOnV1
from services.auth_events.metrics import SignOn
from services.auth_events.sign_ons import Browsers, Visit, visit_of
from tests.support.upstreams import Receiver

T0 = datetime(2026, 8, 1, 9, 0, tzinfo=UTC)
CHROME = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{} Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


@pytest.fixture
async def receiver(tmp_path: Path, database: str) -> AsyncIterator[Receiver]:
    async with Receiver(tmp_path, database) as running:
        yield running


@pytest.fixture
def browsers(receiver: Receiver) -> Browsers:
    return Browsers(receiver.database, receiver.outbox)


def visit(days: float = 0, member: str = "m-1", **said: Any) -> Visit:
    at = T0 + timedelta(days=days)
    document = {"signed_on_at": at, "user_agent": CHROME.format(142), "network": "198.51.100.17"} | said
    event = new_event(
        source="urn:test",
        id=uuid.uuid4().hex,
        type="identity.signed-on.v1",
        subject=member,
        time=at,
        data=SignedOnV1.model_validate({name: value for name, value in document.items() if value is not None}),
    )
    return visit_of(event)  # type: ignore[arg-type]


async def results(browsers: Browsers, *visits: Visit) -> list[SignOn]:
    return [result for each in visits for result in await browsers.see([each])]


async def test_the_first_is_silent_the_same_browser_too_and_another_is_told(
    receiver: Receiver, browsers: Browsers
) -> None:
    found = await results(browsers, visit(), visit(1), visit(2, user_agent=FIREFOX, place="Ghent, Belgium"))
    assert found == ["first", "known", "new"]
    (told,) = await receiver.told()
    assert (told["type"], told["subject"]) == ("identity.new-sign-on-detected.v1", "m-1")
    assert told["data"] == {
        "signed_on_at": "2026-08-03T09:00:00Z",
        "browser": "Firefox",
        "system": "Ubuntu",
        "place": "Ghent, Belgium",
    }
    read_event(told, publishing=True)


async def test_a_browser_is_known_for_90_days_from_each_sign_on(browsers: Browsers) -> None:
    found = await results(browsers, visit(), visit(89), visit(178), visit(178 + 91))
    assert found == ["first", "known", "known", "new"]


async def test_a_browser_not_seen_for_91_days_is_told_also_after_its_row_was_forgotten(
    receiver: Receiver, browsers: Browsers
) -> None:
    await browsers.see([visit()])
    assert await browsers.forget_old(T0 + timedelta(days=90), 100) == 0
    assert await browsers.forget_old(T0 + timedelta(days=92), 100) == 1
    assert await results(browsers, visit(92)) == ["new"]
    assert len(await receiver.told()) == 1


async def test_ten_first_visits_at_once_are_one_notice(receiver: Receiver, browsers: Browsers) -> None:
    await browsers.see([visit()])
    found = await asyncio.gather(*(browsers.see([visit(1, user_agent=FIREFOX)]) for _ in range(10)))
    assert sorted(result for (result,) in found) == ["known"] * 9 + ["new"]
    assert len(await receiver.told()) == 1


async def test_ten_first_visits_ever_at_once_are_silent(receiver: Receiver, browsers: Browsers) -> None:
    found = await asyncio.gather(*(browsers.see([visit()]) for _ in range(10)))
    assert sorted(result for (result,) in found) == ["first"] + ["known"] * 9
    assert await receiver.told() == []


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ({"user_agent": CHROME.format(143)}, "known"),
        ({"network": "198.51.100.250"}, "known"),
        ({"network": "::ffff:198.51.100.9"}, "known"),
        ({"network": "198.51.101.17"}, "new"),
        ({"device_id": "d-1"}, "new"),
        ({"user_agent": None, "network": None}, "indistinct"),
        ({"user_agent": "???", "network": None}, "indistinct"),
    ],
)
async def test_what_makes_a_browser_another(browsers: Browsers, said: dict[str, Any], result: SignOn) -> None:
    assert await results(browsers, visit(), visit(1, **said)) == ["first", result]


async def test_the_providers_id_of_a_browser_is_known_from_any_network(browsers: Browsers) -> None:
    one, other = visit(device_id="d-1"), visit(1, device_id="d-1", network="203.0.113.1", user_agent=FIREFOX)
    assert await results(browsers, one, other) == ["first", "known"]


async def test_an_address_of_ipv6_is_known_by_its_site(browsers: Browsers) -> None:
    addresses = ("2001:db8:1:2::3", "2001:db8:1:ffff::1%eth0", "2001:db8:2::1")
    assert await results(browsers, *(visit(network=address) for address in addresses)) == ["first", "known", "new"]


async def test_a_sign_on_that_comes_again_is_silent(receiver: Receiver, browsers: Browsers) -> None:
    again = visit(1, user_agent=FIREFOX)
    assert await results(browsers, visit(), again, again) == ["first", "new", "known"]
    assert len(await receiver.told()) == 1


async def test_nothing_is_kept_that_a_browser_sent(receiver: Receiver, browsers: Browsers) -> None:
    await browsers.see([visit(), visit(1, user_agent=FIREFOX, network="203.0.113.1")])
    rows = await receiver.database.fetch("SELECT * FROM auth_events.browsers")
    assert {len(row["browser"]) for row in rows} == {32}
    assert set(rows[0].keys()) == {"member_id", "browser", "last_seen_at"}


async def test_the_same_browser_of_two_members_is_two_rows_that_nobody_can_match(
    receiver: Receiver, browsers: Browsers
) -> None:
    await browsers.see([visit(), visit(member="m-2")])
    assert await receiver.database.fetchval("SELECT count(DISTINCT browser) FROM auth_events.browsers") == 2
