"""Every notice, in every brand and language of its row, from the event through a real Postfix into a mailbox."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import asyncpg
import pytest

from demo.catcher import Catcher
from services.notifier.catalogue import CATALOGUE
from services.runtime.clock import FixedClock
from tests.mta.arrived import Arrived
from tests.mta.conftest import Certificates, relay
from tests.mta.expectations import Expected, rows
from tests.mta.occasions import NOW, Occasion, occasions
from tests.mta.postfix import Postfix, handing_to
from tests.support import notifier
from tests.support.database import temporary_database
from tests.support.house import House
from tests.support.waiting import wait_for

OCCASIONS = tuple(occasions())
MAILS = [
    pytest.param(Expected(occasion, role), id=f"{occasion.id}.{role}")
    for occasion in OCCASIONS
    for role in occasion.addresses
]
WITHIN_SECONDS = 180.0
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
UNWANTED = frozenset({"bcc", "cc", "reply-to", "sender", "x-mailer", "disposition-notification-to"})
"""And no List-*: security notices cannot be switched off, codes were asked for, and for the others the portal has
preferences; there is no address to unsubscribe at."""
LONGEST = 78
"""RFC 5322 allows 998; 78 is what it advises."""
FILES = {"complaint-acknowledged": 1, "complaint-final-decision": 1, "letter-to-post": 2}


@pytest.fixture(scope="module")
async def delivered(
    kafka: str, database_server: str, migrated_template: str, folder: Path, certificates: Certificates
) -> AsyncIterator[Postfix]:
    """All of it happened, and Postfix has delivered what came of it."""
    addresses = [address for occasion in OCCASIONS for address in occasion.addresses.values()]
    async with (
        temporary_database(database_server, template=migrated_template) as database,
        Catcher() as catcher,
        notifier.upstream(kafka) as upstream,
    ):
        with relay(folder, certificates, addresses) as postfix:
            house = House(kafka, database, catcher, upstream, await notifier.fresh_group(kafka))
            await _let_it_happen(house, postfix, addresses)
            assert catcher.inbox.mail_count == 0
            yield postfix


async def _let_it_happen(house: House, postfix: Postfix, addresses: list[str]) -> None:
    async with house.notifier(FixedClock(NOW), **handing_to(postfix, "plainest")):
        contacts = [each.contact for each in OCCASIONS if each.contact is not None]
        await house.upstream.publish(*contacts)
        # An event that names its own brand does not wait for a contact that is on its way.
        await wait_for(lambda: _known(house.database, len(contacts)), "every contact", within_seconds=WITHIN_SECONDS)
        await house.upstream.publish(*(occasion.event for occasion in OCCASIONS))
        await wait_for(
            lambda: all(map(postfix.mail_of, addresses)), "mail in every mailbox", within_seconds=WITHIN_SECONDS
        )


async def _known(database: str, count: int) -> bool:
    connection = await asyncpg.connect(database)
    try:
        return bool(await connection.fetchval("SELECT count(*) FROM notifier.contacts") == count)
    finally:
        await connection.close()


@pytest.fixture
def mail(delivered: Postfix, expected: Expected) -> Arrived:
    """Exactly one came."""
    (raw,) = delivered.mail_of(expected.occasion.addresses[expected.role])
    return read(raw)


@cache
def read(raw: bytes) -> Arrived:
    """Once, for all that is asked of it."""
    return Arrived(raw)


def test_every_row_of_the_catalogue_is_expected_here_and_nothing_else() -> None:
    assert set(rows()) == {notice.name for notice in CATALOGUE} == {occasion.notice for occasion in OCCASIONS}
    named = {(notice.name, brand) for notice in CATALOGUE for brand in notice.brands}
    assert {(occasion.notice, occasion.brand) for occasion in OCCASIONS} == named


@pytest.mark.parametrize("expected", MAILS)
def test_each_mail_says_what_its_row_asks_for_in_text_and_in_html(expected: Expected, mail: Arrived) -> None:
    wrong = expected.wrong(mail)
    assert not wrong, "\n".join([str(mail.message["Subject"]), *wrong, "", mail.text])


@pytest.mark.parametrize("expected", MAILS)
def test_no_other_mail_would_be_taken_for_it(expected: Expected, delivered: Postfix) -> None:
    """The same in another language, of another brand or for another purpose, and the next notice in the same language:
    what is expected tells them apart.
    """
    mine = expected.occasion
    others = [each for each in OCCASIONS if _is_near(each, mine)]
    assert others
    for other in others:
        for address in other.addresses.values():
            (raw,) = delivered.mail_of(address)
            assert expected.wrong(read(raw)), other.id


def _is_near(other: Occasion, mine: Occasion) -> bool:
    differ = [mine.notice != other.notice, mine.brand != other.brand, mine.language != other.language]
    return sum(differ) == 1 or (not any(differ) and mine.purpose != other.purpose)


@pytest.mark.parametrize("expected", MAILS)
def test_each_mail_is_addressed_and_marked_as_a_machine_should(expected: Expected, mail: Arrived) -> None:
    message, address = mail.message, expected.occasion.addresses[expected.role]
    assert str(message["From"]) == expected.sender
    assert message.get_all("To") == [address]
    assert (message["Delivered-To"], message["X-Original-To"]) == (address, address)
    assert message["Content-Language"] == expected.occasion.language
    assert message["Date"].datetime == NOW
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    names = Counter(name.lower() for name, _ in message.items())
    assert [name for name in names if name in UNWANTED or name.startswith("list-")] == []
    assert names.most_common(1)[0][1] == 1


@pytest.mark.parametrize("expected", MAILS)
def test_its_envelope_sender_and_its_message_id_name_the_same_notification(expected: Expected, mail: Arrived) -> None:
    named = re.fullmatch(rf"<({UUID})@{re.escape(expected.domain)}>", str(mail.message["Message-ID"]))
    assert named, mail.message["Message-ID"]
    assert mail.message["Return-Path"] == f"<bounces+{named[1]}@returns.example.test>"


@pytest.mark.parametrize("expected", MAILS)
def test_its_shape_is_what_the_standard_says_and_the_parser_finds_no_fault(expected: Expected, mail: Arrived) -> None:
    files = FILES.get(expected.occasion.notice, 0)
    alternative = ["multipart/alternative", "text/plain", "text/html"]
    assert mail.shape == (["multipart/mixed", *alternative, *["application/pdf"] * files] if files else alternative)
    assert mail.defects == []
    texts = [part for part in mail.message.walk() if part.get_content_maintype() == "text"]
    assert [(part.get_content_charset(), part["Content-Transfer-Encoding"]) for part in texts] == [
        ("utf-8", "quoted-printable")
    ] * 2
    assert [part["Content-Transfer-Encoding"] for part in mail.message.iter_attachments()] == ["base64"] * files
    assert all(part.get_content_disposition() == "attachment" for part in mail.message.iter_attachments())


@pytest.mark.parametrize("expected", MAILS)
def test_it_passes_a_relay_that_knows_no_extension(expected: Expected, mail: Arrived) -> None:
    """Seven bits, lines that nobody has to fold, no line end of its own kind, and no NUL."""
    assert expected.occasion.addresses[expected.role].encode() in mail.raw
    assert mail.own.isascii()
    assert not set(mail.own) & {0, 0x0D}
    assert max(map(len, mail.own.split(b"\n"))) <= LONGEST


@pytest.mark.parametrize("expected", MAILS)
def test_it_came_over_tls(expected: Expected, mail: Arrived) -> None:
    """Postfix's own trace says so."""
    (received,) = mail.message.get_all("Received") or []
    assert re.search(r"using TLSv1\.[23] .* with ESMTPS id ", " ".join(received.split())), expected.occasion.id


def test_nothing_but_what_was_owed_came(delivered: Postfix) -> None:
    assert delivered.count() == len(MAILS)
    assert delivered.lines("status=bounced") == delivered.lines("reject:") == delivered.lines("warning:") == []
    assert "BODY=8BITMIME" not in delivered.said()
