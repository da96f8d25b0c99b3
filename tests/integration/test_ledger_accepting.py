"""Planned once, whoever asks and however often; contacts and who waits for them; records the database refuses."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from schemas.envelope import Event, write_structured
from schemas.topics import CONTACTS, NOTIFIER_DEAD_LETTERS, SECURITY, TOPIC_OF_TYPE
from schemas.types import Data
from services.notifier import metrics
from services.notifier.accept import Acceptor
from services.notifier.ledger.contacts import StoredContact
from services.notifier.ledger.inserting import Accepted, ReadEvent
from services.runtime.clock import FixedClock
from services.runtime.intake import Intake
from services.runtime.kafka import Batch, Drain
from services.runtime.publisher import BrokerAwayError, Message, Publisher
from tests.support.ledger import (
    KEY,
    NO_ROOM,
    OTHER_KEY,
    RULES,
    T0,
    Ledger,
    code,
    password_changed,
    result,
    undeliverable,
)
from tests.support.letters import letter_due
from tests.support.notifier import contact, event_of
from tests.support.waiting import wait_for

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


# --- planned once -----------------------------------------------------------------------------------------------------


async def test_one_event_in_many_transactions_at_once_is_planned_once(ledger: Ledger) -> None:
    member = await ledger.known()
    event = password_changed(member)
    outcomes = await asyncio.gather(*(ledger.accept(event) for _ in range(6)))
    assert sorted(tuple(accepted.plans) for accepted in outcomes) == [("duplicate",)] * 5 + [("planned",)]
    assert len(await ledger.rows(member)) == 1


async def test_one_event_twice_in_a_batch_is_planned_once(ledger: Ledger) -> None:
    member = await ledger.known()
    event = password_changed(member)
    accepted = await ledger.accept(event, password_changed(member, "e-2"), event)
    assert accepted.plans == {"planned": 2, "duplicate": 1}
    assert len(await ledger.rows(member)) == 2


async def test_other_content_under_a_used_id_is_told_apart_from_a_redelivery(ledger: Ledger) -> None:
    member = await ledger.known()
    event = password_changed(member)
    other = event_of(event.type, member, id=event.id, time=T0, changed_at=T0 - MINUTE)
    in_one_batch = await ledger.accept(event, other)
    later = await ledger.accept(other, event)
    assert [entry.event for entry in in_one_batch.reused] == [other]
    assert [entry.event for entry in later.reused] == [other]
    assert later.plans == {"duplicate": 1}
    assert len(await ledger.rows(member)) == 1


async def test_the_same_id_from_another_source_is_another_event(ledger: Ledger) -> None:
    member = await ledger.known()
    first, second = (
        event_of("identity.password-changed.v1", member, id="1", time=T0, source=source, changed_at=T0)
        for source in ("urn:test:a", "urn:test:b")
    )
    assert (await ledger.accept(first, second)).plans == {"planned": 2}
    assert len({row["id"] for row in await ledger.rows(member)}) == 2


async def test_a_planned_event_stays_as_it_was_whatever_the_contact_says_today(ledger: Ledger) -> None:
    member = await ledger.known(language="en")
    event = password_changed(member)
    await ledger.accept(event)
    before = [tuple(row.items()) for row in await ledger.rows(member)]
    await ledger.contact(member, version=2, language="fr", login_email="elsewhere@example.test")
    assert (await ledger.accept(event)).plans == {"duplicate": 1}
    assert [tuple(row.items()) for row in await ledger.rows(member)] == before


async def test_a_planned_event_is_no_dead_letter_when_its_link_would_be_refused_today(ledger: Ledger) -> None:
    """A replay after a brand gave up a domain: the event is known, and nothing is to be said of it again."""
    member = await ledger.known()
    origin = "http://127.0.0.1:8025"
    event = code(member, url=f"{origin}/x")
    await ledger.using(rules=replace(RULES, loopback_origin=origin)).accept(event)
    again = await ledger.accept(event)
    assert (again.refused, again.plans) == ([], {"duplicate": 1})
    other = code(member, url=f"{origin}/other")
    assert [entry.event for entry in (await ledger.accept(other)).reused] == [other]


async def test_what_the_plan_refuses_leaves_nothing_behind_and_may_come_again(ledger: Ledger) -> None:
    member = await ledger.known()
    refused = await ledger.accept(code(member, url="https://evil.example/x"), password_changed(member))
    assert [(entry.event.type, no.error.code) for entry, no in refused.refused] == [
        ("identity.verification-code-issued.v1", "link-not-allowed")
    ]
    assert len(await ledger.rows(member)) == 1
    assert (await ledger.accept(code(member))).plans == {"planned": 1}


async def test_a_known_event_without_a_notice_is_remembered_and_counted(ledger: Ledger) -> None:
    member = await ledger.known()
    event = event_of("members.coverage-reinstated.v1", member, id=f"{member}-w", time=T0, reinstated_on=T0.date())
    assert (await ledger.accept(event)).plans == {"skipped:no-notice": 1}
    assert (await ledger.accept(event)).plans == {"duplicate": 1}
    assert await ledger.events(member) == [("skipped", "no-notice")]


async def test_born_terminal_states_are_told(ledger: Ledger) -> None:
    late, nowhere, elsewhere = [await ledger.known() for _ in range(3)]
    await ledger.accept(code(late, at=T0 - 15 * MINUTE), code(nowhere, channel="sms", phone="+32470000001", url=None))
    await ledger.using(rules=undeliverable()).accept(password_changed(elsewhere))
    assert await ledger.states(late) == [("expired", "late")]
    assert await ledger.states(nowhere) == [("failed", "phone-not-registered")]
    assert await ledger.states(elsewhere) == [("suppressed", "not-live")]
    for member, state in ((late, "expired"), (nowhere, "failed"), (elsewhere, "suppressed")):
        assert [(told.state, told.attempt) for told in await ledger.outcomes(member)] == [(state, 0)]
        assert (await ledger.rows(member))[0]["secrets"] is None


async def test_nothing_private_lies_readable_in_the_ledger(ledger: Ledger) -> None:
    member = await ledger.known()
    await ledger.accept(code(member), code(ledger.member()))
    for table in ("notifications", "events", "contacts"):
        for row in await ledger.database.fetch(f"SELECT t::text AS line FROM notifier.{table} t"):  # noqa: S608
            assert "example.test" not in row["line"]
            assert "246810" not in row["line"]
    for column in ("address", "facts", "secrets"):
        (value,) = [row[column] for row in await ledger.rows(member)]
        assert b"246810" not in value
        assert b"Zq7LINK" not in value


# --- contacts, and who waits for them ---------------------------------------------------------------------------------


async def test_an_event_waits_and_its_contact_wakes_it_once(ledger: Ledger) -> None:
    member = ledger.member()
    assert (await ledger.accept(password_changed(member))).plans == {"waiting": 1}
    assert await ledger.rows(member) == []
    woken = await ledger.contact(member)
    assert (woken.plans, await ledger.events(member)) == ({"woken": 1}, [("planned", None)])
    assert await ledger.states(member) == [("accepted", None)]
    assert (await ledger.contact(member, version=2)).plans == {}
    assert (await ledger.accept(password_changed(member))).plans == {"duplicate": 1}
    assert len(await ledger.rows(member)) == 1


async def test_a_woken_event_is_leased_where_there_is_room(ledger: Ledger) -> None:
    member = ledger.member()
    await ledger.accept(code(member))
    (row,) = (await ledger.contact(member, room={"codes": 1})).leased
    assert row.facts["code"] == "246810"
    assert await ledger.sending.hand_over([row], T0) == {(row.id, row.token): 1}


async def test_a_waiting_event_that_comes_again_waits_once(ledger: Ledger) -> None:
    member = ledger.member()
    await ledger.accept(password_changed(member))
    assert (await ledger.accept(password_changed(member))).plans == {"duplicate": 1}
    assert (await ledger.contact(member)).plans == {"woken": 1}


async def test_contacts_and_events_that_meet_strand_nobody(ledger: Ledger) -> None:
    members = [ledger.member() for _ in range(40)]
    await asyncio.gather(
        *(step for member in members for step in (ledger.accept(password_changed(member)), ledger.contact(member)))
    )
    for member in members:
        assert await ledger.events(member) == [("planned", None)]
        assert len(await ledger.rows(member)) == 1


async def test_a_contact_stored_between_the_read_and_the_insert_wakes_the_event(ledger: Ledger) -> None:
    """The narrowest moment, held open by a third session: both wait for the member, then go one after the other."""
    member = ledger.member()
    async with ledger.database.acquire() as third:
        transaction = third.transaction()
        await transaction.start()
        await third.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 7))", member)
        event = asyncio.create_task(ledger.accept(password_changed(member)))
        stored = asyncio.create_task(ledger.contact(member))

        async def both_wait() -> bool:
            waiting = await third.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            return bool(waiting == 2)

        await wait_for(both_wait, "accepting and storing that wait for the member")
        await transaction.rollback()
    await event
    await stored
    assert await ledger.events(member) == [("planned", None)]


async def test_many_members_in_opposite_order_do_not_wait_for_each_other(ledger: Ledger) -> None:
    members = [ledger.member() for _ in range(30)]
    forward = [password_changed(member, "a") for member in members]
    backward = [password_changed(member, "b") for member in reversed(members)]
    await asyncio.gather(ledger.accept(*forward), ledger.accept(*backward), *(ledger.contact(each) for each in members))
    assert [await ledger.events(member) for member in members] == [[("planned", None)] * 2] * 30


async def test_waiting_ends_when_its_time_is_over_and_is_told(ledger: Ledger) -> None:
    member = ledger.member()
    await ledger.accept(code(member))
    assert await ledger.contacts.waiting.end(T0 + 15 * MINUTE - SECOND) == 0
    assert await ledger.contacts.waiting.end(T0 + 15 * MINUTE) == 1
    assert await ledger.events(member) == [("failed", "no-contact")]
    assert await ledger.states(member) == [("failed", "no-contact")]
    (told,) = await ledger.outcomes(member)
    assert (told.state, told.reason, told.attempt, told.notice) == (
        "failed",
        "no-contact",
        0,
        "one-time-verification-code",
    )
    assert (await ledger.contact(member)).plans == {}
    assert await ledger.contacts.waiting.end(T0 + 20 * MINUTE) == 0


async def test_what_failed_without_a_contact_is_told_by_the_channel_and_roles_it_was_for(ledger: Ledger) -> None:
    texted, renamed = ledger.member(), ledger.member()
    await ledger.accept(
        code(texted, channel="sms", phone="+32470000001", url=None),
        event_of("identity.email-address-changed.v1", renamed, id=f"{renamed}-1", time=T0, which="login",
                 old="old@example.test", new="new@example.test", changed_at=T0),
    )  # fmt: skip
    await ledger.contacts.waiting.end(T0 + timedelta(hours=72))
    assert [(told.channel, told.role) for told in await ledger.outcomes(texted)] == [("sms", "named")]
    assert {(told.channel, told.role) for told in await ledger.outcomes(renamed)} == {
        ("email", "old"),
        ("email", "new"),
    }


async def test_processes_that_end_waiting_at_once_tell_it_once(ledger: Ledger) -> None:
    members = [ledger.member() for _ in range(20)]
    await ledger.accept(*(password_changed(member) for member in members))
    ended = await asyncio.gather(*(ledger.contacts.waiting.end(T0 + timedelta(hours=72)) for _ in range(4)))
    assert sum(ended) == 20
    assert [len(await ledger.outcomes(member)) for member in members] == [1] * 20


async def test_a_contact_that_comes_as_waiting_ends_leaves_one_end(ledger: Ledger) -> None:
    members = [ledger.member() for _ in range(20)]
    await ledger.accept(*(password_changed(member) for member in members))
    over = T0 + timedelta(hours=72)
    await asyncio.gather(ledger.contacts.waiting.end(over), *(ledger.contact(each, now=over) for each in members))
    await ledger.contacts.waiting.end(over)
    for member in members:
        assert len(await ledger.rows(member)) == 1
        assert (await ledger.events(member))[0][0] in {"failed", "planned"}


async def test_a_waiting_event_whose_link_the_brand_refuses_fails_visibly_when_it_wakes(ledger: Ledger) -> None:
    member = ledger.member()
    await ledger.accept(code(member, url="https://evil.example/x"))
    await ledger.contact(member)
    assert (await ledger.events(member))[0][0] == "failed"
    assert [(told.state, told.reason) for told in await ledger.outcomes(member)] == [("failed", "link-not-allowed")]


async def test_a_waiting_event_under_an_unknown_key_keeps_its_contact_and_the_others_waiting_going(
    ledger: Ledger,
) -> None:
    unreadable, readable = ledger.member(), ledger.member()
    with_key = ledger.using(keys={"gone": OTHER_KEY, "first": KEY})
    await with_key.accept(password_changed(unreadable))
    await ledger.accept(password_changed(unreadable, "e-2"), password_changed(readable))
    stored = [
        StoredContact(member, T0, contact(member).data)  # type: ignore[arg-type]  # a contact's data is a contact
        for member in (unreadable, readable)
    ]
    assert (await ledger.contacts.store(stored, T0, NO_ROOM)).plans == {"woken": 2}
    assert await ledger.events(unreadable) == [("waiting", None), ("planned", None)]
    assert await ledger.events(readable) == [("planned", None)]
    assert (await with_key.contact(unreadable, version=2)).plans == {"woken": 1}


async def test_waiting_under_an_unknown_key_ends_too(ledger: Ledger) -> None:
    unreadable, readable = ledger.member(), ledger.member()
    await ledger.using(keys={"gone": OTHER_KEY, "first": KEY}).accept(password_changed(unreadable))
    await ledger.accept(password_changed(readable))
    over = T0 + timedelta(hours=72)
    assert await ledger.contacts.waiting.end(over) == 2
    assert await ledger.contacts.waiting.end(over) == 0
    assert await ledger.events(unreadable) == [("failed", "unreadable")]
    assert await ledger.events(readable) == [("failed", "no-contact")]


async def test_a_contact_under_an_unknown_key_makes_way_for_a_newer_one_and_for_a_tombstone(ledger: Ledger) -> None:
    with_key = ledger.using(keys={"gone": OTHER_KEY, "first": KEY})
    renewed, forgotten = await with_key.known(), await with_key.known()
    await with_key.accept(password_changed(forgotten))
    await ledger.contact(renewed, version=2, login_email="two@example.test")
    await ledger.forget(forgotten)
    assert [row.address for row in await ledger.claimed(password_changed(renewed))] == ["two@example.test"]
    assert await ledger.states(forgotten) == [("suppressed", "forgotten")]
    assert (await ledger.accept(password_changed(forgotten, "e-2"))).plans == {"waiting": 1}


async def test_only_a_higher_version_of_a_contact_counts(ledger: Ledger) -> None:
    member = ledger.member()
    for version, address in ((2, "two"), (1, "one"), (2, "two-again"), (3, "three"), (2, "late")):
        await ledger.contact(member, version=version, login_email=f"{address}@example.test")
    rows = await ledger.claimed(password_changed(member))
    assert [row.address for row in rows if row.role == "login"] == ["three@example.test"]


async def test_a_tombstone_forgets_the_contact_and_suppresses_what_is_open(ledger: Ledger) -> None:
    member = await ledger.known()
    (going,) = await ledger.handed_over(password_changed(member, "e-going"))
    (leased,) = await ledger.claimed(password_changed(member, "e-leased", T0 + SECOND), now=T0 + SECOND)
    await ledger.accept(code(member, at=T0 + 2 * SECOND), now=T0 + 2 * SECOND)
    await ledger.forget(member, T0 + MINUTE)
    assert await ledger.states(member) == [
        ("handing-over", None),
        ("suppressed", "forgotten"),
        ("suppressed", "forgotten"),
    ]
    assert await ledger.sending.hand_over([leased], T0 + MINUTE) == {}
    assert await ledger.sending.record([result(going, 1, "sent")], T0 + MINUTE) == {going.id}
    assert (await ledger.accept(password_changed(member, "e-after"))).plans == {"waiting": 1}


async def test_a_tombstone_older_than_the_contact_forgets_nothing(ledger: Ledger) -> None:
    member = await ledger.known()
    await ledger.accept(password_changed(member))
    await ledger.forget(member, T0 - SECOND)
    assert await ledger.states(member) == [("accepted", None)]
    assert (await ledger.accept(password_changed(member, "e-2"))).plans == {"planned": 1}


async def test_after_a_tombstone_only_a_higher_version_is_known_again(ledger: Ledger) -> None:
    member = await ledger.known(version=3)
    await ledger.forget(member)
    await ledger.contact(member, version=3)
    assert (await ledger.accept(password_changed(member))).plans == {"waiting": 1}
    assert (await ledger.contact(member, version=4)).plans == {"woken": 1}


async def test_a_tombstone_of_nobody_is_nothing(ledger: Ledger) -> None:
    member = ledger.member()
    await ledger.forget(member)
    assert (await ledger.accept(password_changed(member))).plans == {"waiting": 1}


# --- supersede --------------------------------------------------------------------------------------------------------

THREE = (T0 - 2 * SECOND, T0 - SECOND, T0)


def three_codes(member: str) -> list[Event[Data]]:
    return [code(member, f"c-{number}", at) for number, at in enumerate(THREE)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("batches", ["one", "many"])
async def test_the_newest_code_alone_survives_in_any_order(ledger: Ledger, order: Sequence[int], batches: str) -> None:
    member = await ledger.known()
    events = [three_codes(member)[index] for index in order]
    for batch in [events] if batches == "one" else [[event] for event in events]:
        await ledger.accept(*batch)
    assert await ledger.states(member) == [("superseded", "newer"), ("superseded", "newer"), ("accepted", None)]
    assert [row["secrets"] is None for row in await ledger.rows(member)] == [True, True, False]
    assert [told.state for told in await ledger.outcomes(member)] == ["superseded"] * 2


async def test_codes_accepted_at_once_by_many_processes_leave_the_newest(ledger: Ledger) -> None:
    member = await ledger.known()
    events = [code(member, f"c-{number:02}", T0 - number * SECOND) for number in range(12)]
    await asyncio.gather(*(ledger.accept(event) for event in events))
    assert await ledger.states(member) == [("superseded", "newer")] * 11 + [("accepted", None)]


async def test_of_two_codes_of_one_instant_the_larger_id_is_newer(ledger: Ledger) -> None:
    member = await ledger.known()
    await ledger.accept(code(member, "c-b"))
    await ledger.accept(code(member, "c-a"))
    await ledger.accept(code(member, "c-B"))
    rows = {row["event_id"].removeprefix(f"{member}-"): row["state"] for row in await ledger.rows(member)}
    assert rows == {"c-B": "superseded", "c-a": "superseded", "c-b": "accepted"}


async def test_another_purpose_or_another_member_supersedes_nothing(ledger: Ledger) -> None:
    member, other = await ledger.known(), await ledger.known()
    await ledger.accept(
        code(member), code(member, "c-2", T0 + SECOND, purpose="enrolment"), code(other, at=T0 + SECOND)
    )
    assert await ledger.states(member) == [("accepted", None)] * 2


async def test_a_code_by_sms_supersedes_one_by_mail(ledger: Ledger) -> None:
    member = await ledger.known(phones=["+32470000001"])
    await ledger.accept(code(member))
    await ledger.accept(code(member, "c-2", T0 + SECOND, channel="sms", phone="+32470000001", url=None))
    assert await ledger.states(member) == [("superseded", "newer"), ("accepted", None)]


async def test_what_cannot_be_delivered_supersedes_nothing(ledger: Ledger) -> None:
    member = await ledger.known()
    await ledger.accept(code(member))
    await ledger.accept(code(member, "c-2", T0 + SECOND, channel="sms", phone="+32470000001", url=None))
    await ledger.using(rules=undeliverable()).accept(code(member, "c-3", T0 + 2 * SECOND))
    await ledger.accept(code(member, "c-4", T0 + 3 * SECOND, expires_at=T0 + MINUTE))
    assert (await ledger.states(member))[0] == ("accepted", None)


async def test_a_code_that_waited_is_judged_against_newer_ones_when_it_wakes(ledger: Ledger) -> None:
    member = ledger.member()
    await ledger.accept(*reversed(three_codes(member)))
    await ledger.contact(member)
    assert await ledger.states(member) == [("superseded", "newer"), ("superseded", "newer"), ("accepted", None)]


async def test_the_newest_is_remembered_after_it_was_sent(ledger: Ledger) -> None:
    member = await ledger.known()
    (row,) = await ledger.handed_over(code(member))
    await ledger.sending.record([result(row, 1, "sent")], T0)
    await ledger.accept(code(member, "c-0", T0 - SECOND))
    assert await ledger.states(member) == [("superseded", "newer"), ("sent", None)]


# --- batches through the acceptor -------------------------------------------------------------------------------------


@dataclass
class Read:
    """A record as aiokafka hands it over."""

    value: bytes | None
    key: bytes | None
    offset: int = 0
    topic: str = SECURITY.name
    partition: int = 0
    timestamp: int = int(T0.timestamp() * 1000)
    headers: Sequence[tuple[str, bytes | None]] = ()


@dataclass
class Offsets:
    """Stands where the consumer stands, and notes what it is told."""

    committed: int = 0
    sought_back: int = 0


@dataclass(frozen=True, slots=True)
class NotedBatch(Batch):
    notes: Offsets = field(default_factory=Offsets)

    async def commit(self) -> bool:
        self.notes.committed += 1
        return True

    def seek_back(self) -> None:
        self.notes.sought_back += 1


class KeptLetters(Publisher):
    """A publisher that keeps what it is given, or is away."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.away = False

    async def publish(self, messages: Sequence[Message], *, timeout: float) -> None:  # noqa: ARG002, ASYNC109 (as its base)
        if self.away:
            raise BrokerAwayError("away")
        self.messages += messages

    @property
    def reasons(self) -> list[str]:
        return [dict(message.headers)["reason"].decode() for message in self.messages]


