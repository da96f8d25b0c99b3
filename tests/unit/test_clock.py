"""Aware UTC, and how far two clocks are apart."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.runtime.clock import MAX_SKEW, FixedClock, SystemClock, skew

T0 = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_now_is_aware_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_a_fixed_clock_stands_still_until_told_otherwise() -> None:
    clock = FixedClock(T0)
    assert clock.now() == clock.now() == T0
    clock.at += timedelta(hours=1)
    assert clock.now() == T0 + timedelta(hours=1)


@pytest.mark.parametrize("off", [timedelta(0), timedelta(minutes=5), timedelta(minutes=-5), timedelta(hours=3)])
async def test_skew_is_the_distance_whichever_clock_is_ahead(off: timedelta) -> None:
    async def theirs() -> datetime:
        return datetime.now(UTC) + off

    assert abs(await skew(theirs) - abs(off)) < MAX_SKEW


async def test_skew_is_told_from_the_machines_clock_in_any_zone() -> None:
    async def theirs() -> datetime:
        await asyncio.sleep(0)
        return datetime.now(UTC).astimezone()

    assert await skew(theirs) < MAX_SKEW


async def test_a_database_that_does_not_answer_is_not_a_skew() -> None:
    async def theirs() -> datetime:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await skew(theirs)
