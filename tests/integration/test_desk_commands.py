"""`why`, `notifications show` and `notifications retry` on a real ledger, brought to every state by the real sender."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from services.notifier.desk_commands import retry, show, tell_why
from services.notifier.ledger.interventions import Interventions
from services.notifier.ledger.rows import Leased
from services.notifier.ledger.stories import Stories
from services.runtime.clock import FixedClock
from services.runtime.commands import CommandError
from services.runtime.vault import Vault
from tests.support.commands import Printed, process_settings
from tests.support.database import temporary_database
from tests.support.ledger import (
    CODE,
    LINK,
    OTHER_KEY,
    T0,
    Ledger,
    code,
    emptied,
    ledger_on,
    password_changed,
    result,
    undeliverable,
)
from tests.support.letters import complaint, deadline_missed, letter_due
from tests.support.notifier import event_of

MINUTE = timedelta(minutes=1)
BY = {"because": "the relay was mended", "who": "night-shift"}


@dataclass
class Desk:
    dsn: str
    ledger: Ledger

    async def why(self, asked: object, *, now: datetime = T0, as_json: bool = False) -> str:
        printed = Printed()
        settings = process_settings(self.dsn)
        await tell_why(settings, str(asked), as_json=as_json, say=printed, clock=FixedClock(now))
        print(f"\n{printed.text}")
        return printed.text

    async def show(self, id_: object, *, as_json: bool = False) -> str:
        printed = Printed()
        await show(process_settings(self.dsn), str(id_), as_json=as_json, say=printed)
        print(f"\n{printed.text}")
        return printed.text

    async def retry(self, *ids: object, now: datetime = T0, yes: bool = True) -> tuple[int, str]:
        printed = Printed()
        status = await retry(
            process_settings(self.dsn), [str(id_) for id_ in ids], **BY, yes=yes, say=printed, clock=FixedClock(now)
        )
        print(f"\n{printed.text}")
        return status, printed.text

    async def interventions(self) -> list[tuple[Any, ...]]:
        rows = await self.ledger.database.fetch(
            "SELECT kind, subject, who, why, result FROM notifier.interventions ORDER BY id"
        )
        return [tuple(row) for row in rows]


@pytest.fixture(scope="module")
async def module_desk(database_server: str, migrated_template: str) -> AsyncIterator[Desk]:
    async with temporary_database(database_server, template=migrated_template) as dsn, ledger_on(dsn) as ledger:
        yield Desk(dsn, ledger)


@pytest.fixture
async def desk(module_desk: Desk) -> Desk:
    await emptied(module_desk.ledger)
    await module_desk.ledger.database.execute("DELETE FROM notifier.interventions")
    return module_desk


async def tried(ledger: Ledger, row: Leased, state: str, *, now: datetime = T0, **more: Any) -> None:
    """A hand-over of a claimed row, and what it came to."""
    (attempt,) = (await ledger.sending.hand_over([row], now)).values()
    await ledger.sending.record([result(row, attempt, state, **more)], now)


async def failed(ledger: Ledger, member: str, id: str = "e-1", at: datetime = T0) -> Leased:
    """A security notice the relay refused for good."""
    (row,) = await ledger.claimed(password_changed(member, id, at))
    await tried(ledger, row, "failed", reason="smtp:550", reply_code="550")
    return row


async def claimed_again(ledger: Ledger, lane: Any = "security", now: datetime = T0) -> Leased:
    await ledger.end_leases()
    (row,) = await ledger.sending.claim(lane, 10, now)
    return row


def step(text: str, name: str) -> str:
    """The one line of this step."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return line


# --- letters ----------------------------------------------------------------------------------------------------------


async def test_why_tells_a_letter_that_may_have_left_and_what_it_gives_way_to(desk: Desk) -> None:
    case = complaint()
    (row,) = await desk.ledger.claimed(letter_due(case, "holding", limit_at=T0 + timedelta(days=9)))
    await tried(desk.ledger, row, "unknown", reason="smtp:disconnected-after-data")
    text = await desk.why(row.id)
    assert f"complaint {case}" in step(text, "event")
    assert step(text, "to").endswith("because the event carries the complainant's own address")
    assert step(text, "valid").endswith("because what a complaint is owed has no time to live")
    assert "to explanation, summary, final, while it has not left" in step(text, "gives way")
    assert "exclusive" in step(text, "limit")
    assert step(text, "marked").endswith("waits for 24 h or half of what is left to the limit")
    assert len(text.splitlines()) <= 16


