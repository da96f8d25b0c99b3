"""Field types shared by all events: what is refused here is refused on every topic.

Raises nothing itself; pydantic turns each refusal into an error that names the field and the rule.
Patterns keep to what Rust, ECMAScript, Java and Python read alike: ASCII classes, no look-around.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

_MONTH_AND_DAY = r"-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK_AND_ZONE = r"[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_TIME_TEXT = re.compile(rf"[0-9]{{4}}{_MONTH_AND_DAY}{_CLOCK_AND_ZONE}")
_DAY_TEXT = re.compile(rf"[0-9]{{4}}{_MONTH_AND_DAY}")


def _time_text(value: Any) -> Any:
    """Pydantic reads a bare number, and text of digits, as Unix seconds; a contract time is RFC 3339 text."""
    if isinstance(value, datetime) or (isinstance(value, str) and _TIME_TEXT.fullmatch(value)):
        return value
    raise PydanticCustomError("time_text", "a time is RFC 3339 text with a zone, for example 2026-11-22T12:00:00Z")


def _time_within_bounds(value: datetime) -> datetime:
    """Compare in Python before PostgreSQL does: year 9999 at -14:00 is refused there (SQLSTATE 22000)."""
    if value.tzinfo is None:
        raise PydanticCustomError("time_zone", "a time carries its zone, for example 2026-11-22T12:00:00Z")
    try:
        at = value.astimezone(UTC)
    except OverflowError:
        at = LATEST
    if not EARLIEST <= at < LATEST:
        raise PydanticCustomError("time_bounds", "a time lies between 2000 and 2100")
    return at


def _day_text(value: Any) -> Any:
    """A `datetime` is a `date` to Python, and a number a day to pydantic; a calendar day is neither."""
    if isinstance(value, datetime):
        raise PydanticCustomError("day_text", "a calendar day has no time of day")
    if isinstance(value, date) or (isinstance(value, str) and _DAY_TEXT.fullmatch(value)):
        return value
    raise PydanticCustomError("day_text", "a calendar day is text such as 2026-11-22")


def _day_within_bounds(value: date) -> date:
    if not EARLIEST.date() <= value < LATEST.date():
        raise PydanticCustomError("day_bounds", "a calendar day lies between 2000 and 2100")
    return value


Time = Annotated[
    datetime,
    BeforeValidator(_time_text),
    AfterValidator(_time_within_bounds),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": rf"^20[0-9]{{2}}{_MONTH_AND_DAY}{_CLOCK_AND_ZONE}$",
            "description": "An instant in RFC 3339 with its zone (Z or an offset), from 2000 until 2100 in UTC.",
        }
    ),
]
"""An instant; aware, normalised to UTC, between 2000 and 2100."""

Day = Annotated[
    date,
    BeforeValidator(_day_text),
    AfterValidator(_day_within_bounds),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date",
            "pattern": rf"^20[0-9]{{2}}{_MONTH_AND_DAY}$",
            "description": "A calendar day without zone, from 2000 until 2100.",
        }
    ),
]
"""A calendar day, between 2000 and 2100."""

MemberId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._~:-]{0,63}$"),
    Field(description="Opaque id of the member. Never an address or a phone number: it is the Kafka record key."),
]
"""Opaque. The pattern leaves out `@` and `+`, so that an address or a phone number cannot pass for one."""

Email = Annotated[
    str,
    StringConstraints(
        max_length=254,
        pattern=(
            r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{0,62}[A-Za-z0-9!#$%&'*+/=?^_`{|}~-])?"
            r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+([A-Za-z]{2,63}|[Xx][Nn]--[A-Za-z0-9-]{1,58}[A-Za-z0-9])$"
        ),
    ),
    Field(description="Mailbox in ASCII (RFC 5321, without quotes); an international domain comes as punycode."),
]
"""RFC 5321 mailbox in ASCII; an international domain comes as punycode."""

Phone = Annotated[
    str,
    StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$"),
    Field(description="Phone number in E.164: plus sign, country code, no spaces."),
]
"""E.164."""

Slug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64),
    Field(description="A name in lower case, words joined by hyphens."),
]
Brand = Annotated[Slug, Field(description="The brand that writes to the member, for example cigna-healthcare.")]
Locale = Annotated[
    str, StringConstraints(pattern=r"^[a-z]{2}$"), Field(description="Language, ISO 639-1 in lower case.")
]
Url = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+$", max_length=2048),
    Field(description="Absolute link in ASCII (RFC 3986), https and on a domain of the member's brand."),
]
"""A link as it arrives; which domain it may name is checked where it is accepted, against the brand."""

Code = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9-]{4,12}$"),
    Field(description="The one-time code as the member types it."),
]
FreeText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500),
    Field(description="Plain text, counted in code points. Shown without control characters and links."),
]
"""Text from outside. Cleaned again before anybody reads it (control and bidi characters, links)."""


class Data(BaseModel):
    """Base of every event's data: frozen; unknown fields are ignored when reading.

    A publisher is held to more: `schemas.envelope.read_event(…, publishing=True)` refuses unknown fields.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    secret_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that must not outlive the message they were made for, nor ever be logged."""

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """An event ends up in somebody's traceback or log one day: without its secrets."""
        for name, value in super().__repr_args__():
            yield name, "***" if name in self.secret_fields else value
