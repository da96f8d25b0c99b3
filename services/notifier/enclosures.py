"""What goes with a message as a file: the complaints procedure, and the letter that a handler is to post.

Both are PDF. The procedure depends on brand, language and the licence's row only, so it is made once for each and kept.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TypeAlias

from jinja2 import Template

from schemas.deadlines import LetterDueV1
from services.notifier.brands import Brand
from services.notifier.formats import DATE
from services.notifier.letters import letter_fact_names
from services.notifier.mime import Attachment
from services.notifier.paper import blocks

PDF = "application/pdf"
KEPT = 64
"""Procedures kept: a handful of licences in the languages of a brand, and their rows before the last change."""
ROW = (
    "licence",
    "acknowledgement_within",
    "resolution_within",
    "decision_within",
    "final_response_within",
    "ombudsman_name",
    "ombudsman_address",
    "ombudsman_email",
    "ombudsman_website",
    "ombudsman_phones",
    "ombudsman_phones_at_home",
    "ombudsman_phones_from_abroad",
    "refer_within",
    "refer_is_conditional",
    "approach_after",
    "binds",
)
"""The facts that a procedure may say: those of the licence, none of the complaint."""

VERSION = "version"
"""The day of the procedure's wording: the one fact that is the procedure's own."""

Place: TypeAlias = tuple[str, str]
"""Brand and locale."""


@dataclass(frozen=True, slots=True)
class Procedure:
    """The procedure of a brand in a language, ready to be filled in with a licence's row."""

    title: Template
    body: Template
    file: str
    version: date


class Enclosures:
    """Makes files of facts. Safe to share between tasks and threads."""

    def __init__(self, brands: Mapping[str, Brand], procedures: Mapping[Place, Procedure]) -> None:
        self._brands = brands
        self._procedures = procedures
        self._made = lru_cache(maxsize=KEPT)(self._make)

    def procedure(self, place: Place, facts: Mapping[str, object]) -> Attachment:
        """Raises KeyError where none was loaded, and what Jinja raises."""
        row = json.dumps({name: facts.get(name) for name in ROW}, sort_keys=True)
        return self._made(place, row)

    def letter(self, place: Place, facts: Mapping[str, object], title: str, html: str) -> Attachment:
        """The body of a letter on paper, for a window envelope. Its date is written when it is posted."""
        from services.notifier import pdf  # noqa: PLC0415 (see `import_typesetting`)

        brand, locale = place
        lines = facts.get("postal_address")
        signatory = facts.get("handler_name")
        content = pdf.letter(
            self._brands[brand],
            pdf.Record(title, locale, date.fromisoformat(str(facts["received_on"]))),
            blocks(html),
            pdf.Envelope(
                lines=[str(facts["name"] or ""), *map(str, lines if isinstance(lines, list) else ())],
                date_label=DATE[locale],
                signatory=str(signatory) if signatory else None,
            ),
        )
        return Attachment(f"{_file_name(facts)}.pdf", content, PDF)

    def _make(self, place: Place, row: str) -> Attachment:
        from services.notifier import pdf  # noqa: PLC0415 (see `import_typesetting`)

        procedure, (brand, locale) = self._procedures[place], place
        unknown = dict.fromkeys(letter_fact_names(LetterDueV1))
        facts = {**unknown, **json.loads(row), VERSION: procedure.version.isoformat()}
        title = " ".join(procedure.title.render(facts).split())
        content = pdf.document(
            self._brands[brand],
            pdf.Record(title, locale, procedure.version),
            blocks(procedure.body.render(facts)),
        )
        return Attachment(procedure.file, content, PDF)


def import_typesetting() -> None:
    """Before it is needed: otherwise the first file waits for it, and with it the loop."""
    from services.notifier import pdf  # noqa: F401, PLC0415 (a second and 40 MB, of which codes need nothing)


def _file_name(facts: Mapping[str, object]) -> str:
    """The letter and its reference, of characters that every system takes in a file's name."""
    name = f"{facts['letter']}-{facts['reference'] or facts['complaint']}"
    return re.sub(r"[^A-Za-z0-9]+", "-", name)[:46].strip("-")
