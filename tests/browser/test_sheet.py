"""One picture of all pages: light and dark, on a desk and on a phone, for people to look at. Made last."""

import base64
import os
from html import escape
from pathlib import Path
from typing import Any

from tests.browser.stage import PAGES, Stage, stage

__all__ = ["stage"]
SHEET = Path(os.environ.get("CONTACT_SHEET", "var/browser/contact-sheet.png"))
DESK, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 860}
STYLE = """
body { margin: 24px; font: 15px sans-serif; background: #8a8f98; color: #fff; }
section { display: grid; grid-template-columns: 640px 640px 195px 195px; gap: 14px; margin-bottom: 26px; }
h2 { grid-column: 1 / -1; margin: 0; font-size: 17px; }
img { width: 100%; height: 430px; object-fit: cover; object-position: top; background: #fff; }
"""


async def test_every_page_is_on_the_contact_sheet(stage: Stage) -> None:
    rows = [await _row(stage, path) for path in PAGES]
    SHEET.parent.mkdir(parents=True, exist_ok=True)
    context = await stage.browser.new_context(viewport={"width": 1780, "height": 900})
    page = await context.new_page()
    await page.set_content(f"<!doctype html><style>{STYLE}</style>{''.join(rows)}")
    await page.wait_for_function("[...document.images].every(image => image.complete)")
    shown = await page.evaluate("[...document.images].filter(image => image.naturalWidth > 0).length")
    await page.screenshot(path=SHEET, full_page=True)
    await context.close()
    assert shown == 4 * len(PAGES)


async def _row(stage: Stage, path: str) -> str:
    shots = [
        await _shot(stage, path, viewport=size, color_scheme=scheme)
        for size in (DESK, PHONE)
        for scheme in ("light", "dark")
    ]
    images = "".join(f'<img src="data:image/png;base64,{base64.b64encode(shot).decode()}" alt="">' for shot in shots)
    return f"<section><h2>{escape(path)}</h2>{images}</section>"


async def _shot(stage: Stage, path: str, **options: Any) -> bytes:
    async with stage.opened(path, **options) as page:
        await page.wait_for_load_state("networkidle")
        shot: bytes = await page.screenshot()
        return shot
