"""A hostile text is text wherever a composed message goes: headers, the portal's JSON, the gallery, paper."""

import json
from dataclasses import fields
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from services.notifier import gallery
from services.notifier.brands import load_brands
from services.notifier.letters import TO_POST
from services.notifier.mime import HeaderError, assemble, mailbox
from services.notifier.samples import documents_of, facts_in, samples_from
from services.notifier.story import AttemptRow, ContactRow, EventRow, InterventionRow, NotificationRow
from tests.support.html_rules import mistakes
from tests.support.messages import NOTICES, messages, ours
from tests.support.notices import composer
from tests.support.strange_data import HOSTILE, Filled, written

SHOWN = "{{ 7*7 }}<script>alert(1)</script> Bcc: x @ y. example"
"""As every reader sees it."""
HEADERS = [
    *("From", "To", "Subject", "Date", "Message-ID", "Content-Language", "Auto-Submitted", "X-Auto-Response-Suppress"),
    *("MIME-Version", "Content-Type"),
]


def hostile(notice: str) -> list[Filled]:
    return [written(NOTICES[notice], example, "hostile") for example in documents_of(NOTICES[notice])]


@pytest.mark.parametrize("notice", NOTICES)
def test_no_header_is_added_and_the_parts_arrive_as_they_were_composed(notice: str) -> None:
    for filled in hostile(notice):
        for message in messages(ours(), load_brands(), NOTICES[notice], filled):
            if message.email is None:
                continue
            assembled = assemble(
                message.email,
                sender=mailbox(SHOWN, "no-reply@example.test"),
                recipient="{{7*7}}@example.test",
                message_id="<1@example.test>",
                date="Sun, 22 Nov 2026 12:46:00 +0000",
                language=message.sample.locale,
            )
            parsed = message_from_bytes(assembled, policy=default)
            assert isinstance(parsed, EmailMessage)
            assert parsed.keys() == HEADERS
            assert parsed["Subject"] == message.email.subject
            # The standard library keeps a space between encoded words that belongs to neither.
            assert [" ".join(each.display_name.split()) for each in parsed["From"].addresses] == [SHOWN]
            assert [each.addr_spec for each in parsed["To"].addresses] == ["{{7*7}}@example.test"]
            for subtype, content in (("plain", message.email.text), ("html", f"{message.email.html}\n")):
                part = parsed.get_body((subtype,))
                assert part is not None
                assert part.get_content().replace("\r\n", "\n") == content


def test_a_display_name_of_two_lines_is_refused() -> None:
    with pytest.raises(HeaderError):
        mailbox(HOSTILE, "no-reply@example.test")


@pytest.mark.parametrize("notice", [name for name, notice in NOTICES.items() if notice.in_app])
def test_what_the_portal_gets_is_json_of_text(notice: str) -> None:
    for filled in hostile(notice):
        for message in messages(ours(), load_brands(), NOTICES[notice], filled):
            if not message.sample.in_app:  # a summary: the portal shows each action by itself
                continue
            assert message.portal is not None
            read = json.loads(message.portal.model_dump_json())
            assert (read["title"], read["text"]) == (message.portal.title, message.portal.text)
            assert "49" not in read["title"]
            assert "<" not in read["text"].replace(SHOWN, "")


def test_the_gallery_runs_its_own_script_and_no_other(tmp_path: Path) -> None:
    shown = ("one-time-verification-code", "new-sign-on", "bank-account-changed", "complaint-final-decision")
    samples = [
        sample
        for notice in shown
        for filled in hostile(notice)
        for sample in samples_from(NOTICES[notice], load_brands(), filled.example, filled.event, filled.contact)
    ]
    gallery.write(tmp_path, samples, composer())
    index = (tmp_path / "index.html").read_text("utf-8")
    assert index.count("<script") == 1
    assert "{{ 7*7 }}&lt;script&gt;" in index
    for page in tmp_path.glob("*.html"):
        assert page.name == "index.html" or "<script" not in page.read_text("utf-8")


def test_a_letter_on_paper_says_it_as_text() -> None:
    (filled,) = (each for each in hostile(TO_POST) if each.example == "final")
    (sample,) = (
        sample
        for sample in samples_from(NOTICES[TO_POST], load_brands(), filled.example, filled.event, filled.contact)
        if sample.locale == "en"
    )
    (letter,) = (file for file in composer().email(*sample.key, sample.facts).attachments if "final" in file.filename)
    reader = PdfReader(BytesIO(letter.content))
    printed = " ".join(" ".join(page.extract_text() for page in reader.pages).split())
    assert printed.count("{{ 7*7 }}<script>alert(1)</script>") > 1
    assert "/JavaScript" not in letter.content.decode("latin-1")
    assert "evil" not in printed


def test_a_story_has_no_field_for_what_a_stranger_wrote() -> None:
    rows = (EventRow, NotificationRow, AttemptRow, InterventionRow, ContactRow)
    told = {field.name for row in rows for field in fields(row)}
    written_by_strangers = {
        name
        for notice in NOTICES
        for filled in hostile(notice)
        for name, fact in facts_in(filled.event, "en", filled.contact).public.items()
        if SHOWN[:40] in str(fact)
    }
    assert {"name", "browser", "for_whom", "text", "firm_name"} <= written_by_strangers
    # A complaint's reference is a fact; that of a row is the provider's, for a message.
    assert told & written_by_strangers == {"reference"}


def test_the_checker_of_html_knows_a_hostile_document_from_a_sound_one() -> None:
    sound = next(iter(messages(ours(), load_brands(), NOTICES["welcome"], hostile("welcome")[0]))).bones
    assert mistakes(sound) == ()
    for wrong in ("</td>", "<b>", "<p style=>", "<a href='x'x>", '<p style="color:#eeeeee">x</p>'):
        assert mistakes(sound.replace("<h1", f"{wrong}<h1", 1)), wrong
