"""Event data and contact → what a template may say. Pure.

Facts are frozen into the ledger row as they are, so they are JSON, and everything in them is already fit to be shown:
text from outside is cleaned, addresses and phone numbers are masked. Times stay ISO 8601 in UTC; the template's
filters turn them into words in the reader's zone and language.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, TypeAlias, get_args, get_type_hints

from schemas.members import ContactV1
from schemas.types import Data, Email, FreeText, Phone
from services.notifier.lifetimes import lifetime_names

Scalar: TypeAlias = str | int | float | bool | None
Fact: TypeAlias = Scalar | list[Scalar]

DISPLAY_LIMIT = 120
"""Characters of a text from outside that are shown: two lines on a phone, and no room for a letter of its own."""

ROLE = "role"
"""Whose copy it is (`old`, `new` …): the one fact that the plan adds to those of the event."""
CONTACT_FACTS = frozenset({"name", "time_zone", "has_card", "personal_reference_number"})
ACTIONS = "actions"
"""In a summary: the facts of each action that it lists, its carrier's among them."""
ROUTING = frozenset({"brand", "locale"})
"""Where a message goes and how, decided by the plan: an event that names them must not reach the template with it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """`public` may be stored and shown to operators; `secrets` must not outlive the message."""

    public: dict[str, Fact]
    secrets: dict[str, str]


def facts_of(data: Data, contact: ContactV1 | None) -> Facts:
    """The facts of one event for one member. An optional field that is absent is None in `public`, not missing.

    Without a contact the time zone is UTC, which the formatted time then says.
    """
    public: dict[str, Fact] = {
        "name": clean(contact.name) if contact and contact.name else None,
        "time_zone": contact.time_zone if contact else "UTC",
        "has_card": contact.has_card if contact else False,
        "personal_reference_number": (
            clean(contact.personal_reference_number) if contact and contact.personal_reference_number else None
        ),
    }
    secrets: dict[str, str] = {}
    for field, show in _fields(type(data)).items():
        value = getattr(data, field)
        if field not in data.secret_fields:
            public[field] = _fact(value, show)
        elif value is not None:
            secrets[field] = str(value)
    return Facts(public, secrets)


def action_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a summary says of one action: the facts of its event, without those of the member and the reader."""
    return {name: value for name, value in facts.items() if name not in CONTACT_FACTS | {ACTIONS, ROLE}}


@cache
def fact_names(model: type[Data]) -> frozenset[str]:
    """Every name a template of this event may use, secrets and what is left of its times included."""
    return CONTACT_FACTS | _fields(model).keys() | lifetime_names(_fields(model))


@cache
def _fields(model: type[Data]) -> dict[str, Callable[[str], str]]:
    """Each field with how its text is shown. The kind is told by the contract's type, never by the field's name."""
    hints = get_type_hints(model, include_extras=True)
    return {name: _shown_as(hints[name]) for name in model.model_fields if name not in ROUTING}


def _shown_as(hint: Any) -> Callable[[str], str]:
    if _mentions(hint, Email):
        return mask_address
    if _mentions(hint, FreeText):
        return clean_unnumbered
    return last_digits if _mentions(hint, Phone) else clean


def _mentions(hint: Any, kind: Any) -> bool:
    return bool(hint == kind) or any(_mentions(argument, kind) for argument in get_args(hint))


def _fact(value: Any, show: Callable[[str], str]) -> Fact:
    if isinstance(value, list | tuple):
        return [_scalar(item, show) for item in value]
    return _scalar(value, show)


def _scalar(value: Any, show: Callable[[str], str]) -> Scalar:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return show(value)
    raise TypeError(f"a fact is a scalar or a list of scalars, not {type(value).__name__}")


