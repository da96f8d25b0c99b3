"""Single keys from a terminal, which is as it was again afterwards."""

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CTRL_C = "\x03"
CONTROL_CHARACTERS = 6
"""Their place in what termios calls the attributes."""


def has_keyboard() -> bool:
    return sys.stdin.isatty()


@contextmanager
def pressed(on_key: Callable[[str], None]) -> Iterator[None]:
    """Each key to `on_key`, in the running event loop; so is Ctrl-C, which as a signal would end `make` as well."""
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    loop = asyncio.get_running_loop()

    def read() -> None:
        for key in os.read(keyboard, 64).decode("ascii", "ignore"):
            on_key(key.lower())

    tty.setcbreak(keyboard)
    changed = termios.tcgetattr(keyboard)
    changed[CONTROL_CHARACTERS][termios.VINTR] = os.fpathconf(keyboard, "PC_VDISABLE").to_bytes()
    termios.tcsetattr(keyboard, termios.TCSADRAIN, changed)
    loop.add_reader(keyboard, read)
    try:
        yield
    finally:
        loop.remove_reader(keyboard)
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
