"""Since when the promise is kept, or broken: late, expired and punctual rows, asked for through the console."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
import pytest

from services.console.breaches import runs
from services.console.figures import LOOK_BACK
from services.runtime.database import Session
from tests.support.console import asked, running, settings
from tests.support.ledger import T0, Ledger, code, ledger_on, password_changed


@dataclass
class Desk:
    http: httpx.AsyncClient
    ledger: Ledger

    async def left(self, *stories: tuple[timedelta, timedelta], lane: str = "codes") -> None:
        """Each as (how long ago its event was, how long after it left)."""
        for number, (ago, after) in enumerate(stories):
            member, at = await self.ledger.known(), T0 - ago
            event = code(member, f"e-{number}", at) if lane == "codes" else password_changed(member, at=at)
            await self.ledger.accept(event, now=at)
            await self.set(member, "sent", at + after)

    async def set(self, member: str, state: str, at: datetime) -> None:
        await self.ledger.database.execute(
            "UPDATE notifier.notifications SET state = $2::text, state_at = $3::timestamptz, due_at = NULL,"
            " sent_at = CASE WHEN $2::text = 'sent' THEN $3::timestamptz END WHERE member_id = $1",
            member, state, at,
        )  # fmt: skip

    async def said(self) -> str:
        text = (await self.http.get("/")).text
        verdict = re.search(r'<div class="verdict.*?</div>', text, flags=re.DOTALL)
        assert verdict, text
        return re.sub(r"<[^>]*>", "", verdict[0])

    async def since(self, lane: str = "codes") -> datetime | None:
        async with self.ledger.database.acquire() as session:
            found = (await runs(session, T0, LOOK_BACK)).get(lane)
        return found.since if found else None


@pytest.fixture
async def desk(kafka: str, database: str) -> AsyncIterator[Desk]:
    async with ledger_on(database) as ledger, running(settings(kafka, database)) as console, asked(console) as http:
        yield Desk(http, ledger)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


async def test_what_left_in_time_breaks_nothing(desk: Desk) -> None:
    await desk.left((minutes(30), seconds(10)), (minutes(5), seconds(1)))
    await desk.left((minutes(30), seconds(60)), lane="security")
    assert "In the last 24 hours nothing left late, expired unsent or was missed." in await desk.said()


async def test_it_is_kept_since_the_last_one_left_late(desk: Desk) -> None:
    await desk.left((minutes(300), seconds(40)), (minutes(120), seconds(30)), (minutes(5), seconds(1)))
    assert f"Kept since {when(T0 - minutes(120) + seconds(30))}" in await desk.said()


async def test_it_is_broken_since_the_first_of_the_run_should_have_left(desk: Desk) -> None:
    await desk.left((minutes(240), seconds(90)), (minutes(100), seconds(90)), (minutes(50), seconds(90)))
    assert f"Broken since {when(T0 - minutes(100) + seconds(10))}" in await desk.said()


async def test_what_expired_unsent_is_a_breach_too(desk: Desk) -> None:
    member = await desk.ledger.known()
    await desk.ledger.accept(code(member, at=T0 - minutes(20)), now=T0 - minutes(20))
    await desk.set(member, "expired", T0 - minutes(5))
    said = await desk.said()
    assert f"Broken since {when(T0 - minutes(20) + seconds(10))}" in said
    assert "Codes and links: 1 expired unsent" in said


async def test_a_run_is_followed_through_the_whole_day_and_no_further(desk: Desk) -> None:
    every = [(minutes(number), minutes(1)) for number in range(45, 30 * 60, 45)]
    await desk.left(*every)
    since = await desk.since()
    assert since is not None
    assert timedelta(hours=23) < T0 - since <= timedelta(hours=24, minutes=1)


async def test_a_lane_s_run_is_its_own(desk: Desk) -> None:
    await desk.left((minutes(90), seconds(11)))
    await desk.left((minutes(40), seconds(61)), lane="security")
    assert await desk.since("security") == T0 - minutes(40) + seconds(60)
    assert await desk.since() == T0 - minutes(90) + seconds(10)


async def test_the_question_is_answered_from_the_index_of_breaches(desk: Desk) -> None:
    await desk.left((minutes(90), seconds(11)))
    async with desk.ledger.database.acquire() as session, session.transaction():
        await session.execute("SET LOCAL enable_seqscan = off")
        plan = await explained(session)
        used = await session.fetch(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'notifier.notifications_breaches'::regclass"
        )
    assert any(f"using {index.removeprefix('notifier.')} " in plan for (index,) in used), plan
    assert "Sort" not in plan


async def explained(session: Session) -> str:
    rows = await session.fetch(
        "EXPLAIN SELECT at FROM notifier.console_breaches WHERE day = $1 AND lane = 'codes' AND at > $2"
        " ORDER BY at DESC LIMIT 1",
        T0.date(),
        T0 - timedelta(days=1),
    )
    return "\n".join(row[0] for row in rows)
