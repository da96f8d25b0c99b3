"""The gallery in the console: written by the notifier's own preview, framed as mails that may do nothing."""

import json
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from services.notifier.brands import load_brands
from services.notifier.preview_command import preview
from tests.support.console import asked, running, settings
from tests.support.database import temporary_database

NOTICES = frozenset({"one-time-verification-code", "bank-account-changed"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    preview(folder, NOTICES, None)
    return folder


@pytest.fixture(scope="module")
async def dsn(database_server: str, migrated_template: str) -> AsyncIterator[str]:
    async with temporary_database(database_server, template=migrated_template) as dsn:
        yield dsn


@pytest.fixture(scope="module")
async def http(kafka: str, dsn: str, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running(settings(kafka, dsn, console_gallery_dir=folder)) as console, asked(console) as http:
        yield http


async def page(http: httpx.AsyncClient, path: str) -> str:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_every_notice_is_listed_in_each_brand_and_language(http: httpx.AsyncClient, folder: Path) -> None:
    listed = await page(http, "/notices")
    links = {unescape(each) for each in re.findall(r'href="(/notices/[^"]*\?[^"]*)"', listed)}
    messages = json.loads((folder / "messages.json").read_text("utf-8"))
    assert links == {f"/notices/{m['notice']}?brand={m['brand']}&language={m['locale']}" for m in messages}


async def test_facts_of_a_brand_on_which_sources_disagree_are_shown_and_counted(http: httpx.AsyncClient) -> None:
    doubts = [doubt for brand in load_brands().values() for doubt in brand.doubts]
    assert doubts
    listed = unescape(await page(http, "/notices"))
    assert [doubt for doubt in doubts if doubt not in listed] == []
    tile = re.search(r'href="/notices#doubts".*?</li>', await page(http, "/"), re.DOTALL)
    assert tile is not None
    assert f">{len(doubts)}<" in tile[0]


async def test_a_notice_shows_its_mail_light_dark_and_on_a_phone_in_frames_that_may_do_nothing(
    http: httpx.AsyncClient,
) -> None:
    shown = await page(http, "/notices/bank-account-changed?brand=cm&language=nl")
    frames = re.findall(r"<iframe ([^>]*)>", shown)
    titles = {re.sub(r'.*title="([^"]*)".*', r"\1", each) for each in frames}
    assert len(titles) == len(frames) >= 4
    assert all(each.endswith(" sandbox") for each in frames)
    kinds = [f"mail {width} {scheme}" for width in ("desktop", "phone") for scheme in ("light", "dark")]
    assert [kind for kind in kinds if kind not in shown] == []
    assert "In the portal" in shown


async def test_an_sms_is_shown_with_its_parts(http: httpx.AsyncClient) -> None:
    assert "1 part, GSM-7" in await page(http, "/notices/one-time-verification-code?language=fr")


async def test_a_mail_brings_styles_and_nothing_else_and_only_the_console_frames_it(http: httpx.AsyncClient) -> None:
    shown = await page(http, "/notices/bank-account-changed")
    (source, *_) = re.findall(r'<iframe src="([^"]*)"', shown)
    answer = await http.get(source)
    policy = answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox;" in policy
    assert "script-src" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert "<html" in answer.text


@pytest.mark.parametrize(
    "name", ["messages.json", "index.html", "..%2f..%2fetc%2fpasswd", "%2e%2e", "nothing.html", "/etc/passwd"]
)
async def test_only_the_mails_of_the_list_are_served(http: httpx.AsyncClient, name: str) -> None:
    assert (await http.get(f"/notices/mails/{name}")).status_code == 404


@pytest.mark.parametrize(
    "path", ["nonsense", "bank-account-changed?brand=nonsense", "bank-account-changed?language=xx"]
)
async def test_what_the_gallery_has_not_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(f"/notices/{path}")
    assert (answer.status_code, "nonsense" in answer.text) == (404, False)


@pytest.mark.parametrize("setting", [None, "missing", "broken"])
async def test_without_a_gallery_the_page_says_how_to_make_one(
    kafka: str, dsn: str, tmp_path: Path, setting: str | None
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "messages.json").write_text('[{"notice": 1}]', "utf-8")
    folder = None if setting is None else tmp_path / setting
    async with running(settings(kafka, dsn, console_gallery_dir=folder)) as console, asked(console) as http:
        shown = await page(http, "/notices")
        assert "member-notices preview --out" in shown
        assert "CONSOLE_GALLERY_DIR" in shown
        assert (await http.get("/notices/bank-account-changed")).status_code == 503


async def test_a_gallery_that_is_written_anew_is_shown_anew(kafka: str, dsn: str, tmp_path: Path) -> None:
    async with running(settings(kafka, dsn, console_gallery_dir=tmp_path)) as console, asked(console) as http:
        assert "No gallery yet" in await page(http, "/notices")
        preview(tmp_path, frozenset({"pin-blocked"}), None)
        assert "pin-blocked" in await page(http, "/notices")