async def test_why_tells_which_letter_was_cancelled_and_by_which_rule(desk: Desk) -> None:
    case = complaint()
    await desk.ledger.accept(letter_due(case, "acknowledgement"), letter_due(case, "final"))
    (told,) = [
        part for part in (await desk.why(f"{case}/acknowledgement/letter/1")).split("\n\n") if "CANCELLED" in part
    ]
    assert step(told, "now").endswith(
        "because a letter of its complaint that ranks higher and is not older took its place"
    )


async def test_why_tells_when_a_person_is_told_and_does_not_call_it_overdue(desk: Desk) -> None:
    case, nine = complaint(), T0 + timedelta(hours=15)
    await desk.ledger.accept(deadline_missed(case, tell_at=nine))
    text = await desk.why(f"{case}/acknowledgement/missed/1", now=nine - MINUTE)
    assert step(text, "not before").endswith("because people are told in working hours")
    assert "overdue" not in text
    assert "overdue" in await desk.why(f"{case}/acknowledgement/missed/1", now=nine + 5 * MINUTE)


async def test_a_contact_that_has_the_complaints_name_is_not_its(desk: Desk) -> None:
    case = complaint()
    await desk.ledger.contact(case, language="fr")
    (row,) = await desk.ledger.claimed(letter_due(case, "acknowledgement"))
    await tried(desk.ledger, row, "failed", reason="smtp:550")
    await desk.ledger.forget(case)
    assert "contact" not in await desk.why(row.id)
    status, said = await desk.retry(row.id)
    assert (status, "re-opened" in said) == (0, True)


async def test_a_letter_that_waits_to_be_reconciled_is_sent_at_once_when_somebody_knows_better(desk: Desk) -> None:
    (row,) = await desk.ledger.claimed(letter_due(complaint(), "acknowledgement"))
    await tried(desk.ledger, row, "unknown", delay_seconds=86_400.0)
    assert await desk.ledger.sending.claim("letters", 10, T0) == []
    status, said = await desk.retry(row.id)
    assert status == 0
    assert "goes at once instead of waiting" in said
    (again,) = await desk.ledger.sending.claim("letters", 10, T0)
    assert (again.id, again.again) == (row.id, True)
    await tried(desk.ledger, again, "sent", reply_code="250")
    text = await desk.why(row.id)
    assert ", marked: sent" in step(text, "attempt 2")
    assert ", marked" not in step(text, "attempt 1")


# --- why --------------------------------------------------------------------------------------------------------------


async def test_why_tells_a_code_that_was_sent_after_a_retry(desk: Desk) -> None:
    ledger = desk.ledger
    member = await ledger.known(language="fr")
    (row,) = await ledger.claimed(code(member))
    await tried(ledger, row, "retrying", reason="smtp:450", reply_code="450")
    again = await claimed_again(ledger, "codes")
    await tried(ledger, again, "sent", now=T0 + timedelta(seconds=3), reply_code="250", reference="Q-77")
    text = await desk.why(row.id)
    assert f"urn:test:idp|{member}-c-1" in step(text, "event")
    assert "0.00 s after it happened (2" in step(text, "accepted")
    assert step(text, "accepted").endswith("by the publisher's clock), from topic/0/0")
    assert "because the catalogue's line is one-time-verification-code on identity.verif" in step(text, "planned")
    assert step(text, "to") == (
        "to          login m•••@example.test, because the event names the channel email, which is the contact's login "
        "e-mail"
    )
    assert "fr, brand cigna-healthcare, because it is the contact's language (version 1)" in step(text, "in")
    assert "at the latest 1 min 0 s before, because the event's expires_at says so" in step(text, "valid")
    assert "one-time-verification-code:sign-in" in step(text, "replaces")
    assert "retry (reply 450), because the mail relay answered 450, a no for now" in step(text, "attempt 1")
    assert "sent (reply 250), because the provider took responsibility" in step(text, "attempt 2")
    assert "3.00 s after the event, the provider calls it Q-77" in step(text, "now")
    assert f"not yet: outcome {row.id}/2/sent is in the outbox" in step(text, "told")
    await ledger.database.execute("DELETE FROM notifier.outbox")
    assert step(await desk.why(row.id), "told").endswith(f"outcome {row.id}/2/sent is on notifications.outcomes.v1")


