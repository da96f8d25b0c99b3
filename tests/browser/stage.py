"""What the browser looks at: a console with something on every page, each page's address, and the browser itself.

AXE names axe-core's `axe.min.js`, CHROMIUM the browser.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from playwright.async_api import async_playwright

from services.notifier.ledger.interventions import Interventions
from services.notifier.preview_command import preview
from tests.integration.test_console_broker import Rig, fresh
from tests.integration.test_console_complaints import fill
from tests.support.console import asked, running, settings
from tests.support.database import temporary_database
from tests.support.ledger import T0, code, ledger_on, password_changed, result
from tests.support.notifier import upstream
from tests.support.waiting import wait_for

AXE = Path(os.environ["AXE"]).read_text("utf-8")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
PAGES = (
    "/", "/notifications", "/notifications/{notification}", "/events?state=waiting", "/suppressions", "/interventions",
    "/complaints", "/complaints?state=missed", "/complaints?state=person", "/complaints/c-due", "/dead-letters",
    "/topics", "/topics/identity.codes.v1", "/notices", "/notices/one-time-verification-code", "/nowhere",
)  # fmt: skip
PHONE = {"width": 320, "height": 700}
"""CSS pixels: what 1280 at 400 % leaves (WCAG 1.4.10)."""
GALLERY = frozenset({"one-time-verification-code", "bank-account-changed"})


@dataclass(frozen=True)
class Stage:
    """`notification`: one that was tried, and that somebody looked at by hand."""

    rig: Rig
    browser: Any
    member: str
    notification: str

    @asynccontextmanager
    async def opened(self, path: str, **options: Any) -> AsyncIterator[Any]:
        """A page; `troubles` is what its console said: a refused style, script or fetch."""
        context = await self.browser.new_context(base_url=f"http://127.0.0.1:{self.rig.console.port}", **options)
        page = await context.new_page()
        page.troubles = []
        page.on("console", lambda message: page.troubles.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        await page.goto(path.format(notification=self.notification))
        try:
            yield page
        finally:
            await context.close()


@pytest.fixture(scope="module")
async def stage(
    kafka: str, database_server: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    gallery = tmp_path_factory.mktemp("gallery")
    preview(gallery, GALLERY, None)
    async with (
        temporary_database(database_server, template=migrated_template) as dsn,
        ledger_on(dsn) as ledger,
        upstream(kafka) as up,
        running(settings(kafka, dsn, console_gallery_dir=gallery)) as console,
        asked(console) as http,
        async_playwright() as playwright,
    ):
        await wait_for(lambda: console.broker.seen, "a first look at the broker")
        rig = Rig(kafka, console, http, up, ledger)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        member, notification = await _filled(rig, dsn)
        yield Stage(rig, browser, member, notification)
        await browser.close()


async def _filled(rig: Rig, dsn: str) -> tuple[str, str]:
    """Something sent, late, open, unknown, failed, suppressed, refused, waiting; complaints due and missed."""
    await fill(dsn, datetime.now(UTC).replace(microsecond=0))
    member, other = await rig.ledger.known(), await rig.ledger.known()
    (late,) = await rig.ledger.handed_over(code(other, "late", T0 - timedelta(minutes=4)))
    (unknown,) = await rig.ledger.handed_over(code(member, "unknown"))
    (failed,) = await rig.ledger.handed_over(password_changed(member))
    await rig.ledger.sending.record([result(late, 1, "sent")], T0)
    await rig.ledger.sending.record([result(unknown, 1, "unknown", reason="smtp:time-out-after-data")], T0)
    await rig.ledger.sending.record([result(failed, 1, "failed", reason="smtp:550")], T0)
    await rig.ledger.accept(password_changed(member, "open"), password_changed(fresh()))
    await _by_hand(rig, str(unknown.id), dsn)
    await rig.upstream.publish(code(member), code(member, "c-2"))
    await rig.refuse("data-invalid: data.code", b"{}")
    await rig.refuse("not-json", b"{")
    await rig.console.broker.look()
    return member, str(unknown.id)


async def _by_hand(rig: Rig, notification: str, dsn: str) -> None:
    by_hand = Interventions(rig.ledger.database)
    await by_hand.begin("reveal", notification, who="anna", why="the service desk asked")
    number = await by_hand.begin("replay", "identity.codes.v1/0/7", who="bert", why="the publisher mended its event")
    await by_hand.end(number, "identity.codes.v1/0/12")
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "INSERT INTO notifier.suppressions (address_hash, channel, reason, notification_id, since)"
            " VALUES ('x', 'email', 'address-bounced', $1::text::uuid, $2)",
            notification,
            T0,
        )
    finally:
        await connection.close()
