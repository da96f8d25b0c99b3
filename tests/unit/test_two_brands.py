"""Each brand says its own facts and no other's; what the notices of one brand alone must say, in each language."""

import re

import pytest

from services.notifier.brands import load_brands
from services.notifier.catalogue import CATALOGUE
from services.notifier.compose import Composer
from tests.support.notices import Case, cases, composer
from tests.support.pages import Page

each_case = pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)

NOT_OF = {
    "cm": (
        r"217 ?68 ?68|\b90\b|\b30 (min|Min)|(?i:cigna)|Aldermanbury|00199739"
        r"|(?i:membership card|carte de membre|carte d.affili|lidkaart|mitgliedskarte)"
        r"|(?i:log-in assistance|aide à la connexion|hulp bij het inloggen|hilfe bei der anmeldung)"
    ),
    "cigna-healthcare": r"My CM|(?i:\bitsme\b)|my-cm\.example|my\.cm\.example|\bCM\b",
}


def said(case: Case) -> tuple[str, ...]:
    """All that a reader can see, and the links."""
    if case.channel == "sms":
        return (composer().sms(*case.key, case.facts),)
    email = composer().email(*case.key, case.facts)
    page = Page(email.html)
    return tuple(part.replace("\u00a0", " ") for part in (email.subject, email.text, page.text, *page.links))


def text(notice: str, locale: str, example: str = "", **changes: str) -> str:
    (case,) = (
        case
        for case in cases()
        if case.key == (notice, "cm", locale) and case.example == example and case.role != "old"
    )
    email = composer().email(*case.key, {**case.facts, **changes})
    return f"{email.subject}\n{email.text}".replace("\u00a0", " ")


@each_case
def test_a_brand_says_nothing_that_only_the_other_promises(case: Case) -> None:
    for part in said(case):
        assert re.search(NOT_OF[case.brand], part) is None


def test_every_brand_of_the_catalogue_is_compared() -> None:
    """A new one needs a row above: what must not slip into its messages from the others."""
    assert {case.brand for case in cases()} == NOT_OF.keys() == load_brands().keys()


@each_case
def test_a_portal_known_by_name_is_opened_and_an_address_is_typed(case: Case) -> None:
    """`Type My CM into your browser` leads to a search engine, and from there to anybody."""
    types = {
        "en": r"(?i)type \S+( \S+)? into your browser",
        "fr": r"(?i)saisissez (ensuite )?vous-même",
        "nl": r"(?i)\btypt?\b",
        "de": r"(?i)geben sie [^.]* in ihren browser ein",
    }[case.locale]
    opens = {"en": "pen {}", "fr": "uvrez vous-même {}", "nl": "pen zelf {}", "de": "ffnen Sie {} selbst"}[case.locale]
    whole = "\n".join(said(case))
    links = load_brands()[case.brand].links
    by_name = links.portal_address is None
    if case.channel == "email":
        assert (opens.format(links.portal) in whole, re.search(types, whole) is not None) == (by_name, not by_name)


@pytest.mark.parametrize("case", [case for case in cases() if case.channel == "sms"], ids=lambda case: case.id)
def test_the_last_line_of_a_code_by_sms_names_the_brands_own_host(case: Case) -> None:
    host = load_brands()[case.brand].links.portal_host
    assert composer().sms(*case.key, case.facts).splitlines()[-1] == f"@{host} #{case.facts['code']}"


