"""What every message owes its reader, and what stops a start."""

from pathlib import Path
from typing import Any

import pytest

from services.notifier.brands import Brand, load_brands
from services.notifier.compiling import TemplatesError
from services.notifier.compose import ComposeError, Composer
from services.notifier.mime import Email
from services.notifier.sms_text import Parts, sms_parts
from services.notifier.sources import TEMPLATES
from tests.support.notices import Case, cases, composer
from tests.support.pages import Page

MAILS = [case for case in cases() if case.channel == "email"]
TEXTS = [case for case in cases() if case.channel == "sms"]
PHONE = "+32 3 217 68 68"
IMPRINT = "Cigna European Services (UK) Limited, 13th Floor, 5 Aldermanbury Square, London EC2V 7HR"

each_mail = pytest.mark.parametrize("case", MAILS, ids=lambda case: case.id)
each_text = pytest.mark.parametrize("case", TEXTS, ids=lambda case: case.id)


def rendered(case: Case, **changes: Any) -> Email:
    return composer().email(*case.key, {**case.facts, **changes})


def mail(notice: str, locale: str = "en", role: str = "", example: str = "", brand: str = "cigna-healthcare") -> Case:
    (found,) = (
        case
        for case in MAILS
        if (*case.key, case.example) == (notice, brand, locale, example) and role in {"", case.role}
    )
    return found


def brand_of(case: Case) -> Brand:
    return load_brands()[case.brand]


# --- every mail -------------------------------------------------------------------------------------------------------


@each_mail
def test_only_a_mail_that_was_asked_for_holds_a_link(case: Case) -> None:
    """And of the two addresses that are kept apart, the page where they are."""
    links = [case.facts["url"]] if "url" in case.facts else []
    if case.notice == "verify-email-address" and case.facts["purpose"] != "registration":
        links.append("https://my.cm.example.test/communication-preferences")
    assert Page(rendered(case).html).links == links


@each_mail
def test_layout_tables_are_no_tables_to_a_screen_reader(case: Case) -> None:
    tables = Page(rendered(case).html).attributes["table"]
    assert {table.get("role") for table in tables if table.get("class") != "facts"} == {"presentation"}


@each_mail
def test_it_adapts_to_dark_mode_and_to_a_phone(case: Case) -> None:
    html = rendered(case).html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert html.count("@media (prefers-color-scheme:dark){") == 1
    assert html.count("@media (max-width:600px){") == 1
    card = brand_of(case).colours.dark.card
    assert f"[data-ogsc] .column{{background-color:{card} !important}}" in html


@each_mail
def test_it_says_where_help_is_who_sent_it_and_how_to_check_that(case: Case) -> None:
    email = rendered(case)
    heading = {
        "en": "How to check that this e-mail is real",
        "fr": "Comment vérifier que cet e-mail vient bien de nous",
        "nl": "Hoe controleert u of deze e-mail echt is?",
        "de": "So prüfen Sie, ob diese E-Mail echt ist",
    }
    never = {
        "en": "We never ask you by e-mail to send us personal details",
        "fr": "Nous ne vous demandons jamais par e-mail",
        "nl": "Wij vragen u nooit per e-mail om ons persoonlijke gegevens te sturen",
        "de": "Wir bitten Sie nie per E-Mail, uns persönliche Daten zu senden",
    }
    forms = {
        "en": "the log-in assistance form",
        "fr": "le formulaire d\u2019aide à la connexion",
        "nl": "het formulier voor hulp bij het inloggen",
        "de": "das Formular für Hilfe bei der Anmeldung",
    }
    for text in (email.text, Page(email.html).text):
        for fact in (heading[case.locale], never[case.locale]):
            assert fact in text
        for fact in (PHONE, IMPRINT, "00199739", forms[case.locale]):
            assert (fact in text) == (case.brand == "cigna-healthcare")


@each_mail
def test_an_event_cannot_choose_brand_or_language(case: Case) -> None:
    assert rendered(case, brand="evil", locale="it") == rendered(case)


# --- single notices ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "until"),
    [
        ("en", "15 minutes, until 09:29"),
        ("fr", "15 minutes, jusqu\u2019à 09:29"),
        ("nl", "15 minuten geldig, tot 09:29"),
        ("de", "15 Minuten gültig, bis 09:29"),
    ],
)
def test_a_code_mail_holds_code_link_and_how_long_they_last(locale: str, until: str) -> None:
    case = mail("one-time-verification-code", locale)
    email = rendered(case)
    assert Page(email.html).links == [case.facts["url"]]
    assert f"\n{case.facts['url']}\n" in email.text
    for text in (email.text, Page(email.html).text):
        assert case.facts["code"] in text
        assert until in text


