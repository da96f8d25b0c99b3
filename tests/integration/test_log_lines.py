"""What the notifier's log says of a message and of a record: enough to find it, and nothing that it holds."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from demo.catcher import Catcher, Fault
from schemas.topics import CODES, NOTIFIER_DEAD_LETTERS, SECURITY
from tests.support.house import House
from tests.support.kafka import Tape
from tests.support.notifier import event_of, fresh_group, upstream
from tests.support.waiting import wait_for

PHONE, CODE, LINK = "+32470111222", "837465", "https://www.cignahealthbenefits.com/sign-in?t=Zq7secret"
PRIVATE = (PHONE, PHONE[1:], CODE, "Zq7secret", "@example.test", "@elsewhere.test", "Anna")


@pytest.fixture
async def house(kafka: str, database: str) -> AsyncIterator[House]:
    group = await fresh_group(kafka)
    async with Catcher() as catcher, upstream(kafka) as up:
        yield House(kafka, database, catcher, up, group)


@contextmanager
def every_line() -> Iterator[list[Any]]:
    """Also those below a warning: the notifier under test is configured to be quiet."""
    configured = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(0))
    try:
        with capture_logs(processors=[merge_contextvars]) as lines:
            yield lines
    finally:
        structlog.configure(wrapper_class=configured)


def code(member: str, **data: Any) -> Any:
    at = datetime.now(UTC)
    return event_of(
        "identity.verification-code-issued.v1", member, id=f"{member}-{data['channel']}", time=at, code=CODE,
        purpose=data["channel"], expires_at=at + timedelta(minutes=15), **data,
    )  # fmt: skip


async def test_a_message_that_is_not_sent_can_be_found_and_its_contents_cannot(house: House) -> None:
    member = house.member()
    house.catcher.misbehave(
        Fault(at="rcpt", reply="554 5.7.1 Anna <anna@elsewhere.test> is unknown"),
        Fault(at="sms", action="reply", status=400, code=21211, reply=f"{PHONE} is not a number"),
    )
    async with house.notifier():
        with every_line() as lines:
            await house.upstream.contact(member, phones=[PHONE])
            await house.upstream.publish(
                code(member, channel="email", url=LINK), code(member, channel="sms", phone=PHONE)
            )
            await wait_for(lambda: len([line for line in lines if line["event"] == "not_sent"]) >= 2, "two lines")
    told = {line["channel"]: line for line in lines if line["event"] == "not_sent"}
    rows = {str(row["id"]) for row in await house.rows(member)}
    for channel, line in told.items():
        assert line["notification"] in rows
        assert (line["member"], line["notice"], line["lane"]) == (member, "one-time-verification-code", "codes")
        assert line["cause"] == f"urn:test:idp|{member}-{channel}"
        assert line["attempt"] == 1
    assert not [private for private in PRIVATE if private in json.dumps(lines, default=str)]


async def test_a_record_that_is_not_accepted_can_be_found_and_neither_key_nor_value_is_told(house: House) -> None:
    poison = json.dumps({"data": {"code": CODE, "url": LINK, "phone": PHONE, "name": "Anna"}}).encode()
    async with house.notifier(), Tape(house.kafka, NOTIFIER_DEAD_LETTERS.name) as tape:
        with every_line() as lines:
            for topic in (CODES.name, SECURITY.name):
                await house.upstream.raw(topic, b"anna@elsewhere.test", poison)
            await tape.until(lambda records: len(records) == 2, "two dead letters")
            await wait_for(lambda: len([line for line in lines if line["event"] == "dead_letter"]) == 2, "two lines")
    told = [line for line in lines if line["event"] == "dead_letter"]
    assert {line["topic"] for line in told} == {CODES.name, SECURITY.name}
    for line in told:
        assert line["origin"] == f"{line['topic']}/{line['partition']}/{line['offset']}"
    assert not [private for private in PRIVATE if private in json.dumps(lines, default=str)]
