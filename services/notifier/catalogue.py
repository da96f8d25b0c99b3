"""THE table: event type → notice, to whom, on which channel, in which lane, for how long, for which brands. PURE.

A new notice is one line here and one file a language in `templates/<name>/`.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Lane = Literal["codes", "security", "letters", "general"]
LANES: tuple[Lane, ...] = ("codes", "security", "letters", "general")
"""In order of urgency."""

To = Literal["login", "communication", "named-channel", "old-and-new", "named-address"]
"""login, communication: the contact's address. named-channel: e-mail to the login address or SMS to the registered
phone the event names. old-and-new: both addresses of the event. named-address: the one the event names."""

AS_THE_EVENT_SAYS = None
SECURITY_LIFE = timedelta(hours=72)
GENERAL_LIFE = timedelta(days=7)
CODE_MARGIN = timedelta(seconds=60)
"""A code with less than this left is not sent."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One kind of message. `lives`: from the event's time, or as the event's `expires_at` says."""

    name: str
    on: str
    to: To
    lane: Lane
    lives: timedelta | None
    brands: frozenset[str]
    supersedes: bool = False
    """A newer one for the same member and purpose replaces older ones that have not left."""

    @property
    def margin(self) -> timedelta:
        return CODE_MARGIN if self.lives is AS_THE_EVENT_SAYS else timedelta(0)


CIGNA = frozenset({"cigna-healthcare"})

CATALOGUE: tuple[Notice, ...] = (
    # ruff: noqa: E501 (a table reads by column)
    # name, on event, to, lane, lives, brands
    Notice("one-time-verification-code", "identity.verification-code-issued.v1", "named-channel", "codes", AS_THE_EVENT_SAYS, CIGNA, supersedes=True),
    Notice("password-changed", "identity.password-changed.v1", "login", "security", SECURITY_LIFE, CIGNA),
    Notice("new-sign-on", "identity.new-sign-on-detected.v1", "login", "security", SECURITY_LIFE, CIGNA),
    Notice("email-address-changed", "identity.email-address-changed.v1", "old-and-new", "security", SECURITY_LIFE, CIGNA),
    Notice("security-method-enrolled", "identity.security-method-enrolled.v1", "login", "security", SECURITY_LIFE, CIGNA),
)  # fmt: skip

NOTICES_OF_TYPE: dict[str, tuple[Notice, ...]] = {
    type_: tuple(notice for notice in CATALOGUE if notice.on == type_) for type_ in {notice.on for notice in CATALOGUE}
}
