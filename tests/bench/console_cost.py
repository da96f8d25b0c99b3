"""What the console's indexes cost the notifier: its own steps in the ledger, with them and without, in turn.

Without waiting for the disk, so that the difference is not hidden behind what both wait for.
"""

import itertools
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from services.notifier.catalogue import LANES
from tests.bench.console_fill import Say
from tests.support.database import migrate, temporary_database
from tests.support.ledger import T0, Ledger, ledger_on, password_changed, result

OURS = ("notifications_notice", "notifications_state", "notifications_address", "notifications_sent",
        "events_unplanned_time")  # fmt: skip
STEPS = ("accept", "hand over", "record")
BATCH = 500
ROUNDS = 15
WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """Median milliseconds of a batch of `BATCH`, without the indexes and with them."""

    step: str
    without: float
    with_them: float

    def __str__(self) -> str:
        return f"{self.step:<52}{self.without:>8.1f}{self.with_them:>9.1f}{self.with_them / self.without:>8.2f}"


async def cost(dsn: str, say: Say) -> list[Cost]:
    say(f"{ROUNDS} batches of {BATCH} through the ledger, with the console's indexes and without …")
    async with AsyncExitStack() as stack:
        template = await stack.enter_async_context(temporary_database(dsn))
        await migrate(template)
        ledgers = []
        for _ in range(2):
            copy = await stack.enter_async_context(temporary_database(dsn, template=template))
            ledgers.append(await stack.enter_async_context(ledger_on(copy)))
        for index in OURS:
            await ledgers[0].database.execute(f"DROP INDEX notifier.{index}")
        members = [[await ledger.known() for _ in range(BATCH)] for ledger in ledgers]
        taken: list[list[Sequence[float]]] = [[], []]
        for number in range(WARM_UP + ROUNDS):
            for each in (0, 1) if number % 2 else (1, 0):
                taken[each].append(await _round(ledgers[each], members[each], number))
    medians = [[statistics.median(column) * 1000 for column in zip(*rows[WARM_UP:], strict=True)] for rows in taken]
    return [Cost(*row) for row in zip((*STEPS, "together"), *medians, strict=True)]


async def _round(ledger: Ledger, members: Sequence[str], number: int) -> Sequence[float]:
    events = [password_changed(member, f"e-{number}") for member in members]
    times = [time.perf_counter()]
    rows = (await ledger.accept(*events, room=dict.fromkeys(LANES, BATCH))).leased
    times.append(time.perf_counter())
    await ledger.sending.hand_over(rows, T0)
    times.append(time.perf_counter())
    await ledger.sending.record([result(row, 1, "sent") for row in rows], T0)
    times.append(time.perf_counter())
    return [*(after - before for before, after in itertools.pairwise(times)), times[-1] - times[0]]


def costs_told(costs: Sequence[Cost]) -> str:
    head = f"{f'ms for {BATCH} notifications':<52}{'without':>8}{'with':>9}{'ratio':>8}"
    return "\n".join([head, *map(str, costs)])
