"""From the topic to the inbox: the real notifier, broker and database, a real SMTP dialogue, a local Twilio."""

import json
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from demo.catcher import Catcher, Fault
from schemas.envelope import read_record, write_structured
from schemas.notifications import OutcomeV1
from schemas.topics import CODES, NOTIFIER_DEAD_LETTERS, OUTCOMES
from services.runtime.clock import FixedClock
from tests.support.database import temporary_database
from tests.support.house import House
from tests.support.kafka import Tape
from tests.support.notifier import event_of, fresh_group, upstream
from tests.support.waiting import wait_for

PORTAL = "https://www.cignahealthbenefits.com/sign-in?t=abc"


@pytest.fixture
async def house(kafka: str, database: str) -> AsyncIterator[House]:
    """Nothing runs yet: for a test that starts the notifier its own way."""
    group = await fresh_group(kafka)
    async with Catcher() as catcher, upstream(kafka) as up:
        yield House(kafka, database, catcher, up, group)


@pytest.fixture(scope="module")
async def open_house(kafka: str, database_server: str, migrated_template: str) -> AsyncIterator[House]:
    """A notifier that runs through the whole module; each test is a member of its own."""
    group = await fresh_group(kafka)
    async with (
        temporary_database(database_server, template=migrated_template) as database,
        Catcher() as catcher,
        upstream(kafka) as up,
    ):
        house = House(kafka, database, catcher, up, group)
        async with house.notifier():
            yield house


def now() -> datetime:
    return datetime.now(UTC)


def password_changed(member: str, id: str = "e-1", at: datetime | None = None) -> Any:
    at = at or now()
    return event_of("identity.password-changed.v1", member, id=f"{member}-{id}", time=at, changed_at=at)


def code(member: str, id: str, at: datetime, **data: Any) -> Any:
    values = {
        "channel": "email",
        "code": "246810",
        "url": PORTAL,
        "purpose": "sign-in",
        "expires_at": at + timedelta(minutes=15),
        **data,
    }
    return event_of("identity.verification-code-issued.v1", member, id=f"{member}-{id}", time=at, **values)


async def test_an_event_becomes_a_mail_in_the_members_language(open_house: House) -> None:
    member = open_house.member()
    await open_house.upstream.contact(member, language="fr")
    await open_house.upstream.publish(password_changed(member))
    await open_house.catcher.wait_for(lambda: open_house.catcher.mails_to(f"{member}@example.test"), "the mail")
    (mail,) = open_house.catcher.mails_to(f"{member}@example.test")
    assert "mot de passe" in mail.subject.lower()
    assert await open_house.ended(member, 1) == [("password-changed", "login", "sent", None)]


async def test_a_code_goes_by_the_channel_the_event_names(open_house: House) -> None:
    member, phone = open_house.member(), "+32470111222"
    await open_house.upstream.contact(member, phones=["+32470999888", phone])
    await open_house.upstream.publish(
        code(member, "mail", now()),
        code(member, "text", now(), channel="sms", phone=phone, url=None, purpose="enrolment", code="135799"),
    )
    assert await open_house.ended(member, 2) == [
        ("one-time-verification-code", "login", "sent", None),
        ("one-time-verification-code", "phone-2", "sent", None),
    ]
    (mail,) = open_house.catcher.mails_to(f"{member}@example.test")
    assert "246810" in mail.text
    assert PORTAL in mail.text
    (text,) = open_house.catcher.texts_to(phone)
    assert text.body.endswith("@www.cignahealthbenefits.com #135799")
    assert PORTAL not in text.body


async def test_a_number_that_is_not_registered_is_refused(open_house: House) -> None:
    member = open_house.member()
    await open_house.upstream.contact(member, phones=["+32470999888"])
    await open_house.upstream.publish(code(member, "1", now(), channel="sms", phone="+32470000001", url=None))
    assert await open_house.ended(member, 1) == [
        ("one-time-verification-code", "named", "failed", "phone-not-registered")
    ]
    assert not open_house.catcher.texts_to("+32470000001")