async def test_an_event_a_notification_and_an_outcome_lead_to_the_same_story(desk: Desk) -> None:
    row = await failed(desk.ledger, await desk.ledger.known())
    (stored,) = await desk.ledger.database.fetch("SELECT event_source, event_id FROM notifier.notifications")
    source, id_ = stored
    told = [await desk.why(asked) for asked in (row.id, f"{row.id}/1/failed", f"{source}|{id_}", id_)]
    assert len(set(told)) == 1
    assert len(told[0].splitlines()) <= 13


async def test_why_tells_an_event_of_two_messages_in_three_paragraphs(desk: Desk) -> None:
    member = await desk.ledger.known()
    values: dict[str, Any] = {"which": "login", "old": "was@example.test", "new": "is@example.test", "changed_at": T0}
    await desk.ledger.accept(event_of("identity.email-address-changed.v1", member, id="e-9", time=T0, **values))
    text = await desk.why("e-9")
    assert len(text.split("\n\n")) == 3
    assert "to          old w•••@example.test, because the catalogue writes to both addresses" in text
    assert "to          new i•••@example.test, because" in text


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("failed", "smtp:550", "because the mail relay answered 550"),
        ("failed", "twilio:21614", "because Twilio answered 21614"),
        ("unknown", "smtp:disconnected-after-data", "the mail relay had the message when the connection broke"),
        ("retrying", "smtp:time-out", "because the mail relay did not answer in time"),
        ("expired", "late-after-attempts", "its hand-over limit passed while it was being retried"),
    ],
)
async def test_why_says_the_rule_behind_what_an_attempt_led_to(desk: Desk, state: str, reason: str, words: str) -> None:
    (row,) = await desk.ledger.claimed(password_changed(await desk.ledger.known()))
    await tried(desk.ledger, row, state, reason=reason)
    text = await desk.why(row.id)
    assert words in step(text, "now")
    assert step(text, "now").startswith(f"now         {state} since")
    assert ("told" in text) == (state != "retrying")


async def test_why_tells_each_end_that_needs_no_attempt(desk: Desk) -> None:
    ledger = desk.ledger
    member = await ledger.known()
    await ledger.accept(code(member, "old"), now=T0)
    await ledger.accept(code(member, "new", T0 + timedelta(seconds=1)), now=T0)
    text = await desk.why(f"{member}-old")
    assert f"because {member}-new of " in step(text, "now")
    assert "is newer, and only the newest is worth having" in step(text, "now")

    await ledger.accept(code(member, "late", T0 - 15 * MINUTE, purpose="other"), now=T0)
    assert "because its hand-over limit had passed before a first attempt" in await desk.why(f"{member}-late")

    await ledger.using(rules=undeliverable()).accept(password_changed(member, "held"))
    assert "because DELIVERY_MODE=allow-list, and the address is not on ALLOW_LIST" in await desk.why(f"{member}-held")

    await ledger.accept(code(member, "text", channel="sms", phone="+32470111222", url=None, purpose="x"))
    text = await desk.why(f"{member}-text")
    assert "named (no address)" in step(text, "to")
    assert "because the event names a phone that is not one of the contact's" in step(text, "now")

    await ledger.accept(password_changed(member, "open"))
    await ledger.forget(member)
    text = await desk.why(f"{member}-open")
    assert "because the member's contact was forgotten (tombstone)" in step(text, "now")
    assert "because it was planned before the contact was forgotten" in step(text, "in")


async def test_why_ends_with_the_way_out_where_there_is_one(desk: Desk) -> None:
    row = await failed(desk.ledger, await desk.ledger.known())
    text = await desk.why(row.id)
    assert f"member-notices notifications retry {row.id} --why '…' (failed → retrying; attempt 2 at once" in text
    assert len(text.splitlines()) <= 13
    late = await desk.why(row.id, now=T0 + timedelta(hours=72))
    assert step(late, "way out") == "way out     if it is still wanted, have it published again under a new id"


async def test_why_tells_what_waits_then_what_waited_in_vain(desk: Desk) -> None:
    member = desk.ledger.member()
    await desk.ledger.accept(password_changed(member))
    text = await desk.why(f"{member}-e-1")
    assert "because the member is unknown here" in step(text, "waits")
    assert f"send members.contact.v1 of {member}" in step(text, "way out")
    await desk.ledger.contacts.waiting.end(T0 + timedelta(hours=72))
    text = await desk.why(f"{member}-e-1")
    assert "because no contact of the member came before its time was over" in step(text, "failed")
    assert "FAILED" in step(text, "message")


