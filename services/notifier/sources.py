"""The files a translator edits: `templates/<notice>/<locale>.md`, and `templates/_shared/<locale>.md` for what several
notices say. A file is sections:

    === subject ===         one line
    === preheader ===       one line, what an inbox shows after the subject
    === mail ===            Markdown (services/notifier/markup.py says which)
    === sms ===             text; quotes, dashes and accents that GSM-7 lacks are respelled
    === in-app ===          plain text for the portal: a line that is the title, a blank line, paragraphs

In a mail a line `{% include "greeting" %}` stands for the shared section of that name. The shared file also holds
`footer`, which every mail gets, and `several`, which a mail includes that can list several actions. The complaints
procedure is `_procedure/<locale>.md`, with sections of its own:
`title`, `file` (its name when attached), `version` (the day of its wording) and `body`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from services.notifier.misspelt import meant

TEMPLATES = Path(__file__).parent / "templates"

_SECTION = re.compile(r"^=== ([a-z][a-z-]*) ===$", re.MULTILINE)
_INCLUDE = re.compile(r'^\{% include "([a-z-]+)" %\}$', re.MULTILINE)
_REQUIRED = frozenset({"subject", "preheader", "mail"})
_KNOWN = _REQUIRED | {"sms", "in-app"}
_PROCEDURE = frozenset({"title", "file", "version", "body"})


class SourceError(ValueError):
    """A file or a section that is missing, unknown or empty; the text names it."""


@dataclass(frozen=True, slots=True)
class Source:
    """One notice in one language, includes resolved. All but `footer` and `mail` is plain text with Jinja tags."""

    subject: str
    preheader: str
    mail: str
    footer: str
    several: str
    """What a summary says before it lists its actions; part of `mail` where that includes it."""
    sms: str | None
    in_app: str | None


@dataclass(frozen=True, slots=True)
class ProcedureSource:
    """The complaints procedure in one language, includes resolved."""

    title: str
    file: str
    version: date
    body: str


def read_source(folder: Path, notice: str, locale: str) -> Source:
    """Raises `SourceError`."""
    label = f"{notice}/{locale}.md"
    sections = _sections(folder / notice / f"{locale}.md", label)
    if missing := _REQUIRED - sections.keys():
        raise SourceError(f"{label}: section {', '.join(sorted(missing))} is missing")
    if unknown := sections.keys() - _KNOWN:
        raise SourceError(f"{label}: section {', '.join(sorted(unknown))} is unknown")
    shared = _shared(folder, locale)
    return Source(
        subject=_one_line(sections["subject"], label),
        preheader=_one_line(sections["preheader"], label),
        mail=_included(sections["mail"], shared, label),
        footer=shared["footer"],
        several=shared.get("several", ""),
        sms=sections.get("sms"),
        in_app=sections.get("in-app"),
    )


def read_procedure(folder: Path, locale: str) -> ProcedureSource:
    """Raises `SourceError`."""
    label = f"_procedure/{locale}.md"
    sections = _sections(folder / "_procedure" / f"{locale}.md", label)
    if wrong := _PROCEDURE ^ sections.keys():
        raise SourceError(f"{label}: section {', '.join(sorted(wrong))} is missing or unknown")
    try:
        version = date.fromisoformat(sections["version"])
    except ValueError:
        raise SourceError(f"{label}: section version is a day such as 2026-11-22") from None
    return ProcedureSource(
        title=_one_line(sections["title"], label),
        file=_one_line(sections["file"], label),
        version=version,
        body=_included(sections["body"], _shared(folder, locale), label),
    )


def _shared(folder: Path, locale: str) -> dict[str, str]:
    label = f"_shared/{locale}.md"
    shared = _sections(folder / "_shared" / f"{locale}.md", label)
    if "footer" not in shared:
        raise SourceError(f"{label}: section footer is missing")
    return shared


def _sections(path: Path, label: str) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SourceError(f"{label}: the file is missing") from None
    except UnicodeDecodeError:
        raise SourceError(f"{label}: not UTF-8") from None
    before, *parts = _SECTION.split(text)
    if before.strip():
        raise SourceError(f"{label}: text before the first section")
    sections = dict(zip(parts[::2], (part.strip("\n") for part in parts[1::2]), strict=True))
    if 2 * len(sections) != len(parts):
        raise SourceError(f"{label}: a section appears twice")
    if empty := [name for name, part in sections.items() if not part.strip()]:
        raise SourceError(f"{label}: section {', '.join(empty)} is empty")
    return sections


def _included(mail: str, shared: Mapping[str, str], label: str) -> str:
    if unknown := [name for name in _INCLUDE.findall(mail) if name not in shared]:
        raise SourceError(f"{label}: no shared section {unknown[0]}{meant(unknown[0], shared)}")
    return _INCLUDE.sub(lambda found: shared[found[1]], mail)


def _one_line(text: str, label: str) -> str:
    if "\n" in text:
        raise SourceError(f"{label}: subject and preheader are one line each")
    return text
