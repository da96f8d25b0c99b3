"""`member-notices send-test`: the configured channels, a real SMTP server, a local Twilio, a real broker; no ledger."""

import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from demo.catcher import Catcher, Fault
from schemas.envelope import read_record
from schemas.notifications import InAppMessageV1
from schemas.topics import IN_APP
from services.notifier.catalogue import CATALOGUE
from services.notifier.send_test_command import NOT_SENT, SENT, UNKNOWN, Wanted, choose, send_test
from services.notifier.settings import NotifierSettings
from services.runtime.commands import CommandError
from services.runtime.settings import SettingsError
from tests.support.commands import Printed
from tests.support.kafka import Tape
from tests.support.notifier import logging_of_a_process, settings

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
TO, PHONE = "Zq7.Anna@example.test", "+32470123987"
ASKED = {"notice": "password-changed", "brand": "cm", "language": "nl", "to": TO}


@pytest.fixture
async def catcher() -> AsyncIterator[Catcher]:
    with logging_of_a_process("send-test"):
        async with Catcher() as running:
            yield running


def configured(catcher: Catcher, kafka: str = "127.0.0.1:1", **more: Any) -> NotifierSettings:
    return settings(kafka, NOWHERE, catcher, "nobody", **more)


async def run(values: NotifierSettings, **asked: Any) -> tuple[int, str]:
    """Exit status and all that was printed; never the address."""
    printed = Printed()
    status = await send_test(values, choose(Wanted(**(ASKED | asked))), say=printed)
    assert not any(private in printed.text.lower() for private in ("zq7", "470123987"))
    return status, printed.text


async def refused(values: NotifierSettings, **asked: Any) -> str:
    """Why nothing was sent."""
    with pytest.raises(CommandError) as refusal:
        await run(values, **asked)
    assert "zq7" not in str(refusal.value).lower()
    return str(refusal.value)


async def test_a_mail_arrives_as_the_notice_would_and_says_that_it_is_a_test(catcher: Catcher) -> None:
    status, told = await run(configured(catcher, smtp_bounce_address="bounces@notices.example.test"))
    (mail,) = catcher.mails
    assert status == SENT
    assert mail.recipients == (TO,)
    assert mail.subject == "TEST: CM | Uw wachtwoord is gewijzigd"
    assert mail.text.startswith("TEST: This is a test with sample facts")
    assert mail.html.index("TEST: This is a test") < mail.html.index("Geachte")
    assert mail.language == "nl"
    assert f"Message-ID {mail.message_id}, envelope sender {mail.sender}" in told
    assert mail.sender == f"bounces+{mail.message_id.strip('<>').partition('@')[0]}@notices.example.test"
    assert "taken (250 " in told
    assert "Not in the ledger" in told


@pytest.mark.parametrize("notice", [each for each in CATALOGUE if "cm" in each.brands], ids=lambda each: each.name)
async def test_every_notice_can_be_sent(catcher: Catcher, notice: Any) -> None:
    assert (await run(configured(catcher), notice=notice.name))[0] == SENT
    assert catcher.mails[0].subject.startswith("TEST: CM | ")


async def test_a_letter_to_post_brings_the_letter(catcher: Catcher) -> None:
    await run(configured(catcher), notice="letter-to-post", brand="cigna-healthcare", language="en")
    assert [each.content_type for each in catcher.mails[0].attachments] != []


async def test_an_sms_goes_to_a_number_and_is_marked(catcher: Catcher) -> None:
    status, told = await run(configured(catcher), notice="one-time-verification-code", to=PHONE)
    (text,) = catcher.texts
    assert status == SENT
    assert (text.to, text.body[:6]) == (PHONE, "TEST: ")
    assert text.sid in told
    assert "1 part, GSM-7" in told


