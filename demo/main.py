"""`member-notices demo`: starts the house, plays the story, shows or checks what came of it, leaves nothing behind."""

import asyncio
import logging
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console

from demo.actions import Actions
from demo.broker import Broker
from demo.check import Found, compare, summary
from demo.client import AnswerError
from demo.coverage import coverage_of, missing
from demo.embedded import EmbeddedError
from demo.house import House
from demo.keeper import Keeper
from demo.live import Live
from demo.portal import Portal
from demo.progress import Steps
from demo.stage import Stage, StoryError
from demo.story import Story
from demo.table import table_of
from demo.upstream import Upstream
from demo.watch import Inbox, Ledger
from demo.weeks import Weeks
from services.runtime.clock import DemoClock

WIDTH_OF_A_FILE = 160
ARRIVAL_SECONDS = 20.0
OUTCOME_SECONDS = 3.0
SCENE_SECONDS = 1.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(*, once: bool) -> int:
    """Exit status: 0 when all is as expected, 1 when not; 128 + the signal that cut `once` off, which then checked
    nothing. Otherwise a signal is a way to quit like any other.
    """
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
    return asyncio.run(_Demo(console, once=once).run())


class _Demo:
    """One run."""

    def __init__(self, console: Console, *, once: bool) -> None:
        self._console = console
        self._once = once
        self._run = uuid.uuid4().hex[:6]
        self._began = time.monotonic()
        self._signal: int | None = None
        self._live: Live | None = None

    async def run(self) -> int:
        self._obey_signals()
        folder = Path(tempfile.mkdtemp(prefix="member-notices-demo-"))
        logging.basicConfig(filename=folder / "demo.log", level=logging.WARNING)
        status = 1
        steps = Steps(self._console)
        house = House(folder, steps, group=f"demo-{self._run}")
        try:
            status = await self._in(house, steps)
        except asyncio.CancelledError:
            if self._signal is None:
                raise
            status = 128 + self._signal if self._once else int(self._live is not None and self._live.failed)
        except (EmbeddedError, StoryError, AnswerError, OSError) as error:
            self._say(f"{type(error).__name__}: {error}", "red")
        finally:
            with steps.step("everything stopped"):
                await house.stop()
            if status == 1:
                self._console.print(f"The logs of all processes are in {folder}")
            else:
                shutil.rmtree(folder)
        return status

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, markup=False)

    def _obey_signals(self) -> None:
        """The first one ends the run in order; while that goes on further ones change nothing."""
        task = asyncio.current_task()
        assert task is not None

        def end(number: int) -> None:
            if self._signal is None:
                self._signal = number
                task.cancel()

        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, end, number)

    async def _in(self, house: House, steps: Steps) -> int:
        await house.start_servers()
        async with AsyncExitStack() as stack:
            broker = await stack.enter_async_context(Broker(house.kafka, house.group))
            if house.kafka_given:
                await broker.start_groups_here()
            providers = await stack.enter_async_context(house.providers)
            await house.start_services()
            ledger = await stack.enter_async_context(Ledger(house.database))
            auth_events = house.services["auth-events"].address
            upstream = await stack.enter_async_context(Upstream(house.kafka, auth_events, house.publishers.tokens))
            with steps.step("the notifier has joined its consumer groups"):
                await _until(house.consuming, "consumers with partitions")
            inbox = "" if self._once else f" Inbox: {house.inbox}"  # once: gone before anybody could open it
            self._console.print(f"Started in {time.monotonic() - self._began:.1f} s.{inbox}")
            stage = Stage(self._run, upstream, ledger, Inbox(house.inbox), self._say)
            portal = await stack.enter_async_context(Portal(house.kafka, stage.inbox, stage.who))
            story = Story(stage, providers)
            weeks = await self._weeks(stack, house, broker, stage)
            if self._once:
                stage.ended = lambda: [*house.ended(), *portal.ended()]
                return await self._play_once(story, weeks, stage, broker)
            await stack.enter_async_context(house.gallery_in_the_making())
            stage.pause_seconds = SCENE_SECONDS
            actions = Actions(stage, story, house, broker)
            self._live = Live(self._console, stage, house, actions, weeks, lambda: self._check(stage, broker))
            return await self._live.run(story)

    async def _weeks(self, stack: AsyncExitStack, house: House, broker: Broker, stage: Stage) -> Weeks | None:
        """None where a server was given, because nobody else's clock is ours to shift."""
        if house.clock_file is None:
            self._say("The nine weeks of complaints are played on embedded servers only.")
            return None
        prefix = f"c-{self._run}"
        keeper = await stack.enter_async_context(Keeper(house.database, DemoClock(house.clock_file), broker, prefix))
        return Weeks(
            prefix=prefix,
            keeper=keeper,
            stage=stage,
            dsn=house.database,
            notifier_environment=house.of_notifier,
        )

    async def _play_once(self, story: Story, weeks: Weeks | None, stage: Stage, broker: Broker) -> int:
        began = time.monotonic()
        try:
            await story.play()
            problems = await self._check(stage, broker)
            rows = await stage.rows()
            problems += missing(rows)
            self._console.print(table_of(rows, stage.published, width=self._console.width))
            self._console.print(coverage_of(rows))
            if weeks is not None:
                await weeks.play()
                problems += await weeks.check()
                self._console.print(await weeks.table())
            problems += stage.ended()
        except StoryError as error:
            problems = [f"broke off: {error}", *compare(stage.expected, await _found(stage, broker))]
            self._console.print(table_of(await stage.rows(), stage.published, width=self._console.width))
        for line in problems:
            self._say(line, "red")
        if problems:
            return 1
        told = f"story {time.monotonic() - began:.1f} s, all in all {time.monotonic() - self._began:.1f} s until here"
        self._console.print(f"[green]OK:[/] {summary(stage.expected)}; {told}.")
        return 0

    async def _check(self, stage: Stage, broker: Broker) -> list[str]:
        """What is wrong once nothing moves any more, or once it should have stopped moving."""

        async def nothing_moves() -> bool:
            open_ = any(row.state in {"accepted", "claimed", "handing-over", "retrying"} for row in await stage.rows())
            return not (open_ or await broker.unread() or await stage.ledger.untold())

        deadline = time.monotonic() + ARRIVAL_SECONDS
        while True:
            quiet = await nothing_moves()
            problems = compare(stage.expected, await _found(stage, broker))
            if quiet:  # only outcomes may still be on their way to us
                deadline = min(deadline, time.monotonic() + OUTCOME_SECONDS)
            if (quiet and not problems) or time.monotonic() > deadline:
                still = [] if quiet else ["not quiet: something is unread, unsent or untold after the time given"]
                return problems + still
            await asyncio.sleep(0.1)


async def _found(stage: Stage, broker: Broker) -> Found:
    return Found(
        rows=await stage.rows(),
        arrived=await stage.inbox.arrived(),
        told=broker.told(),
        dead_letters=broker.dead_letters,
    )


async def _until(condition: Callable[[], bool], description: str) -> None:
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise StoryError(f"Within {ARRIVAL_SECONDS:.0f} s there were no {description}.")
        await asyncio.sleep(0.05)
