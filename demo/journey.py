"""The journey as a table: who they are, what happens to them, and which copies of which notice each must then get.

A new notice is a row here. Nobody in it exists: phone numbers are from the ranges kept free for fiction (Ofcom, Arcep),
addresses from example.test (RFC 6761). A value that is a function is asked when its event happens.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

CODE_LIVES = timedelta(minutes=15)


class Who(Protocol):
    """What a value may ask of a member."""

    @property
    def login_email(self) -> str: ...
    @property
    def phones(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Here:
    """What a value may depend on: whose event it is, when it happens, and a link of this demo's own."""

    who: Who
    now: datetime
    link: str


@dataclass(frozen=True, slots=True)
class Step:
    """An event, the notice that it causes, and whom it must reach: the roles of the copies, `inbox` for the portal."""

    who: str
    on: str
    notice: str
    to: tuple[str, ...]
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Posted:
    """What a provider posts of somebody: a sample, the notice that each event in it causes (empty: none), and what
    stands in it instead of what the sample says."""

    who: str
    provider: str
    sample: str
    notices: tuple[str, ...]
    instead: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """What is told, and what happens meanwhile."""

    text: str
    steps: tuple[Step, ...]


# --- values -----------------------------------------------------------------------------------------------------------


def now(here: Here) -> datetime:
    return here.now


def in_minutes(here: Here) -> datetime:
    return here.now + CODE_LIVES


def in_an_hour(here: Here) -> datetime:
    return here.now + timedelta(hours=1)


def in_72_hours(here: Here) -> datetime:
    return here.now + timedelta(hours=72)


def link(here: Here) -> str:
    return here.link


def code(here: Here) -> str:
    return f"{here.now.microsecond:06}"


def login(here: Here) -> str:
    return here.who.login_email


def phone(here: Here) -> str:
    return here.who.phones[0]


def second_phone(here: Here) -> str:
    return here.who.phones[1]


def month_end(here: Here) -> date:
    """The last day of the month before."""
    return here.now.astimezone(UTC).date().replace(day=1) - timedelta(days=1)


def of(data: Mapping[str, Any], here: Here) -> dict[str, Any]:
    """The data of an event, each value asked."""
    return {name: value(here) if callable(value) else value for name, value in data.items()}


# --- people -----------------------------------------------------------------------------------------------------------

CIGNA, CM = "cigna-healthcare", "cm"

PEOPLE: Mapping[str, Mapping[str, Any]] = {
    "grace": {
        "name": "Grace Hartley", "brand": CIGNA, "language": "en", "time_zone": "Europe/London",
        "login_email": "grace.hartley@example.test", "communication_email": "letters.hartley@example.test",
        "phones": ("+447700900142", "+447700900143"), "reference": "048/151623842", "has_card": True,
    },
    "elodie": {
        "name": "Élodie Marchand", "brand": CIGNA, "language": "fr", "time_zone": "Europe/Paris",
        "login_email": "elodie.marchand@example.test", "phones": ("+33639980117",), "reference": "048/271828182",
    },
    "noor": {
        "name": "Noor van den Bogaert-El Idrissi", "brand": CIGNA, "language": "nl",
        "login_email": "noor.elidrissi@example.test", "reference": "048/314159265",
    },
    "juergen": {
        "name": "Jürgen Weißhaupt", "brand": CIGNA, "language": "de", "time_zone": "Europe/Berlin",
        "login_email": "juergen.weisshaupt@example.test", "communication_email": "post.weisshaupt@example.test",
        "reference": "048/161803398", "has_card": True,
    },
    "eleni": {  # Greek is none of the brand's languages: it falls back to its first one
        "name": "Ελένη Παπαδοπούλου", "brand": CIGNA, "language": "el", "reads": "en", "time_zone": "Europe/Athens",
        "login_email": "eleni.papadopoulou@example.test", "reference": "048/141421356",
    },
    "lotte": {
        "name": "Lotte Peeters", "brand": CM, "language": "nl",
        "login_email": "lotte.peeters@example.test", "communication_email": "gezin.peeters@example.test",
        "phones": ("+447700900171",),
    },
    "zoe": {
        "name": "Zoé Lefèvre", "brand": CM, "language": "fr",
        "login_email": "zoe.lefevre@example.test", "phones": ("+33639980118", "+33639980119"),
    },
    "soeren": {
        "name": "Sören Großjean", "brand": CM, "language": "de", "login_email": "soeren.grossjean@example.test",
        "communication_email": "familie.grossjean@example.test",
    },
    "olena": {
        "name": "Олена Шевчук", "brand": CM, "language": "en", "time_zone": "Asia/Tokyo",
        "login_email": "olena.shevchuk@example.test", "phones": ("+447700900172",),
    },
}  # fmt: skip
MOVES = (
    ("elodie", "login", "e.marchand@example.test"),
    ("grace", "communication", "post.hartley@example.test"),
    ("zoe", "only", "zoe.lefevre@mail.example.test"),
    ("juergen", "login", "j.weisshaupt@example.test"),
)
"""Who gets which address anew."""

