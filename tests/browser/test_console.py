"""The console in a real browser: every page by axe-core's rules, by keyboard, on a phone, and live without reloading.

Run by `make test-browser`; no part of `make test`. AXE names axe-core's `axe.min.js`, CHROMIUM the browser.
"""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright

from tests.integration.test_console_broker import Rig, fresh, rig
from tests.support.ledger import code, password_changed
from tests.support.waiting import wait_for

__all__ = ["rig"]
AXE = Path(os.environ["AXE"]).read_text("utf-8")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
PAGES = ("/", "/notifications", "/events?state=waiting", "/suppressions", "/complaints", "/complaints?state=person",
         "/dead-letters", "/topics", "/topics/identity.codes.v1", "/nowhere")  # fmt: skip
PHONE = {"width": 320, "height": 700}
"""CSS pixels: what 1280 at 400 % leaves (WCAG 1.4.10)."""


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Any]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


async def opened(browser: Any, rig: Rig, path: str, **options: Any) -> Any:
    """A page whose console said nothing: no refused style, script or fetch."""
    context = await browser.new_context(base_url=f"http://127.0.0.1:{rig.console.port}", **options)
    page = await context.new_page()
    page.troubles = []
    page.on("console", lambda message: page.troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    await page.goto(path)
    return page


async def filled(rig: Rig) -> str:
    member = await rig.ledger.known()
    await rig.ledger.handed_over(code(member), password_changed(member))
    await rig.ledger.accept(password_changed(fresh()))
    await rig.upstream.publish(code(member))
    await rig.refuse("data-invalid: data.code", b"{}")
    await rig.console.broker.look()
    return member


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_breaks_no_rule_of_wcag_2_2_aa(browser: Any, rig: Rig, path: str, scheme: str) -> None:
    await filled(rig)
    page = await opened(browser, rig, path, color_scheme=scheme)
    await page.evaluate(AXE)
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = await page.evaluate("tags => axe.run({runOnly: tags})", tags)
    assert [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found["violations"]] == []
    await page.context.close()


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_fits_a_phone_without_scrolling_sideways(browser: Any, rig: Rig, path: str) -> None:
    await filled(rig)
    page = await opened(browser, rig, path, viewport=PHONE)
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await page.context.close()


async def test_the_first_tab_leads_past_the_menu(browser: Any, rig: Rig) -> None:
    page = await opened(browser, rig, "/")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.matches('main .tile a')")
    await page.context.close()


async def test_what_happens_appears_without_reloading_and_the_focus_stays(browser: Any, rig: Rig) -> None:
    member = await filled(rig)
    page = await opened(browser, rig, f"/notifications?member={member}")
    await page.evaluate("window.same = true; document.querySelector('main tbody th a').focus()")
    focused = await page.evaluate("document.activeElement.getAttribute('href')")
    await rig.ledger.accept(password_changed(member, "another"))
    await wait_for(lambda: page.evaluate("document.querySelectorAll('main tbody tr').length === 3"), "third row")
    assert await page.evaluate("window.same")
    assert await page.evaluate("document.activeElement.getAttribute('href')") == focused
    assert page.troubles == []
    await page.context.close()


async def test_without_javascript_the_page_is_whole(browser: Any, rig: Rig) -> None:
    page = await opened(browser, rig, "/", java_script_enabled=False)
    assert await page.locator("h1").count() == 1
    assert await page.locator("#live").is_hidden()
    await page.context.close()
