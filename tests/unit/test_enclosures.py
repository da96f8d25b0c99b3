"""The files that go with a letter: read back, they hold its facts; made twice, they are the same bytes."""

import hashlib
import json
import subprocess
import sys
from datetime import date
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from services.notifier.brands import load_brands
from services.notifier.letters import NOTICE_OF_LETTER
from services.notifier.mime import Attachment
from services.notifier.paper import Block, blocks
from services.notifier.pdf import Envelope, Record, letter
from tests.support.contract import ROOT
from tests.support.letter_notices import BRAND, fullest, letter_case
from tests.support.notices import composer
from tests.support.pages import Page

LANGUAGES = ("en", "fr", "nl", "de")
each_language = pytest.mark.parametrize("locale", LANGUAGES)


def attached(notice: str, locale: str, *, example: str | None = None, **changes: Any) -> tuple[Attachment, ...]:
    case = fullest(notice, locale) if example is None else letter_case(notice, locale, example)
    return composer().email(*case.key, {**case.facts, **changes}).attachments


def read(file: Attachment) -> PdfReader:
    return PdfReader(BytesIO(file.content))


def text_of(file: Attachment) -> str:
    text = " ".join(page.extract_text() for page in read(file).pages)
    return " ".join(text.replace("\u00a0", " ").split())


# --- what goes with what ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("notice", NOTICE_OF_LETTER.values())
def test_the_procedure_goes_with_a_letter_that_encloses_it_and_says_so(notice: str) -> None:
    (file,) = attached(notice, "en", encloses_procedure=True)
    assert (file.filename, file.media_type) == ("Complaints-procedure.pdf", "application/pdf")
    case = fullest(notice, "en")
    announced = (
        "We enclose our complaints procedure"
        in composer().email(*case.key, {**case.facts, "encloses_procedure": True}).text
    )
    assert announced == (notice != "complaint-not-covered")
    assert attached(notice, "en", encloses_procedure=False) == ()


@each_language
def test_a_letter_to_post_goes_with_what_it_encloses(locale: str) -> None:
    names = {
        "en": "Complaints-procedure.pdf",
        "fr": "Procedure-de-plainte.pdf",
        "nl": "Klachtenprocedure.pdf",
        "de": "Beschwerdeverfahren.pdf",
    }
    files = attached("letter-to-post", locale)
    assert [file.filename for file in files] == ["final-CMP-4728-26.pdf", names[locale]]


def test_a_letter_to_post_speaks_its_readers_language_and_the_mail_its_handlers() -> None:
    facts = fullest("letter-to-post", "fr").facts
    email = composer().email("letter-to-post", BRAND, "en", facts)
    assert email.subject.startswith("Cigna Healthcare | A letter to send by post")
    assert "Notre décision sur votre plainte" in text_of(email.attachments[0])
    assert "Notre procédure de traitement des plaintes" in text_of(email.attachments[1])


# --- the letter on paper ----------------------------------------------------------------------------------------------


@each_language
@pytest.mark.parametrize("sort", NOTICE_OF_LETTER)
def test_the_printed_letter_says_what_the_mail_says_down_to_the_rule(sort: str, locale: str) -> None:
    case = fullest(NOTICE_OF_LETTER[sort], locale)  # type: ignore[index]  # the keys of that very table
    facts = {**case.facts, "encloses_procedure": False, "postal_address": ["Example Street 7", "9000 Gent"]}
    mail = composer().email(*case.key, facts).text.replace("\u00a0", " ").partition("-" * 20)[0]
    (file,) = composer().email("letter-to-post", BRAND, locale, facts).attachments
    printed = "".join(text_of(file).split())
    for line in mail.split("\n"):
        for part in line.split(": ") if line.count(": ") == 1 else [line]:
            words = "".join(part.removesuffix(":").replace("=", "").split())
            # What goes over a page's end has the foot and the head of a page in its middle.
            assert words[:20] in printed, line
    assert "ExampleStreet7" in printed
    assert {"en": "Date", "fr": "Date", "nl": "Datum", "de": "Datum"}[locale] in printed


def test_the_printed_letter_leaves_out_what_is_about_e_mail() -> None:
    text = text_of(attached("letter-to-post", "en")[0])
    assert "How to check" not in text
    assert "message comes from" not in text
    assert "Robin Lindqvist" in text


@pytest.mark.parametrize(
    "name",
    [
        "Amélie Żółć",
        "Ωραία Παπαδοπούλου",
        "Олександра Щука",
        "Siân Prŷs-Jones",
        "Nguyễn Thị",
    ],
)
def test_names_print_in_every_script_of_our_readers(name: str) -> None:
    text = text_of(attached("letter-to-post", "en", name=name)[0])
    assert text.count(name) == 2