class Desk:
    """An acceptor on the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.letters = KeptLetters()
        self.accepted: list[Accepted] = []
        self.stopping = asyncio.Event()
        self.notes = Offsets()
        self.acceptor = Acceptor(
            accepting=ledger.accepting,
            contacts=ledger.contacts,
            intake=Intake(
                publisher=self.letters,
                vault=ledger.vault,
                clock=FixedClock(T0),
                drain=Drain(),
                stopping=self.stopping,
                dead_letters=NOTIFIER_DEAD_LETTERS,
                recorder=metrics,
            ),
            clock=FixedClock(T0),
            brands=ledger.rules.brands,
            room=lambda: NO_ROOM,
            accepted=self.accepted.append,
        )

    def batch(self, *records: Read) -> Batch:
        return NotedBatch(tuple(replace(each, offset=number) for number, each in enumerate(records)), None, self.notes)

    async def events(self, *events: Event[Data]) -> None:
        await self.acceptor.events(self.batch(*map(record_of, events)))


def record_of(event: Event[Data]) -> Read:
    value, headers = write_structured(event)
    return Read(value, event.subject.encode(), topic=TOPIC_OF_TYPE[event.type].name, headers=headers)


@asynccontextmanager
async def refused(ledger: Ledger, sqlstate: str) -> AsyncIterator[Callable[[], object]]:
    """PostgreSQL refuses every event whose id holds `poison`, until the function is called or the block ends."""
    name = f"refuse_{ledger.member()[2:]}"
    await ledger.database.execute(
        f"CREATE FUNCTION notifier.{name}() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'secret %', NEW.id USING ERRCODE = '{sqlstate}'; END $$"
    )
    await ledger.database.execute(
        f"CREATE TRIGGER {name} BEFORE INSERT ON notifier.events FOR EACH ROW"
        f" WHEN (NEW.id LIKE '%poison%') EXECUTE FUNCTION notifier.{name}()"
    )

    async def let_through() -> None:
        await ledger.database.execute(f"DROP FUNCTION IF EXISTS notifier.{name} CASCADE")

    try:
        yield let_through
    finally:
        await let_through()


@pytest.mark.parametrize("at", [0, 3, 6])
async def test_a_record_the_database_refuses_is_a_dead_letter_and_its_neighbours_are_accepted(
    ledger: Ledger, at: int
) -> None:
    desk, members = Desk(ledger), [await ledger.known() for _ in range(7)]
    events = [password_changed(member, "poison" if number == at else "fine") for number, member in enumerate(members)]
    async with refused(ledger, "22021"):
        await desk.events(*events)
    assert desk.letters.reasons == ["refused-by-database (22021)"]
    assert desk.letters.messages[0].key == members[at].encode()
    assert [len(await ledger.rows(member)) for member in members] == [int(number != at) for number in range(7)]
    assert (desk.notes.committed, desk.notes.sought_back) == (1, 0)


async def test_everything_refused_is_as_many_dead_letters(ledger: Ledger) -> None:
    desk = Desk(ledger)
    async with refused(ledger, "22000"):
        await desk.events(*(password_changed(ledger.member(), "poison") for _ in range(5)))
    assert desk.letters.reasons == ["refused-by-database (22000)"] * 5
    assert desk.notes.committed == 1


@pytest.mark.parametrize("at", [0, 3, 6])
async def test_a_contact_that_cannot_be_read_holds_up_its_own_members_events_alone(ledger: Ledger, at: int) -> None:
    with_key = ledger.using(keys={"gone": OTHER_KEY, "first": KEY})
    desk, members = Desk(ledger), [await (with_key if number == at else ledger).known() for number in range(7)]
    with capture_logs() as logged:
        await desk.events(*map(password_changed, members))
    assert desk.letters.reasons == [
        "contact-unreadable: subject (no key in VAULT_KEYS opens the stored contact)",
    ]
    assert desk.letters.messages[0].key == members[at].encode()
    assert [len(await ledger.rows(member)) for member in members] == [int(number != at) for number in range(7)]
    assert (desk.notes.committed, len(desk.accepted)) == (1, 1)
    told = [line for line in logged if line["log_level"] == "error"]
    assert [(line["event"], line["member"]) for line in told] == [("contact_unreadable", members[at])]


async def test_what_a_contact_held_up_is_accepted_when_it_is_replayed_with_its_key(ledger: Ledger) -> None:
    with_key = ledger.using(keys={"gone": OTHER_KEY, "first": KEY})
    member = await with_key.known()
    known_before, held_up = password_changed(member, "e-1"), password_changed(member, "e-2")
    await with_key.accept(known_before)
    without = await ledger.accept(known_before, held_up)
    assert (without.plans, [entry.event.id for entry, _ in without.refused]) == ({"duplicate": 1}, [held_up.id])
    assert (await with_key.accept(held_up)).plans == {"planned": 1}


async def test_an_event_without_a_notice_and_a_complaint_ask_for_no_contact(ledger: Ledger) -> None:
    member = await ledger.using(keys={"gone": OTHER_KEY, "first": KEY}).known()
    back = event_of("members.coverage-reinstated.v1", member, id=f"{member}-w", time=T0, reinstated_on=T0.date())
    accepted = await ledger.accept(back, letter_due(member, "acknowledgement"))
    assert (accepted.refused, sorted(accepted.plans)) == ([], ["planned", "skipped:no-notice"])


async def test_an_older_contact_of_a_member_whose_own_cannot_be_read_keeps_nobody_from_waking(ledger: Ledger) -> None:
    with_key = ledger.using(keys={"gone": OTHER_KEY, "first": KEY})
    member, other = ledger.member(), ledger.member()
    await ledger.accept(password_changed(other))
    await with_key.contact(member, version=5)
    stored = [
        StoredContact(each, T0, contact(each, version=4).data)  # type: ignore[arg-type]  # a contact's data
        for each in (member, other)
    ]
    assert (await ledger.contacts.store(stored, T0, NO_ROOM)).plans == {"woken": 1}
    assert await ledger.events(other) == [("planned", None)]


async def test_an_unreadable_record_is_a_dead_letter_and_its_neighbours_are_accepted(ledger: Ledger) -> None:
    desk, member = Desk(ledger), await ledger.known()
    good = record_of(password_changed(member))
    await desk.acceptor.events(
        desk.batch(
            Read(None, member.encode()),
            Read(b"", member.encode()),
            Read(b"\xff\xfe", None),
            Read(b'{"specversion": "1.0"}', member.encode(), headers=[("content-type", None)]),
            replace(good, headers=[*good.headers, ("traceparent", None), ("other", b"\xff")]),
            replace(good, key=b"somebody-else"),
            replace(good, topic=CONTACTS.name),
        )
    )
    assert len(await ledger.rows(member)) == 1
    assert [reason.split(":")[0].split(" ")[0] for reason in desk.letters.reasons] == [
        "tombstone",
        "not-json",
        "not-utf-8",
        "attribute-invalid",
        "key-mismatch",
        "topic-mismatch",
    ]


@pytest.mark.parametrize(
    ("at", "accepted"),
    [
        (T0 + timedelta(minutes=5), True),
        (T0 + timedelta(minutes=5, seconds=1), False),
        (T0 - timedelta(days=130), True),
        (T0 - timedelta(days=131), False),
    ],
)
async def test_the_horizon_is_130_days_back_and_5_minutes_ahead(
    ledger: Ledger, at: datetime, *, accepted: bool
) -> None:
    desk, member = Desk(ledger), await ledger.known()
    await desk.events(password_changed(member, at=at))
    assert len(await ledger.rows(member)) == int(accepted)
    refused = [reason.split(":")[0] for reason in desk.letters.reasons]
    assert refused == ([] if accepted else ["outside-dedupe-horizon"])


@pytest.mark.parametrize("sqlstate", ["40001", "53300", "57014", "58000", "08006", "25006", "42501", "42P01"])
async def test_a_database_that_is_away_is_waited_for_and_nothing_becomes_a_dead_letter(
    ledger: Ledger, sqlstate: str
) -> None:
    desk, member = Desk(ledger), await ledger.known()
    async with refused(ledger, sqlstate) as let_through:
        running = asyncio.create_task(desk.events(password_changed(member, "poison"), password_changed(member)))
        await wait_for(lambda: desk.acceptor.waiting_for, "an acceptor that waits for the database")
        assert desk.notes == Offsets()
        await let_through()  # type: ignore[misc]  # it is a coroutine function
        await running
    assert desk.acceptor.waiting_for is None
    assert desk.letters.messages == []
    assert (len(await ledger.rows(member)), desk.notes.committed) == (2, 1)


async def test_a_process_that_stops_while_it_waits_gives_the_batch_back(ledger: Ledger) -> None:
    desk, member = Desk(ledger), await ledger.known()
    async with refused(ledger, "40001"):
        running = asyncio.create_task(desk.events(password_changed(member, "poison")))
        await wait_for(lambda: desk.acceptor.waiting_for, "an acceptor that waits for the database")
        desk.stopping.set()
        await running
    assert (desk.notes.committed, desk.notes.sought_back) == (0, 1)


async def test_no_offset_is_committed_before_its_dead_letter_is_published(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.letters.away = True
    await desk.acceptor.events(desk.batch(Read(b"{", b"m-1")))
    assert (desk.notes.committed, desk.notes.sought_back) == (0, 1)
    assert desk.acceptor.waiting_for is not None
    desk.letters.away = False
    await desk.acceptor.events(desk.batch(Read(b"{", b"m-1")))
    assert (desk.notes.committed, desk.letters.reasons) == (1, ["not-json"])
    assert desk.acceptor.waiting_for is None


async def test_contacts_of_one_member_in_a_batch_keep_their_order(ledger: Ledger) -> None:
    desk, member = Desk(ledger), ledger.member()
    first, second = (record_of(contact(member, version=version)) for version in (1, 2))
    later = int((datetime.now(T0.tzinfo) + MINUTE).timestamp() * 1000)
    tombstone = Read(None, member.encode(), topic=CONTACTS.name, timestamp=later)
    await desk.acceptor.contacts(desk.batch(first, second, tombstone))
    assert (await ledger.accept(password_changed(member))).plans == {"waiting": 1}
    await desk.acceptor.contacts(desk.batch(record_of(contact(member, version=3))))
    assert (await ledger.states(member)) == [("accepted", None)]


async def test_a_contact_nobody_can_use_is_a_dead_letter_and_its_neighbours_are_stored(ledger: Ledger) -> None:
    desk, member = Desk(ledger), ledger.member()
    poison = record_of(contact("m-other", brand="no-such-brand"))
    await desk.acceptor.contacts(
        desk.batch(
            poison,
            Read(None, b"\x00", topic=CONTACTS.name),
            Read(None, None, topic=CONTACTS.name),
            Read(None, member.encode(), topic=CONTACTS.name, timestamp=10**17),
            replace(record_of(password_changed(member)), topic=CONTACTS.name),
            record_of(contact(member)),
        )
    )
    assert [reason.split(":")[0] for reason in desk.letters.reasons] == [
        "brand-unknown",
        "attribute-missing",
        "attribute-invalid",
        "topic-mismatch",
        "refused-by-database (22021)",
    ]
    assert (await ledger.accept(password_changed(member))).plans == {"planned": 1}


async def test_what_was_leased_is_handed_to_the_lanes(ledger: Ledger) -> None:
    desk, member = Desk(ledger), await ledger.known()
    await desk.events(password_changed(member))
    assert [accepted.left_for_others for accepted in desk.accepted] == [{"security"}]


async def test_an_origin_names_the_record(ledger: Ledger) -> None:
    member = await ledger.known()
    await ledger.accepting.accept([ReadEvent(password_changed(member), "topic/3/17")], T0, NO_ROOM)
    assert await ledger.database.fetchval("SELECT origin FROM notifier.events WHERE member_id = $1", member) == (
        "topic/3/17"
    )
