"""THE table: event type → notice, to whom, on which channel, in which lane, for how long, for which brands. PURE.

A new notice is one line here and one file a language in `templates/<name>/`.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Final, Literal

from schemas.complaints import Letter
from schemas.topics import DEADLINES

Lane = Literal["codes", "security", "letters", "general"]
LANES: tuple[Lane, ...] = ("codes", "security", "letters", "general")
"""In order of urgency."""

To = Literal[
    "login",
    "communication",
    "login-and-communication",
    "named-channel",
    "old-and-new",
    "named-address",
    "complainant",
    "handler",
]
"""login, communication: the contact's address; login-and-communication: both, if they differ. named-channel: e-mail to the login address or SMS to the registered
phone the event names. old-and-new: both addresses of the event. named-address: the one the event names. complainant:
the event's. handler: the event's, else the team's mailbox."""


class Until(Enum):
    """A time to live that is no length of time."""

    THE_EVENT_SAYS = "as its expires_at says"
    SENT = "without end: it is tried until it leaves"


AS_THE_EVENT_SAYS: Final = Until.THE_EVENT_SAYS
UNTIL_SENT: Final = Until.SENT
SECURITY_LIFE = timedelta(hours=72)
GENERAL_LIFE = timedelta(days=7)
CODE_MARGIN = timedelta(seconds=60)
"""A code with less than this left is not sent."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One kind of message. `lives`: from the event's time, as the event's `expires_at` says, or until it is sent."""

    name: str
    on: str
    to: To
    lane: Lane
    lives: timedelta | Until
    brands: frozenset[str]
    supersedes: bool = False
    """A newer one for the same member and purpose replaces older ones that have not left."""
    in_app: bool = False
    """Also shown in the portal, beside the e-mail."""
    throttled: bool = False
    """After the first e-mail, further ones of a few minutes leave as one that lists them. Never so for locks, and
    changes of a password, an address or an account: each of these has to be seen at once."""
    letter: Letter | None = None
    """The one of the event's letters that this is; None: the event knows no letters, or any of them will do."""

    @property
    def is_optional(self) -> bool:
        """May be switched off in the preferences."""
        return self.lane == "general"

    @property
    def margin(self) -> timedelta:
        return CODE_MARGIN if self.lives is AS_THE_EVENT_SAYS else timedelta(0)


CIGNA = frozenset({"cigna-healthcare"})
CM = frozenset({"cm"})
BOTH = CIGNA | CM

