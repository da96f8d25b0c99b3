"""What happens to whom, so that every notice of the catalogue leaves: an occasion for each brand and language.

The events are the contract's committed examples, with a reader of their own put in. Nothing here is asked of the
catalogue, the templates or the brands: who is written to, and in which language, is written down by hand.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import schemas
from schemas.envelope import Event, read_event
from schemas.types import Data
from tests.support.notifier import contact

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
"""When everything happens: a Sunday, a little after what the examples tell of."""
EXAMPLES = Path(schemas.__file__).parent / "examples"
DOMAIN = "members.example.test"
LANGUAGES = ("en", "fr", "nl", "de")
CIGNA, CM = "cigna-healthcare", "cm"
SHORT = {CIGNA: "cigna", CM: "cm"}
HOSTS = {CIGNA: "www.cignahealthbenefits.com", CM: "my.cm.example.test"}
NAME = "Zoë Łuczak-Ångström"
NUMBER = "048/151623842"

# notice → its event, the brands of its row, and who gets a copy.
TO_MEMBERS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "one-time-verification-code": ("identity.verification-code-issued.v1", (CIGNA, CM), ("login",)),
    "change-your-password": ("identity.password-change-requested.v1", (CIGNA, CM), ("named",)),
    "password-reset": ("identity.password-reset.v1", (CIGNA, CM), ("login",)),
    "password-changed": ("identity.password-changed.v1", (CIGNA, CM), ("login",)),
    "new-sign-on": ("identity.new-sign-on-detected.v1", (CIGNA, CM), ("login",)),
    "email-address-changed": ("identity.email-address-changed.v1", (CIGNA, CM), ("old", "new")),
    "account-locked": ("identity.account-locked.v1", (CIGNA, CM), ("login",)),
    "unlock-account": ("identity.unlock-requested.v1", (CIGNA,), ("login",)),
    "security-method-enrolled": ("identity.security-method-enrolled.v1", (CIGNA, CM), ("login",)),
    "security-method-reset": ("identity.security-method-reset.v1", (CIGNA, CM), ("login",)),
    "welcome": ("members.welcomed.v1", (CIGNA,), ("login",)),
    "verify-email-address": ("identity.email-verification-requested.v1", (CM,), ("named",)),
    "registration-confirmed": ("members.registration-confirmed.v1", (CM,), ("named",)),
    "account-secured": ("identity.account-secured.v1", (CM,), ("login",)),
    "account-deleted": ("identity.account-deleted.v1", (CM,), ("named",)),
    "email-address-reminder": ("identity.email-reminder-requested.v1", (CM,), ("login",)),
    "pin-blocked": ("identity.pin-blocked.v1", (CM,), ("login",)),
    "sign-in-method-changed": ("identity.sign-in-method-changed.v1", (CM,), ("login",)),
    "portal-access-ends": ("members.portal-access-ending.v1", (CIGNA,), ("communication",)),
    "benefit-application-received": ("members.benefit-application-received.v1", (CM,), ("communication",)),
    "bank-account-changed": ("members.bank-account-changed.v1", (CM,), ("login", "communication")),
}
WITHOUT_CONTACT = frozenset({"verify-email-address", "registration-confirmed", "account-deleted"})
"""Nobody the administration knows yet, or any more: the event alone says brand, language and address."""

# notice → what its event may be for, and the example that shows it.
PURPOSES = {
    "verify-email-address": {"registration": "", "login": ".login", "communication": ".communication"},
}

# notice → example of its event.
LETTERS = {
    "complaint-acknowledged": "complaints.letter-due.v1.acknowledgement",
    "complaint-information-requested": "complaints.letter-due.v1.information-request",
    "complaint-resolved-early": "complaints.letter-due.v1.summary",
    "complaint-still-investigating": "complaints.letter-due.v1.holding",
    "complaint-final-decision": "complaints.letter-due.v1.final",
    "complaint-no-decision-yet": "complaints.letter-due.v1.explanation-without-a-reason",
    "complaint-not-covered": "complaints.letter-due.v1.not-covered",
    "complaint-forwarded": "complaints.letter-due.v1.forwarded",
}
TO_HANDLERS = {
    "deadline-approaching": "complaints.deadline-approaching.v1",
    "deadline-missed": "complaints.deadline-missed.v1",
    "letter-bounced": "complaints.letter-bounced.v1",
}
"""In the language of the brand, whatever the complainant's."""
TO_POST = "complaints.letter-to-post.v1.final"
APPROVED = {
    "en": "We looked into it, \u201cnaïve\u201d as that may sound, and paid the clinic €184.50.",
    "fr": "Nous l\u2019avons examinée\u00a0: 184,50 € ont été payés à Mme Lefèvre-Bœuf.",
    "nl": "Wij hebben dit onderzocht: € 184,50 is betaald aan mevrouw Van Eeckhoutë.",
    "de": "Wir haben das geprüft: 184,50 € gingen an Frau Großmüller, „Straße“ 4.",
}
"""What a person of the complaints team wrote, with what ASCII cannot say."""


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """What is published, and the addresses that are then written to."""

    notice: str
    brand: str
    language: str
    event: Event[Data]
    addresses: dict[str, str]
    """Role → address."""
    contact: Event[Data] | None = None
    """What the administration has said of the member before."""
    url: str | None = None
    """The one secret link that the event brings."""
    post: str | None = None
    """The language of a letter to post."""
    purpose: str = ""
    """What the event is for, where its notice says different things then."""

    @property
    def id(self) -> str:
        return ".".join(filter(None, (self.notice, SHORT[self.brand], self.post or self.language, self.purpose)))


