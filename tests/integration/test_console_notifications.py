"""Finding what was sent and what was not: a ledger filled by the notifier's own code, asked through the console."""

import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest

from services.console.notifications import PAGE_ROWS, search_hash
from tests.support.console import asked, running, settings
from tests.support.database import temporary_database
from tests.support.ledger import CODE, LINK, T0, Ledger, code, ledger_on, password_changed, result

SEARCH_KEY = "search" * 6


@dataclass
class Desk:
    http: httpx.AsyncClient
    ledger: Ledger

    async def page(self, path: str, **query: object) -> str:
        # httpx takes an empty dict for "no query at all", whatever the path has.
        answer = await self.http.get(path, params={name: str(value) for name, value in query.items()} or None)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def ids(self, path: str = "/notifications", **query: object) -> list[str]:
        return re.findall(r'href="/notifications/([0-9a-f-]{36})"', await self.page(path, **query))


@pytest.fixture(scope="module")
async def desk(kafka: str, database_server: str, migrated_template: str) -> AsyncIterator[Desk]:
    async with (
        temporary_database(database_server, template=migrated_template) as dsn,
        ledger_on(dsn) as ledger,
        running(settings(kafka, dsn, search_key=SEARCH_KEY)) as console,
        asked(console) as http,
    ):
        ledger.sealer._search_key = SEARCH_KEY.encode()
        yield Desk(http, ledger)


async def ids_of(desk: Desk, member: str) -> list[str]:
    return [str(row["id"]) for row in await desk.ledger.rows(member)]


async def test_a_member_s_notifications_are_listed_newest_first(desk: Desk) -> None:
    member, other = await desk.ledger.known(), await desk.ledger.known()
    await desk.ledger.accept(
        password_changed(member, "old", T0 - timedelta(hours=3)), password_changed(member, "new"),
        password_changed(other),
    )  # fmt: skip
    assert await desk.ids(member=member) == list(reversed(await ids_of(desk, member)))


@pytest.mark.parametrize("asked_as", ["urn:test:idp|{id}", "{id}"])
async def test_an_event_is_found_with_or_without_its_source(desk: Desk, asked_as: str) -> None:
    member = await desk.ledger.known()
    await desk.ledger.accept(password_changed(member, "one"), password_changed(member, "two"))
    rows = [str(row["id"]) for row in await desk.ledger.rows(member) if row["event_id"] == f"{member}-one"]
    page = await desk.page("/notifications", event=asked_as.format(id=f"{member}-one"))
    assert re.findall(r'href="/notifications/([0-9a-f-]{36})"', page) == rows
    assert "Accepted and planned." in page


async def test_state_lane_and_notice_narrow_the_list(desk: Desk) -> None:
    member = await desk.ledger.known()
    (row,) = await desk.ledger.handed_over(code(member))
    await desk.ledger.accept(password_changed(member))
    await desk.ledger.sending.record([result(row, 1, "unknown")], T0)
    assert await desk.ids(member=member, state="unknown") == [str(row.id)]
    assert await desk.ids(member=member, lane="codes") == [str(row.id)]
    assert str(row.id) in await desk.ids(state="open")
    assert str(row.id) not in await desk.ids(state="sent")
    assert len(await desk.ids(member=member, notice="password-changed")) == 1


async def test_what_was_handed_over_late_in_the_last_hour_has_a_list(desk: Desk) -> None:
    member = await desk.ledger.known()
    rows = await desk.ledger.handed_over(
        code(member, "late", T0 - timedelta(minutes=2)), code(member, "in-time", T0 - timedelta(seconds=1))
    )
    await desk.ledger.sending.record([result(row, 1, "sent") for row in rows], T0)
    await desk.ledger.database.execute(
        "UPDATE notifier.notifications SET sent_at = $1 WHERE member_id = $2", T0, member
    )
    late = [str(row["id"]) for row in await desk.ledger.rows(member) if row["event_id"].endswith("late")]
    assert [each for each in await desk.ids(late=1) if each in await ids_of(desk, member)] == late


async def test_an_address_is_found_by_its_hash_and_stays_out_of_page_and_place(desk: Desk) -> None:
    member = await desk.ledger.known()
    await desk.ledger.accept(password_changed(member))
    address = f"  {member.upper()}@Example.TEST "
    answer = await desk.http.get("/notifications", params={"address": address}, follow_redirects=True)
    assert re.findall(r'href="/notifications/([0-9a-f-]{36})"', answer.text) == await ids_of(desk, member)
    assert address.strip().lower() not in answer.text.lower()
    assert "%40" not in str(answer.url)


async def test_the_hash_is_the_notifier_s(desk: Desk) -> None:
    for address in ("Anna@example.test", " anna@example.TEST", "+32470111222"):
        assert search_hash(SEARCH_KEY.encode(), address) == desk.ledger.sealer.search_hash(address)


