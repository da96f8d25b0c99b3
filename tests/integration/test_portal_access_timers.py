"""The table of portal access: claimed by its index, by one replica at a time, and forgotten when it is of no use."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest

from schemas.envelope import EventError
from services.auth_events.access import KEPT, Heard, access_end, reminder_at
from services.auth_events.timers import DUE, IN_ORDER, OLDEST, Timers
from services.runtime.database import Database, close, connect
from services.runtime.outbox import Outbox
from services.runtime.vault import Vault
from tests.support.notifier import VAULT_KEYS
from tests.support.waiting import wait_for

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
LAST_DAY = date(2026, 10, 31)
REMINDER = reminder_at(access_end(LAST_DAY))


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Database]:
    connected = await connect(database)
    yield connected
    await close(connected)


@pytest.fixture
def timers(pool: Database) -> Timers:
    return Timers(pool, Outbox("auth_events", Vault.parse(VAULT_KEYS)))


def end(member: str, minutes: int = 0, ended_on: date | None = LAST_DAY) -> Heard:
    at = NOW - timedelta(hours=1) + timedelta(minutes=minutes)
    return Heard(member=member, time=at, source="urn:test", id=f"{member}-{minutes}", ended_on=ended_on)


async def queued(pool: Database) -> Counter[str]:
    """Member → notices in the outbox."""
    return Counter(row["key"] for row in await pool.fetch("SELECT key FROM auth_events.outbox"))


async def test_each_due_timer_is_fired_by_one_of_many_at_once(timers: Timers, pool: Database) -> None:
    members = [f"m-{number}" for number in range(200)]
    await timers.hear([end(member) for member in members], NOW)
    fired = await asyncio.gather(*(timers.fire(NOW, NOW, 50) for _ in range(6)))
    left = await timers.fire(NOW, NOW, 500)
    assert sum(map(len, fired)) + len(left) == 200
    assert await queued(pool) == Counter(members)
    assert await timers.fire(NOW, NOW, 500) == []
    assert await timers.overdue_seconds(NOW) == 0
    assert await timers.overdue_seconds(REMINDER + timedelta(seconds=90)) == 90


async def test_one_member_heard_of_by_two_replicas_at_once_is_told_once(timers: Timers, pool: Database) -> None:
    for number in range(20):
        heard = [[end(f"m-{number}"), end(f"m-{number}", 1)], [end(f"m-{number}", 1), end(f"m-{number}")]]
        await asyncio.gather(*(timers.hear(each, NOW) for each in heard))
    await timers.fire(NOW, NOW, 500)
    assert await queued(pool) == Counter({f"m-{number}": 1 for number in range(20)})


async def test_a_member_who_is_forgotten_while_coverage_ends_again_is_told_all_the_same(
    timers: Timers, pool: Database
) -> None:
    """The replica that hears it waits for another member's row meanwhile."""
    await timers.hear([end("m-1"), end("m-2", 0, None)], NOW)
    later = NOW + KEPT
    ended_again = Heard(member="m-2", time=later, source="urn:test", id="m-2-again", ended_on=later.date())
    async with pool.acquire() as other:
        async with other.transaction():
            await other.execute("SELECT 1 FROM auth_events.portal_access WHERE member_id = 'm-1' FOR UPDATE")
            hearing = asyncio.create_task(timers.hear([end("m-1", 1), ended_again], later))
            await wait_for(lambda: _waits_for_a_row(pool), "replica that waits for m-1")
            assert await timers.forget_old(later, 500) == 1
        assert await hearing == ["confirmed", "started"]
    tomorrow = later + timedelta(days=1)
    await timers.fire(tomorrow, tomorrow, 500)
    assert "m-2" in await queued(pool)


async def _waits_for_a_row(pool: Database) -> bool:
    waiting: bool = await pool.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
    )
    return waiting


async def test_a_timer_that_another_replica_has_is_passed_over_and_no_other_waits_for_it(
    timers: Timers, pool: Database
) -> None:
    await timers.hear([end("m-1"), end("m-2")], NOW)
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT 1 FROM auth_events.portal_access WHERE member_id = 'm-1' FOR UPDATE")
        assert await timers.fire(NOW, NOW, 500) == ["first"]
    assert await timers.fire(NOW, NOW, 500) == ["first"]


async def test_a_reinstatement_before_the_sweep_comes_by_leaves_nothing_to_say(timers: Timers, pool: Database) -> None:
    await timers.hear([end("m-1")], NOW)
    assert await timers.hear([end("m-1", 1, None)], NOW) == ["cancelled"]
    assert await timers.fire(REMINDER, REMINDER, 500) == []
    assert await queued(pool) == Counter()


async def test_a_refused_event_leaves_no_trace(timers: Timers, pool: Database) -> None:
    reused = Heard(member="m-1", time=NOW, source="urn:test", id="m-1-0", ended_on=None)
    started, refused = await timers.hear([end("m-1"), reused], NOW)
    assert started == "started"
    assert isinstance(refused, EventError)
    assert await pool.fetchval("SELECT ended_on FROM auth_events.portal_access") == LAST_DAY


async def test_what_is_due_is_found_by_its_index_however_many_members_there_are(pool: Database) -> None:
    async with pool.acquire() as session, session.transaction():
        await session.execute(IN_ORDER)
        plan = await session.fetch(f"EXPLAIN {DUE}", NOW, 500)
    told = "\n".join(row[0] for row in plan)
    assert "portal_access_due" in told
    assert "Sort" not in told


async def test_how_late_timers_are_is_asked_of_the_first_alone(pool: Database) -> None:
    told = [row[0].strip() for row in await pool.fetch(f"EXPLAIN {OLDEST}")]
    assert any("Limit" in line for line in told)
    assert any("Index Only Scan using portal_access_due" in line for line in told)


async def test_a_member_is_forgotten_130_days_after_access_ended_or_coverage_came_back(
    timers: Timers, pool: Database
) -> None:
    await timers.hear([end("m-gone"), end("m-back"), end("m-back", 1, None)], NOW)
    assert await timers.forget_old(NOW + KEPT - timedelta(seconds=1), 500) == 0
    assert await timers.forget_old(NOW + KEPT, 500) == 1
    over = datetime(2028, 11, 1, tzinfo=UTC)
    assert await timers.fire(over, over, 500) == ["missed"]
    assert await timers.forget_old(over + KEPT - timedelta(days=1), 500) == 0
    assert await timers.forget_old(over + KEPT, 500) == 1
    assert await pool.fetchval("SELECT count(*) FROM auth_events.portal_access") == 0
