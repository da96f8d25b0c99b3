"""What the Java and the TypeScript example publish becomes the right mail, once; what does not fit leaves nothing.

`make test-examples`, which builds them; no part of `make test`.
"""

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiokafka.partitioner import murmur2

from demo.catcher import Catcher
from demo.embedded import EmbeddedKafka
from demo.embedded.server import free_ports
from schemas.envelope import STRUCTURED_CONTENT_TYPE, read_record
from schemas.topics import CODES, SECURITY, TOPIC_OF_TYPE
from tests.support.contract import EXAMPLES
from tests.support.database import temporary_database
from tests.support.house import House
from tests.support.kafka import Record, Tape, create_topics
from tests.support.notifier import event_of, fresh_group, upstream

EXAMPLE_FOLDER = Path(__file__).parents[2] / "examples"
COMMANDS = {
    "java": ("java", "-jar", str(EXAMPLE_FOLDER / "java" / "target" / "publisher.jar")),
    "typescript": ("node", str(EXAMPLE_FOLDER / "typescript" / "dist" / "main.js")),
}
LINK = "https://www.cignahealthbenefits.com/sign-in/verify?ticket="
JAVAS_SIGN_BIT = 0x80000000


@dataclass
class Said:
    """What a run of an example ended with and printed."""

    status: int
    text: str


@dataclass
class Example:
    """One of the two, as a program."""

    language: str
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    async def run(self, *arguments: str, kafka: str = "127.0.0.1:1") -> Said:
        process = await asyncio.create_subprocess_exec(
            *COMMANDS[self.language],
            *arguments,
            env=self.environ | {"KAFKA_BOOTSTRAP_SERVERS": kafka},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return Said(process.returncode or 0, out.decode())


@pytest.fixture(params=COMMANDS)
def example(request: pytest.FixtureRequest) -> Example:
    return Example(request.param)


@pytest.fixture(scope="module")
async def house(kafka: str, database_server: str, migrated_template: str) -> AsyncIterator[House]:
    group = await fresh_group(kafka)
    async with (
        temporary_database(database_server, template=migrated_template) as database,
        Catcher() as catcher,
        upstream(kafka) as up,
    ):
        house = House(kafka, database, catcher, up, group)
        async with house.notifier():
            yield house


async def test_a_changed_password_becomes_one_mail(house: House, example: Example) -> None:
    member = _member_whose_hash_is_negative()
    inbox = f"{member}@example.test"
    await house.upstream.contact(member)
    async with Tape(house.kafka, SECURITY.name) as tape:
        said = await example.run("password-changed", member, kafka=house.kafka)
        assert said.status == 0, said.text
        (record,) = _of(member, await tape.rest())
        await house.catcher.wait_for(lambda: house.catcher.mails_to(inbox), "the mail", timeout=30)

        # The same bytes again, then something else of hers, behind it on her partition: told once all the same.
        await house.upstream.raw(SECURITY.name, record.key, record.value, list(record.headers))
        event = read_record(record.headers, record.value)
        await house.upstream.publish(
            event_of("identity.account-locked.v1", member, id=f"{member}-2", time=event.time, locked_at=event.time)
        )
        await house.catcher.wait_for(lambda: len(house.catcher.mails_to(inbox)) > 1, "the next mail", timeout=30)
        assert len({each.partition for each in _of(member, await tape.rest())}) == 1, "one member, one partition"
    _is_as_the_contract_says(record, member)
    assert [notice for notice, *_ in await house.ended(member, 2)].count("password-changed") == 1
    assert sum("password" in mail.subject.lower() for mail in house.catcher.mails_to(inbox)) == 1


async def test_a_code_arrives_and_is_printed_nowhere(house: House, example: Example) -> None:
    member = house.member()
    inbox = f"{member}@example.test"
    await house.upstream.contact(member, language="fr")
    async with Tape(house.kafka, CODES.name) as tape:
        said = await example.run("code", member, LINK + member, kafka=house.kafka)
        assert said.status == 0, said.text
        (record,) = _of(member, await tape.rest())
    data = json.loads(record.value)["data"]
    await house.catcher.wait_for(lambda: house.catcher.mails_to(inbox), "the mail", timeout=30)
    assert await house.ended(member, 1) == [("one-time-verification-code", "login", "sent", None)]
    (mail,) = house.catcher.mails_to(inbox)
    body = mail.message.get_body(("plain",))
    assert body is not None
    assert data["code"] in body.get_content()
    assert data["code"] not in said.text
    _is_as_the_contract_says(record, member)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("password-changed", "{member}@example.test"), "subject"),
        (("code", "{member}", "a link for {member}"), "data.url"),
    ],
    ids=["an-address-as-member", "no-link"],
)
async def test_an_event_that_does_not_fit_is_not_published(
    house: House, example: Example, arguments: tuple[str, ...], named: str
) -> None:
    member = house.member()
    async with Tape(house.kafka, SECURITY.name, CODES.name) as tape:
        said = await example.run(*(each.format(member=member) for each in arguments), kafka=house.kafka)
        assert not [record for record in await tape.rest() if member in record.value.decode()]
    assert said.status == 1
    assert f": {named}: " in said.text
    assert member not in said.text, "what was refused may be private"