def test_a_hostile_name_prints_as_it_is() -> None:
    name = "{{ 7*7 }}<script>alert(1)</script> Bcc: x @ y. example"
    assert name in text_of(attached("letter-to-post", "en", name=name)[0]).replace("scrip t", "script")


def test_a_character_that_the_typeface_lacks_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    attached("letter-to-post", "en", name="王小明")
    assert caplog.records == []


def test_a_long_letter_goes_over_pages_that_are_numbered() -> None:
    paragraphs = [f"Paragraph {number}. " + "The same sentence fills the page. " * 12 for number in range(40)]
    (file, _) = attached("letter-to-post", "en", text=paragraphs)
    pages = [page.extract_text() for page in read(file).pages]
    assert len(pages) > 3
    for number, page in enumerate(pages, 1):
        assert f"{number} / {len(pages)}" in page
    assert all(f"Paragraph {number}." in text_of(file) for number in range(40))
    assert "Yours sincerely," in pages[-1]
    assert "If you have a question" in pages[-1]


def test_a_word_wider_than_the_page_is_broken() -> None:
    (file, _) = attached("letter-to-post", "en", text=["x" * 900], name="y" * 120)
    assert text_of(file).replace(" ", "").count("x" * 900) == 1


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("CMP 4728/26", "final-CMP-4728-26.pdf"),
        ("../é\u202e" + "x" * 61, f"final-{'x' * 40}.pdf"),
        (None, "final-c-2026-004728.pdf"),
    ],
)
def test_a_letters_file_is_named_in_plain_characters(reference: str | None, name: str) -> None:
    assert attached("letter-to-post", "en", reference=reference)[0].filename == name


def test_an_address_of_many_lines_stays_in_its_window() -> None:
    (file, _) = attached("letter-to-post", "en", postal_address=[f"Line {number}" for number in range(14)])
    assert "Line 13" in text_of(file)


# --- the procedure ----------------------------------------------------------------------------------------------------

PROCEDURE = {
    "en": (
        "Belgium",
        "Within three business days",
        "Within five business days",
        "Within four weeks",
        "Within eight weeks",
        "contact details",
        "personal reference number",
        "short summary",
        "in confidence",
        "24/7, 365 days a year",
    ),
    "fr": (
        "Belgique",
        "délai de trois jours ouvrables",
        "cinq jours ouvrables",
        "quatre semaines",
        "huit semaines",
        "coordonnées",
        "numéro de référence personnel",
        "bref résumé",
        "confidentielle",
        "24 h/24 et 7 j/7",
    ),
    "nl": (
        "België",
        "Binnen drie werkdagen",
        "Binnen vijf werkdagen",
        "Binnen vier weken",
        "Binnen acht weken",
        "contactgegevens",
        "persoonlijk referentienummer",
        "korte samenvatting",
        "vertrouwelijk",
        "24 uur per dag",
    ),
    "de": (
        "Belgien",
        "von drei Arbeitstagen",
        "von fünf Arbeitstagen",
        "von vier Wochen",
        "von acht Wochen",
        "Kontaktdaten",
        "persönliche Referenznummer",
        "kurze Zusammenfassung",
        "vertraulich",
        "rund um die Uhr",
    ),
}


@each_language
def test_the_procedure_holds_every_step_and_the_ombudsman_of_its_licence(locale: str) -> None:
    (file,) = attached("complaint-acknowledged", locale)
    text = text_of(file)
    printed = (
        "Ombudsman des Assurances / van de Verzekeringen",
        "Square de Meeûs 35, 1000 Brussels",
        "info@ombudsman.as",
        "www.ombudsman.as",
        "+32 2 547 58 71",
        "+32 3 217 68 68",
        "Cigna European Services (UK) Limited",
    )
    for fact in (*PROCEDURE[locale], *printed):
        assert fact in text


def test_a_step_that_the_row_does_not_hold_is_left_out() -> None:
    (file,) = attached("complaint-acknowledged", "en", resolution_within=None, ombudsman_name=None)
    assert "three business days" not in text_of(file)
    assert "ombudsman" not in text_of(file)


def test_the_procedure_is_made_once_for_a_row_and_holds_nothing_of_the_complaint() -> None:
    (one,) = attached("complaint-acknowledged", "nl")
    (other,) = attached("complaint-acknowledged", "nl", name="Somebody Else", reference="CMP 1/27")
    assert one is other
    assert "Zoë" not in text_of(one)
    (third,) = attached("complaint-acknowledged", "nl", licence="uk")
    assert third.content != one.content


