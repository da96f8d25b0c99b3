"""A complaint's events → what its letters, and the mails to its handler, may say. PURE.

A letter names its reader, its ombudsman and its firms, so its event is not flat and its facts are made here; they are
stored as those of `facts.py` are. Every name is there in every letter, None where the event says nothing: a template
leaves that sentence out.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from schemas.complaints import NOT_COVERED, Complainant, Firm, Letter
from schemas.deadlines import (
    DeadlineApproachingV1,
    DeadlineMissedV1,
    LetterBouncedV1,
    LetterDueV1,
    LetterToPostV1,
    Limit,
    Ombudsman,
    Promise,
)
from schemas.types import Data
from services.notifier.brands import Brand
from services.notifier.facts import (
    Fact,
    Facts,
    Scalar,
    clean,
    clean_line,
    clean_paragraphs,
    fact_names,
    verbatim_paragraphs,
)

NOTICE_OF_LETTER: dict[Letter, str] = {
    "acknowledgement": "complaint-acknowledged",
    "information-request": "complaint-information-requested",
    "summary": "complaint-resolved-early",
    "holding": "complaint-still-investigating",
    "final": "complaint-final-decision",
    "explanation": "complaint-no-decision-yet",
    "not-covered": "complaint-not-covered",
    "forwarded": "complaint-forwarded",
}
TO_POST = "letter-to-post"
"""The notice that brings its handler a letter on paper."""
ZONES = {"uk": "Europe/London", "be": "Europe/Brussels", "je": "Europe/Jersey", "gg": "Europe/Guernsey"}
"""In which a licence counts its days. Another licence's times are UTC, and the text then says so."""

_ALERTS = (DeadlineApproachingV1, DeadlineMissedV1, LetterBouncedV1)
_HOST = re.compile(r"([A-Za-z0-9-]+\.)+[A-Za-z]{2,63}")
_ACKNOWLEDGEMENT = "acknowledgement"


def letter_locale(data: LetterDueV1, brand: Brand) -> str:
    """The complainant's language, if the brand speaks it and the approved text is written in it.

    Else one in which the text is written and that the brand speaks, its default first: a letter is in one language.
    """
    written = data.text or dict.fromkeys(brand.languages)
    preferred = (data.complainant.locale, brand.default_language, *brand.languages)
    fit = (language for language in preferred if language in brand.languages and language in written)
    return next(fit, brand.default_language)


def letter_facts(data: LetterDueV1, complaint: str, locale: str) -> Facts:
    """What the letter says, in `locale`; of a letter to post also whom to send it to, and who does.

    `again` is False: whoever sends it once more after an outcome that nobody knows sets it.
    """
    handler = data.handler if isinstance(data, LetterToPostV1) else None
    return Facts(
        {
            **_complaint(data.licence, data.reference, complaint),
            **_limit(data.limit_at, data.licence),
            "name": _shown(data.complainant.name),
            "postal_address": _list(_lines(data.complainant.address)),
            "handler_name": _shown(handler.name) if handler and handler.name else None,
            "letter": data.letter,
            "letter_locale": locale,
            "again": False,
            "obligation": data.obligation,
            "received_on": data.received_on.isoformat(),
            "text": _list(clean_paragraphs(_in(data.text, locale))),
            "prescribed": _list(verbatim_paragraphs(_in(data.prescribed, locale))),
            "expected_by": _day(data.expected_by),
            "missing": _list(data.missing),
            "encloses_procedure": data.encloses_procedure,
            **_timetable(data),
            **_ombudsman(data.ombudsman),
            **_firm(data.firm),
        },
        {},
    )


def alert_facts(data: Data, complaint: str) -> Facts:
    """What the handler is told: never an address of the complainant. Raises TypeError for any other event."""
    if isinstance(data, LetterToPostV1):
        return letter_facts(data, complaint, data.complainant.locale)
    if not isinstance(data, _ALERTS):
        raise TypeError(f"no handler is told of {type(data).__name__}")
    bounced = data if isinstance(data, LetterBouncedV1) else None
    approaching = data if isinstance(data, DeadlineApproachingV1) else None
    handler = data.handler
    return Facts(
        {
            **_complaint(data.licence, data.reference, complaint),
            **_limit(data.limit_at, data.licence),
            "name": _shown(handler.name) if handler and handler.name else None,
            "obligation": data.obligation,
            "send_by": _day(approaching.send_by) if approaching else None,
            "lacks": approaching.lacks if approaching else None,
            "detected_at": _instant(data.detected_at) if isinstance(data, DeadlineMissedV1) else None,
            "letter": bounced.letter if bounced else None,
            "bounced_at": _instant(bounced.bounced_at) if bounced else None,
            "how": bounced.how if bounced else None,
            "open_again": bounced.open_again if bounced else None,
        },
        {},
    )


@cache
def letter_fact_names(model: type[Data]) -> frozenset[str]:
    """Every name that a template on this event may use; of an event of no complaint, those of `facts.fact_names`."""
    if issubclass(model, LetterDueV1):
        return frozenset(letter_facts(_ANY_LETTER, "any", "en").public)
    if model in _ALERTS:
        return frozenset(alert_facts(_ANY_ALERT, "any").public)
    return fact_names(model)


