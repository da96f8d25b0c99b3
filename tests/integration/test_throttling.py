"""The first goes at once, what follows leaves as one summary that lists everything; locks and passwords never wait."""

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from asyncpg import Record

from schemas.envelope import Event
from schemas.types import Data
from services.notifier.addresses import LEFT_FOR
from services.notifier.brands import load_brands
from services.notifier.catalogue import SECURITY_LIFE
from services.notifier.compose import load_catalogue
from services.notifier.ledger.throttling import MOST_LISTED
from services.notifier.ledger.upkeep import THROTTLES_LIVE
from tests.support.ledger import NO_ROOM, ROOM, T0, Ledger, password_changed
from tests.support.notifier import event_of

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
WINDOW = 10 * MINUTE
LISTED = ("superseded", "in-summary")
THROTTLED = ("accepted", "throttled")


def sign_on(member: str, browser: str, at: datetime = T0) -> Event[Data]:
    return event_of(
        "identity.new-sign-on-detected.v1", member, id=f"{member}-{browser}", time=at, signed_on_at=at, browser=browser
    )


async def one_by_one(ledger: Ledger, member: str, *browsers: str) -> None:
    """A second apart, each in a transaction of its own."""
    for number, browser in enumerate(browsers):
        at = T0 + number * SECOND
        await ledger.accept(sign_on(member, browser, at), now=at)


async def facts_of(ledger: Ledger, member: str, state: tuple[str, str]) -> dict[str, Any]:
    (row,) = [row for row in await ledger.rows(member) if (row["state"], row["reason"]) == state]
    facts: dict[str, Any] = json.loads(ledger.vault.decrypt(row["facts"], f"notifications/{row['id']}/facts"))
    return facts


def listed_in(ledger: Ledger, row: Record) -> list[str]:
    return listed(json.loads(ledger.vault.decrypt(row["facts"], f"notifications/{row['id']}/facts")))


async def all_listed(ledger: Ledger, member: str) -> list[str]:
    """In all summaries together."""
    rows = [row for row in await ledger.rows(member) if row["reason"] == "throttled"]
    return [browser for row in rows for browser in listed_in(ledger, row)]


def listed(facts: Mapping[str, Any]) -> list[str]:
    return [action["browser"] for action in facts["actions"]]


async def test_the_first_goes_at_once_and_the_next_wait_to_leave_as_one(ledger: Ledger) -> None:
    member = await ledger.known()
    await one_by_one(ledger, member, "first", "second", "third", "fourth")
    assert await ledger.states(member) == [("accepted", None), THROTTLED, LISTED, LISTED]
    assert listed(await facts_of(ledger, member, THROTTLED)) == ["second", "third", "fourth"]
    carrier = (await ledger.rows(member))[1]
    assert {row["reference"] for row in await ledger.rows(member) if row["reason"] == "in-summary"} == {
        str(carrier["id"])
    }


async def test_in_one_batch_it_is_the_same(ledger: Ledger) -> None:
    member = await ledger.known()
    events = [sign_on(member, browser, T0 + n * SECOND) for n, browser in enumerate(("first", "second", "third"))]
    accepted = await ledger.accept(*events, room=ROOM)
    assert [row.facts["browser"] for row in accepted.leased] == ["first"]
    assert listed(await facts_of(ledger, member, THROTTLED)) == ["second", "third"]


async def test_a_summary_waits_for_the_end_of_its_window_and_then_says_everything(ledger: Ledger) -> None:
    member = await ledger.known()
    await one_by_one(ledger, member, "Firefox", "Chrome", "Safari")
    (first,) = await ledger.sending.claim("security", 10, T0 + WINDOW - SECOND)
    assert first.facts["browser"] == "Firefox"
    await ledger.database.execute("UPDATE notifier.notifications SET due_at = clock_timestamp() WHERE state='accepted'")
    assert await ledger.sending.claim("security", 10, T0 + WINDOW - SECOND) == []
    (summary,) = await ledger.sending.claim("security", 10, T0 + WINDOW + SECOND)
    assert len(await ledger.sending.hand_over([summary], T0 + WINDOW + SECOND)) == 1
    mail = load_catalogue(load_brands(), {"new-sign-on"}).email(
        summary.notice, summary.brand, summary.locale, summary.facts
    )
    assert mail.subject.endswith("(2)")
    assert all(browser in part for browser in ("Chrome", "Safari") for part in (mail.html, mail.text))
    assert "Firefox" not in mail.text


async def test_only_one_more_is_an_ordinary_mail_that_comes_later(ledger: Ledger) -> None:
    member = await ledger.known()
    await one_by_one(ledger, member, "first", "second")
    facts = await facts_of(ledger, member, THROTTLED)
    assert facts["browser"] == "second"
    assert "actions" not in facts


async def test_when_the_window_is_over_the_next_goes_at_once_again(ledger: Ledger) -> None:
    member = await ledger.known()
    await one_by_one(ledger, member, "first", "second")
    later = T0 + WINDOW
    await ledger.accept(sign_on(member, "third", later), now=later)
    await ledger.accept(sign_on(member, "fourth", later + SECOND), now=later + SECOND)
    assert await ledger.states(member) == [("accepted", None), THROTTLED, ("accepted", None), THROTTLED]


