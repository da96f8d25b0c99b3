"""A relay that puts off, refuses, stops and comes back: each notice arrives once, or the ledger says why it did not."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from schemas.envelope import Event
from schemas.types import Data
from services.notifier.bounce_command import bounce
from services.runtime.clock import SystemClock
from tests.mta.arrived import Arrived
from tests.mta.conftest import MEMBERS, PUT_OFF_TIMES
from tests.mta.greylist import Greylist
from tests.mta.occasions import DOMAIN
from tests.mta.postfix import BOUNCES, GONE, Postfix, handing_to
from tests.support.commands import Printed, process_settings
from tests.support.house import House
from tests.support.letters import complaint, letter_due
from tests.support.notifier import VAULT_KEYS, contact, event_of
from tests.support.waiting import wait_for

ALL_WITHIN_SECONDS = 90.0
UNKNOWN = "SELECT count(*) FROM notifier.attempts WHERE result IN ('unknown', 'lost-lease')"


def locked(member: str, n: int = 1) -> Event[Data]:
    now = SystemClock().now()
    return event_of("identity.account-locked.v1", member, id=f"{member}-locked-{n}", time=now, locked_at=now)


def address(member: str) -> str:
    return f"{member}@{DOMAIN}"


async def introduce(house: House, members: Sequence[str], **data: Any) -> None:
    await house.upstream.publish(*(contact(member, **{"login_email": address(member), **data}) for member in members))


async def states(house: House) -> Counter[tuple[str, str | None]]:
    rows = await _ask(house, "SELECT state, reason FROM notifier.notifications")
    return Counter((row["state"], row["reason"]) for row in rows)


async def _ask(house: House, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(house.database)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


async def all_sent(house: House, count: int) -> None:
    async def sent() -> bool:
        return (await states(house))["sent", None] == count

    await wait_for(sent, f"{count} sent", within_seconds=ALL_WITHIN_SECONDS)


async def test_what_a_greylist_puts_off_arrives_once(postfix: Postfix, house: House, greylist: Greylist) -> None:
    members = MEMBERS[:8]
    await introduce(house, members)
    async with house.notifier(**handing_to(postfix, "grey")):
        await house.upstream.publish(*map(locked, members))
        await all_sent(house, len(members))
        for member in members:
            assert await house.attempts(member) == PUT_OFF_TIMES + 1
    await wait_for(lambda: postfix.count() == len(members), "every mail")
    assert {address(member): len(postfix.mail_of(address(member))) for member in members} == {
        address(member): 1 for member in members
    }
    assert greylist.tries == dict.fromkeys(map(address, members), PUT_OFF_TIMES + 1)
    reasons = await _ask(
        house, "SELECT DISTINCT result, reason, reply_code FROM notifier.attempts WHERE result <> 'sent'"
    )
    assert [tuple(row) for row in reasons] == [("retry", "smtp:450", "450")]


async def test_an_address_that_the_relay_does_not_know_fails_at_once_and_nobody_else_with_it(
    postfix: Postfix, house: House
) -> None:
    await introduce(house, [*MEMBERS[:3], "stranger"])
    async with house.notifier(**handing_to(postfix, "full")):
        await house.upstream.publish(*map(locked, ["stranger", *MEMBERS[:3]]))
        assert await house.ended("stranger", 1) == [("account-locked", "login", "failed", "smtp:550")]
        await all_sent(house, 3)
        assert await house.attempts("stranger") == 1
    await wait_for(lambda: postfix.count() == 3, "the others' mail")
    assert postfix.lines("status=bounced") == []


async def test_a_letter_over_the_relays_size_limit_fails_and_says_so_and_a_smaller_mail_passes(
    postfix: Postfix, house: House
) -> None:
    case, member = complaint(), MEMBERS[0]
    await introduce(house, [member])
    async with house.notifier(**handing_to(postfix, "small")):
        now = SystemClock().now()
        whom = {"name": "A. Okafor", "locale": "en", "channel": "email", "email": address(MEMBERS[1])}
        letter = letter_due(case, "acknowledgement", now, complainant=whom, encloses_procedure=True)
        await house.upstream.publish(letter, locked(member))
        assert await house.ended(case, 1) == [("complaint-acknowledged", "complainant", "failed", "smtp:552")]
        await all_sent(house, 1)
    await wait_for(lambda: postfix.count() == 1, "the small mail")
    assert len(postfix.mail_of(address(member))) == 1


async def test_a_relay_that_refuses_all_of_us_fails_no_notice_and_they_leave_when_it_lets_us_in(
    postfix: Postfix, house: House
) -> None:
    """As after a relay's access list was changed: what it says of each recipient is about none of them."""
    members = MEMBERS[:4]
    await introduce(house, members)
    async with house.notifier(**handing_to(postfix, "not-our-sender")):
        await house.upstream.publish(*map(locked, members))
        await wait_for(lambda: _tried(house, members, 2), "two attempts for each")
        assert await states(house) == {("retrying", "smtp:554"): len(members)}
    async with house.notifier(**handing_to(postfix, "full")):
        await all_sent(house, len(members))
    await wait_for(lambda: postfix.count() == len(members), "every mail")


