"""Topics and dead letters in the console, on the real broker; and that nothing private leaves by any page."""

import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.envelope import write_structured
from schemas.topics import CODES, NOTIFIER_DEAD_LETTERS, TOPICS
from services.console.broker_pages import line
from services.console.main import Console
from services.notifier.ledger.interventions import Interventions
from services.runtime.dead_letters import dead_letter
from tests.support.console import asked, running, settings
from tests.support.database import temporary_database
from tests.support.kafka import admin_client
from tests.support.ledger import Ledger, code, ledger_on, password_changed
from tests.support.notifier import Upstream, upstream
from tests.support.waiting import wait_for

CODE, LINK, PHONE = "864209", "https://www.cignahealthbenefits.com/sign-in?t=Zq7LINK", "+32470111222"


@dataclass
class Rig:
    kafka: str
    console: Console
    http: httpx.AsyncClient
    upstream: Upstream
    ledger: Ledger

    async def page(self, path: str) -> str:
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def refuse(self, reason: str, value: bytes) -> None:
        """As a service writes a dead letter."""
        record: Any = SimpleNamespace(topic=CODES.name, partition=0, offset=7, key=b"m-1", value=value, headers=[])
        box = NOTIFIER_DEAD_LETTERS.name
        letter = dead_letter(
            record, reason=reason, topic=box, limit=1_000_000, at=datetime.now(UTC), vault=self.ledger.vault
        )
        await self.upstream.raw(box, letter.key, letter.value, list(letter.headers))


@pytest.fixture(scope="module")
async def rig(kafka: str, database_server: str, migrated_template: str) -> AsyncIterator[Rig]:
    async with (
        temporary_database(database_server, template=migrated_template) as dsn,
        ledger_on(dsn) as ledger,
        upstream(kafka) as up,
        running(settings(kafka, dsn)) as console,
        asked(console) as http,
    ):
        await wait_for(lambda: console.broker.seen, "a first look at the broker")
        yield Rig(kafka, console, http, up, ledger)


def fresh() -> str:
    return f"m-{uuid.uuid4().hex[:12]}"


async def test_every_topic_of_the_contract_is_listed_with_its_end(rig: Rig) -> None:
    before = sum((await rig.console.broker.look()).ends[CODES.name].values())
    await rig.upstream.publish(code(fresh()))
    assert sum((await rig.console.broker.look()).ends[CODES.name].values()) == before + 1
    page = await rig.page("/topics")
    assert all(name in page for name in TOPICS)


async def test_a_group_s_lag_is_counted_and_dated(rig: Rig) -> None:
    group = f"reader-{uuid.uuid4().hex[:8]}"
    consumer = AIOKafkaConsumer(bootstrap_servers=rig.kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(CODES.name, number) for number in range(3)]
        consumer.assign(partitions)
        await consumer.commit(await consumer.end_offsets(partitions))
    finally:
        await consumer.stop()
    await rig.upstream.publish(code(fresh()), code(fresh()))
    look = await rig.console.broker.look()
    assert [each.behind for each in look.groups if each.group == group] == [2]
    page = await rig.page(f"/topics/{CODES.name}")
    assert re.search(rf'{group}</th><td class="right">2</td><td>[0-9]+ s</td>', page)