MISSING: dict[str, tuple[str, ...]] = {
    "en": ("Look in your spam folder.", "ask for it again"),
    "fr": ("courriers indésirables", "demandez-le à nouveau"),
    "nl": ("ongewenste e-mail", "vraag hem dan opnieuw aan"),
    "de": ("Spam-Ordner", "fordern Sie sie noch einmal an"),
}
NEEDLES: dict[str, dict[str, tuple[str, ...]]] = {
    "account-locked": {
        "en": ("Open My CM yourself", "choose a new password"),
        "fr": ("Ouvrez vous-même My CM", "un nouveau mot de passe"),
        "nl": ("Open zelf My CM", "een nieuw wachtwoord"),
        "de": ("Öffnen Sie My CM selbst", "ein neues Passwort"),
    },
    "account-secured": {
        "en": ("The connection was successful", "itsme", "website and in the app"),
        "fr": ("La liaison a réussi", "itsme", "le site et dans l\u2019application"),
        "nl": ("De koppeling is gelukt", "itsme", "de website en in de app"),
        "de": ("Die Verknüpfung war erfolgreich", "itsme", "der Website und in der App"),
    },
    "pin-blocked": {
        "en": ("five times", "More → Login options → Pin", "e-mail address and your password", "set a new one"),
        "fr": ("cinq fois", "Plus → Options de connexion → Pin", "adresse e-mail et votre mot de passe", "nouveau"),
        "nl": ("vijf keer", "Meer → Aanmeldopties → Pin", "e-mailadres en uw wachtwoord", "stel een nieuwe in"),
        "de": ("fünfmal", "Mehr → Anmeldeoptionen → Pin", "E-Mail-Adresse und Ihrem Passwort", "eine neue fest"),
    },
    "sign-in-method-changed": {
        "en": ("Way to sign in: Fingerprint", "was set up"),
        "fr": ("Moyen de connexion : Empreinte digitale", "a été ajouté"),
        "nl": ("Aanmeldoptie: Vingerafdruk", "ingesteld"),
        "de": ("Anmeldeoption: Fingerabdruck", "wurde eingerichtet"),
    },
    "bank-account-changed": {
        "en": ("reimbursements", "new account number ends in:", "Was it you?", "direct debit"),
        "fr": ("remboursements", "nouveau numéro de compte se termine par :", "Était-ce vous ?", "domiciliation"),
        "nl": ("terugbetalingen", "nieuwe rekeningnummer eindigt op:", "Was u dit zelf?", "domiciliëring"),
        "de": ("Erstattungen", "neue Kontonummer endet auf:", "Haben Sie das selbst geändert?", "Lastschrift"),
    },
    "one-time-verification-code": MISSING,
    "password-changed": MISSING,
    "verify-email-address": {
        "en": ("Confirm this address\nhttps://", "72 hours", "again on the website",
               "\nLink: https://", *MISSING["en"]),
        "fr": ("Confirmer cette adresse\nhttps://", "72 heures", "à nouveau cet e-mail sur le site.",
               "\nLien : https://", *MISSING["fr"]),
        "nl": ("Dit adres bevestigen\nhttps://", "72 uur", "opnieuw aan op de website", "\nLink: https://",
               *MISSING["nl"]),
        "de": ("Diese Adresse bestätigen\nhttps://", "72 Stunden", "auf der Website noch einmal an",
               "\nLink: https://", *MISSING["de"]),
    },
    "registration-confirmed": {
        "en": ("is confirmed", "electronic identity", "eID", "itsme", "10:01"),
        "fr": ("est confirmée", "identité électronique", "eID", "itsme", "10:01"),
        "nl": ("is bevestigd", "elektronische identiteit", "eID", "itsme", "10:01"),
        "de": ("ist bestätigt", "elektronischen Identität", "eID", "itsme", "10:01"),
    },
    "account-deleted": {
        "en": ("was deleted", "11:22", "If you did not ask for this", "Contact us at once"),
        "fr": ("a été supprimé", "11:22", "Si vous n\u2019avez pas demandé cette suppression",
               "Contactez-nous immédiatement"),
        "nl": ("is verwijderd", "11:22", "Hebt u dit niet zelf gevraagd?", "Neem meteen contact met ons op"),
        "de": ("wurde gelöscht", "11:22", "Wenn Sie das nicht veranlasst haben", "Wenden Sie sich sofort an uns"),
    },
    "email-address-reminder": {
        "en": ("the address that this message was sent to", "Continue to the website\nhttps://", "11:19",
               *MISSING["en"]),
        "fr": ("l\u2019adresse à laquelle ce message est envoyé", "Accéder au site\nhttps://", "11:19",
               *MISSING["fr"]),
        "nl": ("het adres waarop u dit bericht ontvangt", "Verder naar de website\nhttps://", "11:19", *MISSING["nl"]),
        "de": ("die Adresse, an die diese Nachricht geht", "Weiter zur Website\nhttps://", "11:19",
               *MISSING["de"]),
    },
    "benefit-application-received": {
        "en": ("Benefit: Birth allowance\nFor: Noor Peeters\nReceived: Sunday, 22 November 2026 at 12:26",),
        "fr": ("Avantage : Birth allowance\nPour : Noor Peeters\nReçue le : dimanche 22 novembre 2026 à 12:26",),
        "nl": ("Voordeel: Birth allowance\nVoor: Noor Peeters\nOntvangen op: zondag 22 november 2026 om 12:26",),
        "de": ("Leistung: Birth allowance\nFür: Noor Peeters\nEingegangen am: Sonntag, 22. November 2026 um 12:26",),
    },
}  # fmt: skip


@pytest.mark.parametrize("locale", load_brands()["cm"].languages)
@pytest.mark.parametrize("notice", NEEDLES)
def test_a_notice_says_what_is_asked_of_it(notice: str, locale: str) -> None:
    whole = text(notice, locale)
    assert [needle for needle in NEEDLES[notice][locale] if needle not in whole] == []


def test_every_notice_of_this_brand_alone_has_its_needles() -> None:
    assert {notice.name for notice in CATALOGUE if notice.brands == {"cm"}} <= NEEDLES.keys()


