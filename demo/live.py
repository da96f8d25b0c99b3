"""The demo while somebody watches: the table lives, keys break things. Without a terminal it prints and waits."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live as Screen
from rich.table import Table
from rich.text import Text

from demo.actions import OWN_EVENT, Action, Actions
from demo.coverage import coverage_of
from demo.house import CONSOLE, House
from demo.keys import CTRL_C, has_keyboard, pressed
from demo.stage import Stage
from demo.story import Story
from demo.table import table_of
from demo.watch import Seen
from demo.weeks import Weeks

REFRESH_SECONDS = 0.25
NEWS = 3
"""So many of the newest scenes and results are shown, each as a whole."""
TABLE_FRAME = 4
"""Lines of the table that are no rows: title, header, its rule, and one to spare."""
LEAST_ROWS = 3
TALL = 40
"""Lines of a terminal from which on each address and each key has a line of its own."""

Check = Callable[[], Awaitable[list[str]]]


class Live:
    """`check` says what is wrong once the story is told; then come the weeks, on a clock that jumps."""

    def __init__(  # noqa: PLR0917, RUF100 (what is shown)
        self, console: Console, stage: Stage, house: House, actions: Actions, weeks: Weeks | None, check: Check
    ) -> None:
        self._console = console
        self._stage = stage
        self._house = house
        self._check = check
        self._weeks = weeks
        self._actions = actions.by_key()
        self._news: dict[str, Text] = {}  # the newest last; a key has one entry, and so has each line of the story
        self._running: dict[str, asyncio.Task[None]] = {}
        self._quit = asyncio.Event()
        self._rows: list[Seen] = []
        self._telling = True
        self.failed = False

    async def run(self, story: Story) -> int:
        """Until `q` or a signal. Exit status; `failed` says the same to whoever catches the signal."""
        if not self._console.is_terminal or self._console.is_dumb_terminal or not has_keyboard():
            return await self._print(story)
        self._stage.tell = self._hear
        telling = asyncio.create_task(self._tell(story))
        telling.add_done_callback(lambda told: None if told.cancelled() else self._on_key(OWN_EVENT))
        try:
            with Screen(console=self._console, screen=True, auto_refresh=False) as screen, pressed(self._on_key):
                while not self._quit.is_set():
                    self._rows = await self._stage.rows()
                    screen.update(self._view(), refresh=True)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(REFRESH_SECONDS):
                            await self._quit.wait()
        finally:
            await _end(telling, *self._running.values())
        self._print_tables(self._rows)
        self._news.pop(OWN_EVENT, None)  # nobody listens there any more
        self._console.print(*self._news.values(), sep="\n")
        return int(self.failed)

    async def _print(self, story: Story) -> int:
        self._console.print(self._addresses())
        await self._tell(story)
        self._print_tables(await self._stage.rows())
        self._console.print(self._addresses())
        self._console.print("It goes on until Ctrl-C (SIGINT) or SIGTERM.")
        await self._quit.wait()
        return int(self.failed)

    def _print_tables(self, rows: Sequence[Seen]) -> None:
        self._console.print(table_of(rows, self._stage.published, width=self._console.width))
        self._console.print(coverage_of(rows))

    async def _tell(self, story: Story) -> None:
        try:
            await story.play()
            problems = await self._check()
            if self._weeks is not None:
                await self._weeks.play()
                problems += await self._weeks.check()
            self.failed = bool(problems)
            for line in problems or ["The story is told, and everything arrived as it should."]:
                self._stage.tell(line)
        except Exception as error:  # noqa: BLE001 (whoever watches can still look around; --once fails instead)
            self.failed = True
            self._stage.tell(f"The story broke off: {error}")
        self._telling = False

    def _on_key(self, key: str) -> None:
        if key in {"q", CTRL_C}:
            self._quit.set()
        action = self._actions.get(key)
        if action is None or (key in self._running and not self._running[key].done()):
            return
        if self._telling:  # what is checked at its end is the story's alone
            self._hear("once the story is told", key)
            return
        self._running[key] = asyncio.create_task(self._act(action))

    async def _act(self, action: Action) -> None:
        def say(text: str) -> None:
            self._news[action.key] = _result(action.key, text)

        self._hear("begins", action.key)
        try:
            await action.run(say)
        except Exception as error:  # noqa: BLE001 (as above: shown, and the demo goes on)
            say(f"broke off: {type(error).__name__}: {error}")
        self._news[action.key] = self._news.pop(action.key)  # its end is news again

    def _hear(self, text: str, key: str | None = None) -> None:
        """As the newest."""
        name = key or text
        self._news.pop(name, None)
        self._news[name] = _result(key, text) if key else Text(text)

    def _view(self) -> RenderableType:
        """Addresses and keys are always there, above them the news as far as they fit; the table has what is left."""
        alarm = Text("\n".join(self._house.ended()), "bold red")
        pinned = [part for part in (alarm, self._addresses(), self._keys()) if part.plain]
        room = self._console.height - sum(map(self._lines, pinned))
        news: list[Text] = []
        for text in reversed([*self._news.values()][-NEWS:]):
            least = TABLE_FRAME + LEAST_ROWS if news else 0
            if room - self._lines(text) < least:
                break
            news.insert(0, text)
            room -= self._lines(text)
        layout = Layout()
        below = Layout(Group(*news, *pinned), size=self._console.height - room)
        layout.split_column(Layout(self._table(room), visible=room > 0), below)
        return layout

    def _table(self, room: int) -> Table:
        """With the newest rows that fit into so many lines."""
        newest = max(0, room - TABLE_FRAME)
        while True:
            table = table_of(self._rows, self._stage.published, width=self._console.width, newest=newest)
            if newest == 0 or self._lines(table) <= room:
                return table
            newest -= 1

    def _lines(self, part: RenderableType) -> int:
        return len(self._console.render_lines(part))

    def _addresses(self) -> Text:
        services = [each for each in self._house.services.values() if each.announced]
        inbox = f"inbox              {self._house.inbox}"
        if self._console.is_terminal and self._console.height < TALL:
            ports = (f"{each.name.removeprefix('notifier ')} :{urlsplit(each.address).port}" for each in services)
            return Text(f"{inbox}  /gallery/\n/healthz /readyz /metrics  {'  '.join(ports)}", "cyan")
        lines = [
            f"{each.name:<18} {each.address}{'' if each.name == CONSOLE else '  /healthz /readyz /metrics'}"
            for each in services
        ]
        return Text(
            "\n".join(
                [inbox, f"gallery            {self._house.gallery}", *lines, f"logs               {self._house.folder}"]
            ),
            "cyan",
        )

    def _keys(self) -> Text:
        tall = self._console.height >= TALL
        keys = [f"{each.key}  {each.text if tall else each.name}" for each in self._actions.values()]
        return Text(("\n" if tall else "   ").join([*keys, "q  quit"]), "bold")


def _result(key: str, text: str) -> Text:
    return Text(f"{key}: {text}", "yellow")


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
