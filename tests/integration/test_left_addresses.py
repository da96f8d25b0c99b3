"""An address that a member has left is gone from the contact when its seven days are over, whoever wrote it."""

import asyncio
from datetime import datetime, timedelta

from structlog.testing import capture_logs

from services.notifier.addresses import LEFT_FOR
from services.notifier.housekeeping import Housekeeping
from services.notifier.ledger.letters import KeptLetters
from services.runtime.clock import FixedClock
from tests.support.ledger import KEY, OTHER_KEY, T0, Ledger, password_changed
from tests.support.waiting import wait_for

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
OVER = T0 + LEFT_FOR


async def moved(ledger: Ledger, *times: datetime) -> str:
    """A member who has left an address at each of these times."""
    member = await ledger.known()
    for number, at in enumerate(times, 2):
        await ledger.contact(member, version=number, at=at, login_email=f"{number}@example.test")
    return member


async def kept(ledger: Ledger, member: str) -> tuple[bool, datetime | None]:
    """Is anything left in the row, and until when?"""
    row = await ledger.database.fetchrow(
        "SELECT left_addresses IS NOT NULL, left_until FROM notifier.contacts WHERE member_id = $1", member
    )
    assert row is not None
    return row[0], row[1]


async def as_the_version_before(ledger: Ledger, member: str) -> None:
    """It knows no date."""
    await ledger.database.execute("UPDATE notifier.contacts SET left_until = NULL WHERE member_id = $1", member)


async def test_what_was_left_is_gone_when_its_days_are_over_though_no_contact_comes(ledger: Ledger) -> None:
    member, stayed = await moved(ledger, T0), await ledger.known()
    assert await ledger.contacts.forget_left(OVER - SECOND) == 0
    assert await kept(ledger, member) == (True, OVER)
    assert await ledger.contacts.forget_left(OVER) == 1
    assert await kept(ledger, member) == (False, None)
    assert await kept(ledger, stayed) == (False, None)
    assert [row.role for row in await ledger.claimed(password_changed(member))] == ["login"]


async def test_of_several_each_goes_in_its_time(ledger: Ledger) -> None:
    member = await moved(ledger, T0 - 2 * DAY, T0 - DAY)
    await ledger.contacts.forget_left(OVER - 2 * DAY)
    assert await kept(ledger, member) == (True, OVER - DAY)
    rows = await ledger.claimed(password_changed(member))
    assert {row.role: row.address for row in rows} == {"login": "3@example.test", "previous": "2@example.test"}
    await ledger.contacts.forget_left(OVER - DAY)
    assert await kept(ledger, member) == (False, None)


async def test_what_the_version_before_wrote_is_dated_or_gone_at_the_first_look(ledger: Ledger) -> None:
    fresh, over = await moved(ledger, T0), await moved(ledger, T0 - LEFT_FOR)
    for member in (fresh, over):
        await as_the_version_before(ledger, member)
    assert await ledger.contacts.forget_left(T0) == 2
    assert (await kept(ledger, fresh), await kept(ledger, over)) == ((True, OVER), (False, None))
    assert await ledger.contacts.forget_left(T0) == 0


async def test_a_time_that_is_ahead_keeps_nothing_the_longer(ledger: Ledger) -> None:
    member = await moved(ledger, T0 + 400 * DAY)
    assert await kept(ledger, member) == (True, OVER)


async def test_who_is_forgotten_keeps_no_date(ledger: Ledger) -> None:
    member = await moved(ledger, T0)
    await ledger.forget(member)
    assert await kept(ledger, member) == (False, None)


async def test_what_cannot_be_read_waits_for_its_key_loudly_and_goes_unread_in_the_end(ledger: Ledger) -> None:
    with_key = ledger.using(keys={"gone": OTHER_KEY, "first": KEY})
    member, other = await moved(with_key, T0 - DAY), await moved(ledger, T0 - DAY)
    stored_at = await ledger.database.fetchval("SELECT stored_at FROM notifier.contacts WHERE member_id = $1", member)
    with capture_logs() as logged:
        assert await ledger.contacts.forget_left(OVER - DAY) == 2
    assert [(line["event"], line["member"]) for line in logged] == [("left_addresses_unreadable", member)]
    assert (await kept(ledger, member), await kept(ledger, other)) == ((True, stored_at + LEFT_FOR), (False, None))
    await ledger.contacts.forget_left(stored_at + LEFT_FOR)
    assert await kept(ledger, member) == (False, None)


async def test_many_go_in_bounded_parts(ledger: Ledger) -> None:
    member = await moved(ledger, T0)
    await ledger.database.execute(
        """
        INSERT INTO notifier.contacts (member_id, version, time, data, left_addresses)
        SELECT 'm-' || number, 1, time, data, left_addresses
        FROM notifier.contacts, generate_series(1, 1499) AS number WHERE member_id = $1
        """,
        member,
    )
    over = await ledger.database.fetchval("SELECT max(stored_at) FROM notifier.contacts") + LEFT_FOR
    assert [await ledger.contacts.forget_left(over) for _ in range(3)] == [1000, 500, 0]


async def test_a_running_notifier_forgets_them(ledger: Ledger) -> None:
    member, stopping, trusted = await moved(ledger, T0), asyncio.Event(), asyncio.Event()
    trusted.set()
    letters = KeptLetters(ledger.database, ledger.vault)
    housekeeping = Housekeeping(ledger.contacts, ledger.upkeep, letters, FixedClock(OVER), trusted)
    running = asyncio.create_task(housekeeping.run(stopping))

    async def is_gone() -> bool:
        return await kept(ledger, member) == (False, None)

    await wait_for(is_gone, "a contact without the address that was left")
    stopping.set()
    await running