@pytest.mark.parametrize("purpose", ["registration", "login", "communication"])
@pytest.mark.parametrize(
    ("locale", "separate", "preferences"),
    [
        ("en", "are separate settings", "You find your communication preferences ({}) in My CM"),
        ("fr", "sont deux réglages distincts", "vos préférences de communication ({}) dans My CM"),
        ("nl", "zijn twee aparte instellingen", "Uw communicatievoorkeuren ({}) vindt u in My CM"),
        ("de", "sind zwei getrennte Einstellungen", "Ihre Kommunikationseinstellungen ({}) finden Sie in My CM"),
    ],
)
def test_two_addresses_are_told_apart_once_there_are_two(
    locale: str, separate: str, preferences: str, purpose: str
) -> None:
    whole = text("verify-email-address", locale, purpose=purpose)
    linked = preferences.format("https://my.cm.example.test/communication-preferences")
    assert (separate in whole) == (linked in whole) == (purpose != "registration")


def test_preferences_without_an_address_are_named_and_not_linked() -> None:
    cm = load_brands()["cm"]
    silent = cm.model_copy(update={"links": cm.links.model_copy(update={"communication_preferences": None})})
    loaded = Composer.load([("verify-email-address", "cm", "en")], brands={"cm": silent})
    (case,) = (case for case in cases() if case.key == ("verify-email-address", "cm", "en") and case.example == "login")
    email = loaded.email(*case.key, case.facts)
    assert "You find your communication preferences in My CM." in email.text
    assert Page(email.html).links == [case.facts["url"]]


NEW_PASSWORD = {
    "en": r"set a new password",
    "fr": r"choisissez un nouveau mot de passe",
    "nl": r"nieuw wachtwoord in",
    "de": r"neues Passwort fest",
}
USUAL_WAY = {
    "en": "Contact us at once, in the way that you usually do.",
    "fr": "Contactez-nous immédiatement, par votre moyen de contact habituel.",
    "nl": "Neem meteen contact met ons op zoals u dat gewoonlijk doet.",
    "de": "Wenden Sie sich sofort an uns, und zwar auf dem gewohnten Weg.",
}
SECURITY = {notice.name for notice in CATALOGUE if notice.lane == "security"}


@pytest.mark.parametrize(
    ("case", "role"),
    [
        pytest.param(case, role, id=f"{case.id}-{role}")
        for case in cases()
        if case.notice in SECURITY and case.variant in {"", "new"}
        for role in ("old", "previous")
        if role == "previous" or case.notice == "email-address-changed"
    ],
)
def test_who_may_have_lost_the_account_is_told_to_contact_us_and_not_to_set_a_password(case: Case, role: str) -> None:
    read = " ".join(composer().email(*case.key, {**case.facts, "role": role}).text.split())
    phone = load_brands()[case.brand].help.phone
    # Of a locked account only the owner can say that it is to be opened, and with a new password.
    if case.notice != "account-locked":
        assert re.search(NEW_PASSWORD[case.locale], read) is None
        assert (USUAL_WAY[case.locale] in read) == (phone is None)
    assert phone is None or phone in read


@pytest.mark.parametrize("locale", load_brands()["cm"].languages)
def test_money_is_saved_by_a_call_before_a_new_password_is_set(locale: str) -> None:
    assert re.search(re.escape(USUAL_WAY[locale]) + ".*" + NEW_PASSWORD[locale], text("bank-account-changed", locale))


@pytest.mark.parametrize("notice", ["verify-email-address", "registration-confirmed", "account-deleted"])
@pytest.mark.parametrize(
    ("locale", "greeting"), [("en", "Hello,"), ("fr", "Bonjour,"), ("nl", "Goedendag,"), ("de", "Guten Tag,")]
)
def test_somebody_who_may_be_no_member_is_greeted_as_anybody(notice: str, locale: str, greeting: str) -> None:
    assert f"\n{greeting}\n" in text(notice, locale, example="minimal")


@pytest.mark.parametrize("locale", load_brands()["cm"].languages)
@pytest.mark.parametrize("notice", ["email-address-reminder", "benefit-application-received"])
def test_a_register_number_is_neither_shown_nor_asked_for(notice: str, locale: str) -> None:
    whole = text(notice, locale, personal_reference_number="85.07.30-033.28")
    assert re.search(r"(?i)85\.07|regist|rijks|national", whole) is None


@each_case
def test_a_subject_is_short(case: Case) -> None:
    if case.channel == "email":
        assert len(composer().email(*case.key, case.facts).subject) <= 70


@pytest.mark.parametrize("case", [case for case in cases() if case.locale == "de"], ids=lambda case: case.id)
def test_german_goes_on_in_lower_case_after_the_comma_of_a_greeting(case: Case) -> None:
    if case.channel == "email":
        after = re.search(r"\nGuten Tag[^\n]*,\n\n(\w+)", composer().email(*case.key, case.facts).text)
        assert after is not None
        assert re.fullmatch(r"[a-zäöü]+|Sie|Ihr(e[nmrs]?)?", after[1])
