"""Facts that the business promised its members, and in which messages: a template, a shared text or a brand that no
longer says one is caught, in every language and in every part."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.notifier.catalogue import CATALOGUE
from services.notifier.letters import NOTICE_OF_LETTER
from services.notifier.samples import Sample
from tests.support.notice_needles import REFERENCE

CIGNA = "cigna-healthcare"
PHONE = "+32 3 217 68 68"
IMPRINT = (
    "Cigna European Services (UK) Limited, 13th Floor, 5 Aldermanbury Square, London EC2V 7HR, "
    "registered in England and Wales, number 00199739"
)
NEVER_ASKED = {
    "en": "We never ask you by e-mail to send us personal details or to change them.",
    "fr": "Nous ne vous demandons jamais par e-mail de nous envoyer des données personnelles ni de les modifier.",
    "nl": "Wij vragen u nooit per e-mail om ons persoonlijke gegevens te sturen of om die te wijzigen.",
    "de": "Wir bitten Sie nie per E-Mail, uns persönliche Daten zu senden oder diese zu ändern.",
}
MINUTES = {"en": "minutes", "fr": "minutes", "nl": "minuten", "de": "Minuten"}
HOURS = {"en": "hours", "fr": "heures", "nl": "uur", "de": "Stunden"}
DAYS = {"en": "days", "fr": "jours", "nl": "dagen", "de": "Tage"}
MONTHS = {"en": "months", "fr": "mois", "nl": "maanden", "de": "Monate"}
PREFERENCES = {
    "en": "communication preferences",
    "fr": "préférences de communication",
    "nl": "communicatievoorkeuren",
    "de": "Kommunikationseinstellungen",
}
CALL_US = {
    "en": f"Call us at once on {PHONE}.",
    "fr": f"Appelez-nous immédiatement au {PHONE}.",
    "nl": f"Bel ons meteen op {PHONE}.",
    "de": f"Rufen Sie uns sofort an: {PHONE}.",
}
CONTACT_US = {
    "en": "Contact us at once, in the way that you usually do.",
    "fr": "Contactez-nous immédiatement, par votre moyen de contact habituel.",
    "nl": "Neem meteen contact met ons op zoals u dat gewoonlijk doet.",
    "de": "Wenden Sie sich sofort an uns, und zwar auf dem gewohnten Weg.",
}
MAY_NOT_ARRIVE = frozenset(
    {"one-time-verification-code", "change-your-password", "unlock-account", "password-reset", "password-changed"}
)
"""Notices that say what to do when nothing comes."""
TO_MEMBERS = frozenset(notice.name for notice in CATALOGUE if notice.lane != "letters")
LETTERS = frozenset(NOTICE_OF_LETTER.values())
NAME_THE_OMBUDSMAN = frozenset(
    {"complaint-resolved-early", "complaint-final-decision", "complaint-no-decision-yet", "complaint-forwarded"}
)


@dataclass(frozen=True, slots=True)
class Owed:
    """A fact, and the words in which this message has to say it: none where it is not owed."""

    fact: str
    words: Callable[[Sample], Iterator[str]]


def plain(text: str) -> str:
    """With single spaces that may break."""
    return " ".join(text.split())


def _fifteen_minutes(sample: Sample) -> Iterator[str]:
    if sample.notice == "one-time-verification-code":
        yield f"{10 if sample.example == 'another-purpose' else 15} {MINUTES[sample.locale]}"


def _seventy_two_hours(sample: Sample) -> Iterator[str]:
    if sample.notice == "verify-email-address":
        yield f"72 {HOURS[sample.locale]}"


def _ninety_days(sample: Sample) -> Iterator[str]:
    if sample.notice == "new-sign-on" and sample.brand == CIGNA:
        yield f"90 {DAYS[sample.locale]}"


def _twenty_four_months(sample: Sample) -> Iterator[str]:
    if sample.notice == "portal-access-ends":
        yield f"24 {MONTHS[sample.locale]}"


def _thirty_days(sample: Sample) -> Iterator[str]:
    if sample.notice == "portal-access-ends" and sample.example == "reminder" and sample.facts["reminder"]:
        yield f"30 {DAYS[sample.locale]}"


def _preferences(sample: Sample) -> Iterator[str]:
    if sample.notice == "verify-email-address" and sample.facts["purpose"] != "registration":
        yield PREFERENCES[sample.locale]
        yield "https://my.cm.example.test/communication-preferences"


def _at_once(sample: Sample) -> Iterator[str]:
    """Who no longer has the account cannot set a new password; and money is gone before one is set."""
    if sample.notice in {"email-address-changed", "bank-account-changed"}:
        yield CALL_US[sample.locale] if sample.brand == CIGNA else CONTACT_US[sample.locale]


def _thirty_minutes(sample: Sample) -> Iterator[str]:
    if sample.notice in MAY_NOT_ARRIVE and sample.brand == CIGNA and sample.channel == "email":
        yield f"30 {MINUTES[sample.locale]}"


def _reference_number(sample: Sample) -> Iterator[str]:
    if sample.notice == "welcome" and sample.facts["personal_reference_number"]:
        yield f"{REFERENCE[sample.locale]}"
        yield str(sample.facts["personal_reference_number"])
    elif sample.notice in LETTERS and sample.facts["reference"]:
        yield str(sample.facts["reference"])


def _help_phone(sample: Sample) -> Iterator[str]:
    if sample.brand == CIGNA and sample.channel == "email":
        yield PHONE


def _imprint(sample: Sample) -> Iterator[str]:
    if sample.brand == CIGNA and sample.channel == "email":
        yield IMPRINT


def _ombudsman(sample: Sample) -> Iterator[str]:
    if sample.notice in NAME_THE_OMBUDSMAN and sample.facts["ombudsman_name"]:
        for name in ("name", "address", "email", "website", "phones", "phones_at_home", "phones_from_abroad"):
            value = sample.facts[f"ombudsman_{name}"]
            yield from map(str, value if isinstance(value, list) else [value or ""])


def _warning(sample: Sample) -> Iterator[str]:
    if sample.channel == "email":
        yield NEVER_ASKED[sample.locale]


OWED = (
    Owed("15 minutes", _fifteen_minutes),
    Owed("72 hours", _seventy_two_hours),
    Owed("90 days", _ninety_days),
    Owed("24 months", _twenty_four_months),
    Owed("30 days", _thirty_days),
    Owed("the communication preferences", _preferences),
    Owed("to contact us at once", _at_once),
    Owed("30 minutes", _thirty_minutes),
    Owed("the reference number", _reference_number),
    Owed("the help phone", _help_phone),
    Owed("the imprint", _imprint),
    Owed("the ombudsman", _ombudsman),
    Owed("the warning against phishing", _warning),
)