async def test_what_comes_when_the_summary_is_taken_begins_another(ledger: Ledger) -> None:
    """A process whose clock is ahead has leased it: its facts must not change under its hands."""
    member = await ledger.known()
    await one_by_one(ledger, member, "first", "second")
    await ledger.database.execute("UPDATE notifier.notifications SET state = 'claimed' WHERE reason = 'throttled'")
    await ledger.accept(sign_on(member, "third", T0 + 3 * SECOND), now=T0 + 3 * SECOND)
    assert await ledger.states(member) == [("accepted", None), ("claimed", "throttled"), THROTTLED]


async def test_a_summary_lists_no_more_than_a_mail_client_shows(ledger: Ledger) -> None:
    member = await ledger.known()
    names = [f"browser-{number:02}" for number in range(MOST_LISTED + 3)]
    await ledger.accept(*(sign_on(member, name, T0 + n * SECOND) for n, name in enumerate(names)), room=NO_ROOM)
    carriers = [row for row in await ledger.rows(member) if row["reason"] == "throttled"]
    assert [len(listed_in(ledger, row)) for row in carriers] == [MOST_LISTED, 2]
    assert await all_listed(ledger, member) == names[1:]


async def test_a_batch_that_fills_a_summary_and_begins_another_is_listed_to_the_last(ledger: Ledger) -> None:
    member = await ledger.known()
    names = [f"browser-{number:02}" for number in range(MOST_LISTED + 3)]
    events = [sign_on(member, name, T0 + n * SECOND) for n, name in enumerate(names)]
    for some in (events[:1], events[1 : MOST_LISTED - 1], events[MOST_LISTED - 1 :]):
        await ledger.accept(*some)
    assert await all_listed(ledger, member) == names[1:]


async def test_what_a_summary_took_in_is_listed_though_the_address_changes_in_the_same_batch(ledger: Ledger) -> None:
    """The first of two previous addresses has had its days between one event and the next."""
    member = await ledger.known()
    over = T0 + SECOND
    await ledger.contact(member, version=2, at=over - LEFT_FOR, login_email="second@example.test")
    await ledger.contact(member, version=3, at=T0 - timedelta(days=1), login_email="third@example.test")
    for browsers in (("first",), ("second",), ("third", "fourth")):
        at = [over + SECOND if browser == "fourth" else T0 for browser in browsers]
        await ledger.accept(*map(sign_on, [member] * len(browsers), browsers, at), now=over)
    told = {row["reference"] for row in await ledger.rows(member) if row["reason"] == "in-summary"}
    carriers = {str(row["id"]): row for row in await ledger.rows(member) if row["reason"] == "throttled"}
    assert told == carriers.keys()
    assert [listed_in(ledger, row) for row in carriers.values()] == [
        ["second", "third", "fourth"],
        ["second", "third"],
    ]


async def test_what_would_be_too_late_at_the_windows_end_goes_at_once(ledger: Ledger) -> None:
    member = await ledger.known()
    old = T0 - SECURITY_LIFE + WINDOW / 2
    await ledger.accept(sign_on(member, "first"), sign_on(member, "old", old), sign_on(member, "fresh"))
    states = {row["event_id"].removeprefix(f"{member}-"): row["reason"] for row in await ledger.rows(member)}
    assert states == {"first": None, "old": None, "fresh": "throttled"}


@pytest.mark.parametrize("batches", [1, 2])
async def test_a_summary_lives_as_long_as_the_youngest_that_it_lists(ledger: Ledger, batches: int) -> None:
    """The relay is away from before the carrier's own time is over until after."""
    member = await ledger.known()
    old = T0 - SECURITY_LIFE + 2 * WINDOW
    events = [sign_on(member, "first"), sign_on(member, "old", old), sign_on(member, "fresh")]
    for some in ([events], [events[:2], events[2:]])[batches - 1]:
        await ledger.accept(*some)
    await ledger.database.execute("UPDATE notifier.notifications SET due_at = clock_timestamp() WHERE state='accepted'")
    back = T0 + 3 * WINDOW
    (summary,) = [row for row in await ledger.sending.claim("security", 10, back) if "actions" in row.facts]
    assert listed(summary.facts) == ["old", "fresh"]
    assert summary.expires_at == T0 + SECURITY_LIFE
    assert len(await ledger.sending.hand_over([summary], back)) == 1


async def test_a_window_of_nothing_switches_it_off_also_where_others_have_begun_a_summary(ledger: Ledger) -> None:
    member = await ledger.known()
    await one_by_one(ledger, member, "first", "second")
    off = ledger.throttling(timedelta(0))
    await off.accept(sign_on(member, "third", T0 + 3 * SECOND), sign_on(member, "fourth", T0 + 4 * SECOND))
    assert await ledger.states(member) == [("accepted", None), THROTTLED, ("accepted", None), ("accepted", None)]