@pytest.mark.parametrize(
    ("locale", "says"),
    [
        ("en", "One-time verification code"),
        ("fr", "Code de vérification à usage unique"),
        ("nl", "Eenmalige verificatiecode"),
        ("de", "Bestätigungscode zur einmaligen Verwendung"),
    ],
)
def test_subjects_of_the_code_mail(locale: str, says: str) -> None:
    assert rendered(mail("one-time-verification-code", locale)).subject == f"Cigna Healthcare | {says}"


@pytest.mark.parametrize(
    "notice",
    ["one-time-verification-code", "password-changed", "change-your-password", "password-reset", "unlock-account"],
)
@pytest.mark.parametrize(
    ("locale", "facts"),
    [
        ("en", ("30 minutes", "mailbox is not full", "spam folder", "safe senders")),
        ("fr", ("30 minutes", "réception n\u2019est pas pleine", "indésirables", "expéditeurs approuvés")),
        ("nl", ("30 minuten", "mailbox niet vol is", "ongewenste e-mail", "veilige afzenders")),
        ("de", ("30 Minuten", "Postfach voll ist", "Spam-Ordner", "sicheren Absendern")),
    ],
)
def test_password_and_code_mails_help_with_mail_that_does_not_arrive(
    notice: str, locale: str, facts: tuple[str, ...]
) -> None:
    text = rendered(mail(notice, locale)).text
    for fact in (*facts, "@cignahealthcare.com"):
        assert fact in text


def test_a_new_sign_on_tells_when_where_and_the_90_days() -> None:
    text = rendered(mail("new-sign-on")).text
    assert "When: Sunday, 22 November 2026 at 09:16 (Central European Standard Time)\n" in text
    assert "Browser: Firefox 145\nSystem: Windows 11\nWhere from: Antwerp, Belgium\n" in text
    assert "the second step, such as a code, for 90 days" in text
    for locale, days in {"fr": "90 jours", "nl": "90 dagen", "de": "90 Tage"}.items():
        assert days in rendered(mail("new-sign-on", locale)).text


def test_what_is_not_known_of_a_sign_on_has_no_row() -> None:
    email = rendered(mail("new-sign-on", example="minimal"))
    for row in ("Browser", "System", "Where from"):
        assert f"{row}:" not in email.text
        assert f">{row}<" not in email.html


def test_old_and_new_address_are_each_told_which_they_are() -> None:
    old, new = (rendered(mail("email-address-changed", role=role)) for role in ("old", "new"))
    earlier = rendered(mail("email-address-changed", role="new"), role="previous")
    assert "This message goes to an earlier address of yours." in earlier.text
    assert "your old address." not in earlier.text
    assert "This message goes to your old address." in old.text
    assert "This message goes to your new address." in new.text
    assert "your new address. We have written to your old address as well" in new.text


@pytest.mark.parametrize(
    ("which", "sentence", "sign_in"),
    [
        ("login", "The e-mail address with which you sign in to www.cignahealthbenefits.com was changed.", True),
        ("communication", "The e-mail address to which we write to you was changed.", False),
        ("only", "and to which we write to you.", True),
    ],
)
def test_which_address_was_changed_is_told(which: str, sentence: str, *, sign_in: bool) -> None:
    text = rendered(mail("email-address-changed", role="new"), which=which).text
    assert sentence in text
    assert ("From now on, sign in with your new address." in text) == sign_in


def test_a_method_is_told_with_the_end_of_its_phone() -> None:
    assert (
        "Method: Code by text message\nPhone number ends in: 23\nWhen: "
        in rendered(mail("security-method-enrolled")).text
    )
    plain = rendered(mail("security-method-enrolled", "fr", example="minimal")).text
    assert "Méthode\u00a0: Application d\u2019authentification\nQuand\u00a0: " in plain


# --- SMS --------------------------------------------------------------------------------------------------------------


@each_text
@pytest.mark.parametrize("code", ["123456", "ABCD-1234567"])
def test_a_code_by_sms_is_one_part_for_autofill_without_a_link(case: Case, code: str) -> None:
    text = composer().sms(*case.key, {**case.facts, "code": code})
    assert sms_parts(text) == Parts("GSM-7", 1)
    assert text.endswith(f"\n\n@{brand_of(case).links.portal_host} #{code}")
    assert text.startswith(f"{code} ")
    assert "15 minut" in text.lower()
    assert "://" not in text


def test_a_notice_without_sms_says_so() -> None:
    with pytest.raises(ComposeError, match="no section sms"):
        composer().sms("password-changed", "cigna-healthcare", "en", {})


# --- facts that are missing -------------------------------------------------------------------------------------------


def test_a_fact_that_is_missing_or_absent_stops_the_mail_not_the_process() -> None:
    case = mail("password-changed")
    facts = {name: fact for name, fact in case.facts.items() if name != "changed_at"}
    with pytest.raises(ComposeError, match=r"password-changed/cigna-healthcare/en"):
        composer().email(*case.key, facts)
    with pytest.raises(ComposeError, match="absent fact"):
        composer().email(
            *mail("one-time-verification-code").key, {**mail("one-time-verification-code").facts, "code": None}
        )