async def test_why_tells_a_waiting_event_that_was_woken(desk: Desk) -> None:
    member = desk.ledger.member()
    await desk.ledger.accept(password_changed(member))
    await desk.ledger.contact(member, now=T0 + MINUTE)
    assert "1 min 0 s after the event, which waited for the contact" in step(await desk.why(f"{member}-e-1"), "planned")


async def test_why_tells_a_known_type_without_a_notice(desk: Desk) -> None:
    member = await desk.ledger.known()
    await desk.ledger.accept(
        event_of("members.coverage-reinstated.v1", member, id="again", time=T0, reinstated_on="2026-11-22")
    )
    assert "because the catalogue has no notice for this type" in step(await desk.why("again"), "skipped")


async def test_why_notices_a_contact_that_changed_after_planning(desk: Desk) -> None:
    member = await desk.ledger.known(language="en")
    await desk.ledger.accept(password_changed(member, at=T0 - 10 * MINUTE), now=T0 - 10 * MINUTE)
    await desk.ledger.contact(member, version=2, language="fr")
    assert "en, brand cigna-healthcare, because it stays as planned; the contact has changed since (version 2: fr)" in (
        step(await desk.why(f"{member}-e-1"), "in")
    )


async def test_why_says_when_an_open_row_is_overdue_and_for_which_lane(desk: Desk) -> None:
    await desk.ledger.accept(password_changed(await desk.ledger.known(), at=T0))
    id_ = await desk.ledger.database.fetchval("SELECT id FROM notifier.notifications")
    text = await desk.why(id_, now=T0 + 60 * MINUTE)
    assert "is a notifier running for lane security?" in step(text, "now")


async def test_why_says_of_an_unknown_id_what_it_means_and_where_to_look(desk: Desk) -> None:
    printed = Printed()
    assert await tell_why(process_settings(desk.dsn), "urn:x|no", as_json=False, say=printed) == 1
    assert "the ledger has no event or notification of this name" in printed.text
    assert "member-notices dead-letters list --event 'urn:x|no'" in printed.text
    assert "130 days" in printed.text


async def test_why_for_machines_is_the_rows_and_the_lines(desk: Desk) -> None:
    row = await failed(desk.ledger, await desk.ledger.known())
    (story,) = json.loads(await desk.why(row.id, as_json=True))
    assert story["notifications"][0]["state"] == "failed"
    assert story["notifications"][0]["tried"][0]["reply_code"] == "550"
    assert story["event"]["origin"] == "topic/0/0"
    assert [line["step"] for line in story["story"][1]][-2:] == ["told", "way out"]
    assert json.loads(await desk.why("unknown", as_json=True)) == []


async def test_a_key_that_is_gone_costs_the_address_and_not_the_story(desk: Desk) -> None:
    member = await desk.ledger.known()
    other = desk.ledger.using(keys={"other": OTHER_KEY, "first": b"k" * 32})
    await other.accept(password_changed(member))
    text = await desk.why(f"{member}-e-1")
    assert "login (sealed with key 'other', which is not among VAULT_KEYS)" in step(text, "to")


async def test_nothing_private_is_ever_printed(desk: Desk) -> None:
    ledger, phone = desk.ledger, "+32470111222"
    member = await ledger.known(
        phones=[phone], login_email="planted.anna@example.test", name="Planted Peeters",
        personal_reference_number="PRN-135799",
    )  # fmt: skip
    await ledger.accept(code(member, "mail"), code(member, "text", channel="sms", phone=phone, url=None, purpose="x"))
    row = await failed(ledger, member)
    await ledger.accept(password_changed(ledger.member(), "waiting"))
    texts = [await desk.why(asked, as_json=as_json) for asked in (f"{member}-mail", f"{member}-text", row.id)
             for as_json in (False, True)]  # fmt: skip
    for record in await ledger.rows(member):
        texts += [await desk.show(record["id"], as_json=as_json) for as_json in (False, True)]
        texts += [(await desk.retry(record["id"], yes=yes))[1] for yes in (False, True)]
    for text in texts:
        for private in (CODE, LINK, "Zq7LINK", phone, phone[1:], "planted.anna", "Planted Peeters", "135799"):
            assert private not in text


# --- notifications show -----------------------------------------------------------------------------------------------