async def test_the_same_event_three_times_is_one_mail(open_house: House) -> None:
    member = open_house.member()
    event = password_changed(member)
    await open_house.upstream.contact(member)
    await open_house.upstream.publish(event, event, event, password_changed(member, "last"))
    await open_house.ended(member, 2)
    assert len(open_house.catcher.mails_to(f"{member}@example.test")) == 2


async def test_a_replay_from_the_first_offset_sends_nothing_whatever_the_contact_says_by_now(house: House) -> None:
    member, phone = house.member(), "+32470333444"
    async with house.notifier():
        await house.upstream.contact(member, phones=[phone])
        await house.upstream.publish(
            password_changed(member), code(member, "text", now(), channel="sms", phone=phone, url=None)
        )
        await house.ended(member, 2)
        await house.upstream.contact(
            member,
            version=2,
            language="fr",
            login_email=f"new-{member}@example.test",
            phones=["+32470555666"],
            preferences={"general": False},
        )
        await wait_for(lambda: house.contact_version(member, 2), "version 2 of the contact")
    house.group = f"replay-{uuid.uuid4()}"  # a group without offsets reads from the first
    async with house.notifier():
        last = password_changed(member, "after-the-replay")
        await house.upstream.publish(last)
        # Of what comes after the change, the previous address is told too.
        assert len(await house.ended(member, 4)) == 4
    assert len(house.catcher.mails_to(f"{member}@example.test")) == 2
    assert len(house.catcher.texts_to(phone)) == 1
    assert len(house.catcher.mails_to(f"new-{member}@example.test")) == 1
    assert not house.catcher.texts_to("+32470555666")


async def test_a_code_past_its_time_is_never_sent(open_house: House) -> None:
    member = open_house.member()
    await open_house.upstream.contact(member)
    await wait_for(lambda: open_house.contact_version(member, 1), "the contact")
    await open_house.upstream.publish(code(member, "late", now() - timedelta(minutes=15)))
    assert await open_house.ended(member, 1) == [("one-time-verification-code", "login", "expired", "late")]
    assert not open_house.catcher.mails_to(f"{member}@example.test")


async def test_a_code_that_cannot_leave_in_time_expires_in_the_ledger(house: House) -> None:
    member = house.member()
    clock = FixedClock(now())
    house.catcher.misbehave(Fault(at="rcpt", to=f"{member}@*", reply="450 4.2.0 later", times=None))
    async with house.notifier(clock):
        await house.upstream.contact(member)
        await house.upstream.publish(code(member, "1", clock.now()))
        await wait_for(lambda: house.attempts(member), "a first attempt")
        clock.at += timedelta(minutes=14, seconds=1)
        ((_, _, state, reason),) = await house.ended(member, 1)
    assert (state, reason) == ("expired", "late-after-attempts")
    assert not house.catcher.mails_to(f"{member}@example.test")


async def test_a_newer_code_supersedes_one_that_has_not_left(open_house: House) -> None:
    member, start = open_house.member(), now()
    open_house.catcher.misbehave(Fault(at="rcpt", to=f"{member}@*", reply="450 4.2.0 later", times=1))
    await open_house.upstream.contact(member)
    await open_house.upstream.publish(code(member, "1", start, code="111111"))
    await wait_for(lambda: open_house.attempts(member), "a first attempt")
    await open_house.upstream.publish(code(member, "2", start + timedelta(seconds=1), code="222222"))
    assert [row[2:] for row in await open_house.ended(member, 2)] == [("superseded", "newer"), ("sent", None)]
    (mail,) = open_house.catcher.mails_to(f"{member}@example.test")
    assert "222222" in mail.text