async def test_locks_passwords_and_addresses_never_wait(ledger: Ledger) -> None:
    member = await ledger.known()
    locked = [
        event_of("identity.account-locked.v1", member, id=f"{member}-l{n}", time=T0, locked_at=T0) for n in range(2)
    ]
    await ledger.accept(*locked, password_changed(member, "p-1"), password_changed(member, "p-2"))
    assert await ledger.states(member) == [("accepted", None)] * 4


async def test_members_notices_and_roles_wait_for_themselves_alone(ledger: Ledger) -> None:
    member, other = await ledger.known(), await ledger.known()
    await ledger.contact(member, version=2, at=T0, login_email="new@example.test")
    enrolled = event_of(
        "identity.security-method-enrolled.v1", member, id=f"{member}-m", time=T0, enrolled_at=T0, method="passkey"
    )
    await ledger.accept(sign_on(member, "first"), sign_on(other, "first"), enrolled)
    assert [state for who in (member, other) for state in await ledger.states(who)] == [("accepted", None)] * 5


async def test_after_a_change_of_address_the_next_does_not_go_to_the_old_one(ledger: Ledger) -> None:
    """Nor does it wait in a summary that is addressed there."""
    member = await ledger.known()
    await one_by_one(ledger, member, "first", "second")
    await ledger.contact(member, version=2, at=T0, login_email="new@example.test")
    await ledger.accept(sign_on(member, "third", T0 + 3 * SECOND), now=T0 + 3 * SECOND)
    third = [row for row in await ledger.rows(member) if row["event_id"].endswith("third")]
    assert {(row["role"], row["state"], row["reason"]) for row in third} == {
        ("login", "accepted", None), ("previous", "accepted", None),
    }  # fmt: skip


async def test_two_processes_at_once_list_each_exactly_once(ledger: Ledger) -> None:
    member = await ledger.known()
    browsers = [f"browser-{number}" for number in range(12)]
    await asyncio.gather(*(ledger.accept(sign_on(member, browser)) for browser in browsers))
    rows = await ledger.rows(member)
    assert sorted((row["state"], row["reason"] or "") for row in rows) == sorted(
        [("accepted", ""), THROTTLED, *([LISTED] * 10)]
    )
    (first,) = [row["event_id"].removeprefix(f"{member}-") for row in rows if row["reason"] is None]
    assert sorted([first, *listed(await facts_of(ledger, member, THROTTLED))]) == sorted(browsers)


async def test_a_redelivery_is_listed_once(ledger: Ledger) -> None:
    member = await ledger.known()
    await one_by_one(ledger, member, "first", "second", "third", "third")
    assert listed(await facts_of(ledger, member, THROTTLED)) == ["second", "third"]


async def test_who_is_forgotten_gets_no_summary(ledger: Ledger) -> None:
    member = await ledger.known()
    await one_by_one(ledger, member, "first", "second", "third")
    await ledger.forget(member, T0 + MINUTE)
    assert {state for state, _ in await ledger.states(member)} == {"suppressed", "superseded"}
    assert await ledger.database.fetchval("SELECT count(*) FROM notifier.throttles") == 0


async def test_a_window_that_is_over_is_forgotten_and_its_summary_is_not(ledger: Ledger) -> None:
    """The relay is away; what comes then goes as it would have gone."""
    member, other = await ledger.known(), await ledger.known()
    await one_by_one(ledger, member, "first", "second")
    over = T0 + WINDOW + THROTTLES_LIVE
    await ledger.accept(sign_on(other, "first", over), now=over)
    assert await ledger.upkeep.forget_hashes(over) == 0
    assert await ledger.upkeep.forget_hashes(over + SECOND) == 1
    await ledger.accept(sign_on(member, "third", over), sign_on(other, "second", over), now=over)
    assert await ledger.states(member) == [("accepted", None), THROTTLED, ("accepted", None)]
    assert await ledger.states(other) == [("accepted", None), THROTTLED]


async def test_a_window_that_somebody_uses_is_not_waited_for(ledger: Ledger) -> None:
    member, other = await ledger.known(), await ledger.known()
    await ledger.accept(sign_on(member, "first"), sign_on(other, "first"))
    over = T0 + WINDOW + THROTTLES_LIVE + SECOND
    async with ledger.database.acquire() as session, session.transaction():
        await session.execute("SELECT FROM notifier.throttles WHERE member_id = $1 FOR UPDATE", member)
        assert await ledger.upkeep.forget_hashes(over) == 1
    assert await ledger.upkeep.forget_hashes(over) == 1


async def test_many_windows_are_forgotten_in_bounded_parts(ledger: Ledger) -> None:
    await ledger.database.execute(
        "INSERT INTO notifier.throttles SELECT 'm-' || number, 'n', 'email', 'login', '', $1"
        " FROM generate_series(1, 1500) AS number",
        T0,
    )
    later = T0 + THROTTLES_LIVE + SECOND
    assert [await ledger.upkeep.forget_hashes(later) for _ in range(3)] == [1000, 500, 0]