async def test_show_prints_every_column_and_masks_what_is_private(desk: Desk) -> None:
    member = await desk.ledger.known(name="Anna Peeters")
    row = await failed(desk.ledger, member)
    shown = json.loads(await desk.show(row.id, as_json=True))
    columns = {
        record["column_name"]
        for record in await desk.ledger.database.fetch(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = 'notifier' AND table_name = 'notifications'"
        )
    }
    assert columns - shown.keys() == {"address_hash", "lease_token", "secrets"}
    assert shown["has_secrets"] is False
    assert shown["facts"]["name"] == "••• (12 characters)"
    assert shown["facts"]["changed_at"] == T0.isoformat().replace("+00:00", "Z")
    assert shown["tried"][0]["reason"] == "smtp:550"
    text = await desk.show(row.id)
    assert step(text, "state").split() == ["state", "failed"]


async def test_show_and_retry_want_a_uuid_and_say_so(desk: Desk) -> None:
    with pytest.raises(CommandError, match="named by its UUID"):
        await desk.show("e-1")
    with pytest.raises(CommandError, match="named by its UUID"):
        await desk.retry("e-1")


async def test_a_database_that_is_away_is_one_sentence() -> None:
    settings = process_settings("postgresql://nobody:planted@127.0.0.1:1/none")
    with pytest.raises(CommandError, match="Look at DATABASE_URL") as caught:
        await tell_why(settings, "e-1", as_json=False, say=Printed())
    assert "planted" not in str(caught.value)


# --- notifications retry ----------------------------------------------------------------------------------------------


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(desk: Desk) -> None:
    member = await desk.ledger.known()
    row = await failed(desk.ledger, member)
    before = await desk.ledger.rows(member)
    status, text = await desk.retry(row.id, yes=False)
    assert status == 0
    assert "would go: failed → retrying; attempt 2 at once, at the latest" in text
    assert text.endswith("Nothing was changed. With --yes 1 would be re-opened, by night-shift: the relay was mended")
    assert await desk.ledger.rows(member) == before
    assert await desk.interventions() == []


async def test_what_is_re_opened_is_sent_with_who_and_why_on_record(desk: Desk) -> None:
    ledger = desk.ledger
    member = await ledger.known()
    row = await failed(ledger, member)
    assert (await desk.retry(row.id))[0] == 0
    assert await ledger.states(member) == [("retrying", "reopened")]
    (again,) = await ledger.sending.claim("security", 10, T0)
    await tried(ledger, again, "sent", reply_code="250")
    assert await ledger.states(member) == [("sent", None)]
    assert [(each.attempt, each.state) for each in await ledger.outcomes(member)] == [(1, "failed"), (2, "sent")]
    assert await desk.interventions() == [
        ("retry", str(row.id), "night-shift", "the relay was mended", "was failed: smtp:550 after 1 attempts")
    ]
    assert "retry by night-shift: the relay was mended" in step(await desk.why(row.id), "by hand")


async def test_several_are_re_opened_and_one_refusal_stops_nobody(desk: Desk) -> None:
    ledger = desk.ledger
    member = await ledger.known()
    good = await failed(ledger, member, "e-1")
    (sent,) = await ledger.claimed(password_changed(member, "e-2"))
    await tried(ledger, sent, "sent")
    status, text = await desk.retry(sent.id, "00000000-0000-4000-8000-000000000000", good.id, good.id)
    assert status == 1
    assert "stays sent: it was sent; again would be a second copy" in text
    assert "00000000-0000-4000-8000-000000000000  not known" in text
    assert text.count("re-opened") == 1
    assert await ledger.states(member) == [("retrying", "reopened"), ("sent", None)]


async def test_nothing_late_goes_again(desk: Desk) -> None:
    member = await desk.ledger.known()
    row = await failed(desk.ledger, member)
    status, text = await desk.retry(row.id, now=T0 + timedelta(hours=72))
    assert (status, await desk.ledger.states(member)) == (1, [("failed", "smtp:550")])
    assert "its hand-over limit has passed, and nothing is sent late; if it is still wanted, have it published" in text


async def test_what_expired_before_its_limit_may_go_again(desk: Desk) -> None:
    member = await desk.ledger.known()
    (row,) = await desk.ledger.claimed(password_changed(member))
    await tried(desk.ledger, row, "expired", result="retry", reason="smtp:450")
    assert (await desk.retry(row.id, now=T0 + 71 * 60 * MINUTE))[0] == 0
    assert await desk.ledger.states(member) == [("retrying", "reopened")]