async def _tried(house: House, members: Sequence[str], times: int) -> bool:
    return all([await house.attempts(member) >= times for member in members])


async def test_a_relay_that_is_away_gets_everything_once_when_it_is_back(postfix: Postfix, house: House) -> None:
    members = MEMBERS[:12]
    await introduce(house, members)
    postfix.stop()
    async with house.notifier(**handing_to(postfix, "full")):
        await house.upstream.publish(*map(locked, members))
        await wait_for(lambda: _tried(house, members, 2), "two attempts for each")
        assert not {state for state, _ in await states(house)} & {"sent", "unknown", "failed"}
        postfix.start()
        await all_sent(house, len(members))
    await wait_for(lambda: postfix.count() == len(members), "every mail")
    assert all(len(postfix.mail_of(address(member))) == 1 for member in members)


@pytest.mark.parametrize("orderly", [True, False], ids=["stopped", "killed"])
async def test_a_relay_that_ends_amid_a_flood_and_comes_back_gets_the_rest_and_no_copy_is_unexplained(
    postfix: Postfix, house: House, *, orderly: bool
) -> None:
    """What it had taken, it delivers when it is back; what it was taking, the ledger calls unknown and sends again."""
    await introduce(house, MEMBERS)
    owed = [locked(member, n) for n in range(5) for member in MEMBERS]
    async with house.notifier(**handing_to(postfix, "plainest")):
        await house.upstream.publish(*owed)
        await wait_for(lambda: postfix.count() > len(MEMBERS) // 2, "a part of the flood")
        if orderly:
            postfix.stop()
        else:
            postfix.kill()
        assert postfix.count() < len(owed)
        postfix.start()
        await all_sent(house, len(owed))
    ids = await wait_for(lambda: _ids(postfix, len(owed)), "each of them at least once")
    copies = sum(ids.values()) - len(ids)
    ((unknown,),) = await _ask(house, UNKNOWN)
    assert copies <= unknown, (copies, unknown)


def _ids(postfix: Postfix, wanted: int) -> Counter[str]:
    """Message-ID → how often, once there are as many as wanted."""
    ids = Counter(
        str(Arrived(raw).message["Message-ID"]) for member in MEMBERS for raw in postfix.mail_of(address(member))
    )
    return ids if len(ids) >= wanted else Counter()


async def test_the_relays_own_delivery_report_finds_its_notification(postfix: Postfix, house: House) -> None:
    """Taken at RCPT and given up at delivery: the report comes back to the address that names the notification."""
    member = house.member()
    await introduce(house, [member], login_email=GONE)
    async with house.notifier(**handing_to(postfix, "plainest")):
        await house.upstream.publish(locked(member))
        assert await house.ended(member, 1) == [("account-locked", "login", "sent", None)]
    (report,) = await wait_for(lambda: postfix.mail_of(BOUNCES), "a report")
    said = Printed()
    settings = process_settings(house.database, vault_keys=VAULT_KEYS)
    assert await bounce(settings, report, yes=True, say=said) == 0, said.text
    assert await house.ended(member, 1) == [("account-locked", "login", "bounced", "dsn:5.1.1")]
    assert GONE not in said.text
