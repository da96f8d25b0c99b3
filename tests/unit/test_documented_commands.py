"""Every `member-notices …` that a page names is a command there is."""

import re
from pathlib import Path

import pytest
import typer.main

from services.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/adr/*.md")]
NAMED = sorted(
    {
        (page.relative_to(ROOT).as_posix(), named)
        for page in PAGES
        for named in re.findall(r"`member-notices ([a-z][a-z-]*(?: [a-z][a-z-]*)?)", page.read_text("utf-8"))
    }
)
COMMANDS = {
    path: command
    for name, command in typer.main.get_command(app).commands.items()  # type: ignore[attr-defined]
    for path, command in [
        (name, command),
        *((f"{name} {inner}", each) for inner, each in getattr(command, "commands", {}).items()),
    ]
}


def test_pages_name_commands() -> None:
    assert len(NAMED) > 8


@pytest.mark.parametrize(("page", "named"), NAMED)
def test_a_command_a_page_names_exists(page: str, named: str) -> None:
    group = named.split(" ", maxsplit=1)[0]
    assert named in COMMANDS or (group in COMMANDS and not getattr(COMMANDS[group], "commands", {})), page
