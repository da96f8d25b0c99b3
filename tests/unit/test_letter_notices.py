"""What each letter owes its reader, in every language, and each mail to a handler its handler."""

import re
from typing import Any

import pytest

from schemas.deadlines import Ombudsman
from services.notifier.compose import ComposeError
from services.notifier.letters import NOTICE_OF_LETTER
from services.notifier.mime import Email
from tests.support.contract import EXAMPLES
from tests.support.letter_needles import PRINTED, ROWS, SAID
from tests.support.letter_notices import ALERTS, BRAND, fullest, letter_case, letter_cases
from tests.support.notices import Case, composer
from tests.support.pages import Page

CASES = letter_cases()
LETTERS = [case for case in CASES if case.notice in NOTICE_OF_LETTER.values()]
LANGUAGES = ("en", "fr", "nl", "de")

each_mail = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
each_letter = pytest.mark.parametrize("case", LETTERS, ids=lambda case: case.id)
each_language = pytest.mark.parametrize("locale", LANGUAGES)


def rendered(case: Case, **changes: Any) -> Email:
    return composer().email(*case.key, {**case.facts, "encloses_procedure": False, **changes})


def as_read(case: Case, **changes: Any) -> tuple[str, str]:
    """The text part and the words of the HTML, each with plain spaces."""
    email = rendered(case, **changes)
    return " ".join(email.text.replace("\u00a0", " ").split()), Page(email.html.replace("\u00a0", " ")).text


# --- every mail of a complaint ----------------------------------------------------------------------------------------


def test_every_notice_of_a_complaint_is_rendered_from_an_example_in_every_language() -> None:
    rendered_from = {(case.notice, case.locale) for case in CASES}
    assert rendered_from == {(n, loc) for n in (*NOTICE_OF_LETTER.values(), *ALERTS) for loc in LANGUAGES}


@each_mail
def test_subject_and_html_are_whole(case: Case) -> None:
    email = rendered(case)
    page = Page(email.html)
    assert len(email.subject) <= 78
    assert email.subject.startswith("Cigna Healthcare | ")
    assert (case.facts["reference"] or case.facts["complaint"] or "") in email.subject or not case.facts["reference"]
    assert (page.open, page.crossed) == ([], [])
    assert page.attributes["html"][0]["lang"] == case.locale
    assert len(email.html.encode()) < 20_000
    assert re.search(r"\{\{|\{%|jinja\d+tag|None|\$\w+", email.html) is None


@each_mail
def test_nothing_is_fetched_and_nothing_is_linked(case: Case) -> None:
    email = rendered(case)
    page = Page(email.html)
    assert (page.fetched, page.links) == ([], [])
    assert "://" not in email.text


@each_mail
def test_it_shows_how_to_check_it_who_sent_it_and_where_help_is(case: Case) -> None:
    never = {
        "en": "We never ask you by e-mail to send us personal details",
        "fr": "Nous ne vous demandons jamais par e-mail",
        "nl": "Wij vragen u nooit per e-mail om ons persoonlijke gegevens te sturen",
        "de": "Wir bitten Sie nie per E-Mail, uns persönliche Daten zu senden",
    }
    for text in as_read(case):
        for fact in (never[case.locale], "+32 3 217 68 68", "number 00199739"):
            assert fact in text


@each_mail
def test_no_complainants_address_is_in_it(case: Case) -> None:
    email = rendered(case)
    for document in EXAMPLES.values():
        complainant = document["data"].get("complainant") or {}
        for value in (complainant.get("email"), *(complainant.get("address") or "").splitlines()[:1]):
            assert not value or (value not in email.text and value not in email.html)


@each_mail
def test_an_event_cannot_choose_brand_or_language(case: Case) -> None:
    assert rendered(case, brand="evil", locale="it") == rendered(case)


# --- facts of every letter --------------------------------------------------------------------------------------------


@each_letter
def test_a_letter_says_its_reference_and_the_day_of_receipt(case: Case) -> None:
    day = {"2026-12-24": "24", "2026-12-01": "1", "2026-12-09": "9"}[case.facts["received_on"]]
    for text in as_read(case):
        assert case.facts["reference"] is None or text.count(case.facts["reference"]) >= 2
        assert re.search(rf"\b{day}(er|\.)? \w+ 2026", text)


@each_letter
def test_a_letter_sent_again_says_so_and_one_sent_once_does_not(case: Case) -> None:
    said = {
        "en": "You may have received this letter already",
        "fr": "Vous avez peut-être déjà reçu cette lettre",
        "nl": "Misschien hebt u deze brief al ontvangen",
        "de": "Möglicherweise haben Sie dieses Schreiben schon erhalten",
    }[case.locale]
    for once, again in zip(as_read(case), as_read(case, again=True), strict=True):
        assert said in again
        assert said not in once


@each_letter
def test_a_letter_holds_the_whole_approved_text_and_the_prescribed_wording(case: Case) -> None:
    for text in as_read(case):
        for paragraph in (*(case.facts["text"] or ()), *(case.facts["prescribed"] or ())):
            assert paragraph in text


