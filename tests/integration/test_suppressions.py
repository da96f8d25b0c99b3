"""Addresses that take nothing: learnt from a bounce or a refusal, obeyed everywhere, lifted by the member."""

import asyncio
import itertools
from datetime import datetime, timedelta

import pytest

from schemas.members import ContactV1
from services.notifier.channels.base import Suppresses
from services.notifier.ledger.contacts import StoredContact
from services.notifier.ledger.receipts import Receipts
from services.notifier.ledger.rows import Leased
from services.notifier.ledger.stories import Stories
from services.notifier.ledger.suppressions import Suppressions
from services.notifier.ledger.upkeep import BOUNCES_LIVE, HORIZON
from services.notifier.suppression_commands import lift_between
from services.runtime.commands import CommandError
from services.runtime.vault import Vault
from tests.support.commands import Printed, process_settings
from tests.support.ledger import KEY, NO_ROOM, T0, Ledger, code, password_changed, result
from tests.support.letters import letter_due
from tests.support.notifier import contact, event_of
from tests.support.waiting import wait_for

MINUTE = timedelta(minutes=1)
PHONE = "+32470000001"
BOUNCED, STOPPED = ("suppressed", "address-bounced"), ("suppressed", "opted-out")


async def refused(ledger: Ledger, row: Leased, suppresses: Suppresses) -> None:
    await ledger.sending.record([result(row, 1, "failed", reason="smtp:550", suppresses=suppresses)], T0)


async def bounced_member(ledger: Ledger) -> str:
    """Whose address refused a notice for good."""
    member = await ledger.known()
    (row,) = await ledger.handed_over(password_changed(member, "e-first"))
    await refused(ledger, row, "address-bounced")
    return member


async def bounce(ledger: Ledger, row: Leased) -> None:
    """A delivery report says that the mailbox does not exist."""
    await ledger.sending.record([result(row, 1, "sent")], T0)
    shown = await Stories(ledger.database, Vault({"first": KEY})).notification(row.id)
    assert shown is not None
    assert await Receipts(ledger.database).bounced(shown, "dsn:5.1.1", T0 + MINUTE, suppresses=True)


async def last_state(ledger: Ledger, member: str) -> tuple[str, str | None]:
    return (await ledger.states(member))[-1]


async def test_after_a_hard_bounce_a_security_notice_is_born_suppressed_and_says_why(ledger: Ledger) -> None:
    member = await ledger.known()
    (row,) = await ledger.handed_over(password_changed(member, "e-first"))
    await bounce(ledger, row)
    await ledger.accept(password_changed(member, "e-second", T0 + MINUTE))
    assert await last_state(ledger, member) == BOUNCED
    assert [(told.state, told.reason) for told in await ledger.outcomes(member)][-1] == BOUNCED


async def test_what_was_accepted_before_the_bounce_does_not_leave_after_it(ledger: Ledger) -> None:
    member = await ledger.known()
    (first,) = await ledger.handed_over(password_changed(member, "e-first"))
    (leased,) = await ledger.claimed(password_changed(member, "e-second", T0 + MINUTE))
    await bounce(ledger, first)
    assert await ledger.sending.hand_over([leased], T0 + MINUTE) == {}
    await ledger.sending.settle([leased], T0 + MINUTE)
    assert await last_state(ledger, member) == BOUNCED


async def test_a_code_and_a_letter_are_tried_all_the_same(ledger: Ledger) -> None:
    member = await bounced_member(ledger)
    (leased,) = await ledger.claimed(code(member, at=T0 + MINUTE))
    assert len(await ledger.sending.hand_over([leased], T0 + MINUTE)) == 1
    address = f"{member}@example.test"
    letter = letter_due(
        "c-1", "acknowledgement", complainant={"name": "A", "email": address, "locale": "en", "channel": "email"}
    )
    (leased,) = await ledger.claimed(letter)
    assert leased.address == address
    assert len(await ledger.sending.hand_over([leased], T0)) == 1


