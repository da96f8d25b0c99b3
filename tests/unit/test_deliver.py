"""One chunk with letters in it: what is composed, kept, and handed to the channel, and in which order."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notifier.brands import load_brands
from services.notifier.channels.base import ChannelError, Consequence, OutgoingMessage, Sent
from services.notifier.compose import Composer
from services.notifier.deliver import Delivery
from services.notifier.ledger.handing_over import Handle
from services.notifier.ledger.letters import Kept, KeptLetters
from services.notifier.ledger.rows import Leased
from services.notifier.ledger.sending import AttemptResult, Sending
from services.notifier.mime import Email
from services.runtime.clock import FixedClock

T0 = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LETTER = Leased(
    day=T0.date(), id=uuid.UUID(int=1), token=uuid.UUID(int=2), notice="complaint-acknowledged", channel="email",
    role="complainant", lane="letters", brand="cigna-healthcare", locale="en", attempts=0, event_time=T0,
    accepted_at=T0, expires_at=None, hand_over_by=None, member_id="c-1", event_source="urn:test", event_id="e-1",
    address="a@example.test", facts={"reference": "CMP 1"},
    complaint="c-1", limit_at=T0 + 10 * HOUR,
)  # fmt: skip
TO_HANDLER = replace(LETTER, id=uuid.UUID(int=3), role="handler", notice="letter-to-post")
ALERT = replace(LETTER, id=uuid.UUID(int=4), role="handler", notice="deadline-missed", complaint=None)


class House(Sending, KeptLetters, Composer):
    """Ledger, kept letters, composer and relay in one, that write down what they are asked."""

    name = "email"

    def __init__(self, *, earlier: Mapping[Kept, bytes] | None = None, failing: ChannelError | None = None) -> None:
        self.steps: list[str] = []
        self.facts: list[Mapping[str, object]] = []
        self.sent: list[OutgoingMessage] = []
        self.results: list[AttemptResult] = []
        self.kept: list[uuid.UUID] = []
        self._earlier = earlier
        self._failing = failing

    def email(self, notice: str, brand: str, locale: str, facts: Mapping[str, object]) -> Email:  # noqa: ARG002 (as its base)
        self.steps.append("compose")
        self.facts.append(facts)
        return Email(subject="s", html="<p>h</p>", text="t")

    async def keep(self, composed: Sequence[tuple[Leased, bytes]], now: datetime) -> Mapping[Kept, bytes]:  # noqa: ARG002
        self.steps.append("keep")
        self.kept += [row.id for row, _ in composed]
        if self._earlier is not None:
            return self._earlier
        return {(row.id, row.again): body for row, body in composed}

    async def hand_over(self, rows: Sequence[Leased], now: datetime, *, again: bool = False) -> dict[Handle, int]:  # noqa: ARG002
        self.steps.append("hand-over")
        return {(row.id, row.token): 1 for row in rows}

    async def send(self, message: OutgoingMessage) -> Sent:
        self.steps.append("send")
        self.sent.append(message)
        if self._failing is not None:
            raise self._failing
        return Sent("250")

    async def record(self, results: Sequence[AttemptResult], now: datetime) -> set[uuid.UUID]:  # noqa: ARG002
        self.results += results
        return {result.row.id for result in results}

    async def check(self) -> str | None:
        return None

    async def close(self) -> None: ...


async def delivered(house: House, *rows: Leased, **more: Any) -> House:
    delivery = Delivery(
        sending=house, letters=house, composer=house, brands=load_brands(), channels={"email": house},
        deliverable=lambda _channel, _address: True, clock=FixedClock(T0), hand_over_within=30.0,
        stopping=asyncio.Event(), **more,
    )  # fmt: skip
    await delivery.deliver(rows)
    return house


async def test_a_letter_is_kept_before_it_is_handed_over() -> None:
    house = await delivered(House(), LETTER, TO_HANDLER, ALERT)
    assert house.steps == [*["compose"] * 3, "keep", "hand-over", *["send"] * 3]
    assert house.kept == [LETTER.id, TO_HANDLER.id]


async def test_without_letters_nothing_is_kept() -> None:
    assert "keep" not in (await delivered(House(), ALERT)).steps


@pytest.mark.parametrize(("waited", "said"), [(timedelta(0), "PT15M"), (timedelta(minutes=5), "PT10M")])
async def test_a_code_is_told_for_how_long_it_is_good_when_it_leaves(waited: timedelta, said: str) -> None:
    happened_at = T0 - waited
    code = replace(
        ALERT,
        notice="one-time-verification-code",
        event_time=happened_at,
        facts={"expires_at": (happened_at + timedelta(minutes=15)).isoformat()},
    )
    assert [facts["valid_for"] for facts in (await delivered(House(), code)).facts] == [said]


@pytest.mark.parametrize("again", [True, False])
async def test_a_letter_is_told_whether_it_may_be_a_second_copy(again: bool) -> None:
    house = await delivered(House(), replace(LETTER, again=again), TO_HANDLER, ALERT)
    assert [facts.get("again") for facts in house.facts] == [again, None, None]


async def test_what_was_kept_earlier_is_what_leaves() -> None:
    house = await delivered(House(earlier={(LETTER.id, False): b"as it was"}), LETTER)
    assert [message.body for message in house.sent] == [b"as it was"]


async def test_what_was_kept_and_cannot_be_opened_does_not_leave_and_its_neighbours_do() -> None:
    house = await delivered(House(earlier={(TO_HANDLER.id, False): b"fine"}), LETTER, TO_HANDLER, ALERT)
    assert {uuid.UUID(message.id) for message in house.sent} == {TO_HANDLER.id, ALERT.id}


@pytest.mark.parametrize(
    ("bounce_address", "sender"),
    [
        (None, "no-reply@cignahealthcare.com"),
        ("bounces@notices.example.test", f"bounces+{LETTER.id}@notices.example.test"),
    ],
)
async def test_reports_come_back_to_the_brand_or_to_an_address_of_the_messages_own(
    bounce_address: str | None, sender: str
) -> None:
    (message,) = (await delivered(House(), LETTER, bounce_address=bounce_address)).sent
    assert message.sender == sender
    assert b"From: " in message.body
    assert b"bounces" not in message.body


@pytest.mark.parametrize(
    ("row", "shortest", "longest"),
    [(LETTER, 5 * HOUR, 5 * HOUR), (replace(LETTER, limit_at=None), 24 * HOUR, 24 * HOUR),
     (TO_HANDLER, timedelta(0), timedelta(seconds=5)), (ALERT, timedelta(0), timedelta(seconds=5))],
    ids=["letter", "letter-without-limit", "to-post", "alert"],
)  # fmt: skip
async def test_what_may_have_left_waits_if_it_is_a_letter_to_a_complainant(
    row: Leased, shortest: timedelta, longest: timedelta
) -> None:
    broken = ChannelError(Consequence.UNKNOWN, "smtp:disconnected-after-data")
    (result,) = (await delivered(House(failing=broken), row)).results
    assert result.state == "unknown"
    assert shortest.total_seconds() <= (result.delay_seconds or 0) <= longest.total_seconds()


async def test_a_letter_refused_for_now_is_tried_again_as_soon_as_any_mail() -> None:
    (result,) = (await delivered(House(failing=ChannelError(Consequence.RETRY, "smtp:450")), LETTER)).results
    assert result.state == "retrying"
    assert (result.delay_seconds or 0) <= 1
