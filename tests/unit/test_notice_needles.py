"""What each notice to a member owes its reader, in every language."""

from typing import Any

import pytest

from schemas.topics import DATA_OF_TYPE
from services.notifier import formats
from services.notifier.brands import load_brands
from services.notifier.catalogue import CATALOGUE
from services.notifier.compose import Composer
from services.notifier.mime import Email
from tests.support.notice_needles import CARD, CIGNA_ALONE, DEPENDS, NAMES_NOBODY, REFERENCE, SAID
from tests.support.notices import Case, cases, composer
from tests.support.pages import Page

CASES = [case for case in cases() if case.notice in SAID]
LANGUAGES = ("en", "fr", "nl", "de")
EVENT_OF = {notice.name: notice.on for notice in CATALOGUE}
SEVEN_DAYS = {"en": "seven days", "fr": "sept jours", "nl": "zeven dagen", "de": "sieben Tage"}
NOTICES = {notice.name: notice for notice in CATALOGUE}
PHONE = "+32 3 217 68 68"

each_mail = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
each_security_mail = pytest.mark.parametrize(
    "case", [case for case in CASES if NOTICES[case.notice].lane == "security"], ids=lambda case: case.id
)
each_language = pytest.mark.parametrize("locale", LANGUAGES)


def rendered(case: Case, **changes: Any) -> Email:
    return composer().email(*case.key, {**case.facts, **changes})


def as_read(email: Email) -> tuple[str, str]:
    """The text part and the words of the HTML, each with plain spaces."""
    return " ".join(email.text.replace("\u00a0", " ").split()), Page(email.html.replace("\u00a0", " ")).text


def mail(notice: str, locale: str) -> Case:
    return next(case for case in CASES if (case.notice, case.locale, case.example) == (notice, locale, ""))


def test_every_notice_of_the_table_is_rendered_in_every_language() -> None:
    assert {(case.notice, case.locale) for case in CASES} == {(n, loc) for n in SAID for loc in LANGUAGES}


@each_mail
def test_every_mail_says_what_its_row_asks_for(case: Case) -> None:
    without_number = case.facts["personal_reference_number"] is None
    owed = [*SAID[case.notice][case.locale], PHONE]
    if case.brand != "cigna-healthcare":
        owed.remove(PHONE)
        del owed[CIGNA_ALONE.get(case.notice, slice(0))]
    for text in as_read(rendered(case)):
        for said in owed:
            assert said in text or (without_number and said in REFERENCE[case.locale])


@each_mail
def test_every_fact_of_the_event_is_shown(case: Case) -> None:
    email = rendered(case)
    for name in DATA_OF_TYPE[EVENT_OF[case.notice]].model_fields:
        fact = str(case.facts.get(name))
        for text in as_read(email):
            if name.endswith("_at"):
                assert formats.when(fact, case.locale, case.facts["time_zone"]).replace("\u00a0", " ") in text
            elif name.endswith("_on"):
                assert formats.day(fact, case.locale).replace("\u00a0", " ") in text
        if name == "url":
            assert f"\n{fact}\n" in email.text
            assert Page(email.html).links == [fact]


@each_language
@pytest.mark.parametrize("notice", DEPENDS)
def test_what_depends_on_a_fact_is_said_then_and_only_then(notice: str, locale: str) -> None:
    name, values = DEPENDS[notice]
    for value in {*values, False} if notice == "welcome" else values:
        for text in as_read(rendered(mail(notice, locale), **{name: value})):
            for other, said in values.items():
                assert (said[locale] in text) == (other == value)


@each_mail
def test_a_subject_has_room_on_a_phone(case: Case) -> None:
    assert len(rendered(case).subject) <= 70


@each_language
def test_a_member_without_a_card_reads_of_none(locale: str) -> None:
    case = mail("welcome", locale)
    for text in as_read(rendered(case, has_card=False)):
        assert CARD[locale] not in text.lower()
        assert case.facts["personal_reference_number"] in text
        assert REFERENCE[locale] in text


@each_language
def test_a_member_without_a_reference_number_reads_of_none(locale: str) -> None:
    for text in as_read(rendered(mail("welcome", locale), personal_reference_number=None)):
        assert REFERENCE[locale].lower() not in text.lower()
        assert CARD[locale] not in text.lower()


@each_language
@pytest.mark.parametrize("notice", sorted(NAMES_NOBODY))
def test_a_mail_that_a_relative_may_have_asked_for_names_nobody(notice: str, locale: str) -> None:
    case = mail(notice, locale)
    named = rendered(case, name="Amara Okafor", personal_reference_number="048/151623842")
    assert named == rendered(case, name=None, personal_reference_number=None)
    assert "Okafor" not in f"{named.subject}{named.text}{named.html}"


@each_security_mail
def test_who_reads_it_at_the_previous_address_is_told_why(case: Case) -> None:
    usual, previous = (" ".join(as_read(rendered(case, role=role))) for role in (case.role, "previous"))
    assert SEVEN_DAYS[case.locale] in previous
    assert SEVEN_DAYS[case.locale] not in usual


@each_mail
def test_a_brand_without_phone_or_form_gets_no_sentence_about_one(case: Case) -> None:
    brand = load_brands()[case.brand]
    silent = brand.help.model_copy(update={"phone": None, "missing_mail_minutes": None, "forms": frozenset()})
    loaded = Composer.load([case.key], brands={brand.id: brand.model_copy(update={"help": silent})})
    text = loaded.email(*case.key, case.facts).text.lower()
    for word in ("call us", "assistance form", "appele", "formulaire", "bel ons", "bellen", "formulier", "anrufen"):
        assert word not in text
    assert "rufen sie" not in text
    assert "formular" not in text