async def test_stop_ends_every_text_message_and_no_mail(ledger: Ledger) -> None:
    member = await ledger.known(phones=(PHONE,))
    (row,) = await ledger.handed_over(code(member, "c-1", channel="sms", phone=PHONE, url=None))
    await refused(ledger, row, "opted-out")
    await ledger.accept(code(member, "c-2", T0 + MINUTE, channel="sms", phone=PHONE, url=None))
    assert await last_state(ledger, member) == STOPPED
    (leased,) = await ledger.claimed(code(member, "c-3", T0 + 2 * MINUTE))
    assert leased.channel == "email"


async def test_what_is_suppressed_takes_nothings_place(ledger: Ledger) -> None:
    """The code by text message never leaves: the one by mail, asked for before it, still does."""
    member = await ledger.known(phones=(PHONE,))
    (row,) = await ledger.handed_over(code(member, "c-0", T0 - MINUTE, channel="sms", phone=PHONE, url=None))
    await refused(ledger, row, "opted-out")
    (by_mail,) = await ledger.claimed(code(member, "c-1"))
    await ledger.accept(code(member, "c-2", T0 + MINUTE, channel="sms", phone=PHONE, url=None))
    assert len(await ledger.sending.hand_over([by_mail], T0 + MINUTE)) == 1


async def test_an_address_that_the_member_changes_to_is_written_to_again(ledger: Ledger) -> None:
    member = await bounced_member(ledger)
    await ledger.contact(member, version=2, login_email="other@example.test")
    await ledger.contact(member, version=3, login_email=f"{member}@example.test")
    await ledger.accept(password_changed(member, "e-second", T0 + MINUTE))
    assert {row["state"] for row in await ledger.rows(member) if row["role"] == "login"} == {"failed", "accepted"}


async def test_the_same_contact_again_lifts_nothing_and_a_confirmed_one_does(ledger: Ledger) -> None:
    member = await bounced_member(ledger)
    await ledger.contact(member, version=2)
    await ledger.accept(password_changed(member, "e-second", T0 + MINUTE))
    assert await last_state(ledger, member) == BOUNCED
    await ledger.contact(member, version=3, confirmed_at=T0 + MINUTE)
    await ledger.accept(password_changed(member, "e-third", T0 + 2 * MINUTE))
    assert await last_state(ledger, member) == ("accepted", None)


async def test_an_older_version_lifts_nothing(ledger: Ledger) -> None:
    member = await bounced_member(ledger)
    await ledger.contact(member, version=5)
    await ledger.contact(member, version=4, confirmed_at=T0 + MINUTE)
    await ledger.accept(password_changed(member, "e-second", T0 + MINUTE))
    assert await last_state(ledger, member) == BOUNCED


async def test_an_older_version_lifts_nothing_for_a_member_who_was_forgotten(ledger: Ledger) -> None:
    """The mailbox is another member's too, who has not left it."""
    member, other = await bounced_member(ledger), await ledger.known(version=5)
    await ledger.forget(other)
    await ledger.contact(other, version=4, login_email=f"{member}@example.test")
    await ledger.accept(password_changed(member, "e-second", T0 + MINUTE))
    assert await last_state(ledger, member) == BOUNCED


async def test_an_address_whose_owner_confirms_the_registration_is_written_to_again(ledger: Ledger) -> None:
    member = await bounced_member(ledger)
    confirmed = event_of(
        "members.registration-confirmed.v1", member, id=f"{member}-r", time=T0 + MINUTE,
        email=f"{member}@example.test", confirmed_at=T0 + MINUTE, brand="cm", locale="nl",
    )  # fmt: skip
    await ledger.accept(confirmed, now=T0 + MINUTE)
    await ledger.accept(password_changed(member, "e-second", T0 + 2 * MINUTE))
    assert await last_state(ledger, member) == ("accepted", None)


async def test_a_report_of_what_was_sent_before_the_lifting_closes_nothing(ledger: Ledger) -> None:
    member = await ledger.known()
    (early,) = await ledger.handed_over(password_changed(member, "e-early"))
    (late,) = await ledger.handed_over(password_changed(member, "e-late", T0 + MINUTE))
    await bounce(ledger, early)
    await ledger.contact(member, version=2, confirmed_at=T0 + 2 * MINUTE, now=T0 + 2 * MINUTE)
    await bounce(ledger, late)
    await ledger.accept(password_changed(member, "e-next", T0 + 3 * MINUTE))
    assert await last_state(ledger, member) == ("accepted", None)