async def test_a_partition_where_a_group_has_committed_nothing_is_unread_from_its_beginning(rig: Rig) -> None:
    group = f"reader-{uuid.uuid4().hex[:8]}"
    first = TopicPartition(CODES.name, 0)
    await rig.upstream.publish(*(code(fresh()) for _ in range(12)))
    consumer = AIOKafkaConsumer(bootstrap_servers=rig.kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([first])
        ends = await consumer.end_offsets([TopicPartition(CODES.name, number) for number in range(3)])
        await consumer.commit({first: ends[first]})
    finally:
        await consumer.stop()
    look = await rig.console.broker.look()
    unread = sum(end for number, end in look.ends[CODES.name].items() if number)
    assert unread > 0
    assert [each.behind for each in look.groups if each.group == group] == [unread]


async def test_looking_makes_no_group(rig: Rig) -> None:
    await rig.page(f"/topics/{CODES.name}")
    async with admin_client(rig.kafka) as admin:
        assert not [name for name, *_ in await admin.list_consumer_groups() if "console" in name]


async def test_the_last_records_show_their_fields_and_not_what_they_hold(rig: Rig) -> None:
    member = fresh()
    await rig.upstream.publish(code(member, code=CODE, url=LINK))
    await rig.upstream.raw(CODES.name, member.encode(), f'{{"code": "{CODE}", "to": "{PHONE}"}}'.encode())
    await rig.console.broker.look()
    page = await rig.page(f"/topics/{CODES.name}")
    assert f"{member}-c-1" in page
    assert "not a valid event" in page
    assert CODE not in page
    assert "Zq7LINK" not in page
    assert PHONE not in page


async def test_dead_letters_are_told_by_reason_with_commands_to_copy(rig: Rig) -> None:
    reason = f"data-invalid: data.{uuid.uuid4().hex[:8]}: it isn't there"
    await rig.refuse(reason, b"{}")
    await rig.refuse(reason, b"{}")
    await rig.console.broker.look()
    page = await rig.page("/dead-letters")
    assert f"{reason.replace(chr(39), '&#39;')}</h2>\n<p>2 from {CODES.name}" in page
    assert "member-notices dead-letters show identity.codes.v1/0/7" in page
    assert "isn&#39;&#34;&#39;&#34;&#39;t there" in page, "quoted for a shell"


async def test_the_last_day_s_dead_letters_are_on_the_overview(rig: Rig) -> None:
    await rig.refuse("not-json", b"x")
    look = await rig.console.broker.look()
    assert look.dead[NOTIFIER_DEAD_LETTERS.name] >= 1
    assert f"{sum(look.dead.values())} could not be accepted in the last 24 hours." in await rig.page("/")


async def test_an_unknown_topic_says_so(rig: Rig) -> None:
    assert (await rig.http.get("/topics/nonsense")).status_code == 404


async def test_no_page_tells_a_code_a_link_an_address_or_a_phone(rig: Rig) -> None:
    """Planted in the ledger, on topics and in dead letters; then every page that can be reached is fetched."""
    member = fresh()
    email = f"{member}@example.test"
    await rig.ledger.contact(member, phones=[PHONE])
    at = datetime.now(UTC)
    events = (code(member, code=CODE, url=LINK, at=at - timedelta(seconds=1)), password_changed(member))
    await rig.ledger.accept(*events)
    await rig.upstream.publish(*events)
    await rig.upstream.contact(member, phones=[PHONE], login_email=email)
    value, _ = write_structured(events[0])
    await rig.refuse("data-invalid: data.phone", value + f"{email} {PHONE} {LINK}".encode())
    await Interventions(rig.ledger.database).begin(
        "replay", "a/0/1", who=email, why=f"she called {PHONE}: {LINK} {CODE}"
    )
    await rig.upstream.raw(NOTIFIER_DEAD_LETTERS.name, email.encode(), PHONE.encode(), [("reason", LINK.encode())])
    await rig.console.broker.look()

    seen: dict[str, str] = {}
    waiting = ["/", f"/notifications?member={member}", f"/complaints/{member}", "/events?state=skipped"]
    while waiting and len(seen) < 150:
        path = waiting.pop(0)
        if path in seen:
            continue
        answer = await rig.http.get(path)
        assert answer.status_code < 500, path
        seen[path] = answer.text
        links = [each.replace("&amp;", "&") for each in re.findall(r'href="(/[^"]*)"', answer.text)]
        waiting += [each for each in links if each not in seen]
    assert f"/topics/{CODES.name}" in seen
    assert {"/dead-letters", "/interventions", "/notices"} <= seen.keys()
    assert any(re.fullmatch(r"/notifications/[0-9a-f-]{36}", path) for path in seen)
    for path, text in seen.items():
        for private in (CODE, LINK, "Zq7LINK", email, PHONE):
            assert private not in text, path


@pytest.mark.parametrize(("values", "drawn"), [([], ""), ([1.0], ""), ([0.0, 0.0], "0.0,31.0 150.0,31.0")])
def test_a_line_is_drawn_from_two_points_on(values: list[float], drawn: str) -> None:
    assert line(values) == drawn