async def test_every_event_of_the_contract_fits(example: Example) -> None:
    files = [str(EXAMPLE_FOLDER.parent / "schemas" / "examples" / name) for name in EXAMPLES]
    said = await example.run("check", *files)
    assert said.status == 0, said.text
    expected = [f"for {TOPIC_OF_TYPE[event['type']].name}" for event in EXAMPLES.values()]
    assert [line.rpartition(": ")[2] for line in said.text.splitlines()] == expected


BROKEN: dict[str, tuple[str, dict[str, Any]]] = {
    "time-without-zone": ("data.expires_at", {"expires_at": "2026-11-22T08:29:03"}),
    "no-such-day": ("data.expires_at", {"expires_at": "2026-02-30T08:29:03Z"}),
    "missing": ("data.purpose", {"purpose": None}),
    "unknown-field": ("data.lifetime", {"lifetime": 15}),
    "line-feed-at-the-end": ("data.code", {"code": "482913\n"}),
    "email-without-link": ("data.url", {"url": None}),
    "sms-without-phone": ("data.phone", {"channel": "sms"}),
}


async def test_each_field_that_breaks_a_rule_is_named(example: Example, tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.json" for name in BROKEN}
    for name, (_, change) in BROKEN.items():
        event = dict(EXAMPLES["identity.verification-code-issued.v1.json"])
        data = event["data"] | change
        event["data"] = {key: value for key, value in data.items() if value is not None}
        files[name].write_text(json.dumps(event))
    said = await example.run("check", *map(str, files.values()))
    assert said.status == 1
    lines = said.text.splitlines()
    assert len(lines) == len(BROKEN)
    for (named, _), line in zip(BROKEN.values(), lines, strict=True):
        assert f": {named}: " in line
        assert "482913" not in line


async def test_a_broker_that_comes_back_in_time_has_the_event_once(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path / "kafka") as kafka:
        await create_topics(kafka.bootstrap)
        await asyncio.to_thread(kafka.stop)
        async with asyncio.TaskGroup() as both:
            runs = {
                language: both.create_task(
                    Example(language).run("password-changed", f"m-{language}", kafka=kafka.bootstrap)
                )
                for language in COMMANDS
            }
            both.create_task(asyncio.to_thread(kafka.start))
        for language, run in runs.items():
            assert run.result().status == 0, f"{language}: {run.result().text}"
        async with Tape(kafka.bootstrap, SECURITY.name, from_start=True) as tape:
            assert sorted(record.key.decode() for record in await tape.rest()) == ["m-java", "m-typescript"]


async def test_an_event_that_was_not_delivered_is_a_failure() -> None:
    nobody = f"127.0.0.1:{free_ports(1)[0]}"
    said = await asyncio.gather(
        *(Example(language).run("password-changed", "m-1", kafka=nobody) for language in COMMANDS)
    )
    for each in said:
        assert each.status == 1
        assert "not delivered: " in each.text
        assert "published" not in each.text


def _member_whose_hash_is_negative() -> str:
    """Where a client that takes Java's hash as unsigned would choose another partition."""
    while True:
        member = f"m-{uuid.uuid4().hex[:12]}"
        if murmur2(member.encode()) & JAVAS_SIGN_BIT:
            return member


def _of(member: str, records: list[Record]) -> list[Record]:
    return [record for record in records if record.key == member.encode()]


def _is_as_the_contract_says(record: Record, member: str) -> None:
    event = json.loads(record.value)
    read = read_record(record.headers, record.value)
    assert (record.topic, read.subject) == (TOPIC_OF_TYPE[read.type].name, member)
    assert dict(record.headers) == {
        "content-type": STRUCTURED_CONTENT_TYPE.encode(),
        "ce_id": read.id.encode(),
        "ce_type": read.type.encode(),
    }
    assert event.keys() == EXAMPLES[f"{read.type}.json"].keys()