SIGNS_ON_AT = {CIGNA: ("okta", "ssf"), CM: ("keycloak", "auth0")}
"""Which providers know the members of a brand."""

# --- what happens -----------------------------------------------------------------------------------------------------
# ruff: noqa: E501 (a table reads by column)

POSTED = (
    Posted("lotte", "keycloak", "access_UPDATE_PASSWORD", ("password-changed",)),
    Posted("lotte", "keycloak", "access_UPDATE_CREDENTIAL", ("",)),  # the same change, said twice
    Posted("lotte", "keycloak", "access_LOGIN_ERROR", ("",)),
    Posted("lotte", "keycloak", "access_LOGIN_3", ("",)),  # her first
    Posted("lotte", "keycloak", "access_LOGIN_3", ("new-sign-on",), {"127.0.0.1": "203.0.113.9"}),
    Posted("zoe", "keycloak", "admin_USER-ACTION", ("password-reset",)),
    Posted("soeren", "keycloak", "access_UPDATE_PROFILE_2", ("email-address-changed",), {
        "ann@example.test": "s.grossjean@example.test", "ann2@example.test": "soeren.grossjean@example.test",
    }),
    Posted("juergen", "okta", "session-start", ("",)),
    Posted("juergen", "okta", "session-start", ("new-sign-on",), {"541daf91d15bef64a7e08c946fd9a9d0": "another"}),
    Posted("grace", "okta", "factors-reset", ("security-method-reset",)),
    Posted("eleni", "okta", "locked", ("account-locked",)),
    Posted("olena", "auth0", "lines", ("", "security-method-enrolled", "password-changed")),
    Posted("juergen", "ssf", "security-key-created", ("security-method-enrolled",)),
    Posted("elodie", "ssf", "password-changed", ("password-changed",)),
)  # fmt: skip

REGISTERING = Scene("Lotte registers with My CM. Nobody knows her yet: these events say brand and language themselves.", (
    Step("lotte", "identity.email-verification-requested.v1", "verify-email-address", ("named",), {"purpose": "registration", "email": login, "url": link, "expires_at": in_72_hours, "brand": CM, "locale": "nl"}),
    Step("lotte", "members.registration-confirmed.v1", "registration-confirmed", ("named",), {"email": login, "confirmed_at": now, "brand": CM, "locale": "nl"}),
))  # fmt: skip

SIGNING_IN = Scene("They sign in: codes by SMS and by e-mail, new browsers from Bristol to Kyōto, each told in their own language.", (
    Step("grace", "identity.verification-code-issued.v1", "one-time-verification-code", ("phone-1",), {"channel": "sms", "phone": phone, "code": code, "purpose": "sign-in-by-phone", "expires_at": in_minutes}),
    Step("elodie", "identity.verification-code-issued.v1", "one-time-verification-code", ("phone-1",), {"channel": "sms", "phone": phone, "code": code, "purpose": "sign-in-by-phone", "expires_at": in_minutes}),
    Step("elodie", "identity.verification-code-issued.v1", "one-time-verification-code", ("login",), {"channel": "email", "code": code, "url": link, "purpose": "sign-in", "expires_at": in_minutes}),
    Step("juergen", "identity.verification-code-issued.v1", "one-time-verification-code", ("login",), {"channel": "email", "code": code, "url": link, "purpose": "sign-in", "expires_at": in_minutes}),
    Step("zoe", "identity.verification-code-issued.v1", "one-time-verification-code", ("phone-2",), {"channel": "sms", "phone": second_phone, "code": code, "purpose": "sign-in", "expires_at": in_minutes}),
    Step("soeren", "identity.verification-code-issued.v1", "one-time-verification-code", ("login",), {"channel": "email", "code": code, "url": link, "purpose": "sign-in", "expires_at": in_minutes}),
    Step("olena", "identity.verification-code-issued.v1", "one-time-verification-code", ("phone-1",), {"channel": "sms", "phone": phone, "code": code, "purpose": "sign-in", "expires_at": in_minutes}),
    Step("grace", "identity.new-sign-on-detected.v1", "new-sign-on", ("login",), {"signed_on_at": now, "browser": "Firefox 145", "system": "Windows 11", "place": "Bristol, United Kingdom"}),
    Step("elodie", "identity.new-sign-on-detected.v1", "new-sign-on", ("login",), {"signed_on_at": now, "browser": "Safari 26", "system": "iPhone", "place": "Lyon, France"}),
    Step("soeren", "identity.new-sign-on-detected.v1", "new-sign-on", ("login",), {"signed_on_at": now, "browser": "Edge 142", "system": "Windows 11", "place": "Eupen, Belgien"}),
    Step("olena", "identity.new-sign-on-detected.v1", "new-sign-on", ("login",), {"signed_on_at": now, "browser": "Chrome 142", "system": "Android 16", "place": "Kyōto, Japan"}),
    Step("lotte", "identity.account-secured.v1", "account-secured", ("login", "inbox"), {"means": "itsme", "secured_at": now}),
    Step("soeren", "identity.account-secured.v1", "account-secured", ("login", "inbox"), {"means": "eid", "secured_at": now}),
))  # fmt: skip

