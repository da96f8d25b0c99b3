"""The demo as a person runs it: the whole way from events to the inbox, and nothing left behind, however it ends."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped] # no stubs in the lock
import pytest

from tests.support.waiting import wait_for

PROGRAM = Path(sys.executable).with_name("member-notices")
ENDS_WITHIN_SECONDS = 120.0
GALLERY_SECONDS = 120.0
"""Some seconds of work, beside three other tests and the demo itself."""


class Demo:
    """`member-notices demo` as a process; `children` are all that were seen below it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.children: set[psutil.Process] = set()

    def read_until(self, wanted: str | None) -> None:
        """To the first line that contains `wanted`, or to the end of what it says."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if self.process.poll() is None:
                self.children |= set(psutil.Process(self.process.pid).children(recursive=True))
            if wanted is not None and wanted in line:
                return
        assert wanted is None, self.said

    @property
    def said(self) -> str:
        return "".join(self.lines)

    def left(self) -> list[psutil.Process]:
        return [child for child in self.children if alive(child)]


def alive(process: psutil.Process) -> bool:
    """A zombie has ended; whether its entry goes away is the business of the machine's process 1."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@contextmanager
def started(tmp_path: Path, *options: str) -> Iterator[Demo]:
    with subprocess.Popen(
        [str(PROGRAM), "demo", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    ) as process:
        try:
            yield Demo(process)
        finally:
            process.kill()


async def the_gallery_is_shown(links: list[str]) -> None:
    (link,) = links
    page = f"{link}cm-pin-blocked-fr.html"
    await wait_for(lambda: httpx.get(page).status_code == 200, "a page of the gallery", within_seconds=GALLERY_SECONDS)
    await wait_for(lambda: "Votre code PIN est bloqué" in httpx.get(link).text, "its first page")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with started(tmp_path, "--once") as demo:
        yield demo


def test_everything_arrives_and_nothing_is_left(demo: Demo, tmp_path: Path) -> None:
    demo.read_until(None)
    assert demo.process.wait(ENDS_WITHIN_SECONDS) == 0, demo.said
    assert "OK: 75 messages (64 email, 7 in-app, 4 sms; 16 de, 22 en, 23 fr, 14 nl; 21 notices)" in demo.said
    for provider in ("Keycloak", "Okta", "Auth0", "Shared Signals"):
        assert f"from {provider}" in demo.said
    assert "the event says fr" in demo.said
    assert "the contact says el" in demo.said
    assert "Nine weeks, " in demo.said
    assert "http://" not in demo.said  # nobody could open it any more
    # A guard and its process for each of the catcher, auth_events, complaint_sla and two notifiers, whatever else.
    assert len(demo.children) >= 10
    assert demo.left() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("after", "number", "status"),
    [
        ("catcher", signal.SIGINT, 128 + signal.SIGINT),
        ("Started", signal.SIGTERM, 128 + signal.SIGTERM),
        ("Started", signal.SIGKILL, -signal.SIGKILL),
    ],
)
async def test_no_process_outlives_it(demo: Demo, after: str, number: signal.Signals, status: int) -> None:
    demo.read_until(after)
    demo.process.send_signal(number)
    assert demo.process.wait(ENDS_WITHIN_SECONDS) == status, demo.said
    await wait_for(lambda: not demo.left(), f"end of {len(demo.children)} processes")


def test_without_a_terminal_addresses_come_first_and_a_signal_is_the_way_out(tmp_path: Path) -> None:
    with started(tmp_path) as demo:
        demo.read_until("gallery")
        demo.read_until("logs")
        found = re.findall(r"^gallery +(http://127\.0\.0\.1:[0-9]+/gallery/)$", demo.said, re.MULTILINE)
        asyncio.run(the_gallery_is_shown(found))
        demo.process.send_signal(signal.SIGINT)
        demo.read_until(None)
        assert demo.process.wait(ENDS_WITHIN_SECONDS) == 0, demo.said
        assert demo.left() == []
    assert list(tmp_path.iterdir()) == []
