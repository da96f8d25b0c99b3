"""Complaint events → what a letter to the complainant, or a mail to its handler, may say. PURE.

Facts are frozen into the ledger row, as those of `facts.py`.
"""

from collections.abc import Mapping

from schemas.deadlines import LetterDueV1
from schemas.types import Data
from services.notifier.brands import Brand
from services.notifier.facts import Fact, Facts, clean


def letter_locale(data: LetterDueV1, brand: Brand) -> str:
    """The complainant's language where the brand writes in it, else the brand's default."""
    wanted = data.complainant.locale
    return wanted if wanted in brand.languages else brand.default_language


def letter_facts(data: LetterDueV1, complaint: str, locale: str) -> Facts:
    """`text` is the approved one in the letter's language; where there is none in it, it is absent."""
    return Facts(
        {
            "name": clean(data.complainant.name),
            "reference": clean(data.reference or complaint),
            "letter": data.letter,
            "received_on": data.received_on.isoformat(),
            "expected_by": data.expected_by.isoformat() if data.expected_by else None,
            "text": _in(data.text, locale),
        },
        {},
    )


def alert_facts(data: Data, complaint: str) -> Facts:
    """What the handler is told: which complaint, what is owed or came back, and the limit."""
    public: dict[str, Fact] = {"reference": clean(getattr(data, "reference", None) or complaint), "time_zone": "UTC"}
    for name in ("obligation", "letter", "lacks", "how", "open_again"):
        public[name] = getattr(data, name, None)
    for name in ("limit_at", "send_by", "detected_at", "bounced_at"):
        at = getattr(data, name, None)
        public[name] = None if at is None else at.isoformat()
    return Facts(public, {})


def _in(texts: Mapping[str, str] | None, locale: str) -> str | None:
    return (texts or {}).get(locale)
