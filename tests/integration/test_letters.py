"""Complaint letters from the topic to the inbox: the real notifier, broker and database, a real SMTP dialogue."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import Any

import asyncpg
import pytest

from demo.catcher import Catcher, Fault
from schemas.topics import OUTCOMES
from services.notifier.bounce_command import bounce
from services.notifier.desk_commands import retry, tell_why
from services.runtime.clock import FixedClock
from services.runtime.settings import ProcessSettings
from services.runtime.vault import Vault
from tests.support.commands import Printed
from tests.support.database import temporary_database
from tests.support.house import House
from tests.support.kafka import Tape
from tests.support.letters import (
    address_of,
    complaint,
    deadline_missed,
    letter_cancelled,
    letter_due,
    letter_to_post,
)
from tests.support.notifier import VAULT_KEYS, event_of, fresh_group, upstream
from tests.support.reports import report
from tests.support.waiting import wait_for

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
async def house(kafka: str, database: str) -> AsyncIterator[House]:
    """Nothing runs yet: for a test that starts the notifier its own way."""
    group = await fresh_group(kafka)
    async with Catcher() as catcher, upstream(kafka) as up:
        yield House(kafka, database, catcher, up, group)


@pytest.fixture(scope="module")
async def open_house(kafka: str, database_server: str, migrated_template: str) -> AsyncIterator[House]:
    """A notifier that runs through the whole module; each test is a complaint of its own."""
    group = await fresh_group(kafka)
    async with (
        temporary_database(database_server, template=migrated_template) as database,
        Catcher() as catcher,
        upstream(kafka) as up,
    ):
        house = House(kafka, database, catcher, up, group)
        async with house.notifier(complaints_team_mailbox="team@insurer.example.test"):
            yield house


def now() -> datetime:
    return datetime.now(UTC)


def process(house: House) -> ProcessSettings:
    return ProcessSettings(kafka_bootstrap_servers=house.kafka, database_url=house.database, vault_keys=VAULT_KEYS)


async def why(house: House, asked: object) -> str:
    printed = Printed()
    await tell_why(process(house), str(asked), as_json=False, say=printed)
    return printed.text


async def stored_letters(house: House, case: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(house.database)
    try:
        return await connection.fetch("SELECT * FROM notifier.letters WHERE complaint = $1 ORDER BY composed_at", case)
    finally:
        await connection.close()


async def states(house: House, case: str) -> list[tuple[str, str | None]]:
    return [(row["state"], row["reason"]) for row in await house.rows(case)]


async def test_a_letter_leaves_for_the_complainant_and_is_kept_as_it_left(open_house: House) -> None:
    case = complaint()
    await open_house.upstream.publish(letter_due(case, "acknowledgement", now()))
    assert await open_house.ended(case, 1) == [("complaint-acknowledged", "complainant", "sent", None)]
    (mail,) = open_house.catcher.mails_to(address_of(case))
    (row,), (kept,) = await open_house.rows(case), await stored_letters(open_house, case)
    body = Vault.parse(VAULT_KEYS).decrypt(kept["body"], f"letters/{row['id']}/first/body")
    assert body.rstrip() == mail.raw.rstrip()
    assert (kept["id"], kept["notice"]) == (row["id"], "complaint-acknowledged")


async def test_a_decision_that_overtakes_the_acknowledgement_leaves_alone(open_house: House) -> None:
    """One second after it, while the relay is down."""
    case, start = complaint(), now()
    open_house.catcher.relay_down(3600)
    await open_house.upstream.publish(letter_due(case, "acknowledgement", start))
    await wait_for(lambda: open_house.attempts(case), "a first attempt")
    await open_house.upstream.publish(letter_due(case, "final", start + SECOND))
    await wait_for(lambda: open_house.ended(case, 1), "the end of the acknowledgement")
    open_house.catcher.behave()
    assert await open_house.ended(case, 2) == [
        ("complaint-acknowledged", "complainant", "cancelled", "higher-letter"),
        ("complaint-final-decision", "complainant", "sent", None),
    ]
    (_, decision), (mail,) = await open_house.rows(case), open_house.catcher.mails_to(address_of(case))
    assert mail.message_id.startswith(f"<{decision['id']}@")


async def test_the_whole_topic_read_again_sends_nothing_new(house: House, kafka: str) -> None:
    cases, start = [complaint() for _ in range(3)], now()
    events = [
        event
        for case in cases
        for first in (letter_due(case, "acknowledgement", start),)
        for event in (first, letter_due(case, "holding", start + SECOND), letter_cancelled(first, start + SECOND))
    ]
    async with house.notifier():
        await house.upstream.publish(*events, deadline_missed(cases[0], start))
        for case, owed in zip(cases, (3, 2, 2), strict=True):
            await house.ended(case, owed)
    before = {case: await house.rows(case) for case in cases}
    house.group = f"replay-{uuid.uuid4()}"  # a group without offsets reads from the first
    async with Tape(kafka, OUTCOMES.name) as tape, house.notifier():
        last = complaint()
        await house.upstream.publish(letter_due(last, "acknowledgement", now()))
        await house.ended(last, 1)
        await tape.until(lambda records: any(record.key == last.encode() for record in records), "the last outcome")
    assert {case: await house.rows(case) for case in cases} == before
    assert not [record for record in tape.records if record.key.decode() in cases]
    for case in cases:
        assert len(house.catcher.mails_to(address_of(case))) <= 2


async def test_outcomes_are_keyed_by_the_complaint(open_house: House, kafka: str) -> None:
    case, start = complaint(), now()
    letter = letter_due(case, "final", start)
    async with Tape(kafka, OUTCOMES.name) as tape:
        await open_house.upstream.publish(letter_cancelled(letter, start), letter)
        records = await tape.until(lambda all_: any(each.key == case.encode() for each in all_), "the outcome")
    (told,) = [record for record in records if record.key == case.encode()]
    assert b'"state": "cancelled"' in told.value
    assert b'"reason": "withdrawn"' in told.value


async def test_two_replicas_send_each_letter_once_and_nothing_after_the_decision(house: House) -> None:
    cases, start = [complaint() for _ in range(25)], now()
    async with house.notifier(), house.notifier():
        await house.upstream.publish(*(letter_due(case, "acknowledgement", start) for case in cases))
        await house.upstream.publish(*(letter_due(case, "final", start + SECOND) for case in cases))
        for case in cases:
            await house.ended(case, 2)
    for case in cases:
        left = [mail.message_id.strip("<").partition("@")[0] for mail in house.catcher.mails_to(address_of(case))]
        acknowledgement, decision = await house.rows(case)
        assert decision["state"] == "sent"
        assert left == [str(row["id"]) for row in (acknowledgement, decision) if row["state"] == "sent"]


async def test_a_letter_that_may_have_left_waits_and_goes_marked_when_somebody_says_so(open_house: House) -> None:
    case, at = complaint(), now()
    open_house.catcher.misbehave(Fault(at="dot", to=f"{case}@*", action="disconnect"))
    await open_house.upstream.publish(letter_due(case, "acknowledgement", at, limit_at=at + 20 * HOUR))

    async def unknown() -> bool:
        return [state for state, _ in await states(open_house, case)] == ["unknown"]

    await wait_for(unknown, "a letter nobody knows about")
    (row,) = await open_house.rows(case)
    assert abs(row["due_at"] - at - 10 * HOUR) < timedelta(minutes=1)
    assert "may be a second copy" in await why(open_house, row["id"])
    said = Printed()
    assert await retry(process(open_house), [str(row["id"])], because="no report", who="me", yes=True, say=said) == 0
    assert await open_house.ended(case, 1) == [("complaint-acknowledged", "complainant", "sent", None)]
    (mail,) = open_house.catcher.mails_to(address_of(case))
    first, marked = await stored_letters(open_house, case)
    assert (first["again"], marked["again"]) == (False, True)
    assert mail.message_id.startswith(f"<{row['id']}@")


async def test_a_person_is_told_when_the_time_has_come(house: House) -> None:
    case, clock = complaint(), FixedClock(now())
    event = deadline_missed(case, clock.now(), tell_at=clock.now() + 15 * HOUR)
    async with house.notifier(clock):
        await house.upstream.publish(event, letter_due(case, "acknowledgement", clock.now()))
        assert [notice for notice, *_ in await house.ended(case, 1)] == ["complaint-acknowledged"]
        assert "working hours" in await why(house, f"{event.source}|{event.id}")
        clock.at += 15 * HOUR
        await house.ended(case, 2)
    assert len(house.catcher.mails_to(f"handler-{address_of(case)}")) == 1


async def test_without_a_handler_the_team_is_told(open_house: House) -> None:
    case = complaint()
    await open_house.upstream.publish(deadline_missed(case, now(), handler=None))
    assert await open_house.ended(case, 1) == [("deadline-missed", "team", "sent", None)]
    assert open_house.catcher.mails_to("team@insurer.example.test")


async def test_with_neither_it_fails_visibly(house: House) -> None:
    case = complaint()
    async with house.notifier():
        await house.upstream.publish(deadline_missed(case, now(), handler=None))
        assert await house.ended(case, 1) == [("deadline-missed", "team", "failed", "no-handler")]


async def test_a_letter_to_post_goes_to_the_handler_and_is_kept(open_house: House) -> None:
    case = complaint()
    await open_house.upstream.publish(letter_to_post(case, "acknowledgement", now()))
    assert await open_house.ended(case, 1) == [("letter-to-post", "handler", "sent", None)]
    assert len(open_house.catcher.mails_to(f"handler-{address_of(case)}")) == 1
    assert len(await stored_letters(open_house, case)) == 1


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("deadline-changed", {"old_limit_at": now(), "new_limit_at": now() + DAY, "reason": "receipt"}),
        ("miss-retracted", {"limit_at": now(), "sent_at": now()}),
    ],
)
async def test_a_fact_without_a_notice_is_skipped(open_house: House, type_: str, data: dict[str, Any]) -> None:
    case = complaint()
    values = {"brand": "cigna-healthcare", "licence": "uk", "obligation": "acknowledgement", **data}
    await open_house.upstream.publish(event_of(f"complaints.{type_}.v1", case, id=f"{case}/1", time=now(), **values))
    await wait_for(lambda: open_house.event_states(case), "the event in the ledger")
    assert await open_house.event_states(case) == ["skipped"]


async def test_a_report_that_comes_back_to_the_letters_own_address_bounces_it(house: House) -> None:
    case = complaint()
    async with house.notifier(smtp_bounce_address="bounces@notices.example.test"):
        await house.upstream.publish(letter_due(case, "acknowledgement", now()))
        await house.ended(case, 1)
    (row,), (mail,) = await house.rows(case), house.catcher.mails_to(address_of(case))
    assert mail.sender == f"bounces+{row['id']}@notices.example.test"
    assert parseaddr(str(mail.message["From"]))[1] == "no-reply@cignahealthcare.com"
    assert await bounce(process(house), report("", to=mail.sender, headers=""), yes=True, say=Printed()) == 0
    assert await states(house, case) == [("bounced", "dsn:5.1.1")]
    assert "the delivery report says 5.1.1" in await why(house, row["id"])
