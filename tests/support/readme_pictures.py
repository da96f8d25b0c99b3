"""The README's pictures: `python -m tests.support.readme_pictures`. Real mails in the real inbox, by Chromium.

Needs Playwright, which is not in the lock: `.venv/bin/python -m pip install playwright`.
It drives the Chromium on the path.
"""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import aiosmtplib
from playwright.async_api import async_playwright

from demo.catcher import Catcher
from services.notifier import mime
from services.notifier.brands import load_brands
from tests.support.notices import Case, cases, composer
from tests.support.screenshots import FLAGS

IMAGES = Path(__file__).parents[2] / "docs" / "images"
DATE = "Sun, 22 Nov 2026 09:16:04 +0000"
SIZE = {"width": 1280, "height": 860}
SHOWN = "one-time-verification-code"


def mail(case: Case) -> bytes:
    brand = load_brands()[case.brand]
    return mime.assemble(
        composer().email(*case.key, case.facts),
        sender=mime.mailbox(brand.sender.name, brand.sender.address),
        recipient="amara.okafor@example.test",
        message_id=f"<{abs(hash(case.id))}@example.test>",
        date=DATE,
        language=case.locale,
    )


async def deliver(catcher: Catcher) -> None:
    shown = sorted(
        (case for case in cases() if case.channel == "email" and "minimal" not in case.example),
        key=lambda case: (case.notice == SHOWN, case.brand == "cigna-healthcare"),
    )
    for case in shown:
        await aiosmtplib.send(
            mail(case),
            sender="no-reply@example.test",
            recipients=["amara.okafor@example.test"],
            hostname=catcher.host,
            port=catcher.smtp_port,
            start_tls=False,
        )
    await catcher.wait_for(len(shown), "every mail")


async def take(chromium: str, address: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS[1:]))
        for name, scheme in (("inbox.png", "light"), ("inbox-dark.png", "dark")):
            page = await browser.new_page(viewport=SIZE, color_scheme=scheme, device_scale_factor=1.5)
            await page.goto(address)
            frame = page.frame_locator("iframe").first
            await frame.locator("h1").wait_for()
            await page.screenshot(path=IMAGES / name)
            print(name)
        await browser.close()


async def main() -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("No Chromium on the path. Install one, or name it in CHROMIUM.")
    IMAGES.mkdir(parents=True, exist_ok=True)
    async with Catcher() as catcher:
        await deliver(catcher)
        newest = max(catcher.mails, key=lambda caught: caught.id).id
        await take(chromium, f"{catcher.http_url}/#{newest}")


if __name__ == "__main__":
    asyncio.run(main())