async def test_what_the_portal_shows_goes_onto_its_topic(catcher: Catcher, kafka: str) -> None:
    async with Tape(kafka, IN_APP.name) as tape:
        status, told = await run(configured(catcher, kafka), notice="pin-blocked", to="m-1", channel="in-app")
        records = [read_record(each.headers, each.value) for each in await tape.rest() if each.key == b"m-1"]
    assert status == SENT
    (event,) = [each for each in records if f"Event {each.id} " in told]
    assert isinstance(event.data, InAppMessageV1)
    assert event.data.title == "TEST: Uw pincode is geblokkeerd"


async def test_an_unknown_notice_is_refused_with_all_there_are(catcher: Catcher) -> None:
    said = await refused(configured(catcher), notice="password-eaten")
    assert all(f"\n  {notice.name}" in said for notice in CATALOGUE)


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ({"brand": "acme"}, ["cigna-healthcare", "cm"]),
        ({"notice": "welcome"}, ["cigna-healthcare"]),
        ({"language": "it"}, ["de", "en", "fr", "nl"]),
        ({"channel": "pigeon"}, ["email"]),
        ({"channel": "sms", "to": PHONE}, ["email"]),
        ({"notice": "pin-blocked", "channel": "sms"}, ["email", "in-app"]),
        ({"notice": "email-address-changed", "example": "younger"}, ["new", "new.minimal", "old"]),
    ],
)
async def test_what_does_not_exist_is_refused_with_what_does(
    catcher: Catcher, asked: dict[str, str], there: list[str]
) -> None:
    said = await refused(configured(catcher), **asked)
    assert all(f"\n  {name}" in said for name in there)
    assert not catcher.mails


@pytest.mark.parametrize(
    ("channel", "to", "needed"),
    [
        ("email", "zq7 anna@", "an e-mail address, as email needs it"),
        (None, "zq7 anna@", "an e-mail address, as email needs it"),
        ("sms", "0470 12 39 87", "a phone number like +32470123456, as sms needs it"),
        (None, "+0470123987", "a phone number like +32470123456, as sms needs it"),
    ],
)
async def test_an_address_that_is_none_is_refused(catcher: Catcher, channel: str | None, to: str, needed: str) -> None:
    said = await refused(configured(catcher), notice="one-time-verification-code", channel=channel, to=to)
    assert said == f"Not sent: --to is not {needed}."


@pytest.mark.parametrize(
    ("notice", "to", "there"),
    [
        ("password-changed", "zq7.anna.example.test", "an e-mail address"),
        ("password-changed", PHONE, "an e-mail address"),
        ("one-time-verification-code", "0470123987", "an e-mail address, or a phone number like +32470123456"),
        ("pin-blocked", PHONE, "an e-mail address, or a member's id"),
    ],
)
async def test_an_address_of_a_kind_that_the_notice_cannot_go_to_is_refused_with_the_kinds_it_can(
    catcher: Catcher, notice: str, to: str, there: str
) -> None:
    said = await refused(configured(catcher), notice=notice, to=to)
    assert said == f"Not sent: --to is none that {notice} can go to: {there}."


async def test_where_nobody_answers_it_says_where_that_is(catcher: Catcher) -> None:
    status, told = await run(configured(catcher).model_copy(update={"smtp_port": 1}))
    assert (status, told.startswith("Not sent: nobody answers at 127.0.0.1:1, TLS none. Check")) == (NOT_SENT, True)


async def test_an_example_can_be_chosen(catcher: Catcher) -> None:
    for example in ("old", "new"):
        await run(configured(catcher), notice="email-address-changed", example=example)
    old, new = catcher.mails
    assert "oude adres" in old.text
    assert "nieuwe adres" in new.text


async def test_the_allow_list_is_obeyed_before_anything_is_sent(catcher: Catcher) -> None:
    values = configured(catcher).model_copy(update={"delivery_mode": "allow-list", "allow_list": "@else.test"})
    assert "ALLOW_LIST does not name this address" in await refused(values)
    assert not catcher.mails
    allowed = values.model_copy(update={"allow_list": "@EXAMPLE.test"})
    assert (await run(allowed))[0] == SENT