FORGOTTEN = Scene("Passwords are forgotten and accounts locked; Sören no longer knows which e-mail address he signs in with.", (
    Step("grace", "identity.password-change-requested.v1", "change-your-password", ("named",), {"email": login, "url": link, "expires_at": in_an_hour, "brand": CIGNA, "locale": "en"}),
    Step("zoe", "identity.password-change-requested.v1", "change-your-password", ("named",), {"email": login, "url": link, "expires_at": in_an_hour}),
    Step("juergen", "identity.password-reset.v1", "password-reset", ("login",), {"reset_at": now, "by": "administrator"}),
    Step("olena", "identity.password-reset.v1", "password-reset", ("login",), {"reset_at": now, "by": "self-service"}),
    Step("elodie", "identity.account-locked.v1", "account-locked", ("login",), {"locked_at": now}),
    Step("elodie", "identity.unlock-requested.v1", "unlock-account", ("login",), {"url": link, "expires_at": in_an_hour}),
    Step("lotte", "identity.account-locked.v1", "account-locked", ("login",), {"locked_at": now}),
    Step("soeren", "identity.email-reminder-requested.v1", "email-address-reminder", ("login",), {"url": link, "expires_at": in_an_hour}),
))  # fmt: skip

CLAIMING = Scene("An event says French of Sören, whose contact says German; Eleni's Greek is no language of her brand.", (
    Step("soeren", "identity.password-change-requested.v1", "change-your-password", ("named",), {"email": login, "url": link, "expires_at": in_an_hour, "brand": CM, "locale": "fr"}),
    Step("eleni", "members.welcomed.v1", "welcome", ("login",), {"welcomed_at": now}),
))  # fmt: skip

METHODS = Scene("New phones, new apps, a PIN entered wrongly five times: every change is told, in the portal too.", (
    Step("grace", "identity.security-method-enrolled.v1", "security-method-enrolled", ("login",), {"method": "sms", "ending": "143", "enrolled_at": now}),
    Step("elodie", "identity.security-method-enrolled.v1", "security-method-enrolled", ("login",), {"method": "authenticator-app", "enrolled_at": now}),
    Step("zoe", "identity.security-method-enrolled.v1", "security-method-enrolled", ("login",), {"method": "passkey", "enrolled_at": now}),
    Step("juergen", "identity.security-method-reset.v1", "security-method-reset", ("login",), {"reset_at": now}),
    Step("olena", "identity.security-method-reset.v1", "security-method-reset", ("login",), {"method": "security-key", "reset_at": now}),
    Step("zoe", "identity.pin-blocked.v1", "pin-blocked", ("login", "inbox"), {"blocked_at": now}),
    Step("lotte", "identity.sign-in-method-changed.v1", "sign-in-method-changed", ("login", "inbox"), {"method": "fingerprint", "change": "set", "changed_at": now}),
    Step("olena", "identity.sign-in-method-changed.v1", "sign-in-method-changed", ("login", "inbox"), {"method": "pin", "change": "removed", "changed_at": now}),
    Step("zoe", "identity.password-changed.v1", "password-changed", ("login",), {"changed_at": now}),
    Step("olena", "identity.password-changed.v1", "password-changed", ("login",), {"changed_at": now}),
))  # fmt: skip

COVER = Scene("Cover and money: a welcome, an application, another bank account, and Jürgen's cover that has ended.", (
    Step("grace", "members.welcomed.v1", "welcome", ("login",), {"welcomed_at": now}),
    Step("juergen", "members.coverage-ended.v1", "portal-access-ends", ("communication",), {"ended_on": month_end}),
    Step("zoe", "members.benefit-application-received.v1", "benefit-application-received", ("communication",), {"benefit": "Prime de naissance", "for_whom": "Anaïs Lefèvre", "received_at": now}),
    Step("lotte", "members.benefit-application-received.v1", "benefit-application-received", ("communication",), {"benefit": "Zorgbudget", "for_whom": "Oma Godelieve D'Hoore", "received_at": now}),
    Step("lotte", "members.bank-account-changed.v1", "bank-account-changed", ("login", "communication", "inbox"), {"account_ending": "4417", "direct_debit_changed": True, "changed_at": now}),
    Step("zoe", "members.bank-account-changed.v1", "bank-account-changed", ("login", "inbox"), {"account_ending": "9902", "direct_debit_changed": False, "changed_at": now}),
))  # fmt: skip

LEAVING = Scene("Zoé confirms a second address, and Olena deletes her account.", (
    Step("zoe", "identity.email-verification-requested.v1", "verify-email-address", ("named",), {"purpose": "communication", "email": "lefevre.famille@example.test", "url": link, "expires_at": in_72_hours}),
    Step("olena", "identity.account-deleted.v1", "account-deleted", ("named",), {"email": login, "deleted_at": now, "brand": CM, "locale": "en"}),
))  # fmt: skip

SCENES = (REGISTERING, SIGNING_IN, FORGOTTEN, CLAIMING, METHODS, COVER, LEAVING)