async def test_an_operator_lifts_it_once_and_it_is_recorded(ledger: Ledger) -> None:
    await bounced_member(ledger)
    suppressions = Suppressions(ledger.database)
    (found,) = await suppressions.now_in_force(10)
    assert (found.channel, found.reason) == ("email", "address-bounced")
    assert await suppressions.lift_by_hand(found.notification, T0, who="ann", why="she called")
    assert not await suppressions.lift_by_hand(found.notification, T0, who="ann", why="she called")
    assert await suppressions.now_in_force(10) == []
    kept = await ledger.database.fetch("SELECT kind, who, why FROM notifier.interventions WHERE kind = 'lift'")
    assert [tuple(row) for row in kept] == [("lift", "ann", "she called")]


async def test_what_a_relay_closed_by_mistake_is_lifted_as_one_act_but_not_who_answered_stop(
    ledger: Ledger, ledger_dsn: str
) -> None:
    for _ in range(3):
        await bounced_member(ledger)
    texted = await ledger.known(phones=(PHONE,))
    (row,) = await ledger.handed_over(code(texted, channel="sms", phone=PHONE, url=None))
    await refused(ledger, row, "opted-out")
    said = Printed()

    async def lift(since: datetime, until: datetime, *, yes: bool = True) -> int:
        return await lift_between(
            process_settings(ledger_dsn), since, until, because="5.1.1 for all", who="ann", yes=yes, say=said
        )

    last = T0 + MINUTE
    assert [await lift(T0, last, yes=False), await lift(T0 - MINUTE, T0), await lift(T0, last)] == [0, 1, 0]
    assert f"from {T0:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC: 3. Nothing was changed" in said.text
    assert "UTC: 3 lifted, by ann: 5.1.1 for all" in said.text
    assert [each.reason for each in await Suppressions(ledger.database).now_in_force(10)] == ["opted-out"]
    kept = await ledger.database.fetch(
        "SELECT subject, who, why, result FROM notifier.interventions WHERE subject LIKE 'bounced%'"
    )
    assert [tuple(each) for each in kept] == [
        (f"bounced {T0:%Y-%m-%dT%H:%M:%SZ}/{last:%Y-%m-%dT%H:%M:%SZ}", "ann", "5.1.1 for all", "lifted 3")
    ]
    with pytest.raises(CommandError, match="must come after --since"):
        await lift(T0, T0)


async def test_who_is_forgotten_leaves_no_hash_behind(ledger: Ledger) -> None:
    member = await bounced_member(ledger)
    await ledger.forget(member)
    assert await ledger.database.fetchval("SELECT count(*) FROM notifier.suppressions") == 0


async def test_a_dead_address_is_forgotten_in_the_end_and_the_next_bounce_teaches_it_anew(ledger: Ledger) -> None:
    member = await bounced_member(ledger)
    assert await ledger.upkeep.forget_hashes(T0 + BOUNCES_LIVE) == 0
    assert await ledger.upkeep.forget_hashes(T0 + BOUNCES_LIVE + MINUTE) == 1
    (row,) = await ledger.handed_over(password_changed(member, "e-second", T0 + MINUTE))
    await refused(ledger, row, "address-bounced")
    await ledger.accept(password_changed(member, "e-third", T0 + 2 * MINUTE))
    assert await last_state(ledger, member) == BOUNCED


async def test_who_said_stop_is_not_asked_again_however_long_ago_it_was(ledger: Ledger) -> None:
    member = await ledger.known(phones=(PHONE,))
    (row,) = await ledger.handed_over(code(member, "c-1", channel="sms", phone=PHONE, url=None))
    await refused(ledger, row, "opted-out")
    assert await ledger.upkeep.forget_hashes(T0 + 10 * BOUNCES_LIVE) == 0
    await ledger.accept(code(member, "c-2", T0 + MINUTE, channel="sms", phone=PHONE, url=None))
    assert await last_state(ledger, member) == STOPPED


