"""The README's pictures: `make pictures`. The demo is played once, and Chromium looks at what came of it.

Needs Playwright, which is not in the lock; CHROMIUM names the browser where it is not on the path.
"""

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import httpx
from playwright.async_api import async_playwright

from tests.e2e.test_demo import Demo, started

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZE = {"width": 1200, "height": 780}
MOST_BYTES = 200_000
"""Of a picture: whoever clones the project loads it."""
SHOWN = "Code de vérification à usage unique"
"""Of the mails, the newest whose subject has this."""


async def pictures(addresses: Mapping[str, str]) -> Mapping[str, str]:
    """Name → address. Raises `LookupError` when the demo did not bring forth what is to be shown."""
    inbox, console = addresses["inbox"], addresses["console"]
    async with httpx.AsyncClient(timeout=30) as http:
        mails = (await http.get(f"{inbox}/api/messages", params={"q": SHOWN, "kind": "mail"})).raise_for_status().json()
        shown = max((each["id"] for each in mails["messages"]), default=None)
        letters = (await http.get(f"{console}/notifications", params={"lane": "letters"})).text
        complaints = {
            path: (await http.get(f"{console}{path}")).text.count('class="owed"')
            for path in {f"/complaints/{id_}" for id_ in re.findall(r'/notifications\?member=([^"]+)"', letters)}
        }
    if shown is None:
        raise LookupError(f"no mail has {SHOWN!r} in its subject")
    if not any(complaints.values()):
        raise LookupError("no complaint has a deadline")
    return {
        "inbox": f"{inbox}/#{shown}",
        "mail": f"{inbox}/api/messages/{shown}/html",
        "console": f"{console}/",
        "complaint": f"{console}{max(complaints, key=lambda path: (complaints[path], path))}",
    }


async def take(chromium: str, wanted: Mapping[str, str]) -> list[Path]:
    taken: list[Path] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--hide-scrollbars"])
        for name, address in wanted.items():
            for scheme, ending in (("light", ""), ("dark", "-dark")):
                page = await browser.new_page(viewport=SIZE, color_scheme=scheme)
                await page.goto(address)
                await page.locator("h1").first.wait_for()
                for frame in await page.locator("iframe").all():
                    await frame.content_frame.locator("h1").wait_for()
                taken.append(IMAGES / f"{name}{ending}.png")
                await page.screenshot(path=taken[-1])
                await page.close()
        await browser.close()
    return taken


def played(demo: Demo) -> Mapping[str, str]:
    """Its addresses, once its story is told."""
    demo.read_until("It goes on until")
    return dict(re.findall(r"^(inbox|console) +(http://127\.0\.0\.1:[0-9]+)$", demo.said, re.MULTILINE))


def main() -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("No Chromium on the path. Install one, or name it in CHROMIUM.")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as demo:
        try:
            wanted = asyncio.run(pictures(played(demo)))
        except LookupError as error:
            sys.exit(f"{demo.said}\nNo pictures of this: {error}.")
        taken = asyncio.run(take(chromium, wanted))
        demo.process.send_signal(signal.SIGINT)
        demo.process.wait(120)
    for picture in taken:
        print(f"{picture.name}: {picture.stat().st_size:,} bytes")
    if large := [picture.name for picture in taken if picture.stat().st_size > MOST_BYTES]:
        sys.exit(f"Larger than {MOST_BYTES:,} bytes: {', '.join(large)}. Make SIZE smaller.")


if __name__ == "__main__":
    main()
