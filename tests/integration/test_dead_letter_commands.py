"""`dead-letters list | show | replay`, as a person uses them, on a real broker with the real notifier reading."""

import hashlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import ConsumerRecord

from demo.catcher import Catcher
from schemas.envelope import Event, write_structured
from schemas.topics import (
    AUTH_EVENTS_DEAD_LETTERS,
    CODES,
    COMPLAINT_SLA_DEAD_LETTERS,
    CONTACTS,
    NOTIFIER_DEAD_LETTERS,
    SECURITY,
)
from schemas.types import Data
from services.notifier.dead_letter_commands import Filter, list_letters, replay, show_letter
from services.notifier.desk_commands import tell_why
from services.runtime.commands import CommandError, time_of
from services.runtime.dead_letters import dead_letter
from services.runtime.vault import Vault
from tests.support.commands import Printed, process_settings
from tests.support.database import temporary_database
from tests.support.kafka import Record, Tape
from tests.support.notifier import VAULT_KEYS, Upstream, event_of, fresh_group, running, settings, upstream
from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[2]
PLANTED_CODE, PLANTED_LINK, PLANTED_PHONE = "864209", "https://evil.example/reset?t=Zq7LINK", "+32470111222"
BY = {"because": "the publisher was mended", "who": "night-shift"}


