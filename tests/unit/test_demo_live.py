"""The demo's screen: addresses and keys stay, the newest news is whole, the table has what is left."""

from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from demo.live import Live
from tests.unit.test_demo_table import ROW

INBOX = "http://127.0.0.1:65535"
RESULT = " ".join(f"word-{number}" for number in range(60))


class Parts:
    """Of stage, house and actions, what the screen asks for."""

    inbox = INBOX
    gallery = f"{INBOX}/gallery/"
    folder = Path("folder")
    services: dict[str, Any] = {}  # noqa: RUF012 (read only)
    published: dict[str, Any] = {}  # noqa: RUF012

    def ended(self) -> list[str]:
        return []

    def by_key(self) -> dict[str, Any]:
        return {}


async def _nothing_wrong() -> list[str]:
    return []


def screen(width: int, height: int, *news: str, rows: int = 30) -> list[str]:
    console = Console(width=width, height=height, file=StringIO(), force_terminal=True, color_system=None)
    parts = cast(Any, Parts())
    live = Live(console, parts, parts, parts, None, _nothing_wrong)
    live._rows = [ROW] * rows
    for text in news:
        live._hear(text)
    console.print(live._view(), height=height)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 12)])
def test_inbox_and_keys_are_the_last_lines_and_the_newest_news_is_whole(width: int, height: int) -> None:
    lines = screen(width, height, "a scene", f"older {RESULT}", f"newest {RESULT}")
    assert len(lines) == height
    assert "q  quit" in lines[-1]
    assert any(INBOX in line for line in lines[-6:])
    assert f"newest {RESULT}" in " ".join(" ".join(lines).split())


def test_rows_give_way_first_and_then_older_news() -> None:
    text = "\n".join(screen(80, 24, "scene 1", "scene 2", "scene 3", "scene 4"))
    assert "scene 1" not in text
    assert all(f"scene {number}" in text for number in (2, 3, 4))
    assert "earlier ones are not shown" in text
    crowded = "\n".join(screen(80, 24, f"oldest {RESULT}", f"older {RESULT}", f"newest {RESULT}"))
    assert "oldest" not in crowded
    assert crowded.count("83 ms") >= 3


def test_all_rows_are_shown_where_they_fit() -> None:
    text = "\n".join(screen(80, 24, "scene 1", rows=12))
    assert text.count("83 ms") == 12
    assert "not shown" not in text
