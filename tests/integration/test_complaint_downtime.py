"""Stopped for two days over a 4-week limit, while the world went on: nothing is decided on an old picture."""

from datetime import timedelta

from aiokafka import AIOKafkaConsumer

from schemas.envelope import Event
from schemas.topics import DEADLINES, LIFECYCLE, OUTCOMES
from schemas.types import Data
from services.complaint_sla.metrics import REGISTRY
from services.runtime.clock import FixedClock
from tests.support.complaint_sla import Desk, fresh_group, said_of
from tests.support.complaint_story import at, event_of, outcome_of, received
from tests.support.kafka import Tape
from tests.support.notifier import upstream
from tests.support.waiting import wait_for

COMPLAINTS = 1000
ANSWERED = 100
"""Decided, withdrawn, or their holding letter gone another way, in turns, while nobody was looking."""
RECEIVED = at("2026-12-01 10:00")
BEFORE = at("2026-12-28 12:00")
LIMIT = at("2026-12-30 00:00")
AFTER = at("2026-12-30 12:00")
AWAY = at("2026-12-29 08:00")


def _answer(number: int, complaint: str) -> Event[Data]:
    """What happened an hour before the holding letter was due."""
    match number % 3:
        case 0:
            return event_of(
                "final-response-issued", complaint, AWAY, delivery="already-sent", issued_at=AWAY, sent_at=AWAY
            )
        case 1:
            return event_of("withdrawn", complaint, AWAY, withdrawn_at=AWAY)
        case _:
            return event_of("letter-sent", complaint, AWAY, letter="holding", sent_at=AWAY, by="post", reference="RR 1")


async def _member_of(kafka: str, group: str) -> AIOKafkaConsumer:
    """A consumer that has partitions of the desk's topic and does nothing with them."""
    member = AIOKafkaConsumer(
        LIFECYCLE.name, bootstrap_servers=kafka, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await member.start()
    await wait_for(member.assignment, "partitions of the slow member")
    return member


async def _swept(times: int) -> None:
    """So many more looks for what is due."""

    def looks() -> float:
        return REGISTRY.get_sample_value("complaint_sla_sweeps_total") or 0.0

    before = looks()
    await wait_for(lambda: looks() >= before + times, f"{times} sweeps")


async def test_after_two_days_away_only_the_unanswered_get_a_letter_and_a_miss(kafka: str, database: str) -> None:
    complaints = [f"c-away-{number}" for number in range(COMPLAINTS)]
    group = await fresh_group(kafka)
    async with upstream(kafka) as publisher, Tape(kafka, DEADLINES.name) as tape:
        desk = Desk(kafka, database, publisher, group, tape, FixedClock(RECEIVED + timedelta(minutes=5)))
        async with desk.running():
            await desk.say_all(received(complaint, RECEIVED) for complaint in complaints)
            await desk.heard_of(COMPLAINTS)
            await desk.move(RECEIVED + timedelta(minutes=15))
            await desk.say_all(
                (outcome_of(f"{each}/acknowledgement/letter/1", each, "sent", desk.clock.at) for each in complaints),
                topic=OUTCOMES.name,
            )
            await desk.heard_of(2 * COMPLAINTS)
            await desk.move(BEFORE)
        slow = await _member_of(kafka, f"{group}-{LIFECYCLE.name}")
        await desk.say_all(_answer(number, complaints[number]) for number in range(ANSWERED))
        desk.clock.at = AFTER
        async with desk.running():
            # Until then somebody else holds a part of the topic and reads nothing of it: the picture is an old one.
            await _swept(3)
            await slow.stop()
            await desk.heard_of(2 * COMPLAINTS + ANSWERED)
            await desk.known_through(AFTER)
            await desk.published()
            said = said_of(await tape.rest())
    for number, complaint in enumerate(complaints):
        after = [id_ for id_ in said[complaint] if id_.startswith(f"{complaint}/decision-or-holding/")]
        alert = [f"{complaint}/decision-or-holding/approaching/1"]
        if number < ANSWERED:
            assert after == alert, complaint
        else:
            kinds = ("letter", "missed")
            assert after == alert + [f"{complaint}/decision-or-holding/{kind}/1" for kind in kinds], complaint
    missed = await desk.fetch("SELECT DISTINCT limit_at FROM complaint_sla.obligations WHERE state = 'missed'")
    assert [row["limit_at"] for row in missed] == [LIMIT], "the original deadline"