AROUND_THE_CLOCK = {
    "en": "24/7, 365 days a year",
    "fr": "24 h/24 et 7 j/7, 365 jours par an",
    "nl": "24 uur per dag, 365 dagen per jaar",
    "de": "rund um die Uhr, an 365 Tagen im Jahr",
}


@each_letter
def test_a_letter_leads_to_customer_service(case: Case) -> None:
    for text in as_read(case):
        assert AROUND_THE_CLOCK[case.locale] in text


@each_language
@pytest.mark.parametrize("notice", ROWS)
def test_every_fact_of_its_row_is_said(notice: str, locale: str) -> None:
    for text in as_read(fullest(notice, locale)):
        for fact in ROWS[notice][locale]:
            assert fact in text


# --- the ombudsman ----------------------------------------------------------------------------------------------------


def ombudsman_facts(licence: str) -> dict[str, Any]:
    """Those of an example under this licence."""
    case = next(case for case in LETTERS if case.facts["licence"] == licence and case.facts["ombudsman_name"])
    shared = {"refer_within", "refer_is_conditional", "approach_after", "binds"}
    return {name: fact for name, fact in case.facts.items() if name.startswith("ombudsman_") or name in shared}


@each_language
@pytest.mark.parametrize("licence", PRINTED)
@pytest.mark.parametrize("notice", ["complaint-final-decision", "complaint-no-decision-yet"])
def test_the_ombudsmans_row_is_said_and_nothing_that_it_does_not_hold(notice: str, licence: str, locale: str) -> None:
    for text in as_read(fullest(notice, locale), **ombudsman_facts(licence)):
        for fact in (*PRINTED[licence], *SAID[locale][licence]):
            assert fact in text
        for other in SAID[locale].keys() - {licence}:
            assert all(fact in SAID[locale][licence] or fact not in text for fact in SAID[locale][other])


@each_language
def test_without_an_ombudsman_no_sentence_speaks_of_one(locale: str) -> None:
    for text in as_read(fullest("complaint-no-decision-yet", locale)):
        body = text.partition("----")[0]
        assert "mbuds" not in body.partition(AROUND_THE_CLOCK[locale])[0]


def test_every_field_of_the_row_has_its_sentence() -> None:
    assert Ombudsman.model_fields.keys() == {
        "name", "address", "email", "website", "phones",
        "refer_within_months", "refer_is_conditional", "approach_after", "binds",
    }  # fmt: skip


# --- single letters ---------------------------------------------------------------------------------------------------


@each_language
def test_an_acknowledgement_without_promises_still_tells_the_weeks(locale: str) -> None:
    weeks = {
        "en": ("four weeks", "eight weeks"),
        "fr": ("quatre semaines", "huit semaines"),
        "nl": ("vier weken", "acht weken"),
        "de": ("vier Wochen", "acht Wochen"),
    }[locale]
    for text in as_read(fullest("complaint-acknowledged", locale), decision_by=None, final_response_by=None):
        assert all(week in text for week in weeks)
        assert "2027" not in text


@each_language
def test_an_obligation_without_words_of_its_own_still_has_its_day(locale: str) -> None:
    day = {"en": "15 March 2027", "fr": "15 mars 2027", "nl": "15 maart 2027", "de": "15. März 2027"}[locale]
    for text in as_read(fullest("complaint-acknowledged", locale), heard_by=["2027-03-15"]):
        assert day in text


def test_what_was_forwarded_in_part_stays_ours_in_part() -> None:
    part = "We have passed a part of it to Example Travel Insurance Ltd"
    assert part in as_read(letter_case("complaint-forwarded", "en", "forwarded-partly"))[0]
    wholly = as_read(letter_case("complaint-forwarded", "en", "forwarded"))[0]
    assert "We have passed it to Example Travel Insurance Ltd" in wholly
    assert part not in wholly


@pytest.mark.parametrize(
    ("lacks", "says"),
    [
        ("letter", "Send the letter by the day above"),
        ("delay-explanation", "Record why there is no decision yet"),
        ("corrected-letter", "A letter has gone out under another licence"),
    ],
)
def test_an_approaching_deadline_says_what_to_do(lacks: str, says: str) -> None:
    assert says in as_read(fullest("deadline-approaching", "en"), lacks=lacks)[0]


@pytest.mark.parametrize(
    ("how", "open_again", "obligation", "says"),
    [
        ("bounced", True, "acknowledgement", "sent by e-mail and came back"),
        ("refused", True, "acknowledgement", "was not taken by"),
        ("bounced", True, "acknowledgement", "The deadline is open again"),
        ("bounced", False, "acknowledgement", "The deadline stays met"),
        ("bounced", False, None, "No deadline depends on it"),
    ],
)
def test_a_bounce_says_what_it_means(how: str, obligation: str | None, says: str, *, open_again: bool) -> None:
    case = fullest("letter-bounced", "en")
    assert says in as_read(case, how=how, open_again=open_again, obligation=obligation)[0]


def test_a_letter_that_is_missing_a_fact_is_not_sent() -> None:
    case = fullest("complaint-acknowledged", "en")
    facts = {name: fact for name, fact in case.facts.items() if name != "received_on"}
    with pytest.raises(ComposeError, match="received_on"):
        composer().email("complaint-acknowledged", BRAND, "en", facts)
