"""Coverage ends, and the member is told twice how long the portal stays open: real broker and database, moved clock."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from schemas.envelope import write_structured
from schemas.topics import ACTIVITY, AUTH_EVENTS_DEAD_LETTERS
from services.auth_events.main import AuthEvents
from services.runtime.clock import FixedClock
from tests.support.coverage import Former, ended, fresh_group, reinstated, reminders
from tests.support.kafka import Tape
from tests.support.notifier import upstream

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
LAST_DAY = date(2026, 10, 31)
ENDS_ON = "2028-10-31"
REMINDER = datetime(2028, 10, 1, 7, tzinfo=UTC)
"""Nine in the morning of a Brussels summer, 30 days before."""
FIRST_SAID = (False, ENDS_ON, "2026-11-26T12:00:00Z")
REMINDED = (True, ENDS_ON, "2028-10-01T07:00:00Z")


@pytest.fixture
async def former(kafka: str, database: str, tmp_path: Path) -> AsyncIterator[Former]:
    group = await fresh_group(kafka)
    async with upstream(kafka) as up, Tape(kafka, ACTIVITY.name, AUTH_EVENTS_DEAD_LETTERS.name) as tape:
        yield Former(kafka, database, up, group, tape, FixedClock(NOW), tmp_path)


async def test_a_former_member_is_told_at_once_and_again_30_days_before_the_end(former: Former) -> None:
    member = former.member()
    async with former.running():
        await former.say(ended(member, NOW, LAST_DAY))
        await former.settled()
        assert reminders(await former.notices(member)) == [FIRST_SAID]
        await former.move(REMINDER - timedelta(microseconds=1))
        assert len(await former.notices(member)) == 1
        await former.move(REMINDER)
        notices = await former.notices(member)
    assert reminders(notices) == [FIRST_SAID, REMINDED]
    assert len({notice["id"] for notice in notices}) == 2
    assert {notice["source"] for notice in notices} == {"urn:member-notices:auth-events"}
    assert {notice["data"]["coverage_ended_on"] for notice in notices} == {"2026-10-31"}


async def test_reinstated_coverage_cancels_the_reminder(former: Former) -> None:
    member = former.member()
    async with former.running():
        await former.say(ended(member, NOW, LAST_DAY))
        await former.settled()
        former.clock.at = NOW + timedelta(days=3)
        await former.say(reinstated(member, former.clock.at))
        await former.settled()
        await former.move(REMINDER)
        assert reminders(await former.notices(member)) == [FIRST_SAID]


async def test_coverage_that_ends_again_begins_anew(former: Former) -> None:
    member = former.member()
    async with former.running():
        await former.say(ended(member, NOW, LAST_DAY), reinstated(member, NOW + timedelta(seconds=1)))
        await former.settled()
        assert await former.notices(member) == []
        await former.say(ended(member, NOW + timedelta(seconds=2), LAST_DAY))
        await former.settled()
        await former.move(REMINDER)
        assert [told[0] for told in reminders(await former.notices(member))] == [False, True]


async def test_a_corrected_last_day_replaces_the_timer_and_is_told(former: Former) -> None:
    member = former.member()
    corrected = ended(member, NOW + timedelta(hours=1), date(2026, 9, 30))
    async with former.running():
        await former.say(ended(member, NOW, LAST_DAY))
        await former.settled()
        former.clock.at = NOW + timedelta(hours=1)
        await former.say(corrected)
        await former.settled()
        await former.move(datetime(2028, 8, 31, 7, tzinfo=UTC))
        await former.move(REMINDER)
        notices = await former.notices(member)
    assert reminders(notices) == [
        FIRST_SAID,
        (False, "2028-09-30", "2026-11-26T13:00:00Z"),
        (True, "2028-09-30", "2028-08-31T07:00:00Z"),
    ]
    assert len({notice["id"] for notice in notices}) == 3


async def test_the_time_of_the_event_decides_and_not_its_arrival(former: Former) -> None:
    covered, not_covered = former.member(), former.member()
    earlier, later = NOW - timedelta(days=2), NOW - timedelta(days=1)
    async with former.running():
        await former.say(reinstated(covered, later), ended(covered, earlier, LAST_DAY))
        await former.say(ended(not_covered, later, LAST_DAY), reinstated(not_covered, earlier))
        await former.settled()
        assert await former.notices(covered) == []
        assert reminders(await former.notices(not_covered)) == [FIRST_SAID]


async def test_what_is_redelivered_at_any_time_says_nothing_more(former: Former) -> None:
    member = former.member()
    events = [ended(member, NOW, LAST_DAY)]
    async with former.running():
        await former.say(*events, *events)
        await former.settled()
        await former.say(*events)
        await former.move(REMINDER)
        await former.say(*events)
        await former.move(REMINDER + timedelta(days=100))
        assert reminders(await former.notices(member)) == [FIRST_SAID, REMINDED]


async def test_a_timer_outlives_the_process_and_a_late_one_is_sent_with_the_time_it_is_sent_at(former: Former) -> None:
    member = former.member()
    async with former.running():
        await former.say(ended(member, NOW, LAST_DAY))
        await former.settled()
    former.clock.at = REMINDER + timedelta(days=9)
    async with former.running():
        await former.settled()
    assert reminders(await former.notices(member)) == [FIRST_SAID, (True, ENDS_ON, "2028-10-10T07:00:00Z")]


async def test_a_reinstatement_that_waits_unread_while_we_are_away_comes_before_what_is_overdue(former: Former) -> None:
    member = former.member()
    async with former.running():
        await former.say(ended(member, NOW, LAST_DAY))
        await former.settled()
    former.clock.at = REMINDER + timedelta(days=2)
    await former.say(reinstated(member, REMINDER + timedelta(days=1)))
    async with former.running():
        await former.settled()
    assert reminders(await former.notices(member)) == [FIRST_SAID]


async def test_two_replicas_say_each_notice_once(former: Former) -> None:
    members = [former.member() for _ in range(700)]
    async with former.running(), former.running():
        await asyncio.gather(*(former.say(ended(member, NOW, LAST_DAY)) for member in members))
        await former.settled()
        await former.move(REMINDER)
    said = await former.notices_of_all()
    for member in members:
        assert reminders(said[member]) == [FIRST_SAID, REMINDED]


async def test_history_whose_access_is_over_is_counted_and_not_told(former: Former) -> None:
    member, nearly = former.member(), former.member()
    async with former.running() as service:
        # The last day of access is still one; the next is not.
        await former.say(ended(member, NOW, date(2024, 11, 25)), ended(nearly, NOW, date(2024, 11, 26)))
        await former.settled()
        assert await former.notices(member) == []
        assert reminders(await former.notices(nearly)) == [(False, "2026-11-26", "2026-11-26T12:00:00Z")]
        assert counted(service, "auth_events_coverage_total", result="past") == 1
        assert not await former.fetch("SELECT FROM auth_events.portal_access WHERE due_at IS NOT NULL")


async def test_an_end_announced_ahead_is_told_on_the_morning_after_it(former: Former) -> None:
    member = former.member()
    async with former.running():
        await former.say(ended(member, NOW, date(2026, 12, 31)))
        await former.settled()
        assert await former.notices(member) == []
        await former.move(datetime(2027, 1, 1, 8, tzinfo=UTC))
        assert reminders(await former.notices(member)) == [(False, "2028-12-31", "2027-01-01T08:00:00Z")]


async def test_a_timer_that_nobody_came_by_for_is_missed_and_alarms(former: Former) -> None:
    member = former.member()
    async with former.running():
        await former.say(ended(member, NOW, LAST_DAY))
        await former.settled()
    former.clock.at = datetime(2028, 11, 1, tzinfo=UTC)
    async with former.running() as service:
        await former.settled()
        assert counted(service, "auth_events_timers_fired_total", what="missed") == 1
    assert reminders(await former.notices(member)) == [FIRST_SAID]


async def test_only_a_broken_record_about_coverage_is_a_dead_letter_here(former: Former) -> None:
    member = former.member()
    key = member.encode()
    good = ended(member, NOW, LAST_DAY)
    value, headers = write_structured(good)
    async with former.running() as service:
        # The notifier refuses these two, and whatever else breaks the contract.
        await former.upstream.raw(ACTIVITY.name, key, b"not json")
        await former.upstream.raw(ACTIVITY.name, key, b'{"specversion":"1.0","type":"members.welcomed.v1"}')
        await former.upstream.raw(ACTIVITY.name, key, None)
        await former.upstream.raw(ACTIVITY.name, key, value.replace(b"2026-10-31", b"soon"))
        await former.say(ended(member, NOW + timedelta(minutes=6), LAST_DAY, id="ahead"))
        await former.say(ended(member, NOW, date(2098, 1, 1), id="too-far"))
        await former.upstream.raw(ACTIVITY.name, b"m-another", value, headers)
        await former.say(good, ended(member, NOW, date(2026, 10, 30), id=good.id))
        await former.settled()
        assert await former.dead_letters(member) == [
            "data-invalid: data.ended_on (day_text)",
            "outside-dedupe-horizon: time (at most 5 minutes ahead)",
            "data-invalid: data.ended_on (24 months later must be before 2100)",
            "id-reused: id",
        ]
        assert (await former.dead_letters("m-another"))[-1] == "key-mismatch: record key (must be the subject)"
        assert reminders(await former.notices(member)) == [FIRST_SAID]
        # The notice that we wrote onto the topic ourselves is one of the others.
        assert counted(service, "auth_events_coverage_total", result="not-ours") == 4


def counted(service: AuthEvents, name: str, **labels: str) -> float | None:
    return service.registry.get_sample_value(name, labels)