def occasions() -> Iterator[Occasion]:
    for language in LANGUAGES:
        for notice, (type_, brands, roles) in TO_MEMBERS.items():
            for brand in brands:
                for purpose, example in PURPOSES.get(notice, {"": ""}).items():
                    yield _to_member(notice, f"{type_}{example}", brand, language, roles, purpose)
        for notice, example in LETTERS.items():
            yield _letter(notice, example, language)
        yield _to_post(language)
    for notice, example in TO_HANDLERS.items():
        yield _to_handler(notice, example)


def _to_member(  # noqa: PLR0913, PLR0917, RUF100 (a row of the table)
    notice: str, example: str, brand: str, language: str, roles: tuple[str, ...], purpose: str
) -> Occasion:
    stem = ".".join(filter(None, (notice, SHORT[brand], language, purpose)))
    addresses = {role: f"{stem}.{role}@{DOMAIN}" for role in roles}
    document = _example(example)
    data = document["data"]
    lives = {"expires_at": _moved(data["expires_at"], document["time"])} if "expires_at" in data else {}
    url = data["url"].replace(HOSTS[CIGNA], HOSTS[brand]).replace(HOSTS[CM], HOSTS[brand]) if "url" in data else None
    named = {"email": addresses.get("named"), "old": addresses.get("old"), "new": addresses.get("new")}
    more = {"brand": brand, "locale": language, "url": url, **named, **lives}
    # Only what the example has: a contact decides where the event says nothing.
    data |= {name: value for name, value in more.items() if name in data}
    event = read_event({**document, "id": f"mta-{stem}", "subject": f"m-{stem}", "time": NOW.isoformat()})
    known = contact(
        event.subject,
        brand=brand,
        language=language,
        login_email=f"{stem}.login@{DOMAIN}",
        communication_email=f"{stem}.communication@{DOMAIN}",
        phones=["+447700900123"],
        name=NAME,
        personal_reference_number=NUMBER,
        has_card=True,
        time_zone="Europe/Brussels",
    )
    return Occasion(
        notice=notice,
        brand=brand,
        language=language,
        event=event,
        addresses=addresses,
        contact=None if notice in WITHOUT_CONTACT and purpose in {"", "registration"} else known,
        url=url,
        purpose=purpose,
    )


def _letter(notice: str, example: str, language: str) -> Occasion:
    address = f"{notice}.cigna.{language}@{DOMAIN}"
    event = _of_complaint(notice, example, language, email=address)
    return Occasion(notice=notice, brand=CIGNA, language=language, event=event, addresses={"complainant": address})


def _to_post(language: str) -> Occasion:
    """The handler reads English, the complainant `language`."""
    address = f"letter-to-post.cigna.{language}@{DOMAIN}"
    event = _of_complaint("letter-to-post", TO_POST, language, handler=address)
    whom = {"handler": address}
    return Occasion(notice="letter-to-post", brand=CIGNA, language="en", event=event, addresses=whom, post=language)


def _to_handler(notice: str, example: str) -> Occasion:
    address = f"{notice}.cigna.en@{DOMAIN}"
    event = _of_complaint(notice, example, "en", handler=address)
    return Occasion(notice=notice, brand=CIGNA, language="en", event=event, addresses={"handler": address})


def _of_complaint(
    notice: str, example: str, language: str, *, email: str | None = None, handler: str | None = None
) -> Event[Data]:
    document = _example(example)
    data = document["data"]
    if "complainant" in data:
        data["complainant"] |= {"locale": language, "name": NAME} | ({"email": email} if email else {})
    if "letter" in data and "complainant" in data and notice != "complaint-still-investigating":
        data["text"] = {language: APPROVED[language]}
    if handler is not None:
        data["handler"] = {"name": "Robin Lindqvist", "email": handler}
    subject = f"c-{notice}-{language}"
    return read_event({**document, "id": f"mta-{subject}/1", "subject": subject, "time": NOW.isoformat()})


def _moved(expires_at: str, time: str) -> str:
    """It lives as long as the example's does, from `NOW` on."""
    return (NOW + (_instant(expires_at) - _instant(time))).isoformat()


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _example(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
    return document