_ANY_LETTER = LetterDueV1(
    brand="any",
    licence=NOT_COVERED,
    letter="not-covered",
    attempt=1,
    complainant=Complainant(name="-", locale="en", channel="post"),
    received_on=date(2026, 1, 1),
)
_ANY_ALERT = DeadlineMissedV1(
    brand="any",
    licence=NOT_COVERED,
    obligation="any",
    limit_at=datetime(2026, 1, 1, tzinfo=UTC),
    detected_at=datetime(2026, 1, 1, tzinfo=UTC),
)


# --- parts ------------------------------------------------------------------------------------------------------------


def _complaint(licence: str, reference: str | None, complaint: str) -> dict[str, Fact]:
    return {
        "complaint": complaint,
        "reference": _shown(reference) if reference else None,
        "licence": licence,
        "time_zone": _zone(licence),
    }


def _limit(limit_at: datetime | None, licence: str) -> dict[str, Fact]:
    """A limit is exclusive, so the last day in time ends at it."""
    if limit_at is None:
        return {"limit_at": None, "last_day": None}
    last = (limit_at - timedelta(microseconds=1)).astimezone(ZoneInfo(_zone(licence)))
    return {"limit_at": _instant(limit_at), "last_day": last.date().isoformat()}


def _timetable(data: LetterDueV1) -> dict[str, Fact]:
    """What is still owed once this letter is sent, and the steps of the procedure.

    An obligation that no template has words for still has its day.
    """
    owed = {
        promise.obligation: promise
        for promise in data.promises
        if promise.obligation not in {data.obligation, _ACKNOWLEDGEMENT}
    }
    limits = {limit.obligation: limit for limit in data.limits}
    decision, final = owed.pop("decision-or-holding", None), owed.pop("final-response", None)
    return {
        "decision_by": _day(decision.last_day) if decision else None,
        "final_response_by": _day(final.last_day) if final else None,
        "heard_by": _list(promise.last_day.isoformat() for promise in owed.values()),
        "acknowledgement_within": _within(limits.get(_ACKNOWLEDGEMENT)),
        "resolution_within": _within(limits.get("summary-resolution")),
        "decision_within": _within(limits.get("decision-or-holding")) or _weeks(data.received_on, decision),
        "final_response_within": _within(limits.get("final-response")) or _weeks(data.received_on, final),
    }


def _within(limit: Limit | None) -> str | None:
    if limit is None or (limit.weeks is None and limit.business_days is None):
        return None
    return f"P{limit.business_days}D" if limit.weeks is None else f"P{limit.weeks}W"


def _weeks(received_on: date, promise: Promise | None) -> str | None:
    """Weeks are calendar weeks: a promise that falls on the weekday of the receipt is so many weeks."""
    weeks, rest = divmod((promise.last_day - received_on).days if promise else 0, 7)
    return f"P{weeks}W" if weeks > 0 and rest == 0 else None


def _ombudsman(row: Ombudsman | None) -> dict[str, Fact]:
    phones = row.phones if row else ()
    shown: dict[str | None, list[str]] = {}
    for phone in phones:
        shown.setdefault(phone.where, []).append(clean_line(phone.number))
    return {
        "ombudsman_name": _line(row.name) if row else None,
        "ombudsman_address": _line(row.address) if row else None,
        "ombudsman_email": row.email if row else None,
        "ombudsman_website": _website(row.website) if row and row.website else None,
        "ombudsman_phones": _list(shown.get(None, ())),
        "ombudsman_phones_at_home": _list(shown.get("at-home", ())),
        "ombudsman_phones_from_abroad": _list(shown.get("from-abroad", ())),
        "refer_within": f"P{row.refer_within_months}M" if row and row.refer_within_months else None,
        "refer_is_conditional": row.refer_is_conditional if row else None,
        "approach_after": row.approach_after if row else None,
        "binds": row.binds if row else None,
    }


def _firm(firm: Firm | None) -> dict[str, Fact]:
    return {
        "firm_name": _line(firm.name) if firm else None,
        "firm_address": ", ".join(_lines(firm.address)) or None if firm else None,
        "firm_email": firm.email if firm else None,
        "firm_phone": _line(firm.phone) if firm else None,
        "firm_website": _website(firm.website) if firm and firm.website else None,
    }


# --- values -----------------------------------------------------------------------------------------------------------


def _in(texts: Mapping[str, str] | None, locale: str) -> str:
    """In the letter's language, else in any it is written in: a decision or a right is not lost for its language."""
    if not texts:
        return ""
    return texts.get(locale) or texts.get("en") or next(iter(texts.values()))


def _shown(text: str) -> str | None:
    return clean(text) or None


def _line(text: str | None) -> str | None:
    return clean_line(text) or None if text else None


def _list(values: Iterable[str]) -> list[Scalar] | None:
    return [*values] or None


def _lines(text: str | None) -> list[str]:
    return [line for part in (text or "").splitlines() if (line := clean(part))]


def _website(website: str) -> str:
    """Without scheme, whole: the reader is to reach it. The contract lets nothing but ASCII through in a link."""
    bare = re.sub(r"^https?://", "", website).removesuffix("/")
    return bare if _HOST.fullmatch(bare.partition("/")[0]) else clean_line(bare)


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _zone(licence: str) -> str:
    return ZONES.get(licence, "UTC")
