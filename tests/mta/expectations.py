"""What was written down by hand in `expected/`, held against a mail that arrived: what it lacks, what it says too much.

Nothing of it comes from a template, a golden file or the code under test.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from tests.mta.arrived import Arrived, File, plain
from tests.mta.occasions import APPROVED, CIGNA, LETTERS, NAME, TO_HANDLERS, Occasion

FOLDER = Path(__file__).with_name("expected")
CODES = frozenset(
    {
        "one-time-verification-code",
        "change-your-password",
        "unlock-account",
        "verify-email-address",
        "email-address-reminder",
    }
)
OF_CASES = frozenset(TO_HANDLERS) | {"letter-to-post"}
"""To a colleague, not to a member."""
MONTHS = {
    "en": {10: "October", 11: "November"},
    "fr": {10: "octobre", 11: "novembre"},
    "nl": {10: "oktober", 11: "november"},
    "de": {10: "Oktober", 11: "November"},
}
OMBUDSMEN = frozenset({"www.financial-ombudsman.org.uk", "www.ci-fo.org", "www.ombudsman.as"})
PHONE = "tel:+3232176868"


@cache
def rows() -> dict[str, Any]:
    """Notice → its row."""
    return _read("signing-in") | _read("complaints")


@cache
def _every() -> dict[str, Any]:
    return _read("every")


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))


@dataclass(frozen=True)
class Expected:
    """Of one mail."""

    occasion: Occasion
    role: str

    @property
    def row(self) -> dict[str, Any]:
        row: dict[str, Any] = rows()[self.occasion.notice]
        return row

    @property
    def brand(self) -> dict[str, Any]:
        brand: dict[str, Any] = _every()[self.occasion.brand]
        return brand

    @property
    def sender(self) -> str:
        return str(self.brand["from"])

    @property
    def domain(self) -> str:
        return str(self.brand["domain"])

    def wrong(self, mail: Arrived) -> list[str]:
        """Everything about what the mail says; empty: all is as it should be. Both bodies are read."""
        html, text = mail.plain_page, mail.plain_text
        return [
            *self._subject(str(mail.message["Subject"])),
            *(f"HTML lacks {pattern}" for pattern in self._said() if not _found(pattern, html)),
            *(f"text lacks {pattern}" for pattern in self._said() if not _found(pattern, text)),
            *(f"HTML says {pattern}" for pattern in self._never() if _found(pattern, html)),
            *(f"text says {pattern}" for pattern in self._never() if _found(pattern, text)),
            *self._links(mail),
            *self._files(mail.files),
        ]

    def _subject(self, subject: str) -> Iterator[str]:
        for pattern in (self.brand["subject"], self.row["subject"][self.occasion.language], self._reference):
            if not _found(pattern, plain(subject)):
                yield f"subject {subject!r} lacks {pattern}"
        # The code itself would be seen on a locked phone.
        if "482913" in subject or (self.occasion.url and self.occasion.url in subject):
            yield "subject tells the secret"

    def _said(self) -> Iterator[str]:
        occasion, row, language = self.occasion, self.row, self.occasion.language
        yield from (*row[language], self._reference)
        for more in self._more:
            yield from more.get(language, ())
        if "day" in row:
            yield _day(date.fromisoformat(row["day"]), language)
        if "at" in row:
            yield re.escape(row["at"])
        if row.get("text"):
            yield re.escape(plain(APPROVED[language]))
        if occasion.notice in CODES:
            yield from self.brand["codes"][language]
        if occasion.notice not in OF_CASES:
            yield from self.brand["to_members"][language]
            yield from _every()["real"][language]
        if occasion.notice in LETTERS:
            yield re.escape(NAME)

    @property
    def _reference(self) -> str:
        """A complaint's own; of a member's notice, nothing."""
        return re.escape(str(self.row.get("reference", "")))

    @property
    def _more(self) -> tuple[dict[str, Any], ...]:
        """What the row asks for in this brand, for this purpose, of this copy."""
        return tuple(self.row.get(which, {}) for which in (self.occasion.brand, self.occasion.purpose, self.role))

    def _never(self) -> Iterator[str]:
        for row in (self.row, *self._more):
            yield from row.get("never", ())
        yield from self.brand["never"]
        yield from _every()["never"]["any"]
        if self.row.get("names_nobody"):
            yield from ("Zoë", "Łuczak", r"048/151623842")

    def _links(self, mail: Arrived) -> Iterator[str]:
        if mail.page.fetched:
            yield f"fetches {mail.page.fetched}"
        links = {link for link in mail.page.links if link != PHONE or self.occasion.brand != CIGNA}
        kind, url = self.row.get("link"), self.occasion.url
        if kind == "event":
            if links != {url, *(link for more in self._more for link in more.get("links", ()))}:
                yield f"links to {links}, not to {url} and what the row names"
            if url not in mail.text.split():
                yield "text lacks the link on its own"
            if self.row.get("copied") and (url is None or url not in mail.plain_page):
                yield "HTML lacks the URL to copy"
            return
        allowed = {f"https://{host}" for host in OMBUDSMEN} if kind == "ombudsman" else set()
        if links - allowed:
            yield f"links to {links - allowed}"

    def _files(self, files: list[File]) -> Iterator[str]:
        wanted = [self.row[name] for name in ("pdf", "enclosed") if name in self.row]
        if len(files) != len(wanted):
            yield f"{len(files)} files, not {len(wanted)}: {[file.name for file in files]}"
        language = self.occasion.post or self.occasion.language
        for file, row in zip(files, wanted, strict=False):
            yield from (f"{file.name}: {problem}" for problem in _file(file, row, language))


def _file(file: File, row: dict[str, Any], language: str) -> Iterator[str]:
    if not re.fullmatch(row["name"][language], file.name):
        yield f"is not named {row['name'][language]}"
    if file.type != "application/pdf" or not file.content.startswith(b"%PDF-"):
        yield f"is no PDF but {file.type}"
        return
    patterns = [*row[language], *([re.escape(plain(APPROVED[language]))] if row.get("text") else [])]
    for pattern in patterns:
        if not _found(pattern, file.text):
            yield f"lacks {pattern}"
    for number, page in enumerate(file.pages, 1):
        if not page.strip():
            yield f"page {number} is empty"


def _day(day: date, language: str) -> str:
    dot = r"\." if language == "de" else ""
    return rf"\b{day.day}{dot} {MONTHS[language][day.month]} {day.year}"


def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None
