"""What the console's indexes cost the notifier: its own steps in the ledger, with them and without, in turn.

In CPU time of PostgreSQL, which other work on this machine hardly changes; both wait for the same disk.
"""

from collections.abc import Callable, Sequence
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
ROUNDS = 20
WARM_UP = 6


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU a notification, without the indexes and with them."""

    step: str
    without: float
    with_them: float

    def __str__(self) -> str:
        return f"{self.step:<52}{self.without:>8.0f}{self.with_them:>9.0f}{self.with_them / self.without:>8.2f}"


async def cost(dsn: str, cpu: Callable[[], float], say: Say) -> list[Cost]:
    """`cpu`: what PostgreSQL has used, in seconds."""
    say(f"{ROUNDS} batches of {BATCH} through the ledger, with the console's indexes and without …")
    async with AsyncExitStack() as stack:
        template = await stack.enter_async_context(temporary_database(dsn))
        await migrate(template)
        ledgers = []
        for _ in range(2):
            copy = await stack.enter_async_context(temporary_database(dsn, template=template))
            # One connection: a plan is made once.
            ledgers.append(await stack.enter_async_context(ledger_on(copy, size=1)))
        for index in OURS:
            await ledgers[0].database.execute(f"DROP INDEX notifier.{index}")
        members = [[await ledger.known() for _ in range(BATCH)] for ledger in ledgers]
        used = [[0.0] * len(STEPS), [0.0] * len(STEPS)]
        for number in range(WARM_UP + ROUNDS):
            for each in (0, 1) if number % 2 else (1, 0):
                taken = await _round(ledgers[each], members[each], number, cpu)
                if number >= WARM_UP:
                    used[each] = [before + now for before, now in zip(used[each], taken, strict=True)]
    each_one = [[seconds / ROUNDS / BATCH * 1e6 for seconds in (*steps, sum(steps))] for steps in used]
    return [Cost(*row) for row in zip((*STEPS, "together"), *each_one, strict=True)]


async def _round(ledger: Ledger, members: Sequence[str], number: int, cpu: Callable[[], float]) -> list[float]:
    events = [password_changed(member, f"e-{number}") for member in members]
    before = cpu()
    rows = (await ledger.accept(*events, room=dict.fromkeys(LANES, BATCH))).leased
    accepted = cpu()
    await ledger.sending.hand_over(rows, T0)
    marked = cpu()
    await ledger.sending.record([result(row, 1, "sent") for row in rows], T0)
    return [accepted - before, marked - accepted, cpu() - marked]


def costs_told(costs: Sequence[Cost]) -> str:
    head = f"{'µs of PostgreSQL, a notification':<52}{'without':>8}{'with':>9}{'ratio':>8}"
    return "\n".join([head, *map(str, costs)])