@dataclass
class Desk:
    kafka: str
    database: str
    catcher: Catcher
    upstream: Upstream

    def settings(self, **more: Any) -> Any:
        return process_settings(self.database, kafka=self.kafka, vault_keys=VAULT_KEYS, **more)

    async def listed(self, *, limit: int = 50, as_json: bool = False, **wanted: Any) -> str:
        printed = Printed()
        await list_letters(self.settings(), Filter(**wanted), limit=limit, as_json=as_json, say=printed)
        return printed.text

    async def show(self, origin: str, *, reveal: bool = False) -> str:
        printed = Printed()
        await show_letter(self.settings(), origin, reveal=reveal, **BY, say=printed)
        return printed.text

    async def replay(self, *origins: str, yes: bool = True, **wanted: Any) -> tuple[int, str]:
        printed = Printed()
        status = await replay(self.settings(), Filter(origins=frozenset(origins), **wanted), **BY, yes=yes, say=printed)
        return status, printed.text

    async def fetch(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(self.database)
        try:
            return [tuple(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    async def meet(self, member: str) -> None:
        """The contact is in the ledger: an event of a member not yet known would wait, whatever is wrong with it."""
        await self.upstream.contact(member)
        await wait_for(
            lambda: self.fetch("SELECT 1 FROM notifier.contacts WHERE member_id = $1", member),
            f"the contact of {member}",
        )

    async def refused(
        self, value: bytes | None, member: str, headers: list[tuple[str, Any]] | None = None, *, topic: str = CODES.name
    ) -> Record:
        """Published as it is; the dead letter that the notifier made of it."""
        async with Tape(self.kafka, NOTIFIER_DEAD_LETTERS.name) as tape:
            await self.upstream.raw(topic, member.encode(), value, headers)
            return await _of(tape, member)

    async def put_away(
        self, event: Event[Data], reason: str, *, limit: int = 1_000_000, box: str = NOTIFIER_DEAD_LETTERS.name
    ) -> str:
        """The event on its topic, and beside it a dead letter of it, as if it had been refused. Returns its origin."""
        topic = SECURITY.name
        value, headers = write_structured(event)
        async with Tape(self.kafka, topic) as tape:
            await self.upstream.raw(topic, event.subject.encode(), value, [*headers, ("x-null", None)])
            record = await _of(tape, event.subject)
        message = dead_letter(
            record, reason=reason, topic=box, limit=limit, at=datetime.now(UTC), vault=Vault.parse(VAULT_KEYS)
        )
        await self.upstream.raw(box, message.key, message.value, list(message.headers))
        return f"{topic}/{record.partition}/{record.offset}"

    async def sent(self, member: str, count: int) -> None:
        async def enough() -> bool:
            rows = await self.fetch(
                "SELECT id FROM notifier.notifications WHERE member_id = $1 AND state = 'sent'", member
            )
            return len(rows) >= count

        await wait_for(enough, f"{count} sent notifications of {member}")


async def _of(tape: Tape, member: str) -> Record:
    records = await tape.until(
        lambda records: any(record.key == member.encode() for record in records), f"record of {member}"
    )
    return next(record for record in records if record.key == member.encode())


def origin_of(letter: Record) -> str:
    told = dict(letter.headers)
    return "/".join(told[f"origin-{part}"].decode() for part in ("topic", "partition", "offset"))


@pytest.fixture(scope="module")
async def desk(kafka: str, database_server: str, migrated_template: str) -> AsyncIterator[Desk]:
    group = await fresh_group(kafka)
    async with (
        temporary_database(database_server, template=migrated_template) as database,
        Catcher() as catcher,
        upstream(kafka) as up,
        running(settings(kafka, database, catcher, group)),
    ):
        yield Desk(kafka, database, catcher, up)


def new_member() -> str:
    return f"m-{uuid.uuid4().hex[:12]}"


def password_changed(member: str, id: str = "e-1") -> Event[Data]:
    at = datetime.now(UTC)
    return event_of("identity.password-changed.v1", member, id=f"{member}-{id}", time=at, changed_at=at)


def poison(member: str) -> bytes:
    """A code for a link that is not the brand's, with everything planted that must not be seen."""
    at = datetime.now(UTC)
    return json.dumps(
        {
            "specversion": "1.0", "id": f"{member}-bad", "source": "urn:test:idp", "subject": member,
            "type": "identity.verification-code-issued.v1", "time": at.isoformat(),
            "data": {"channel": "email", "code": PLANTED_CODE, "url": PLANTED_LINK, "purpose": "sign-in",
                     "phone": PLANTED_PHONE, "anna@example.test": "planted", "note": "planted anna@example.test",
                     "expires_at": (at + timedelta(minutes=15)).isoformat()},
        }
    ).encode()  # fmt: skip


async def test_a_refused_record_is_listed_and_shown_without_what_is_private(desk: Desk) -> None:
    member = new_member()
    await desk.meet(member)
    origin = origin_of(
        await desk.refused(poison(member), member, [("x-planted", b"planted"), ("ce_id", f"{member}-bad".encode())])
    )
    listed = [await desk.listed(event=asked) for asked in (f"{member}-bad", f"urn:test:idp|{member}-bad")]
    assert listed[0] == listed[1]
    assert listed[0].splitlines()[0].split() == ["REFUSED", "ORIGIN", "REASON", "REPLAYED"]
    assert f"{origin}  link-not-allowed: data.url (not one of the brand's link domains)  -" in listed[0]
    shown = await desk.show(origin)
    assert f"header      ce_id: {member}-bad" in shown
    assert '"purpose": "sign-in"' in shown
    assert '"code": "••• (6 characters)"' in shown
    for text in (
        *listed,
        shown,
        await desk.listed(event=f"{member}-bad", as_json=True),
        (await desk.replay(origin, yes=False))[1],
    ):
        for private in (PLANTED_CODE, PLANTED_LINK, "Zq7LINK", PLANTED_PHONE, "anna@example.test", "planted"):
            assert private not in text


async def test_what_is_revealed_is_revealed_on_record(desk: Desk) -> None:
    member = new_member()
    await desk.meet(member)
    origin = origin_of(await desk.refused(poison(member), member, [("x-null", None), ("x-esc", b"\x1b[2J")]))
    shown = await desk.show(origin, reveal=True)
    assert PLANTED_CODE in shown
    assert "x-null: null" in shown
    assert "\x1b" not in shown
    assert await desk.fetch("SELECT kind, who, why FROM notifier.interventions WHERE subject = $1", origin) == [
        ("reveal", "night-shift", "the publisher was mended")
    ]


async def test_a_dry_run_publishes_and_records_nothing(desk: Desk) -> None:
    member = new_member()
    origin = origin_of(await desk.refused(b"not json", member))
    async with Tape(desk.kafka, CODES.name) as tape:
        status, text = await desk.replay(origin, yes=False)
        assert not [record for record in await tape.rest() if record.key == member.encode()]
    assert status == 0
    assert f"{origin}  would go back onto identity.codes.v1 (was not-json)" in text
    assert "Nothing was published. With --yes 1 would be replayed, by night-shift: the publisher was mended" in text
    assert await desk.fetch("SELECT 1 FROM notifier.interventions WHERE subject = $1", origin) == []


async def test_a_replay_is_the_record_byte_for_byte_in_the_partition_it_came_from(desk: Desk) -> None:
    member, value = new_member(), b'\xff\x00 not json "864209"'
    headers = [("x-null", None), ("x-bytes", b"\xfe\xff"), ("x-twice", b"1"), ("x-twice", b"2"), ("x-empty", b"")]
    origin = origin_of(await desk.refused(value, member, headers))
    async with Tape(desk.kafka, CODES.name) as tape:
        status, text = await desk.replay(origin)
        again = await _of(tape, member)
    assert status == 0
    assert (again.value, again.key, list(again.headers)) == (value, member.encode(), headers)
    assert again.partition == int(origin.split("/")[1])
    place = f"identity.codes.v1/{again.partition}/{again.offset}"
    assert text == f"{origin}  replayed as {place}"
    assert await desk.fetch("SELECT kind, who, why, result FROM notifier.interventions WHERE subject = $1", origin) == [
        ("replay", "night-shift", "the publisher was mended", place)
    ]


async def test_what_never_was_accepted_is_sent_after_its_replay(desk: Desk) -> None:
    member = new_member()
    await desk.meet(member)
    event = password_changed(member)
    value, headers = write_structured(event)
    partition = int(origin_of(await desk.refused(b"not json", member, topic=SECURITY.name)).split("/")[1])
    record = ConsumerRecord(
        topic=SECURITY.name, partition=partition, offset=uuid.uuid4().int % 10**9 + 10**9, timestamp=0,
        timestamp_type=0, key=member.encode(), value=value, checksum=None, serialized_key_size=0,
        serialized_value_size=0, headers=headers,
    )  # fmt: skip
    letter = dead_letter(
        record, reason="refused-by-database: (22021)", topic=NOTIFIER_DEAD_LETTERS.name, limit=1_000_000,
        at=datetime.now(UTC), vault=Vault.parse(VAULT_KEYS),
    )  # fmt: skip
    await desk.upstream.raw(letter.topic, letter.key, letter.value, list(letter.headers))
    assert await desk.fetch("SELECT 1 FROM notifier.events WHERE member_id = $1", member) == []
    origin = f"{record.topic}/{record.partition}/{record.offset}"
    assert (await desk.replay(origin))[0] == 0
    await desk.sent(member, 1)
    assert len(desk.catcher.mails_to(f"{member}@example.test")) == 1
    assert "by night-shift as identity.security.v1/" in await desk.show(origin)
    printed = Printed()
    assert await tell_why(desk.settings(), f"{member}-e-1", as_json=False, say=printed) == 0
    assert "replay by night-shift: the publisher was mended" in printed.text


async def test_a_replay_of_what_was_accepted_meanwhile_is_a_duplicate_and_sends_nothing(desk: Desk) -> None:
    member = new_member()
    await desk.meet(member)
    origin = await desk.put_away(password_changed(member), "refused-by-database: (22021)")
    await desk.sent(member, 1)
    assert (await desk.replay(origin))[0] == 0
    assert (await desk.replay(origin))[0] == 0
    await desk.upstream.publish(password_changed(member, "after"))
    await desk.sent(member, 2)
    rows = await desk.fetch(
        "SELECT event_id, state, attempts FROM notifier.notifications WHERE member_id = $1 ORDER BY event_time", member
    )
    assert rows == [(f"{member}-e-1", "sent", 1), (f"{member}-after", "sent", 1)]
    assert len(desk.catcher.mails_to(f"{member}@example.test")) == 2


@pytest.mark.parametrize("box", [AUTH_EVENTS_DEAD_LETTERS.name, COMPLAINT_SLA_DEAD_LETTERS.name])
async def test_by_reason_each_goes_once_and_by_name_again(desk: Desk, box: str) -> None:
    member, reason = new_member(), f"id-reused: {uuid.uuid4().hex}"
    await desk.meet(member)
    first = await desk.put_away(password_changed(member, "e-1"), reason)
    second = await desk.put_away(password_changed(member, "e-2"), reason, box=box)
    status, text = await desk.replay(reason=reason)
    assert status == 0
    assert text.count("replayed as") == 2
    status, text = await desk.replay(reason=reason)
    assert status == 1
    assert text.count("by night-shift; name it by its origin to replay it again") == 2
    assert "replayed as" not in text
    status, text = await desk.replay(first, yes=False)
    assert status == 0
    assert "; replayed before, " in text
    assert second in await desk.listed(reason=reason)


async def test_what_was_too_large_to_keep_is_read_again_from_its_origin(desk: Desk) -> None:
    member = new_member()
    await desk.meet(member)
    event = password_changed(member)
    origin = await desk.put_away(event, "id-reused: id", limit=1)
    assert "[too large]" in await desk.listed(event=None, reason="id-reused: id", topic=SECURITY.name)
    assert "replay reads it from its origin" in await desk.show(origin)
    async with Tape(desk.kafka, SECURITY.name) as tape:
        status, _ = await desk.replay(origin)
        again = await _of(tape, member)
    value, headers = write_structured(event)
    assert status == 0
    assert (again.value, list(again.headers)) == (value, [*headers, ("x-null", None)])


@pytest.mark.parametrize("wrong", ["sha256", "origin-offset", "origin-partition"])
async def test_what_is_not_on_its_topic_any_more_is_refused(desk: Desk, wrong: str) -> None:
    member = new_member()
    sha256 = hashlib.sha256(b"what it was").hexdigest()
    told = {
        "reason": "id-reused: id", "origin-topic": SECURITY.name, "origin-partition": "0", "origin-offset": "0",
        "first-seen": datetime.now(UTC).isoformat(), "key-id": "test", "too-large": "true", "sha256": sha256,
        "size": "11",
    } | ({} if wrong == "sha256" else {wrong: str(10**6 + uuid.uuid4().int % 10**6)})  # fmt: skip
    await desk.upstream.publish(password_changed(member))
    headers = [(name, text.encode()) for name, text in told.items()]
    await desk.upstream.raw(NOTIFIER_DEAD_LETTERS.name, member.encode(), b"", headers)
    origin = f"{told['origin-topic']}/{told['origin-partition']}/{told['origin-offset']}"
    status, text = await desk.replay(origin)
    assert status == 1
    assert text.startswith(f"{origin}  not replayed: ")
    assert "is not on its topic any more; only its publisher can send it again" in text


async def test_a_tombstone_is_refused(desk: Desk) -> None:
    letter = await desk.refused(None, new_member())
    status, text = await desk.replay(origin_of(letter))
    assert status == 1
    assert "it is a tombstone" in text


async def test_a_contact_that_was_refused_can_be_replayed_too(desk: Desk) -> None:
    member = new_member()
    letter = await desk.refused(b"{}", member, topic=CONTACTS.name)
    async with Tape(desk.kafka, CONTACTS.name) as tape:
        assert (await desk.replay(origin_of(letter)))[0] == 0
        assert (await _of(tape, member)).value == b"{}"


async def test_what_nobody_knows_is_said_and_stops_nothing_else(desk: Desk) -> None:
    origin = origin_of(await desk.refused(b"not json", new_member()))
    status, text = await desk.replay(origin, "identity.codes.v1/0/999999999")
    assert status == 1
    assert "identity.codes.v1/0/999999999  is not among the dead letters" in text
    assert f"{origin}  replayed as" in text
    assert "is not among the dead letters" in await desk.show("identity.codes.v1/0/999999999")


async def test_records_of_others_are_counted_and_harm_nobody(desk: Desk) -> None:
    await desk.upstream.raw(NOTIFIER_DEAD_LETTERS.name, None, b"somebody else's", [("reason", b"\xff")])
    origin = origin_of(await desk.refused(b"not json", new_member()))
    text = await desk.listed(since=datetime.now(UTC) - timedelta(minutes=1))
    assert origin in text
    assert "records on the dead-letter topics were not written by this version" in text


async def test_the_list_is_bounded_to_the_newest_and_says_so(desk: Desk) -> None:
    start = datetime.now(UTC)
    origins = [origin_of(await desk.refused(b"not json", new_member())) for _ in range(3)]
    # Of this topic: what another test's clock dated ahead lies on the other's.
    text = await desk.listed(since=start, topic=CODES.name, limit=2)
    assert [line.split()[1] for line in text.splitlines()[1:3]] == origins[1:]
    assert "1 older ones are not shown" in text
    later = datetime.now(UTC) + timedelta(hours=1)
    assert await desk.listed(since=later, topic=CODES.name) == "No dead letter, as asked." or (
        "not written by this version" in text
    )


def test_since_is_a_span_or_a_time_with_its_zone() -> None:
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert time_of("--since", "90m", now) == now - timedelta(minutes=90)
    assert time_of("--since", "3d", now) == now - timedelta(days=3)
    assert time_of("--since", "2026-11-22T12:00:00+01:00", now) == now - timedelta(hours=1)
    for wrong in ("yesterday", "2026-11-22T12:00:00", "", "-1h", "99999h"):
        with pytest.raises(CommandError, match="--since takes"):
            time_of("--since", wrong, now)


async def test_an_origin_is_topic_partition_and_offset(desk: Desk) -> None:
    for wrong in ("identity.codes.v1", "identity.codes.v1/0", "../x/0/1", ""):
        with pytest.raises(CommandError, match="named by its origin"):
            await desk.show(wrong)
        with pytest.raises(CommandError, match="named by its origin"):
            await desk.replay(wrong)


async def test_the_list_is_there_when_the_database_is_not(desk: Desk) -> None:
    origin = origin_of(await desk.refused(b"not json", new_member()))
    values = process_settings("postgresql://nobody@127.0.0.1:1/none", kafka=desk.kafka, vault_keys=VAULT_KEYS)
    printed = Printed()
    await list_letters(values, Filter(origins=frozenset({origin})), limit=1, as_json=False, say=printed)
    assert "What was replayed is not known: PostgreSQL cannot be asked" in printed.text
    assert origin in printed.text


async def test_a_broker_that_is_away_is_one_sentence(database: str) -> None:
    values = process_settings(database, kafka="127.0.0.1:1", vault_keys=VAULT_KEYS)
    with pytest.raises(CommandError, match="Look at KAFKA_BOOTSTRAP_SERVERS"):
        await list_letters(values, Filter(), limit=1, as_json=False, say=Printed())


# --- the program itself -----------------------------------------------------------------------------------------------


def program(desk: Desk, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": desk.kafka, "DATABASE_URL": desk.database, "VAULT_KEYS": VAULT_KEYS,
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


async def test_the_program_does_it_all_in_plain_text_with_exit_statuses(desk: Desk) -> None:
    member = new_member()
    await desk.meet(member)
    await desk.upstream.publish(password_changed(member))
    await desk.sent(member, 1)
    origin = origin_of(await desk.refused(b"not json", member))
    why = program(desk, "why", f"urn:test:idp|{member}-e-1")
    id_ = next(line.split()[1] for line in why.stdout.splitlines() if line.startswith("message "))
    told = [
        (why, 0),
        (program(desk, "why", id_, "--json"), 0),
        (program(desk, "why", "nobody-knows"), 1),
        (program(desk, "notifications", "show", id_), 0),
        (program(desk, "notifications", "retry", id_, "--why", "she asked", "--who", "desk"), 1),
        (program(desk, "dead-letters", "list", "--since", "1h"), 0),
        (program(desk, "dead-letters", "show", origin), 0),
        (program(desk, "dead-letters", "replay", origin, "--why", "mended", "--who", "desk"), 0),
        (program(desk, "dead-letters", "replay", "--why", "mended"), 1),
        (program(desk, "dead-letters", "show", origin, "--reveal"), 1),
        (program(desk, "dead-letters", "replay", origin, "--why", "two\nlines"), 1),
    ]
    for done, status in told:
        assert done.returncode == status, (done.args, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stdout
    assert "SENT" in why.stdout
    assert "a second copy" in told[4][0].stdout
    assert "not both, not neither" in told[8][0].stderr
    assert "--why is one line" in told[9][0].stderr
