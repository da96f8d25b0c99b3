"""Every state and every reason has its words, and every ended state its answer to "may it go again?"."""

import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.masking import masked
from services.notifier.reopening import Reopens, StaysClosed, judge
from services.notifier.story import ContactRow, NotificationRow
from services.notifier.words import because, of_notification, of_result

NOTIFIER = Path(__file__).parents[2] / "services/notifier"
T0 = datetime(2026, 11, 22, 12, tzinfo=UTC)
MIGRATION = (NOTIFIER / "migrations/versions/0001_ledger.py").read_text("utf-8")
STATES = re.findall(r"'([a-z-]+)'", re.search(r"state IN \(\s*('accepted'.*?)\)\)", MIGRATION, re.DOTALL)[1])  # type: ignore[index]
"""As the table itself allows them."""
ROW = NotificationRow(
    day=T0.date(), id=uuid.UUID(int=1), event_source="urn:test:idp", event_id="e-1",
    event_type="identity.password-changed.v1", event_time=T0, member_id="m-1", notice="password-changed",
    channel="email", role="login", lane="security", brand="cigna-healthcare", locale="en",
    address="m•••@example.test", has_address=True, has_facts=True, has_secrets=False, supersede_group=None,
    expires_at=T0 + timedelta(hours=72), hand_over_by=T0 + timedelta(hours=72), state="failed", state_at=T0,
    reason="smtp:550", attempts=1, due_at=None, accepted_at=T0, sent_at=None, reference=None,
)  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_every_state_of_the_table_is_a_sentence(state: str) -> None:
    said = of_notification(replace(ROW, state=state, reason=None))
    assert said.endswith(".")
    assert said != state


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"state": "accepted", "not_before": T0}, "when a person may be told"),
        ({"state": "unknown", "role": "complainant"}, "and then says so"),
        ({"state": "cancelled", "reason": "higher-letter"}, "Because a letter of its complaint that ranks higher"),
        ({"state": "failed", "reason": "no-handler"}, "COMPLAINTS_TEAM_MAILBOX is not set"),
        ({"state": "bounced", "reason": "dsn:5.2.2"}, "Because the delivery report says 5.2.2, the mailbox is full."),
    ],
)
def test_a_complaints_message_is_told_as_it_behaves(changed: dict[str, object], said: str) -> None:
    row = replace(ROW, **{"reason": None, **changed})  # type: ignore[arg-type]
    assert said in of_notification(row)


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_its_answer_and_every_refusal_a_way_out(state: str) -> None:
    match judge(replace(ROW, state=state), None, T0):
        case Reopens(what):
            assert state in {"failed", "expired", "unknown"}
            assert what
        case StaysClosed(why, way_out):
            assert state not in {"failed", "expired", "unknown"}
            assert why
            assert way_out


def test_every_reason_the_channels_give_is_in_words() -> None:
    given = {
        reason
        for file in ("email_smtp.py", "sms_twilio.py")
        for reason in re.findall(r'"((?:smtp|twilio):[a-z-]+)"', (NOTIFIER / "channels" / file).read_text("utf-8"))
    }
    assert len(given) >= 7
    for reason in given:
        said = because(reason) or ""
        assert "answered" not in said, reason
        assert because(f"{reason}-after-data") not in (None, f"{reason}-after-data")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("switched-off", "the member's preferences switch off what is not about security"),
        (
            "broker:time-out-after-data",
            "the broker had the message when the connection broke or went silent (time-out), so it may have arrived",
        ),
        (None, None),
        ("smtp:550", "the mail relay answered 550"),
        ("twilio:21614", "Twilio answered 21614"),
        ("never-seen", "never-seen"),
        ("other:1", "other:1"),
    ],
)
def test_a_reason_nobody_knows_is_told_as_it_is(reason: str | None, words: str | None) -> None:
    assert because(reason) == words


@pytest.mark.parametrize(
    ("result", "reason", "words"),
    [
        ("sent", None, "the provider took responsibility"),
        ("retry", "smtp:450", "the mail relay answered 450, a no for now"),
        ("failed", "smtp:550", "the mail relay answered 550, a no for good"),
        ("lost-lease", "lost-lease", "nobody recorded its end before the lease was over"),
        (None, None, "it has not ended"),
    ],
)
def test_a_result_says_what_it_means(result: str | None, reason: str | None, words: str) -> None:
    assert of_result(result, reason) == words


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"hand_over_by": T0}, "nothing is sent late"),
        ({"has_facts": False}, "erased 30 days after its end"),
        ({"has_address": False, "reason": "no-contact"}, "no contact of the member came"),
        ({"event_type": "identity.verification-code-issued.v1"}, "its code or link was erased"),
        ({"has_address": False, "reason": "no-address"}, "the complainant has no e-mail address"),
    ],
)
def test_what_cannot_go_again_is_refused_with_the_first_reason(changed: dict[str, object], why: str) -> None:
    judgement = judge(replace(ROW, **changed), None, T0)  # type: ignore[arg-type]
    assert isinstance(judgement, StaysClosed)
    assert why in judgement.why


def test_what_a_summary_lists_goes_with_it_and_names_it() -> None:
    listed = replace(ROW, state="superseded", reason="in-summary", reference="the-carrier")
    judgement = judge(listed, None, T0)
    assert isinstance(judgement, StaysClosed)
    assert "newer" not in judgement.why
    assert "member-notices why the-carrier" in judgement.way_out
    assert "what becomes of that one becomes of it" in of_notification(listed)


@pytest.mark.parametrize(
    ("after", "notice", "goes"),
    [(1, "password-changed", False), (0, "password-changed", False), (-1, "password-changed", True),
     (1, "account-deleted", True)],
)  # fmt: skip
def test_a_member_who_was_forgotten_gets_nothing_more(after: int, notice: str, *, goes: bool) -> None:
    at = T0 + timedelta(seconds=after)
    forgotten = ContactRow(version=1, time=at, stored_at=at, forgotten=True, language=None, brand=None)
    assert isinstance(judge(replace(ROW, notice=notice), forgotten, T0), Reopens) is goes


def test_a_letter_has_no_limit() -> None:
    assert judge(replace(ROW, expires_at=None, hand_over_by=None), None, T0 + timedelta(days=99)) == Reopens(
        "failed → retrying; attempt 2 at once"
    )


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("anna@example.test", "a•••@example.test"),
        ("a@example.test", "a•••@example.test"),
        ("+32470111222", "+32•••22"),
        ("+1234567", "+12•••67"),
    ],
)
def test_an_address_is_masked(address: str, shown: str) -> None:
    assert masked(address) == shown