async def test_an_older_code_that_arrives_later_is_born_superseded(open_house: House) -> None:
    member, start = open_house.member(), now()
    await open_house.upstream.contact(member)
    await open_house.upstream.publish(code(member, "new", start))
    await open_house.ended(member, 1)
    await open_house.upstream.publish(code(member, "old", start - timedelta(seconds=5)))
    assert [row[2:] for row in await open_house.ended(member, 2)] == [("superseded", "newer"), ("sent", None)]
    assert len(open_house.catcher.mails_to(f"{member}@example.test")) == 1


async def test_old_and_new_address_get_the_mail_though_the_contact_has_changed_already(open_house: House) -> None:
    member, at = open_house.member(), now()
    old, new = f"old-{member}@example.test", f"new-{member}@example.test"
    await open_house.upstream.contact(member, version=2, login_email=new)
    await open_house.upstream.publish(
        event_of(
            "identity.email-address-changed.v1",
            member,
            id=f"{member}-1",
            time=at,
            which="login",
            old=old,
            new=new,
            changed_at=at,
        )
    )
    assert {(role, state) for _, role, state, _ in await open_house.ended(member, 2)} == {
        ("old", "sent"),
        ("new", "sent"),
    }
    assert len(open_house.catcher.mails_to(old)) == len(open_house.catcher.mails_to(new)) == 1


async def test_an_event_waits_for_its_members_contact(open_house: House) -> None:
    member = open_house.member()
    await open_house.upstream.publish(password_changed(member))
    await wait_for(lambda: open_house.event_states(member), "the event in the ledger")
    assert await open_house.event_states(member) == ["waiting"]
    await open_house.upstream.contact(member)
    assert await open_house.ended(member, 1) == [("password-changed", "login", "sent", None)]
    assert await open_house.event_states(member) == ["planned"]
    assert len(open_house.catcher.mails_to(f"{member}@example.test")) == 1


async def test_an_event_nobody_is_known_for_fails_visibly_when_its_time_is_over(house: House, kafka: str) -> None:
    member = house.member()
    clock = FixedClock(now())
    async with Tape(kafka, OUTCOMES.name) as tape, house.notifier(clock):
        await house.upstream.publish(password_changed(member, at=clock.now()))
        await wait_for(lambda: house.event_states(member), "the event in the ledger")
        clock.at += timedelta(hours=72)
        assert await house.ended(member, 1) == [("password-changed", "login", "failed", "no-contact")]
        await tape.until(lambda records: any(record.key == member.encode() for record in records), "the outcome")
    (record,) = [record for record in tape.records if record.key == member.encode()]
    outcome = read_record(record.headers, record.value)
    assert isinstance(outcome.data, OutcomeV1)
    assert (outcome.type, outcome.data.reason, outcome.data.attempt) == ("notifications.failed.v1", "no-contact", 0)


async def test_every_outcome_is_told_once_in_order_and_without_an_address(open_house: House, kafka: str) -> None:
    member = open_house.member()
    open_house.catcher.misbehave(Fault(at="dot", to=f"{member}@*", action="disconnect"))
    async with Tape(kafka, OUTCOMES.name) as tape:
        await open_house.upstream.contact(member)
        await open_house.upstream.publish(password_changed(member))
        await open_house.ended(member, 1)
        ours = await tape.until(
            lambda records: len([record for record in records if record.key == member.encode()]) >= 2, "both outcomes"
        )
    told = [read_record(record.headers, record.value) for record in ours if record.key == member.encode()]
    assert [event.type for event in told] == ["notifications.unknown.v1", "notifications.sent.v1"]
    assert not any(b"example.test" in record.value for record in ours)


async def test_secrets_are_gone_once_the_code_has_ended(open_house: House) -> None:
    member = open_house.member()
    await open_house.upstream.contact(member)
    await open_house.upstream.publish(code(member, "1", now()))
    await open_house.ended(member, 1)
    (row,) = await open_house.rows(member)
    assert row["secrets"] is None
    assert b"246810" not in row["facts"]


