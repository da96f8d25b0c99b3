"""A brand's facts, read from `brands/<id>/brand.toml` and checked as a whole at start-up.

A fact that nobody gave is left out of the file and is None here; a template asks before it says it.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from schemas.types import Email, Locale, Slug

BRANDS = Path(__file__).parent / "brands"

Line = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")]
Host = Annotated[str, StringConstraints(pattern=r"^([a-z0-9-]+\.)+[a-z]{2,63}$")]
Page = Annotated[
    str, StringConstraints(max_length=300, pattern=r"^https://([a-z0-9-]+\.)+[a-z]{2,63}/[A-Za-z0-9._~/-]*$")
]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")]


class BrandError(ValueError):
    """A brand that cannot be used: each problem names file, field and rule."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sender(_Part):
    """Who the mail comes from."""

    name: Line
    address: Email


class Links(_Part):
    """The only hosts a message may link to, and what the portal is called in a sentence."""

    domains: tuple[Host, ...] = Field(min_length=1)
    portal: Line
    portal_address: Line | None = None
    """What a member can type into a browser to get there; None: the portal is known by its name alone."""
    portal_host: Host | None = None
    """The host that may fill in a code from an SMS; it is one of `domains`."""
    communication_preferences: Page | None = None
    """Where a member chooses the address we write to and what we write; None: no page was given, and none is linked."""

    @model_validator(mode="after")
    def _the_portal_is_ours(self) -> Self:
        if self.portal_host is not None and self.portal_host not in self.domains:
            raise PydanticCustomError("portal_host", "portal_host is one of domains")
        page = self.communication_preferences
        if page is not None and urlsplit(page).hostname not in self.domains:
            raise PydanticCustomError("communication_preferences", "communication_preferences is on one of domains")
        return self


class SafeSenders(_Part):
    """The sender's domain a member is told to trust. Where sources disagree, the other one is kept beside it."""

    domain: Host
    alternative: Host | None = None
    note: Line | None = None

    @model_validator(mode="after")
    def _a_doubt_is_explained(self) -> Self:
        if (self.alternative is None) != (self.note is None):
            raise PydanticCustomError("note", "an alternative comes with a note that says who prints it")
        return self


class Help(_Part):
    """Where a member finds a person, and what to do when a mail does not arrive."""

    phone: Line | None = None
    around_the_clock: bool = False
    """Whether somebody answers at any hour of any day."""
    forms: frozenset[Literal["support", "log-in-assistance"]] = frozenset()
    """Forms the brand has on its website."""
    missing_mail_minutes: int | None = Field(default=None, ge=1, le=120)
    """After how long a mail that was asked for counts as missing."""
    safe_senders: SafeSenders | None = None


class SignOn(_Part):
    browser_trust_days: int | None = Field(default=None, ge=1, le=366)
    """How long a browser kept signed in skips the second factor."""


class Palette(_Part):
    """Our own colours: text is at least 4.5:1 on everything it stands on (tests/support/html_rules.py)."""

    page: Colour
    card: Colour
    ink: Colour
    muted: Colour
    line: Colour
    accent: Colour
    on_accent: Colour
    tint: Colour


class Colours(_Part):
    light: Palette
    dark: Palette


class Brand(_Part):
    id: Slug
    name: Line
    sample: bool
    """Sample data from public pages, no affiliation: a real relay refuses it without an explicit setting."""
    note: Line
    languages: tuple[Locale, ...] = Field(min_length=1)
    default_language: Locale
    imprint: Line | None = None
    sender: Sender
    links: Links
    help: Help = Help()
    sign_on: SignOn = SignOn()
    colours: Colours

    @model_validator(mode="after")
    def _the_default_is_spoken(self) -> Self:
        if self.default_language not in self.languages:
            raise PydanticCustomError("default_language", "default_language is one of languages")
        return self

    @property
    def doubts(self) -> tuple[str, ...]:
        """What the start-up check and the console should show: facts on which sources disagree."""
        trusted = self.help.safe_senders
        return (f"safe_senders.domain: {trusted.note}",) if trusted and trusted.note else ()


def load_brand(folder: Path) -> Brand:
    """Read one brand. Raises `BrandError` naming file, field and rule; the folder's name is the brand's id."""
    file = folder / "brand.toml"
    label = f"{folder.name}/{file.name}"
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BrandError([f"{label}: missing"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BrandError([f"{label}: not TOML: {error}"]) from None
    try:
        return Brand.model_validate({"id": folder.name, **document})
    except ValidationError as error:
        raise BrandError(
            [f"{label}: {'.'.join(map(str, part['loc'])) or 'brand'}: {part['msg']}" for part in error.errors()]
        ) from None


def load_brands(folder: Path = BRANDS) -> dict[str, Brand]:
    """Every brand by id. Raises one `BrandError` that lists what is wrong in all of them."""
    brands: dict[str, Brand] = {}
    problems: list[str] = []
    for path in sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(("_", "."))):
        try:
            brands[path.name] = load_brand(path)
        except BrandError as error:
            problems += error.problems
    if problems:
        raise BrandError(problems)
    return brands
