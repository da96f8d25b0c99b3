"""A lane's queue, its workers and its claimer, with a ledger that does as it is told."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from services.notifier import catalogue, lanes
from services.notifier.lanes import Lane
from services.notifier.ledger.rows import Leased
from services.notifier.ledger.sending import Sending
from services.runtime.clock import FixedClock
from tests.support.waiting import wait_for

T0 = datetime(2026, 11, 22, 12, tzinfo=UTC)
CLOCK = FixedClock(T0)


def lane_of(name: catalogue.Lane, *, workers: int, chunk: int) -> Lane:
    """One whose clock is trusted."""
    trusted = asyncio.Event()
    trusted.set()
    return Lane(name, workers=workers, chunk=chunk, trusted=trusted)


def row(age: int = 0, lane: str = "security") -> Leased:
    at = T0 - timedelta(seconds=age)
    return Leased(
        day=at.date(), id=uuid.uuid4(), token=uuid.uuid4(), notice="n", channel="email", role="login", lane=lane,
        brand="b", locale="en", attempts=0, event_time=at, accepted_at=T0, expires_at=None, hand_over_by=None,
        member_id="m", event_source="urn:test", event_id="e", address="a@example.test", facts={},
    )  # fmt: skip


class Told(Sending):
    """A ledger that hands out what it was given, one answer a claim, and then nothing."""

    def __init__(self, *answers: Sequence[Leased] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []
        self.lapses = 0
        self.released: list[Leased] = []
        self.claiming = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def lapse(self, lane: catalogue.Lane, now: datetime) -> int:  # noqa: ARG002 (as its base)
        self.lapses += 1
        return 0

    async def claim(self, lane: catalogue.Lane, limit: int, now: datetime) -> list[Leased]:  # noqa: ARG002 (as its base)
        self.asked.append(limit)
        self.claiming.set()
        await self.go_on.wait()
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    async def release(self, rows: Sequence[Leased], now: datetime) -> None:  # noqa: ARG002 (as its base)
        self.released += rows


class Worker:
    """Workers that keep each chunk until they are let go."""

    def __init__(self, *, open_: bool = True) -> None:
        self.chunks: list[list[Leased]] = []
        self.gate = asyncio.Event()
        if open_:
            self.gate.set()

    async def deliver(self, chunk: Sequence[Leased]) -> None:
        self.chunks.append(list(chunk))
        await self.gate.wait()

    @property
    def delivered(self) -> list[Leased]:
        return [each for chunk in self.chunks for each in chunk]


@asynccontextmanager
async def working(lane: Lane, worker: Worker) -> AsyncIterator[asyncio.Event]:
    stopping = asyncio.Event()
    tasks = [asyncio.create_task(lane.work(worker.deliver, stopping)) for _ in range(lane.workers)]
    try:
        yield stopping
    finally:
        stopping.set()
        worker.gate.set()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def claiming(lane: Lane, ledger: Told) -> AsyncIterator[asyncio.Event]:
    stopping = asyncio.Event()
    task = asyncio.create_task(lane.claim(ledger, CLOCK, stopping))
    try:
        yield stopping
    finally:
        stopping.set()
        await task


async def test_a_chunk_is_no_larger_than_what_is_in_flight() -> None:
    lane, worker = lane_of("security", workers=2, chunk=3), Worker(open_=False)
    lane.put(row(age) for age in range(10))
    async with working(lane, worker):
        await wait_for(lambda: len(worker.chunks) == 2, "two workers at work")
        assert [len(chunk) for chunk in worker.chunks] == [3, 3]


@pytest.mark.parametrize(
    ("name", "order"), [("codes", [1, 2, 3, 4]), ("security", [4, 3, 2, 1]), ("general", [4, 3, 2, 1])]
)
async def test_codes_leave_newest_first_and_others_oldest_first(name: catalogue.Lane, order: list[int]) -> None:
    lane, worker = lane_of(name, workers=1, chunk=1), Worker()
    lane.put(row(age) for age in (4, 3, 2, 1))
    async with working(lane, worker):
        await wait_for(lambda: len(worker.delivered) == 4, "all delivered")
    assert [(T0 - each.event_time).seconds for each in worker.delivered] == order


async def test_a_worker_that_waits_is_woken_by_what_arrives() -> None:
    lane, worker = lane_of("codes", workers=2, chunk=2), Worker()
    async with working(lane, worker):
        for expected in range(1, 6):
            lane.put([row()])
            await wait_for(lambda: len(worker.delivered) == expected, "what arrived delivered")  # noqa: B023 (awaited here)


async def test_room_shrinks_with_the_queue_and_is_never_less_than_none() -> None:
    lane = lane_of("security", workers=2, chunk=5)
    full = lane.room
    lane.put(row() for _ in range(7))
    assert lane.room == full - 7
    lane.put(row() for _ in range(1000))
    assert lane.room == 0


async def test_what_was_not_begun_when_it_stops_stays_to_be_given_back() -> None:
    lane, worker = lane_of("security", workers=1, chunk=2), Worker(open_=False)
    rows = [row(age) for age in range(5)]
    lane.put(rows)
    async with working(lane, worker) as stopping:
        await wait_for(lambda: worker.chunks, "a worker at work")
        stopping.set()
    assert worker.delivered == rows[:2]
    assert lane.take_all() == rows[2:]
    assert lane.take_all() == []


async def test_the_claimer_asks_for_what_there_is_room_for_and_not_when_there_is_none() -> None:
    lane, ledger = lane_of("security", workers=1, chunk=2), Told()
    lane.put(row() for _ in range(5))
    async with claiming(lane, ledger):
        await wait_for(lambda: ledger.asked, "a claim")
        assert ledger.asked[0] == 3
    full, idle = lane_of("security", workers=1, chunk=2), Told()
    full.put(row() for _ in range(8))
    async with claiming(full, idle):
        await wait_for(lambda: idle.lapses, "a look at lapsed leases")
        assert idle.asked == []


async def test_as_long_as_there_is_more_the_claimer_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "CLAIM_SECONDS", 3600.0)
    lane, worker = lane_of("security", workers=1, chunk=2), Worker()
    ledger = Told(*([row() for _ in range(8)] for _ in range(3)))
    async with working(lane, worker), claiming(lane, ledger):
        await wait_for(lambda: len(worker.delivered) == 24, "all that was owed delivered")


async def test_a_look_during_a_claim_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was accepted while the claim was on its way is not in its answer."""
    monkeypatch.setattr(lanes, "CLAIM_SECONDS", 3600.0)
    lane, ledger = lane_of("codes", workers=1, chunk=2), Told()
    ledger.go_on.clear()
    async with claiming(lane, ledger):
        await ledger.claiming.wait()
        lane.look()
        ledger.go_on.set()
        await wait_for(lambda: len(ledger.asked) == 2, "a second claim")


