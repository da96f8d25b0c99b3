"""The console in a real browser: every page by axe-core's rules, by keyboard, on a phone, and live without reloading.

Run by `make test-browser`; no part of `make test`.
"""

import pytest

from tests.browser.stage import AXE, PAGES, PHONE, Stage, stage
from tests.support.ledger import password_changed
from tests.support.waiting import wait_for

__all__ = ["stage"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_breaks_no_rule_of_wcag_2_2_aa(stage: Stage, path: str, scheme: str) -> None:
    async with stage.opened(path, color_scheme=scheme) as page:
        await page.evaluate(AXE)
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        # A mail in its frame may run no script, axe's neither; mails have tests of their own.
        found = await page.evaluate("tags => axe.run({runOnly: tags, iframes: false})", tags)
        troubles = [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found["violations"]]
        assert troubles == []


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/nowhere"])
async def test_no_page_is_refused_what_it_needs_by_its_own_policy(stage: Stage, path: str) -> None:
    async with stage.opened(path) as page:
        await page.wait_for_load_state("networkidle")
        assert page.troubles == []


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_fits_a_phone_without_scrolling_sideways(stage: Stage, path: str) -> None:
    async with stage.opened(path, viewport=PHONE) as page:
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


async def test_the_first_tab_leads_past_the_menu(stage: Stage) -> None:
    async with stage.opened("/") as page:
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.closest('main') !== null")


async def test_from_a_number_to_the_story_behind_it_by_keyboard_alone(stage: Stage) -> None:
    async with stage.opened("/") as page:
        await _tab_to(page, "main a[href='/notifications?state=unknown']")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/notifications?state=unknown")
        await _tab_to(page, f"main a[href='/notifications/{stage.notification}']")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/notifications/{stage.notification}")
        assert await page.locator("caption#attempts").is_visible()


async def test_a_member_is_searched_for_by_keyboard_alone(stage: Stage) -> None:
    async with stage.opened("/notifications") as page:
        await _tab_to(page, "input[name=member]")
        await page.keyboard.type(stage.member)
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**member={stage.member}**")
        members = await page.locator("main tbody td.id").all_inner_texts()
        assert {member.strip() for member in members} == {stage.member}


async def test_an_address_is_searched_for_and_is_not_in_the_place_of_the_page(stage: Stage) -> None:
    async with stage.opened("/notifications") as page:
        await page.fill("input[name=address]", f"{stage.member}@example.test")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**to=**")
        assert stage.member not in page.url
        assert await page.locator("main tbody tr").count() > 0


async def test_what_has_the_focus_is_outlined(stage: Stage) -> None:
    async with stage.opened("/complaints") as page:
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"


async def test_what_happens_appears_without_reloading_and_the_focus_stays(stage: Stage) -> None:
    ledger = stage.rig.ledger
    member = await ledger.known()
    await ledger.accept(password_changed(member))
    async with stage.opened(f"/notifications?member={member}") as page:
        await page.evaluate("window.same = true; document.querySelector('main tbody th a').focus()")
        focused = await page.evaluate("document.activeElement.getAttribute('href')")
        await ledger.accept(password_changed(member, "another"))
        await wait_for(lambda: page.evaluate("document.querySelectorAll('main tbody tr').length === 2"), "second row")
        assert await page.evaluate("window.same")
        assert await page.evaluate("document.activeElement.getAttribute('href')") == focused
        assert page.troubles == []


async def test_a_mail_in_its_frame_follows_the_scheme_beside_it(stage: Stage) -> None:
    # Whatever the browser is told to prefer, every frame is told too: so it is told nothing.
    async with stage.opened("/notices/bank-account-changed", color_scheme="null") as page:
        grounds = {}
        for scheme in ("light", "dark"):
            frame = page.locator(f".desktop.{scheme} iframe").first
            await frame.scroll_into_view_if_needed()
            body = (await (await frame.element_handle()).content_frame()).locator("body")
            await body.wait_for()
            grounds[scheme] = await body.evaluate("body => getComputedStyle(body).backgroundColor")
        assert grounds["light"] != grounds["dark"]


async def test_without_javascript_the_page_is_whole(stage: Stage) -> None:
    async with stage.opened("/", java_script_enabled=False) as page:
        assert await page.locator("h1").count() == 1
        assert await page.locator("#live").is_hidden()


async def _tab_to(page: object, selector: str, most: int = 80) -> None:
    """As who has no mouse gets there."""
    for _ in range(most):
        await page.keyboard.press("Tab")  # type: ignore[attr-defined]
        if await page.evaluate("selector => document.activeElement.matches(selector)", selector):  # type: ignore[attr-defined]
            return
    raise AssertionError(f"{most} times Tab, and {selector} never had the focus")