async def dead_letter_of(tape: Tape, member: str) -> Any:
    def letters(records: list[Any]) -> list[Any]:
        return [record for record in records if record.key == member.encode()]

    (letter,) = letters(await tape.until(lambda records: bool(letters(records)), "the dead letter"))
    return letter


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda event: event["data"].update(url="https://evil.example/x"), "link-not-allowed: data.url"),
        (lambda event: event["data"].pop("code"), "data-invalid: data.code (missing)"),
        (lambda event: event.update(time="2026-01-01T00:00:00"), "attribute-invalid: time"),
        (lambda event: event.update(time="2020-01-01T00:00:00Z"), "outside-dedupe-horizon: time"),
        (lambda event: event.update(type="identity.verification-code-issued.v9"), "type-unknown: type"),
        (lambda event: event.update(subject="somebody-else"), "key-mismatch: record key"),
    ],
)
async def test_what_cannot_be_accepted_is_a_dead_letter_and_its_neighbours_are_sent(
    open_house: House, kafka: str, spoil: Callable[[dict[str, Any]], object], reason: str
) -> None:
    member = open_house.member()
    value, headers = write_structured(code(member, "bad", now()))
    document = json.loads(value)
    spoil(document)
    async with Tape(kafka, NOTIFIER_DEAD_LETTERS.name) as tape:
        await open_house.upstream.contact(member)
        await wait_for(lambda: open_house.contact_version(member, 1), "the contact")
        await open_house.upstream.publish(code(member, "before", now(), purpose="before"))
        await open_house.upstream.raw(CODES.name, member.encode(), json.dumps(document).encode(), headers[:1])
        await open_house.upstream.publish(code(member, "after", now(), purpose="after"))
        await open_house.ended(member, 2)
        letter = await dead_letter_of(tape, member)
    told = dict(letter.headers)
    assert told["reason"].decode().startswith(reason)
    assert told["origin-topic"] == CODES.name.encode()
    assert b"246810" not in letter.value
    assert len(open_house.catcher.mails_to(f"{member}@example.test")) == 2


async def test_an_id_used_again_with_other_content_is_a_dead_letter(open_house: House, kafka: str) -> None:
    member, at = open_house.member(), now()
    async with Tape(kafka, NOTIFIER_DEAD_LETTERS.name) as tape:
        await open_house.upstream.contact(member)
        await open_house.upstream.publish(code(member, "1", at, code="111111"), code(member, "1", at, code="222222"))
        letter = await dead_letter_of(tape, member)
        await open_house.ended(member, 1)
    assert dict(letter.headers)["reason"] == b"id-reused: id"
    assert len(open_house.catcher.mails_to(f"{member}@example.test")) == 1


async def test_a_member_who_is_forgotten_gets_nothing_more(open_house: House) -> None:
    member = open_house.member()
    open_house.catcher.misbehave(Fault(at="rcpt", to=f"{member}@*", reply="450 4.2.0 later", times=None))
    await open_house.upstream.contact(member)
    await open_house.upstream.publish(password_changed(member))
    await wait_for(lambda: open_house.attempts(member), "a first attempt")
    await open_house.upstream.forget(member)
    assert await open_house.ended(member, 1) == [("password-changed", "login", "suppressed", "forgotten")]
    assert not open_house.catcher.mails_to(f"{member}@example.test")


async def test_an_address_that_is_not_on_the_list_is_not_sent_to(house: House) -> None:
    member = house.member()
    async with house.notifier(
        delivery_mode="allow-list", allow_list="@elsewhere.test", smtp_tls="starttls", loopback_link_origin=None
    ):
        await house.upstream.contact(member)
        await house.upstream.publish(password_changed(member))
        assert await house.ended(member, 1) == [("password-changed", "login", "suppressed", "not-live")]
    assert not house.catcher.mails
