"""PURE: what a letter's event carries, from the case as it stands. Everything the letter says is in it."""

from collections.abc import Mapping
from typing import Any

from schemas.complaints import Letter, ReceivedV1
from schemas.deadlines import LetterDueV1, LetterToPostV1, Limit, Ombudsman, OmbudsmanPhone, Promise
from services.complaint_sla.case import Case, Owed
from services.complaint_sla.licences import Licence
from services.complaint_sla.procedure import day0
from services.complaint_sla.rulebook import Rulebook

PROMISED = ("acknowledgement", "decision-or-holding", "final-response")
"""What a letter's timetable names, if it is still owed when the letter is asked for."""
WITHOUT_OMBUDSMAN = {"not-covered"}


def goes_by_post(received: ReceivedV1) -> bool:
    """Also one who wants e-mail and left no address."""
    return received.complainant.channel == "post" or received.complainant.email is None


def letter_event(
    rulebook: Rulebook, case: Case, letter: Letter, attempt: int, owed: Owed | None, *, by_post: bool
) -> LetterDueV1:
    """The data of `letter-due`, or of `letter-to-post` where it goes by post. The case is registered."""
    received = case.received
    assert received is not None, "a letter is asked for after `received`"
    licence = rulebook.licences.get(received.licence)
    encloses = letter == "acknowledgement" or (letter == "final" and _is_due(case, "acknowledgement"))
    told = {
        "brand": received.brand,
        "licence": received.licence,
        "reference": received.reference,
        "letter": letter,
        "attempt": attempt,
        "obligation": owed.obligation if owed else None,
        "limit_at": owed.limit_at if owed else None,
        "complainant": received.complainant,
        "received_on": day0(rulebook, received),
        "edition": owed.edition if owed else None,
        "promises": _promises(case, owed),
        "encloses_procedure": encloses,
        "limits": _limits(rulebook, received) if licence else (),
        "ombudsman": ombudsman_of(licence) if licence and letter not in WITHOUT_OMBUDSMAN else None,
        "prescribed": licence.prescribed_for(letter) if licence else None,
        **_contents(rulebook, case, letter),
    }
    if by_post:
        return LetterToPostV1(**told, handler=received.handler)
    return LetterDueV1(**told)


def _contents(rulebook: Rulebook, case: Case, letter: Letter) -> Mapping[str, Any]:
    """What only this letter has."""
    match letter:
        case "summary" | "final":
            answer = case.resolution if letter == "summary" else case.final or case.resolution
            return {"text": answer.text if answer else None}
        case "explanation" if case.delay is not None:
            return {"text": case.delay.reason, "expected_by": case.delay.expected_by}
        case "explanation" if case.received is not None:
            return {"text": rulebook.reasons.of(case.received.licence), "generic_reason": True}
        case "information-request" if case.information is not None:
            return {"text": case.information.text, "missing": case.information.missing}
        case "forwarded" if case.forwarded is not None:
            return {"text": case.forwarded.reason, "firm": case.forwarded.firm}
        case _:
            return {}


def _is_due(case: Case, obligation: str) -> bool:
    owed = case.of(obligation)
    return owed is not None and owed.is_due


def _promises(case: Case, asked_for: Owed | None) -> tuple[Promise, ...]:
    return tuple(
        Promise(obligation=owed.obligation, last_day=owed.last_day)
        for owed in case.owed
        if owed.obligation in PROMISED and owed.is_open and owed is not asked_for
    )


def _limits(rulebook: Rulebook, received: ReceivedV1) -> tuple[Limit, ...]:
    received_on = day0(rulebook, received)
    return tuple(
        Limit(obligation=rule.obligation, business_days=rule.business_days, weeks=rule.weeks)
        for rule in rulebook.rows(received.licence, received.category)
        if rule.starts == "receipt" and rule.applies_on(received_on)
    )


def ombudsman_of(licence: Licence) -> Ombudsman:
    """The licence's row as the insurer prints it; other sources' versions stay with the data."""
    row = licence.ombudsman

    def value(name: str) -> Any:
        fact = getattr(row, name)
        return None if fact is None else fact.value

    return Ombudsman(
        name=row.name.value,
        address=value("address"),
        email=value("email"),
        website=value("website"),
        phones=tuple(OmbudsmanPhone(number=phone.value, where=phone.where) for phone in row.phones),
        refer_within_months=value("refer_within_months"),
        refer_is_conditional=value("refer_is_conditional"),
        approach_after=value("approach_without_answer"),
        binds=value("binds"),
    )