CATALOGUE: tuple[Notice, ...] = (
    # ruff: noqa: E501 (a table reads by column)
    # name, on event, to, lane, lives, brands
    Notice("one-time-verification-code", "identity.verification-code-issued.v1", "named-channel", "codes", AS_THE_EVENT_SAYS, BOTH, supersedes=True),
    Notice("change-your-password", "identity.password-change-requested.v1", "named-address", "codes", AS_THE_EVENT_SAYS, BOTH, supersedes=True),
    Notice("password-reset", "identity.password-reset.v1", "login", "security", SECURITY_LIFE, BOTH),
    Notice("password-changed", "identity.password-changed.v1", "login", "security", SECURITY_LIFE, BOTH),
    Notice("new-sign-on", "identity.new-sign-on-detected.v1", "login", "security", SECURITY_LIFE, BOTH, throttled=True),
    Notice("email-address-changed", "identity.email-address-changed.v1", "old-and-new", "security", SECURITY_LIFE, BOTH),
    Notice("account-locked", "identity.account-locked.v1", "login", "security", SECURITY_LIFE, BOTH),
    Notice("unlock-account", "identity.unlock-requested.v1", "login", "codes", AS_THE_EVENT_SAYS, CIGNA, supersedes=True),
    Notice("security-method-enrolled", "identity.security-method-enrolled.v1", "login", "security", SECURITY_LIFE, BOTH, throttled=True),
    Notice("security-method-reset", "identity.security-method-reset.v1", "login", "security", SECURITY_LIFE, BOTH, throttled=True),
    Notice("welcome", "members.welcomed.v1", "login", "general", GENERAL_LIFE, CIGNA),
    Notice("verify-email-address", "identity.email-verification-requested.v1", "named-address", "codes", AS_THE_EVENT_SAYS, CM, supersedes=True),
    Notice("registration-confirmed", "members.registration-confirmed.v1", "named-address", "general", GENERAL_LIFE, CM),
    Notice("account-secured", "identity.account-secured.v1", "login", "security", SECURITY_LIFE, CM, in_app=True),
    Notice("account-deleted", "identity.account-deleted.v1", "named-address", "security", SECURITY_LIFE, CM),
    Notice("email-address-reminder", "identity.email-reminder-requested.v1", "login", "codes", AS_THE_EVENT_SAYS, CM, supersedes=True),
    Notice("pin-blocked", "identity.pin-blocked.v1", "login", "security", SECURITY_LIFE, CM, in_app=True),
    Notice("sign-in-method-changed", "identity.sign-in-method-changed.v1", "login", "security", SECURITY_LIFE, CM, in_app=True, throttled=True),
    Notice("portal-access-ends", "members.portal-access-ending.v1", "communication", "general", GENERAL_LIFE, CIGNA),
    Notice("benefit-application-received", "members.benefit-application-received.v1", "communication", "general", GENERAL_LIFE, CM, throttled=True),
    Notice("bank-account-changed", "members.bank-account-changed.v1", "login-and-communication", "security", SECURITY_LIFE, CM, in_app=True),
    Notice("complaint-acknowledged", "complaints.letter-due.v1", "complainant", "letters", UNTIL_SENT, CIGNA, letter="acknowledgement"),
    Notice("complaint-information-requested", "complaints.letter-due.v1", "complainant", "letters", UNTIL_SENT, CIGNA, letter="information-request"),
    Notice("complaint-resolved-early", "complaints.letter-due.v1", "complainant", "letters", UNTIL_SENT, CIGNA, letter="summary"),
    Notice("complaint-still-investigating", "complaints.letter-due.v1", "complainant", "letters", UNTIL_SENT, CIGNA, letter="holding"),
    Notice("complaint-final-decision", "complaints.letter-due.v1", "complainant", "letters", UNTIL_SENT, CIGNA, letter="final"),
    Notice("complaint-no-decision-yet", "complaints.letter-due.v1", "complainant", "letters", UNTIL_SENT, CIGNA, letter="explanation"),
    Notice("complaint-not-covered", "complaints.letter-due.v1", "complainant", "letters", UNTIL_SENT, CIGNA, letter="not-covered"),
    Notice("complaint-forwarded", "complaints.letter-due.v1", "complainant", "letters", UNTIL_SENT, CIGNA, letter="forwarded"),
    Notice("deadline-approaching", "complaints.deadline-approaching.v1", "handler", "letters", UNTIL_SENT, CIGNA),
    Notice("deadline-missed", "complaints.deadline-missed.v1", "handler", "letters", UNTIL_SENT, CIGNA),
    Notice("letter-bounced", "complaints.letter-bounced.v1", "handler", "letters", UNTIL_SENT, CIGNA),
    Notice("letter-to-post", "complaints.letter-to-post.v1", "handler", "letters", UNTIL_SENT, CIGNA),
)  # fmt: skip

NOTICES_OF_TYPE: dict[str, tuple[Notice, ...]] = {
    type_: tuple(notice for notice in CATALOGUE if notice.on == type_) for type_ in {notice.on for notice in CATALOGUE}
}


def misfits(brands: AbstractSet[str], catalogue: Sequence[Notice] = CATALOGUE) -> list[str]:
    """What is wrong between the rows and these brand folders: each names the other's side and the way out."""
    named = {brand: notice.name for notice in reversed(catalogue) for brand in notice.brands}
    return [
        *(
            f"brand {brand} has a folder, and no row of services/notifier/catalogue.py names it: nothing would be sent. "
            "Name it in the rows of the notices it has, or remove its folder"
            for brand in sorted(brands - named.keys())
        ),
        *(
            f"brand {brand} has no folder in services/notifier/brands, and the row {named[brand]} of the catalogue names "
            "it. Make the folder, or take the name out of the rows"
            for brand in sorted(named.keys() - brands)
        ),
    ]


THROTTLED: frozenset[str] = frozenset(notice.name for notice in CATALOGUE if notice.throttled)

OF_COMPLAINTS: frozenset[str] = frozenset(DEADLINES.types)
"""Events whose subject is a complaint and no member: they name their own recipient, and no contact is theirs."""