# --- as files ---------------------------------------------------------------------------------------------------------


@each_language
def test_a_file_says_its_title_its_language_and_no_time_of_its_making(locale: str) -> None:
    printed, procedure = (read(file) for file in attached("letter-to-post", locale))
    for reader in (printed, procedure):
        assert reader.metadata is not None
        assert (reader.metadata.author, reader.metadata.title is not None) == ("Cigna Healthcare", True)
        root: Any = reader.trailer["/Root"]
        assert root["/Lang"] == locale
        assert root["/MarkInfo"]["/Marked"]
        assert root["/ViewerPreferences"]["/DisplayDocTitle"]
        assert [float(side) for side in reader.pages[0].mediabox[2:]] == pytest.approx([595.28, 841.89], abs=0.1)
    assert printed.metadata is not None
    assert str(printed.metadata.title).endswith("(CMP 4728/26)")
    assert (printed.metadata.creation_date_raw or "")[:10] == "D:20261201"
    assert procedure.metadata is not None
    assert (procedure.metadata.creation_date_raw or "")[:10] == "D:20261126"


def test_headings_and_paragraphs_are_tagged_as_such() -> None:
    root: Any = read(attached("letter-to-post", "en")[0]).trailer["/Root"]
    tags = [str(kid.get_object()["/S"]) for kid in root["/StructTreeRoot"]["/K"][0].get_object()["/K"]]
    assert tags.count("/H1") == 1
    assert tags.count("/H2") == 3
    assert tags.count("/P") > 20


MAKE = """
import hashlib, json, sys
from tests.support.letter_notices import BRAND
from tests.support.notices import composer
files = composer().email("letter-to-post", BRAND, "en", json.load(sys.stdin)).attachments
print(json.dumps([hashlib.sha256(file.content).hexdigest() for file in files]))
"""


def test_another_process_makes_the_same_bytes() -> None:
    facts = fullest("letter-to-post", "fr").facts
    here = [
        hashlib.sha256(file.content).hexdigest()
        for file in composer().email("letter-to-post", BRAND, "en", facts).attachments
    ]
    there = subprocess.run(
        [sys.executable, "-c", MAKE], input=json.dumps(facts).encode(), capture_output=True, check=True, cwd=ROOT
    )
    assert json.loads(there.stdout) == here


# --- HTML → blocks ----------------------------------------------------------------------------------------------------


def test_blocks_are_what_markup_writes_down_to_the_rule() -> None:
    html = (
        "<h1>Title</h1>\n<p>One <strong>two</strong>, three<br>\nfour\u00a0five</p>\n"
        '<table role="presentation"><tr><td class="gap">\n<table class="facts">\n<tbody><tr>\n'
        '<th scope="row">When</th>\n'
        "<td>\nnow\n</td></tr>\n</tbody></table>\n</td></tr></table>\n<ul>\n<li>a</li>\n</ul>\n"
        '<table class="callout"><tr><td>\n<p>boxed</p>\n</td></tr></table>\n'
        '</td></tr>\n<tr><td class="aside">\n<h3>small</h3>'
    )
    found = blocks(html)
    assert [(block.kind, block.text, block.boxed) for block in found] == [
        ("title", "Title", False),
        ("text", "One two, three four\u00a0five", False),
        ("label", "When", False),
        ("value", "now", False),
        ("item", "a", False),
        ("text", "boxed", True),
    ]
    assert found[1].words[1] == (("two", True), (",", False))


@each_language
def test_every_word_of_a_letters_body_becomes_part_of_a_block(locale: str) -> None:
    """The frame apart, nothing that a reader of the mail sees is lost on the way to paper."""
    case = fullest("complaint-final-decision", locale)
    html = composer().email(*case.key, case.facts).html
    body = html[html.index("<h1") : html.index("<h3")]
    assert " ".join(block.text for block in blocks(body)).split() == Page(body).text.split()


def test_a_list_and_a_box_are_set_on_paper() -> None:
    words = ((("word", False),),)
    content = [Block("title", words), Block("item", words * 40), Block("text", words * 60, boxed=True)]
    record = Record("Title", "en", date(2026, 12, 1))
    made = letter(load_brands()[BRAND], record, [*content, *content[:1], *content[:1]], Envelope(["A"], "Date", None))
    assert text_of(Attachment("x.pdf", made, "application/pdf")).count("word") == 103