# --- text from outside ------------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[A-Za-z0-9 ,()'-]*")
_JOINERS = "\u200c\u200d"  # Persian and Indic names are misspelt without them
# What a browser reads as a dot, an at or a colon when it opens a link. Not NFKC: it would respell names, too.
_LOOKALIKES = str.maketrans(
    dict.fromkeys("\u3002\uff0e\uff61\u2024\ufe52", ".")
    | dict.fromkeys("\uff20\ufe6b", "@")
    | dict.fromkeys("\uff1a\ufe55", ":")
)
_BLANK_LINES = re.compile(r"\n[^\S\n]*\n")
_SCHEME = re.compile(r"(\w):(?=\S)")
_AT = re.compile(r" ?@ ?")
_DOMAIN_DOT = re.compile(r"(?<=\S)\.(?=[^\s\d.])")
# 85.07.30-033.28, in one piece or with other signs between its groups; of a longer number, nothing.
_REGISTER_NUMBER = re.compile(r"(?<!\d)\d\d[\W_]{0,3}\d\d[\W_]{0,3}\d\d[\W_]{0,3}\d{3}[\W_]{0,3}\d\d(?!\d)")
_ADDRESS_DOTS = re.compile(r"(?<!\d)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?!\d)")


def clean(text: str) -> str:
    """One line of readable text that no mail client turns into a link, at most `DISPLAY_LIMIT` characters.

    Control and bidi characters go, white space collapses, and a domain, URL or address is broken up by spaces:
    `see https://a.example/x` becomes `see https: //a. example/x`. Cleaning twice changes nothing more.
    """
    text = clean_line(text)
    if len(text) > DISPLAY_LIMIT:
        text = text[: DISPLAY_LIMIT - 1].rstrip() + "…"
    return text


def clean_unnumbered(text: str) -> str:
    """As `clean`, with dots for whatever looks like a Belgian national register number, right or wrong: nobody typed it
    there for the mailbox to know."""
    return clean(_REGISTER_NUMBER.sub("•" * 11, clean_line(text)))


def clean_line(text: str) -> str:
    """As `clean`, of any length: for text that a person has approved."""
    if not _PLAIN.fullmatch(text):
        text = _break_links(_printable(unicodedata.normalize("NFC", text)))
    return " ".join(text.split())


def clean_paragraphs(text: str) -> list[str]:
    """As `clean_line`, one for each paragraph; a blank line parts them."""
    return _paragraphs(text, clean_line)


def verbatim_paragraphs(text: str) -> list[str]:
    """Wording that is not ours to change, its addresses included: without control and bidi characters only."""
    return _paragraphs(text, lambda part: " ".join(_printable(part).split()))


def _paragraphs(text: str, show: Callable[[str], str]) -> list[str]:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return [line for part in _BLANK_LINES.split(text) if (line := show(part))]


def _printable(text: str) -> str:
    kept: list[str] = []
    for index, char in enumerate(text):
        category = unicodedata.category(char)
        if category[0] == "Z" or char in "\t\n\r\v\f":
            kept.append(" ")
        elif category[0] != "C" or (char in _JOINERS and _within_word(text, index)):
            kept.append(char)
    return "".join(kept)


def _within_word(text: str, index: int) -> bool:
    around = text[index - 1 : index] + text[index + 1 : index + 2]
    return len(around) == 2 and all(unicodedata.category(char)[0] in "LM" and not char.isascii() for char in around)


def _break_links(text: str) -> str:
    text = _ADDRESS_DOTS.sub(r"\1. \2. \3. \4", text.translate(_LOOKALIKES))
    text = _SCHEME.sub(_break_scheme, text)
    return _DOMAIN_DOT.sub(". ", _AT.sub(" @ ", text))


def _break_scheme(found: re.Match[str]) -> str:
    """`https:` and `tel:` lose what follows; a clock time (`12:30`) stays."""
    after = found.string[found.end() : found.end() + 1]
    return found.group() if found[1].isdigit() and after.isdigit() else f"{found[1]}: "


def mask_address(address: str) -> str:
    """`joanna@mail.example.com` as `jo•••@m•••.com`: its owner knows it, nobody else can use it, nothing links it."""
    local, _, domain = address.rpartition("@")
    host, _, top = domain.rpartition(".")
    shown = local[: 2 if len(local) > 3 else 1].rstrip("._+-")
    return f"{shown}•••@{host[:1]}•••.{top}"


def last_digits(phone: str) -> str:
    """The last two digits of a phone number."""
    return phone[-2:]