async def test_a_long_list_goes_on_page_by_page_and_misses_and_repeats_nothing(desk: Desk) -> None:
    member = await desk.ledger.known()
    count = PAGE_ROWS * 2 + 7
    for number in range(count):
        await desk.ledger.accept(password_changed(member, f"e-{number}", T0 - timedelta(minutes=number // 3)))
    seen = await all_pages(desk, f"/notifications?member={member}")
    assert len(seen) == len(set(seen)) == count
    assert set(seen) == set(await ids_of(desk, member))


@pytest.mark.parametrize("query", ["", "?notice=password-changed", "?lane=security"])
async def test_what_has_ended_and_what_is_open_stand_in_one_list_and_none_is_missed(desk: Desk, query: str) -> None:
    member = await desk.ledger.known()
    times = [T0 - timedelta(hours=37 * number) for number in range(PAGE_ROWS)]
    rows = await desk.ledger.handed_over(*(password_changed(member, f"{at:%j-%H}{query}", at) for at in times))
    await desk.ledger.sending.record([result(row, 1, "sent") for row in rows[::2]], T0)
    wanted = "true" if not query else "lane = 'security'" if "lane" in query else "notice = 'password-changed'"
    there = await desk.ledger.database.fetch(
        f"SELECT id FROM notifier.notifications WHERE {wanted} ORDER BY event_time DESC, id DESC"  # noqa: S608
    )
    assert await all_pages(desk, f"/notifications{query}") == [str(row["id"]) for row in there]


async def test_a_search_that_meets_a_busy_day_shows_what_it_has_and_goes_on_another_time(desk: Desk) -> None:
    """A day that cannot be read for now stands for one that takes long."""
    member = await desk.ledger.known()
    busy = T0 - timedelta(days=2)
    await desk.ledger.accept(code(member, "now"), code(member, "then", busy))
    then, now = await ids_of(desk, member)
    table = f"notifier.notifications_{busy:%Y%m%d}"
    async with desk.ledger.database.acquire() as session, session.transaction():
        await session.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        page = await desk.page("/notifications", notice="one-time-verification-code")
    assert now in page
    assert then not in page
    assert "it is complete back to" in page
    assert {now, then} <= set(await all_pages(desk, "/notifications?notice=one-time-verification-code"))


async def all_pages(desk: Desk, path: str) -> list[str]:
    """The ids of a list, from page to page."""
    seen: list[str] = []
    more: str | None = path
    while more is not None:
        page = await desk.page(more)
        seen += re.findall(r'<th scope="row"><a href="/notifications/([0-9a-f-]{36})"', page)
        found = re.search(r'href="([^"]*)" rel="next"', page)
        more = found[1].replace("&amp;", "&") if found else None
    return seen


async def test_days_are_walked_newest_first_over_midnight(desk: Desk) -> None:
    member = await desk.ledger.known()
    times = [T0 - timedelta(days=days) for days in (0, 1, 5, 40)]
    await desk.ledger.accept(*(password_changed(member, f"d-{at:%j}", at) for at in times))
    mine = await ids_of(desk, member)
    listed = await desk.ids(to=desk.ledger.sealer.search_hash(f"{member}@example.test").hex())
    assert listed == list(reversed(mine))


async def test_one_notification_tells_its_attempts_and_reasons_in_words(desk: Desk) -> None:
    member = await desk.ledger.known()
    (row,) = await desk.ledger.handed_over(code(member))
    await desk.ledger.sending.record([result(row, 1, "unknown", reason="smtp:time-out-after-data")], T0)
    page = await desk.page(f"/notifications/{row.id}")
    assert "nobody knows whether it arrived" in page
    assert "the mail relay had the message when the connection broke or went silent (time-out)" in page
    assert f"member-notices why {row.id}" in page
    for private in (CODE, LINK, "Zq7LINK", f"{member}@example.test"):
        assert private not in page


async def test_events_that_wait_are_listed(desk: Desk) -> None:
    member = desk.ledger.member()
    await desk.ledger.accept(password_changed(member))
    page = await desk.page("/events", state="waiting")
    assert f"{member}-e-1" in page
    assert "it waits for the member&#39;s contact" in page


@pytest.mark.parametrize(
    "query",
    [
        {"state": "nonsense"}, {"lane": "nonsense"}, {"late": "2"}, {"notice": "<script>"}, {"to": "abc"},
        {"before": "yesterday"}, {"before": "2026-01-01T00:00:00,x"}, {"member": "m" * 401}, {"member": "é"},
        {"nonsense": "1"}, {"event": "\n\x00"},
    ],
)  # fmt: skip
async def test_a_question_that_cannot_be_asked_is_refused_without_repeating_it(
    desk: Desk, query: dict[str, str]
) -> None:
    answer = await desk.http.get("/notifications", params=query)
    assert answer.status_code == 400
    assert "nonsense" not in answer.text
    assert "&lt;script&gt;" not in answer.text


@pytest.mark.parametrize("id_", [str(uuid.UUID(int=7)), "nonsense", "%2e%2e"])
async def test_an_unknown_notification_says_so(desk: Desk, id_: str) -> None:
    answer = await desk.http.get(f"/notifications/{id_}")
    assert (answer.status_code, "No such notification" in answer.text) == (404, True)


async def test_what_is_asked_is_shown_as_text_and_never_run(desk: Desk) -> None:
    page = await desk.page("/notifications", member='"><script>alert(1)</script>')
    assert "<script>alert" not in page


async def test_without_a_search_key_no_address_can_be_looked_for(kafka: str, database: str) -> None:
    async with running(settings(kafka, database, search_key=None)) as console, asked(console) as http:
        assert 'name="address"' not in (await http.get("/notifications")).text
        assert (await http.get("/notifications", params={"address": "a@b.test"})).status_code == 400
