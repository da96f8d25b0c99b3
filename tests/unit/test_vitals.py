"""What every process tells of itself: its build, how late its loop runs, what it is ready for."""

import asyncio
import time

import httpx
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette

from services.runtime.health import routes
from services.runtime.vitals import LAG_BUCKETS, WORST_SECONDS, Vitals
from tests.support.waiting import wait_for


def value(vitals: Vitals, name: str, **labels: str) -> float | None:
    return vitals.registry.get_sample_value(name, labels)


def worst(vitals: Vitals) -> float:
    return value(vitals, "member_notices_loop_lag_max_seconds") or 0.0


async def test_a_loop_that_stands_still_is_told_as_late() -> None:
    vitals, stopping = Vitals(CollectorRegistry()), asyncio.Event()
    running = asyncio.create_task(vitals.run(stopping))
    await wait_for(lambda: value(vitals, "member_notices_loop_lag_seconds_count"), "first measurement")
    blocked_until = time.monotonic() + 0.6
    while time.monotonic() < blocked_until:  # what a loop must never do
        pass
    await wait_for(lambda: worst(vitals) > 0.25, "late timer")
    stopping.set()
    await running


def test_the_worst_of_a_minute_is_over_after_a_minute() -> None:
    vitals = Vitals(CollectorRegistry())
    vitals.record_lag(3)
    assert worst(vitals) == 3
    for _ in range(round(WORST_SECONDS * 4)):
        vitals.record_lag(0.001)
    assert worst(vitals) == 0.001


def test_a_lag_of_a_second_has_a_bucket_of_its_own() -> None:
    assert 1 in LAG_BUCKETS


def test_the_build_is_told() -> None:
    assert b'member_notices_build_info{python="3.' in generate_latest(Vitals(CollectorRegistry()).registry)


async def test_metrics_say_by_name_what_is_not_ready_without_anybody_asking_readyz() -> None:
    vitals = Vitals(CollectorRegistry())

    async def database() -> str | None:
        return "it is away"

    async def broker() -> str | None:
        return None

    app = Starlette(routes=routes({"database": database, "broker": broker}, vitals))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/metrics")).status_code == 200
        assert value(vitals, "member_notices_ready", check="database") == 0
        assert value(vitals, "member_notices_ready", check="broker") == 1
        assert (await client.get("/readyz")).json() == {"database": "it is away", "broker": "ready"}
