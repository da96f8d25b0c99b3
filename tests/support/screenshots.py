"""Pictures of every mail, to be looked at: `python -m tests.support.screenshots FOLDER [PART OF A NAME]`.

Light, dark and phone (390 px), by whatever Chromium is on the path or in CHROMIUM. They stay out of git: a picture
depends on the fonts of the machine that took it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from tests.support.notices import cases, composer

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
)  # fmt: skip
HEIGHT = 1700
# Chromium's own setting behind prefers-color-scheme: 0 is dark, 1 is light.
VIEWS = {"light": (800, 1), "dark": (800, 0), "phone": (390, 1), "phone-dark": (390, 0)}


def take(chromium: str, html: str, picture: Path, width: int, scheme: int) -> None:
    """A window cannot be as narrow as a phone, a frame can."""
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "page.html"
        page.write_text(
            f'<meta charset="utf-8"><meta name="color-scheme" content="light dark"><body style="margin:0">'
            f'<iframe srcdoc="{escape(html)}" style="border:0;width:{width}px;height:{HEIGHT}px"></iframe>',
            encoding="utf-8",
        )
        subprocess.run(
            [
                chromium,
                *FLAGS,
                f"--user-data-dir={scratch}/profile",
                f"--blink-settings=preferredColorScheme={scheme}",
                f"--window-size={max(width, 500)},{HEIGHT}",
                f"--screenshot={picture.resolve()}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )


def main(folder: Path, part: str = "") -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("No Chromium on the path. Install one, or name it in CHROMIUM.")
    folder.mkdir(parents=True, exist_ok=True)
    for case in cases():
        if case.channel != "email" or part not in case.id:
            continue
        html = composer().email(*case.key, case.facts).html
        for view, (width, scheme) in VIEWS.items():
            picture = folder / f"{case.id.replace('/', '_')}.{view}.png"
            take(chromium, html, picture, width, scheme)
            print(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