def test_an_error_holds_no_value() -> None:
    case = mail("password-changed")
    with pytest.raises(ComposeError) as caught:
        composer().email(*case.key, {**case.facts, "changed_at": "secret-482913"})
    assert "482913" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_was_not_loaded_is_refused() -> None:
    with pytest.raises(ComposeError, match="not loaded"):
        composer().email("password-changed", "cigna-healthcare", "xx", {})


def test_no_members_line_is_remembered() -> None:
    email = rendered(mail("one-time-verification-code"))
    constant = "\n".join(email.constant)
    assert "482913" not in constant
    assert "Okafor" not in constant
    # Else every mail would pay for encoding what never changes.
    varying = [line for line in email.html.split("\n") if line not in email.constant]
    assert len(varying) <= 12


# --- at load ----------------------------------------------------------------------------------------------------------

GOOD = """\
=== subject ===
{{ brand.name }} | Test

=== preheader ===
Test

=== mail ===
# Test

- **When:** {{ changed_at | when }}
"""


def problems_of(folder: Path, text: str, locale: str = "en") -> tuple[str, ...]:
    (folder / "_shared").mkdir()
    (folder / "_shared" / "en.md").write_text((TEMPLATES / "_shared" / "en.md").read_text("utf-8"), "utf-8")
    (folder / "test").mkdir()
    (folder / "test" / "en.md").write_text(text, "utf-8")
    known = {"test": frozenset({"changed_at", "time_zone", "name"})}
    with pytest.raises(TemplatesError) as caught:
        Composer.load([("test", "cigna-healthcare", locale)], known=known, templates=folder)
    return caught.value.problems


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("changed_at", "changed", "mail.html: no fact is called changed; did you mean changed_at?"),
        ("| when", "| whn", "no filter or test is called whn; did you mean when?"),
        ("# Test", "{% if name is defind %}x{% endif %}", "no filter or test is called defind; did you mean defined?"),
        ("# Test", "# {{ brand.nam }}", "no fact of a brand is called brand.nam; did you mean name?"),
        ("# Test", "# {{ name.x", "unexpected"),
        ("# Test", "{% if name %}\n\n# Test", "endif"),
        (
            "# Test",
            "[here](https://evil.example/x)",
            "a link leads to a host that is not the brand's, or not by https: it has www.",
        ),
        ("# Test", "[here](http://www.cignahealthbenefits.com/x)", "or not by https"),
        ("# Test", "![x](https://www.cignahealthbenefits.com/x.png)", "mail has no form for image"),
        ("# Test", "#### Test", "mail has no form for heading h4"),
        ("# Test", '{% include "greetings" %}', "no shared section greetings; did you mean greeting?"),
        ("=== preheader ===\nTest\n", "", "section preheader is missing"),
        ("=== preheader ===", "=== preview ===", "section preheader is missing"),
        ("=== mail ===", "=== extra ===\nx\n\n=== mail ===", "section extra is unknown"),
        ("=== mail ===", "=== sms ===\nl\u2019été λ\n\n=== mail ===", "not in GSM-7: λ"),
        ("{{ brand.name }} | Test", "{{ brand.name }}\nTest", "subject and preheader are one line each"),
        ("# Test", "# jinja0tag", "a word of our own"),
    ],
)
def test_a_template_that_cannot_be_used_stops_the_start(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in GOOD
    assert any(problem in line and "test/en.md" in line for line in problems_of(tmp_path, GOOD.replace(old, new)))


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wanted = [
        ("password-changed", "cigna-healthcare", "it"),
        ("password-changed", "acme", "en"),
        ("no-such-notice", "cigna-healthcare", "en"),
        ("no-such-notice", "cigna-healthcare", "fr"),
    ]
    with pytest.raises(TemplatesError) as caught:
        Composer.load(wanted)
    assert caught.value.problems == (
        "password-changed: cigna-healthcare does not speak it",
        "password-changed: no brand acme",
        "no-such-notice/en.md: the file is missing",
        "no-such-notice/fr.md: the file is missing",
    )


def test_a_brand_without_a_phone_gets_no_sentence_about_one() -> None:
    brand = load_brands()["cigna-healthcare"]
    silent = brand.model_copy(
        update={"help": brand.help.model_copy(update={"phone": None, "missing_mail_minutes": None})}
    )
    case = mail("password-changed")
    loaded = Composer.load([case.key], brands={brand.id: silent})
    text = loaded.email(*case.key, case.facts).text
    assert "Call us" not in text
    assert "call us" not in text
    assert "30 minutes" not in text
    assert "ask for it again" in text