async def test_a_code_whose_secret_is_gone_is_refused_with_the_way_out(desk: Desk) -> None:
    member = await desk.ledger.known()
    (row,) = await desk.ledger.claimed(code(member))
    await tried(desk.ledger, row, "failed", reason="smtp:550")
    status, text = await desk.retry(row.id)
    assert (status, await desk.interventions()) == (1, [])
    assert "its code or link was erased when it ended; have a new code or link issued" in text


async def test_an_unknown_code_still_has_its_secret_and_goes_now_instead_of_later(desk: Desk) -> None:
    ledger = desk.ledger
    member = await ledger.known()
    (row,) = await ledger.claimed(code(member))
    await tried(ledger, row, "unknown", reason="smtp:time-out-after-data", delay_seconds=3600.0)
    assert await ledger.sending.claim("codes", 10, T0) == []
    status, text = await desk.retry(row.id)
    assert status == 0
    assert "goes at once instead of waiting, with the same Message-ID; a second copy is possible" in text
    (again,) = await ledger.sending.claim("codes", 10, T0)
    assert again.facts["code"] == CODE
    assert [each.state for each in await ledger.outcomes(member)] == ["unknown"]


async def test_what_has_no_address_or_no_contents_any_more_is_refused(desk: Desk) -> None:
    ledger = desk.ledger
    member = ledger.member()
    await ledger.accept(password_changed(member))
    await ledger.contacts.waiting.end(T0 + timedelta(hours=72))
    (nobody,) = await ledger.rows(member)
    other = await failed(ledger, await ledger.known(), "erased")
    await ledger.database.execute(
        "UPDATE notifier.notifications SET address = NULL, facts = NULL WHERE id = $1", other.id
    )
    status, text = await desk.retry(nobody["id"], other.id)
    assert status == 1
    assert "it has no address: no contact of the member came before its time was over" in text
    assert "its contents were erased 30 days after its end" in text
    assert await desk.interventions() == []


async def test_a_member_who_was_forgotten_gets_nothing_more(desk: Desk) -> None:
    ledger = desk.ledger
    member = await ledger.known()
    row = await failed(ledger, member)
    await ledger.forget(member)
    status, text = await desk.retry(row.id)
    assert (status, await ledger.states(member)) == (1, [("failed", "smtp:550")])
    assert "the member's contact was forgotten (tombstone)" in text


async def test_a_retry_that_races_with_the_sender_loses_and_leaves_its_hands_off(desk: Desk) -> None:
    """The sender takes the row between the look and the write: the write finds another row than it was shown."""
    ledger = desk.ledger
    (row,) = await ledger.claimed(password_changed(await ledger.known()))
    await tried(ledger, row, "unknown", reason="smtp:time-out-after-data")
    shown = await Stories(ledger.database, Vault({"first": b"k" * 32})).notification(row.id)
    assert shown is not None
    again = await claimed_again(ledger)
    assert not await Interventions(ledger.database).reopen(shown, T0, who="x", why="y")
    await tried(ledger, again, "sent")
    assert not await Interventions(ledger.database).reopen(shown, T0, who="x", why="y")
    assert await desk.interventions() == []


async def test_of_many_retries_and_claims_at_once_exactly_one_attempt_comes(desk: Desk) -> None:
    ledger = desk.ledger
    member = await ledger.known()
    row = await failed(ledger, member)
    outcomes = await asyncio.gather(*(desk.retry(row.id) for _ in range(6)))
    claims = await asyncio.gather(*(ledger.sending.claim("security", 10, T0) for _ in range(6)))
    assert sorted(status for status, _ in outcomes) == [0, 1, 1, 1, 1, 1]
    assert len([row for rows in claims for row in rows]) == 1
    assert len(await desk.interventions()) == 1


async def test_a_retry_without_who_or_why_is_refused_by_the_database_itself(desk: Desk) -> None:
    row = await failed(desk.ledger, member := await desk.ledger.known())
    shown = await Stories(desk.ledger.database, Vault({"first": b"k" * 32})).notification(row.id)
    assert shown is not None
    with pytest.raises(asyncpg.CheckViolationError):
        await Interventions(desk.ledger.database).reopen(shown, T0, who="", why="")
    assert await desk.ledger.states(member) == [("failed", "smtp:550")]