async def test_a_sample_brand_is_refused_in_live_mode_here_too(catcher: Catcher) -> None:
    with pytest.raises(SettingsError, match="sample data"):
        await run(configured(catcher).model_copy(update={"delivery_mode": "live"}))
    assert not catcher.mails


@pytest.mark.parametrize(
    ("fault", "status", "told"),
    [
        (Fault(at="rcpt", reply="550 5.1.1 No such user"), NOT_SENT, "the mail relay answered 550, a no for good"),
        (Fault(at="rcpt", reply="450 4.2.0 Later"), NOT_SENT, "the mail relay answered 450, a no for now"),
        (Fault(at="mail", reply="550 5.7.1 Who are you"), NOT_SENT, "check SMTP_USERNAME"),
        (Fault(at="dot", action="disconnect"), UNKNOWN, "Perhaps sent: the mail relay had the message when"),
    ],
)
async def test_what_the_relay_says_is_told_with_its_exit_status(
    catcher: Catcher, fault: Fault, status: int, told: str
) -> None:
    catcher.misbehave(fault)
    assert (await run(configured(catcher)))[0] == status
    catcher.misbehave(fault)
    assert told in (await run(configured(catcher)))[1]


async def test_a_number_that_twilio_refuses_is_told(catcher: Catcher) -> None:
    status, told = await run(configured(catcher), notice="one-time-verification-code", to="+15005550009")
    assert (status, "Twilio answered 21614, a no for good" in told) == (NOT_SENT, True)


async def test_an_answer_that_names_the_recipient_is_told_without_the_address(catcher: Catcher) -> None:
    catcher.misbehave(Fault(at="dot", reply=f"250 2.1.5 <{TO.upper()}> queued as 4F2"))
    assert "taken (250 2.1.5 <…> queued as 4F2)" in (await run(configured(catcher)))[1]


async def test_nothing_is_logged_that_names_the_address(catcher: Catcher, capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger().setLevel("DEBUG")
    await run(configured(catcher))
    assert "zq7" not in "".join(capsys.readouterr()).lower()


MODE = {"DELIVERY_MODE": "capture"}
RELAY = MODE | {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": "1", "SMTP_TLS": "none"}
TWILIO = MODE | {
    "TWILIO_ACCOUNT_SID": "AC0", "TWILIO_AUTH_TOKEN": "t", "TWILIO_SENDER": "+32460000000",
    "TWILIO_API_BASE_URL": "http://127.0.0.1:1",
}  # fmt: skip


def as_program(notice: str, to: str, *more: str, **environment: str) -> str:
    """What it ends with, status 1, where of the settings only these are set."""
    names = {name.upper() for name in NotifierSettings.model_fields}
    bare = {name: value for name, value in os.environ.items() if name not in names}
    command = [
        sys.executable,
        "-m",
        "services.cli",
        "send-test",
        notice,
        "--brand",
        "cm",
        "--language",
        "nl",
        "--to",
        to,
    ]
    ended = subprocess.run([*command, *more], env=bare | environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert to not in ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def test_as_a_program_it_asks_for_the_settings_of_its_channel_and_no_others() -> None:
    said = as_program("password-changed", TO, **MODE)
    assert "member-notices send-test cannot start" in said
    assert "SMTP_HOST is missing" in said
    assert not any(other in said for other in ("TWILIO", "DATABASE", "VAULT", "SEARCH", "KAFKA"))


@pytest.mark.parametrize(
    ("notice", "to", "environment", "place"),
    [
        ("password-changed", TO, RELAY, "127.0.0.1:1, TLS none"),
        ("one-time-verification-code", PHONE, TWILIO, "http://127.0.0.1:1/"),
    ],
)
def test_with_the_settings_of_its_channel_alone_it_tries(
    notice: str, to: str, environment: dict[str, str], place: str
) -> None:
    assert f"nobody answers at {place}" in as_program(notice, to, **environment)


def test_what_was_asked_for_is_looked_at_before_the_settings() -> None:
    assert "no such notice" in as_program("password-eaten", TO)
    assert "Not sent: --to is not an e-mail address" in as_program("password-changed", "zq7 anna@")
