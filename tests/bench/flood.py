"""How long a code takes, from its event to the relay's 250, when nothing else is queued and behind a flood."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from tests.bench.load import Member, PasswordChange, code
from tests.bench.ours import BULK_LANES, CODES_LANE, SECONDS_A_MAIL, Ours
from tests.bench.rig import BenchError, Rig
from tests.bench.rounds import START_SECONDS, refuse_unless_once

INTERVAL_SECONDS = 0.05
"""Between codes: twenty a second, far below what the lane can do, so that codes do not queue behind each other."""
CODE_SECONDS = 60.0
WARM_UP = 10


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds, by nearest rank; sorted."""

    ms: tuple[float, ...]

    def percentile(self, share: float) -> float:
        return self.ms[math.ceil(share * len(self.ms)) - 1]


@dataclass(frozen=True, slots=True)
class Flood:
    idle: Latencies
    behind: Latencies
    queued: int
    """Security mails not yet sent when the last code had left: the codes really were behind a flood."""


async def codes_behind_a_flood(
    rig: Rig, ours: Ours, idle: Sequence[Member], behind: Sequence[Member], changes: Sequence[PasswordChange]
) -> Flood:
    """The default deployment: codes in a process of their own, the other lanes in another."""
    outcomes = await ours.outcomes()
    async with AsyncExitStack() as stack:
        for lanes in (CODES_LANE, BULK_LANES):
            await stack.enter_async_context(ours.notifier(lanes))
        await rig.sink.reset()
        await _issue(rig, idle[:WARM_UP])
        await rig.sink.wait(WARM_UP, within_seconds=START_SECONDS)
        await rig.sink.reset()
        issued = await _issue(rig, idle[WARM_UP:])
        await rig.sink.wait(len(issued), within_seconds=CODE_SECONDS)
        idle_latencies = _latencies(issued, await rig.sink.mails())
        await rig.sink.reset()
        await rig.publisher.publish([change.record for change in changes])
        await rig.sink.wait(1, within_seconds=START_SECONDS)
        issued = await _issue(rig, behind)
        total = len(changes) + len(behind)
        await rig.sink.wait(total, within_seconds=SECONDS_A_MAIL * total)
        await ours.outcomes_reach(outcomes + len(idle) + total)
    mails = await rig.sink.mails()
    refuse_unless_once(Counter([change.member.email for change in changes] + list(issued)), mails)
    last_code = max(at for recipient, at in mails if recipient in issued)
    queued = sum(at > last_code for _, at in mails)
    if queued <= 0:
        raise BenchError(f"the flood of {len(changes)} was over before the last of {len(behind)} codes: make it larger")
    return Flood(idle_latencies, _latencies(issued, mails), queued)


async def _issue(rig: Rig, members: Sequence[Member]) -> dict[str, float]:
    """One code each, evenly spaced; recipient → when its event was handed to Kafka's producer (monotonic seconds)."""
    issued: dict[str, float] = {}
    started = time.monotonic()
    for number, member in enumerate(members):
        await asyncio.sleep(max(0.0, started + number * INTERVAL_SECONDS - time.monotonic()))
        record = code(member)
        issued[member.email] = time.monotonic()
        await rig.publisher.publish([record])
    return issued


def _latencies(issued: Mapping[str, float], mails: Sequence[tuple[str, float]]) -> Latencies:
    came = dict(mails)
    return Latencies(tuple(sorted(1000 * (came[recipient] - at) for recipient, at in issued.items())))
