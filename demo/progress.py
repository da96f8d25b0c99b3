"""What the demo says while it starts and stops: each step, and its time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Steps:
    """Steps may run side by side. Without a terminal a step is a line when it is done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        started = time.monotonic()
        self._progress.start()
        task = self._progress.add_task(text)
        mark = "[red]✗[/]"
        try:
            yield
            mark = "[green]✓[/]"
        finally:
            self._progress.remove_task(task)
            if not self._progress.tasks:
                self._progress.stop()
            self._console.print(f"{mark} {text} [dim]{time.monotonic() - started:5.1f} s[/]")

    def say(self, text: str) -> None:
        self._console.print(f"  {text}", markup=False)
