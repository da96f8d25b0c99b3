"""Poison, each kind alone and in the middle of 100 good records, with and without content-type.

One notifier process lives through all of it and logs at level debug. The planted values appear nowhere but in the mail.
"""

import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from demo.broker import READ_BY_NOTIFIER, Broker
from demo.catcher import Catcher
from schemas.envelope import STRUCTURED_CONTENT_TYPE, write_structured
from schemas.topics import CODES, NOTIFIER_DEAD_LETTERS
from services.runtime.settings import KafkaSettings
from tests.support import replicas
from tests.support.database import temporary_database
from tests.support.kafka import Record, Tape
from tests.support.notifier import contact, fresh_group
from tests.support.replicas import Replica
from tests.support.waiting import wait_for

CODE, PHONE, ADDRESS, LINK_MARK = "PLANTED7", "+32499887766", "planted.address", "PLANTEDLINK"
PLANTED = (CODE, PHONE, ADDRESS, LINK_MARK)
LINK = f"https://www.cignahealthbenefits.com/sign-in?t={LINK_MARK}"
GOOD = 50
"""Before and after the poison, on its partition."""
BATCH_OVERHEAD_BYTES = 150
"""What Kafka adds to the value of a single record: batch header, key and the headers below."""
HEADER_BYTES = 300_000
Document = dict[str, Any]
Headers = list[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Poison:
    """What makes a good event bad, and what is said of it."""

    reason: str
    spoil: Callable[[Document], object] = lambda document: document
    write: Callable[[Document], bytes | None] = lambda document: json.dumps(document).encode()
    headers: tuple[tuple[str, bytes | None], ...] = ()


def padded(document: Document, room: int = 0) -> bytes:
    """Of a type nobody knows, just as large as the topic takes it beside `room` bytes."""
    document["type"] = "identity.verification-code-issued.v9"
    size = CODES.max_message_bytes - BATCH_OVERHEAD_BYTES - len(STRUCTURED_CONTENT_TYPE) - room
    document["data"]["padding"] = ""
    document["data"]["padding"] = "p" * (size - len(json.dumps(document)))
    return json.dumps(document).encode()


POISON = {
    "invalid JSON": Poison("not-json", write=lambda document: json.dumps(document).encode()[:-3]),
    "not UTF-8": Poison("not-utf-8", write=lambda document: json.dumps(document).encode().replace(b"sign-in", b"\xff")),
    "NUL": Poison("text-not-storable: data.note", lambda document: document["data"].update(note=f"{CODE}\x00")),
    "lone surrogate": Poison("text-not-storable: data.note", lambda document: document["data"].update(note="\ud800")),
    "year 9999 at -14:00": Poison(
        "attribute-invalid: time", lambda each: each.update(time="9999-12-31T23:59:59-14:00")
    ),
    "year 9999 in the data": Poison(
        "data-invalid: data.expires_at", lambda each: each["data"].update(expires_at="9999-12-31T23:59:59-14:00")
    ),
    "naive time": Poison("attribute-invalid: time", lambda each: each.update(time=each["time"].rstrip("Z"))),
    "null in a ce header": Poison("attribute-invalid: header ce_id (null value)", headers=(("ce_id", None),)),
    "ce header not UTF-8": Poison("attribute-invalid: header ce_id (not UTF-8)", headers=(("ce_id", b"\xff\xfe"),)),
    "unknown type": Poison("type-unknown: type", lambda each: each.update(type="identity.verification-code-issued.v9")),
    "missing field": Poison("data-invalid: data.code (missing)", lambda document: document["data"].pop("code")),
    "wrong field": Poison("data-invalid: data.code", lambda document: document["data"].update(code=[CODE, PHONE])),
    "nearly too large": Poison("type-unknown: type", write=padded),
    "tombstone": Poison("tombstone", write=lambda _: None),
    "too old": Poison("outside-dedupe-horizon: time", lambda each: each.update(time="2026-01-01T00:00:00Z")),
    "too new": Poison("outside-dedupe-horizon: time", lambda each: each.update(time=written(timedelta(minutes=6)))),
}
OF_CONTENT_TYPE = {
    "null": Poison("attribute-invalid: header content-type (null value)", headers=(("content-type", None),)),
    "not UTF-8": Poison("attribute-invalid: header content-type (not UTF-8)", headers=(("content-type", b"\xff"),)),
}
FOREIGN: dict[str, bytes | None] = {"null": None, "not UTF-8": b"\xff\xfe"}


def written(from_now: timedelta = timedelta(0)) -> str:
    return (datetime.now(UTC) + from_now).isoformat().replace("+00:00", "Z")


@dataclass
class House:
    replica: Replica
    catcher: Catcher
    producer: AIOKafkaProducer
    dead_letters: Tape
    broker: Broker

    async def member(self) -> str:
        """Known, at an address that must not be logged."""
        member = f"m-{uuid.uuid4().hex[:12]}"
        value, headers = write_structured(contact(member, login_email=f"{ADDRESS}.{member}@example.test"))
        await self.producer.send_and_wait("members.contacts.v1", value, member.encode(), headers=headers)
        return member

    def code(self, member: str, **data: Any) -> Document:
        """A good event with everything that is secret in it."""
        return {
            "specversion": "1.0",
            "id": f"{member}-{uuid.uuid4().hex[:8]}",
            "source": "urn:test:idp",
            "type": "identity.verification-code-issued.v1",
            "subject": member,
            "time": written(),
            "datacontenttype": "application/json",
            "data": {
                "channel": "email",
                "code": CODE,
                "phone": PHONE,
                "url": LINK,
                "purpose": f"sign-in-{uuid.uuid4().hex[:8]}",
                "expires_at": written(timedelta(minutes=15)),
                **data,
            },
        }

    async def publish(self, member: str, document: Document, headers: Headers) -> Any:
        return await self.raw(member, json.dumps(document).encode(), headers)

    async def poison(self, member: str, poison: Poison, content_type: Headers) -> Any:
        document = self.code(member)
        poison.spoil(document)
        return await self.raw(member, poison.write(document), [*content_type, *poison.headers])

    async def good(self, member: str, count: int) -> None:
        """Codes of different purposes: each a mail."""
        for _ in range(count):
            await self.publish(member, self.code(member), [])

    async def raw(self, member: str, value: bytes | None, headers: Headers) -> Any:
        # Waited for one by one: what comes after the poison comes after it in the partition.
        return await self.producer.send_and_wait(CODES.name, value, member.encode(), headers=headers)

    async def letter_of(self, sent: Any) -> dict[str, bytes]:
        """Headers of the dead letter of this record, its value as `value`, `key` as key."""

        def of(records: Sequence[Record]) -> list[Record]:
            return [record for record in records if _origin(record) == (sent.topic, sent.partition, sent.offset)]

        records = await self.dead_letters.until(lambda records: bool(of(records)), "the dead letter")
        (letter,) = of(records)
        return {**dict(letter.headers), "value": letter.value or b"", "key": letter.key or b""}

    def mails(self, member: str) -> int:
        return len(self.catcher.mails_to(f"{ADDRESS}.{member}@example.test"))


def _origin(record: Record) -> tuple[str, int, int]:
    told = dict(record.headers)
    return (told["origin-topic"].decode(), int(told["origin-partition"]), int(told["origin-offset"]))


@pytest.fixture(scope="module")
async def house(
    kafka: str, database_server: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    group = await fresh_group(kafka)
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", max_request_size=2 * CODES.max_message_bytes)
    async with (
        temporary_database(database_server, template=migrated_template) as database,
        Catcher() as catcher,
        Tape(kafka, NOTIFIER_DEAD_LETTERS.name) as dead_letters,
        Broker(KafkaSettings(kafka_bootstrap_servers=kafka), group, READ_BY_NOTIFIER) as broker,
        producer,
    ):
        environ = replicas.settings(kafka, database, catcher, group, LOG_LEVEL="debug")
        replica = Replica("poisoned", tmp_path_factory.mktemp("poison"), environ)
        async with replicas.running(replica):
            yield House(replica, catcher, producer, dead_letters, broker)


STRUCTURED: Headers = [("content-type", STRUCTURED_CONTENT_TYPE.encode())]


@pytest.mark.parametrize("content_type", [STRUCTURED, []], ids=["with content-type", "without"])
@pytest.mark.parametrize("kind", POISON)
async def test_poison_alone_is_a_dead_letter_with_its_reason(house: House, kind: str, content_type: Headers) -> None:
    member = await house.member()
    letter = await house.letter_of(await house.poison(member, POISON[kind], content_type))
    assert letter["reason"].decode().startswith(POISON[kind].reason)
    assert letter["key"] == member.encode()


@pytest.mark.parametrize("content_type", [STRUCTURED, []], ids=["with content-type", "without"])
@pytest.mark.parametrize("kind", POISON)
async def test_poison_among_good_records_keeps_none_of_them(house: House, kind: str, content_type: Headers) -> None:
    await _among_good_ones(house, POISON[kind], content_type)


@pytest.mark.parametrize("kind", OF_CONTENT_TYPE)
async def test_a_content_type_that_cannot_be_read_is_poison_too(house: House, kind: str) -> None:
    await _among_good_ones(house, OF_CONTENT_TYPE[kind], [])


async def _among_good_ones(house: House, poison: Poison, content_type: Headers) -> None:
    member = await house.member()
    await house.good(member, GOOD)
    sent = await house.poison(member, poison, content_type)
    await house.good(member, GOOD)
    letter = await house.letter_of(sent)
    assert letter["reason"].decode().startswith(poison.reason)
    await house.catcher.wait_for(lambda: house.mails(member) == 2 * GOOD, f"{2 * GOOD} mails to the neighbours")


async def test_a_value_as_large_as_its_topic_takes_is_kept_whole(house: House) -> None:
    member = await house.member()
    value = padded(house.code(member))
    letter = await house.letter_of(await house.raw(member, value, STRUCTURED))
    assert "too-large" not in letter
    assert len(letter["value"]) > len(value) > CODES.max_message_bytes - 2 * BATCH_OVERHEAD_BYTES


async def test_what_does_not_fit_into_a_dead_letter_is_there_as_hash_and_size(house: House) -> None:
    """A header of somebody else's takes a third more room when it is kept."""
    member = await house.member()
    value, headers = padded(house.code(member), room=HEADER_BYTES), [*STRUCTURED, ("baggage", b"b" * HEADER_BYTES)]
    letter = await house.letter_of(await house.raw(member, value, headers))
    assert letter["too-large"] == b"true"
    assert letter["sha256"].decode() == hashlib.sha256(value).hexdigest()
    assert int(letter["size"]) == len(value)
    assert letter["value"] == b""


@pytest.mark.parametrize("content_type", [STRUCTURED, []], ids=["with content-type", "without"])
async def test_an_id_used_again_is_a_dead_letter_and_its_first_event_is_sent(
    house: House, content_type: Headers
) -> None:
    member = await house.member()
    first = house.code(member)
    await house.publish(member, first, content_type)
    await house.good(member, GOOD)
    again = house.code(member) | {"id": first["id"], "time": first["time"]}
    letter = await house.letter_of(await house.publish(member, again, content_type))
    assert letter["reason"] == b"id-reused: id"
    await house.catcher.wait_for(lambda: house.mails(member) == GOOD + 1, "the first and its neighbours")


@pytest.mark.parametrize("content_type", [STRUCTURED, []], ids=["with content-type", "without"])
@pytest.mark.parametrize("kind", FOREIGN)
async def test_a_header_of_somebody_else_may_hold_anything(house: House, kind: str, content_type: Headers) -> None:
    member = await house.member()
    await house.publish(member, house.code(member), [*content_type, ("traceparent", FOREIGN[kind])])
    await house.catcher.wait_for(lambda: house.mails(member), "the mail")


async def test_every_offset_has_moved_on(house: House) -> None:
    async def all_read() -> bool:
        return await house.broker.unread() == 0

    await wait_for(all_read, "end of every topic in every group")
    assert len(house.replica.lines("started")) == 1
    assert house.replica.running


async def test_no_planted_value_is_in_a_log_a_metric_or_a_dead_letter(
    house: House, tmp_path_factory: pytest.TempPathFactory
) -> None:
    port = house.replica.lines("started")[0]["port"]
    async with httpx.AsyncClient() as http:
        metrics = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    servers = [path for name in ("postgres", "kafka") for path in _log_of(tmp_path_factory.getbasetemp(), name)]
    letters = b"".join(
        b"".join([record.value or b"", *(value for _, value in record.headers)])
        for record in house.dead_letters.records
    )
    assert house.dead_letters.records
    places = {"metrics": metrics.encode(), "dead letters": letters, "notifier": house.replica.log.read_bytes()}
    places |= {path.name: path.read_bytes() for path in servers}
    assert [(name, value) for name, text in places.items() for value in PLANTED if value.encode() in text] == []


def _log_of(base: Path, server: str) -> list[Path]:
    """Of the embedded server of this session; none where one was given."""
    return list((base / server).glob("*.log"))