async def test_what_was_lifted_is_kept_until_nothing_sent_before_can_come_back(ledger: Ledger) -> None:
    member = await bounced_member(ledger)
    await ledger.contact(member, version=2, confirmed_at=T0 + MINUTE)
    assert await ledger.upkeep.forget_hashes(T0 + HORIZON) == 0
    assert await ledger.upkeep.forget_hashes(T0 + HORIZON + MINUTE) == 1


async def test_batches_that_lift_and_forget_the_same_addresses_crosswise_wait_for_each_other_in_turn(
    ledger: Ledger,
) -> None:
    """Each lifts what the other forgets; a third session holds both between the one and the other."""
    members = [await bounced_member(ledger) for _ in range(2)]
    batches = []
    for gone, other in itertools.permutations(members):
        joined = contact(ledger.member(), login_email=f"{other}@example.test")
        assert isinstance(joined.data, ContactV1)
        batches.append([StoredContact(joined.subject, T0, joined.data), StoredContact(gone, T0 + MINUTE, None)])
    async with ledger.database.acquire() as third, third.transaction():
        await third.execute("SELECT FROM notifier.contacts WHERE member_id = ANY($1::text[]) FOR UPDATE", members)
        storing = [asyncio.create_task(ledger.contacts.store(batch, T0 + MINUTE, NO_ROOM)) for batch in batches]

        async def both_wait() -> bool:
            waiting = await ledger.database.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            return bool(waiting == 2)

        await wait_for(both_wait, "two batches that wait")
    await asyncio.gather(*storing)
    assert await ledger.database.fetchval("SELECT count(*) FROM notifier.suppressions") == 0


# --- the previous address ---------------------------------------------------------------------------------------------


async def test_for_seven_days_after_a_change_security_notices_also_go_to_the_previous_address(ledger: Ledger) -> None:
    member = await ledger.known()
    await ledger.contact(member, version=2, at=T0 - timedelta(days=7), login_email="new@example.test")
    rows = await ledger.claimed(password_changed(member, "e-last", T0 - MINUTE))
    assert {row.role: row.address for row in rows} == {
        "login": "new@example.test",
        "previous": f"{member}@example.test",
    }
    assert [row.role for row in await ledger.claimed(password_changed(member, "e-late", T0))] == ["login"]


async def test_a_dead_previous_address_does_not_hide_the_one_that_was_left_after_it(ledger: Ledger) -> None:
    """The member left the first because it bounced; somebody else has just changed the second."""
    member = await bounced_member(ledger)
    await ledger.contact(member, version=2, at=T0 - timedelta(days=2), login_email="owner@example.test")
    await ledger.contact(member, version=3, at=T0, login_email="thief@example.test")
    rows = await ledger.claimed(password_changed(member, "e-second", T0 + MINUTE))
    assert {row.role: row.address for row in rows} == {
        "login": "thief@example.test",
        "previous": "owner@example.test",
    }


async def test_a_code_never_goes_to_the_previous_address(ledger: Ledger) -> None:
    member = await ledger.known()
    await ledger.contact(member, version=2, at=T0, login_email="new@example.test")
    assert [row.role for row in await ledger.claimed(code(member))] == ["login"]


async def test_a_late_older_version_of_the_contact_leaves_no_address(ledger: Ledger) -> None:
    member = await ledger.known(version=5)
    await ledger.contact(member, version=4, login_email="older@example.test")
    assert [row.role for row in await ledger.claimed(password_changed(member))] == ["login"]


async def test_the_version_before_may_still_write_contacts(ledger: Ledger) -> None:
    """Its own statement, beside ours: what it does not know stays as it is."""
    member = await ledger.known()
    await ledger.contact(member, version=2, at=T0, login_email="new@example.test")
    await ledger.database.execute(
        """
        INSERT INTO notifier.contacts AS stored (member_id, version, time, data)
        SELECT member_id, version + 1, time, data FROM notifier.contacts WHERE member_id = $1
        ON CONFLICT (member_id) DO UPDATE
        SET version = EXCLUDED.version, time = EXCLUDED.time, data = EXCLUDED.data, stored_at = clock_timestamp()
        WHERE EXCLUDED.version > stored.version
        """,
        member,
    )
    assert [row.role for row in await ledger.claimed(password_changed(member))] == ["login", "previous"]