async def test_what_is_claimed_as_it_stops_is_given_back() -> None:
    """Nobody takes it from the queue any more: it would lie there until its lease lapses."""
    lane, claimed = lane_of("codes", workers=1, chunk=2), row()
    ledger = Told([claimed])
    ledger.go_on.clear()
    async with claiming(lane, ledger) as stopping:
        await ledger.claiming.wait()
        stopping.set()
        ledger.go_on.set()
    assert ledger.released == [claimed]
    assert lane.take_all() == []


async def test_the_claimer_survives_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "AWAY_SECONDS", 0.01)
    lane, worker = lane_of("security", workers=1, chunk=2), Worker()
    async with working(lane, worker), claiming(lane, Told(ConnectionRefusedError(), TimeoutError(), [row()])):
        await wait_for(lambda: worker.delivered, "what was owed delivered")


async def test_a_defect_ends_the_claimer_and_with_it_the_process() -> None:
    with pytest.raises(ZeroDivisionError):
        await lane_of("security", workers=1, chunk=1).claim(Told(ZeroDivisionError()), CLOCK, asyncio.Event())


async def test_nothing_is_leased_claimed_or_delivered_while_the_clock_is_not_trusted() -> None:
    trusted = asyncio.Event()
    lane, worker = Lane("security", workers=1, chunk=2, trusted=trusted), Worker()
    assert lane.room == 0
    stopping = asyncio.Event()
    lane.put([row()])
    work = asyncio.create_task(lane.work(worker.deliver, stopping))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not worker.chunks
    trusted.set()
    await wait_for(lambda: worker.chunks, "the delivery")
    stopping.set()
    await work
