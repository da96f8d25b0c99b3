"""What people did by hand, as the console shows it: recorded by the notifier's own code, asked over HTTP."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from services.notifier.ledger.inserting import ReadEvent
from services.notifier.ledger.interventions import Interventions
from tests.support.console import asked, running, settings
from tests.support.database import temporary_database
from tests.support.ledger import NO_ROOM, T0, Ledger, code, ledger_on


@dataclass
class Desk:
    http: httpx.AsyncClient
    ledger: Ledger

    @property
    def by_hand(self) -> Interventions:
        return Interventions(self.ledger.database)

    async def accepted(self, origin: str) -> str:
        """A new notification, of an event read from `origin`."""
        member = await self.ledger.known()
        await self.ledger.accepting.accept([ReadEvent(code(member), origin)], T0, NO_ROOM)
        (row,) = await self.ledger.rows(member)
        return str(row["id"])

    async def rows(self, path: str) -> list[str]:
        """The table's, without tags."""
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        table = re.search(r'<caption id="by-hand">.*?</table>', answer.text, flags=re.DOTALL)
        body = table[0].partition("<tbody>")[2] if table else ""
        return [re.sub(r"<[^>]*>", " ", row) for row in re.findall(r"<tr>(.*?)</tr>", body, flags=re.DOTALL)]


@pytest.fixture(scope="module")
async def desk(kafka: str, database_server: str, migrated_template: str) -> AsyncIterator[Desk]:
    async with (
        temporary_database(database_server, template=migrated_template) as dsn,
        ledger_on(dsn) as ledger,
        running(settings(kafka, dsn)) as console,
        asked(console) as http,
    ):
        yield Desk(http, ledger)


async def test_a_notification_s_story_has_what_was_done_with_it_and_with_its_record(desk: Desk) -> None:
    origin = "identity.codes.v1/0/12"
    notification = await desk.accepted(origin)
    number = await desk.by_hand.begin("replay", "identity.codes.v1/0/7", who="anna", why="the schema was mended")
    await desk.by_hand.end(number, origin)
    await desk.by_hand.begin("reveal", notification, who="bert", why="asked by the desk")
    await desk.by_hand.begin("reveal", "identity.codes.v1/0/8", who="carl", why="another")
    first, second = await desk.rows(f"/notifications/{notification}")
    assert ("Replayed" in first, "anna" in first, "the schema was mended" in first, origin in first) == (True,) * 4
    assert ("Contents looked at" in second, "whether it was done is not known" in second) == (True, True)


async def test_a_notification_nobody_touched_has_no_such_table(desk: Desk) -> None:
    notification = await desk.accepted("identity.codes.v1/0/13")
    assert await desk.rows(f"/notifications/{notification}") == []


async def test_all_are_listed_the_newest_first_and_by_kind(desk: Desk) -> None:
    for who in ("first", "second"):
        await desk.by_hand.begin("replay", "identity.codes.v1/0/9", who=who, why="again")
    await desk.by_hand.begin("reveal", "identity.codes.v1/0/9", who="third", why="look")
    newest, *_ = await desk.rows("/interventions")
    assert "third" in newest
    newest, older, *_ = await desk.rows("/interventions?kind=replay")
    assert ("second" in newest, "first" in older) == (True, True)


async def test_a_kind_that_there_is_not_is_refused(desk: Desk) -> None:
    assert (await desk.http.get("/interventions", params={"kind": "nonsense"})).status_code == 400
