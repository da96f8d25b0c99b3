"""`member-notices bounce` on a real ledger: once, told, and never a step back."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from services.notifier.bounce_command import bounce
from services.notifier.ledger.rows import Leased
from services.runtime.clock import FixedClock
from tests.support.commands import Printed, process_settings
from tests.support.database import temporary_database
from tests.support.ledger import T0, Ledger, emptied, ledger_on, password_changed, result
from tests.support.letters import complaint, letter_due
from tests.support.reports import block, report

LATER = T0 + timedelta(minutes=5)


@dataclass
class Mailroom:
    dsn: str
    ledger: Ledger

    async def feed(self, raw: bytes, *, yes: bool = True) -> tuple[int, str]:
        printed = Printed()
        status = await bounce(process_settings(self.dsn), raw, yes=yes, say=printed, clock=FixedClock(LATER))
        assert "@" not in printed.text
        return status, printed.text

    async def letter(self, state: str) -> Leased:
        (row,) = await self.ledger.handed_over(letter_due(complaint(), "acknowledgement"))
        if state != "handing-over":
            await self.ledger.sending.record([result(row, 1, state)], T0)
        return row

    async def told(self, id_: UUID) -> list[tuple[str, int, str | None]]:
        (row,) = await self.ledger.database.fetch("SELECT member_id FROM notifier.notifications WHERE id = $1", id_)
        return [(each.state, each.attempt, each.reason) for each in await self.ledger.outcomes(row["member_id"])]


@pytest.fixture(scope="module")
async def module_mailroom(database_server: str, migrated_template: str) -> AsyncIterator[Mailroom]:
    async with temporary_database(database_server, template=migrated_template) as dsn, ledger_on(dsn) as ledger:
        yield Mailroom(dsn, ledger)


@pytest.fixture
async def mailroom(module_mailroom: Mailroom) -> Mailroom:
    await emptied(module_mailroom.ledger)
    return module_mailroom


@pytest.mark.parametrize("state", ["sent", "unknown"])
async def test_a_bounce_is_recorded_and_told_once_however_often_it_is_fed_in(mailroom: Mailroom, state: str) -> None:
    row = await mailroom.letter(state)
    status, said = await mailroom.feed(report(row.id))
    assert status == 0
    assert said.startswith(f"{row.id}  complaint-acknowledged to complainant  bounced, because ")
    status, said = await mailroom.feed(report(row.id))
    assert status == 0
    assert "is bounced already" in said
    assert (await mailroom.told(row.id))[1:] == [("bounced", 1, "dsn:5.1.1")]
    await mailroom.ledger.end_leases()
    assert await mailroom.ledger.sending.claim("letters", 10, LATER + timedelta(days=9)) == []


async def test_every_notice_can_bounce(mailroom: Mailroom) -> None:
    member = await mailroom.ledger.known()
    (row,) = await mailroom.ledger.handed_over(password_changed(member))
    await mailroom.ledger.sending.record([result(row, 1, "sent")], T0)
    assert (await mailroom.feed(report(row.id, to=f"bounces+{row.id}@notices.example.test", headers="")))[0] == 0
    assert await mailroom.ledger.states(member) == [("bounced", "dsn:5.1.1")]


async def test_without_yes_nothing_changes(mailroom: Mailroom) -> None:
    row = await mailroom.letter("sent")
    status, said = await mailroom.feed(report(row.id), yes=False)
    assert status == 0
    assert "would be bounced" in said
    assert [state for state, _, _ in await mailroom.told(row.id)] == ["sent"]


@pytest.mark.parametrize(("action", "code"), [("delayed", "4.4.1"), ("relayed", "2.0.0")])
async def test_a_report_that_ends_nothing_is_said_and_changes_nothing(
    mailroom: Mailroom, action: str, code: str
) -> None:
    row = await mailroom.letter("sent")
    status, said = await mailroom.feed(report(row.id, block(action, code)))
    assert status == 0
    assert f"stays sent: the report says {action} ({code})" in said
    assert [state for state, _, _ in await mailroom.told(row.id)] == ["sent"]


async def test_a_report_that_is_faster_than_our_own_record_is_to_be_fed_in_again(mailroom: Mailroom) -> None:
    row = await mailroom.letter("handing-over")
    status, said = await mailroom.feed(report(row.id))
    assert status == 1
    assert "feed the report in again" in said
    await mailroom.ledger.sending.record([result(row, 1, "sent")], T0)
    assert (await mailroom.feed(report(row.id)))[0] == 0


async def test_what_ended_unsent_stays_as_it_is(mailroom: Mailroom) -> None:
    row = await mailroom.letter("failed")
    status, said = await mailroom.feed(report(row.id))
    assert status == 0
    assert "stays failed" in said


@pytest.mark.parametrize(
    ("raw", "said"),
    [(b"Subject: hello\n\nanna@example.test", "Not a delivery report"), (report(uuid4()), "The ledger has no")],
    ids=["unreadable", "unknown"],
)
async def test_what_cannot_be_used_is_one_sentence_and_status_1(mailroom: Mailroom, raw: bytes, said: str) -> None:
    status, text = await mailroom.feed(raw)
    assert status == 1
    assert text.startswith(said)
    assert len(text.splitlines()) == 1
