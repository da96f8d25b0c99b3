"""PURE: one complaint as a document for machines: what is owed and why then, letters, the story, what comes next.

Addresses are masked, names and texts of letters are not in it. Times are UTC in ISO 8601; a limit is exclusive.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from schemas.complaints import ReceivedV1
from schemas.masking import masked
from services.complaint_sla import words
from services.complaint_sla.case import CONFIRM_WITHIN, MISS_SETTLES, REGISTER_WITHIN, Case, Owed, Request
from services.complaint_sla.dossier import Dossier, Due, Told
from services.complaint_sla.explain import iso
from services.complaint_sla.words import named
from services.complaint_sla.zones import zone


class Next(NamedTuple):
    """What the sweep does by itself, if nothing happens before."""

    at: datetime
    what: str


def document(dossier: Dossier, zone_name: str, now: datetime) -> dict[str, Any]:
    """`zone_name`: of the licence, UTC where none covers it."""
    case, coming = dossier.case, upcoming(dossier.case)
    return {
        "complaint": case.id,
        "as_of": iso(now),
        "state": state_of(case),
        "in_words": words.of_case(case, zone_name),
        "first_heard_at": iso(case.first_seen_at),
        **_registered(case.received, zone_name),
        "closed_at": _iso(case.closed_at),
        "how": case.how,
        "letters_wait": case.letters_wait,
        "released": sorted(case.released),
        "refused": list(case.refused),
        "stuck_since": _iso(dossier.stuck_at),
        "next": None if coming is None else {"at": iso(coming.at), "what": coming.what},
        "waits_for_a_person": list(waits(dossier)),
        "obligations": [_obligation(owed, zone_name) for owed in case.owed],
        "letters": [_letter(request) for request in case.requests],
        "story": [_step(told, dossier) for told in dossier.told],
    }


def due(found: Due, zone_name: str, now: datetime) -> dict[str, Any]:
    """One line of what is due."""
    left = found.limit_at - now
    when = f"{words.span(left)} left" if found.limit_at > now else f"over since {words.span(left)}"
    said = f"{named(found.obligation)} {words.until(found.limit_at, zone_name)} ({zone_name}), {when}"
    return {
        "complaint": found.complaint_id,
        "obligation": found.obligation,
        "licence": found.licence,
        "state": found.state,
        "limit_at": iso(found.limit_at),
        "limit_local": found.limit_at.astimezone(zone(zone_name)).isoformat(),
        "in_words": said if found.state == "open" else f"{said}; {words.OF_STATE[found.state]}",
    }


def state_of(case: Case) -> str:
    """unregistered, open or closed."""
    if case.received is None:
        return "unregistered"
    return "open" if case.closed_at is None else "closed"


def upcoming(case: Case) -> Next | None:
    """The same instant as `Case.next_at`, and what it is for."""
    return min(_coming(case), default=None, key=lambda coming: coming.at)


def _coming(case: Case) -> Iterator[Next]:
    if case.received is None:
        if not case.unregistered:
            yield Next(case.first_seen_at + REGISTER_WITHIN, "if nobody has registered it by then, somebody is told")
        return
    for owed in case.owed:
        yield from _coming_for(owed, case)
    for request in case.requests:
        if request.state == "requested" and not request.unconfirmed:
            what = f"the {named(request.letter)} letter has an outcome by then, or somebody is told"
            yield Next(request.requested_at + CONFIRM_WITHIN, what)


def _coming_for(owed: Owed, case: Case) -> Iterator[Next]:
    name = named(owed.obligation)
    if owed.letter is not None and (at := case.letter_instant(owed)) is not None:
        yield Next(at, f"the {named(owed.letter)} letter is asked for")
    if not owed.is_open:
        return
    if owed.alerts:
        yield Next(owed.alerts[0], f"the handler is told that {name} comes near")
    if owed.delay_alerts and case.delay is None:
        yield Next(owed.delay_alerts[0], "the handler is told that nobody has explained the delay")
    what = f"the window for {name} closes" if owed.optional else f"{name} is missed if nothing is sent"
    yield Next(owed.limit_at + MISS_SETTLES, what)


def waits(dossier: Dossier) -> Iterator[str]:
    """What no instant brings: each sentence names what a person has to do."""
    case = dossier.case
    if dossier.stuck_at is not None:
        yield "it cannot be decided: case_undecided in the log says why"
    if case.received is None:
        yield "nobody has registered it: the complaint desk sends complaints.received.v1"
        return
    if case.refused:
        yield "events that came before it was registered were refused: the desk sends them corrected, as new ones"
    if case.closed_at is None and (held_back := list(_held_back(case))):
        yield f"it was heard of so late that letters wait: letters-released for {', '.join(held_back)}"
    if case.closed_at is None and any(_lacks_reason(owed, case) for owed in case.owed):
        yield "the week 8 letter has no reason: the desk sends complaints.delay-explained.v1"
    for request in _latest(case):
        yield from _wanted(request, case.received)


def _held_back(case: Case) -> Iterator[str]:
    for owed in case.owed:
        if owed.letter is not None and owed.is_due and owed.state != "held" and not case.may_write(owed.letter):
            yield named(owed.letter)


def _lacks_reason(owed: Owed, case: Case) -> bool:
    return owed.letter == "explanation" and owed.is_due and owed.letter_at is None and case.delay is None


def _latest(case: Case) -> list[Request]:
    """Of each letter: what came of an earlier one is settled by it."""
    return list({request.letter: request for request in case.requests}.values())


def _wanted(request: Request, received: ReceivedV1) -> Iterator[str]:
    letter = named(request.letter)
    if request.unconfirmed and request.state == "requested":
        yield f"the {letter} letter has no outcome: member-notices why '{request.id}'"
    if request.state == "with-handler":
        yield f"the {letter} letter is the handler's to post: complaints.letter-sent.v1 when it has gone"
    if request.state in {"bounced", "refused"}:
        yield f"the {letter} letter {words.OF_REQUEST[request.state]}: another address, or letters-released"
    if request.state in {"sent", "with-handler"} and request.licence != received.licence:
        yield f"the {letter} letter went under licence {request.licence}: letters-released sends it anew"


def _registered(received: ReceivedV1 | None, zone_name: str) -> dict[str, Any]:
    if received is None:
        return {"licence": None, "received_at": None}
    who = received.complainant
    return {
        "licence": received.licence,
        "category": received.category,
        "brand": received.brand,
        "zone": zone_name,
        "received_at": iso(received.received_at),
        "received_local": received.received_at.astimezone(zone(zone_name)).isoformat(),
        "complainant": {
            "channel": who.channel,
            "language": who.locale,
            "email": masked(who.email) if who.email else None,
            "has_postal_address": who.address is not None,
        },
        "handler": masked(received.handler.email) if received.handler else None,
    }


def _obligation(owed: Owed, zone_name: str) -> dict[str, Any]:
    return {
        "obligation": owed.obligation,
        "state": owed.state,
        "in_words": words.of_owed(owed, zone_name),
        "limit_at": iso(owed.limit_at),
        "limit_local": owed.limit_at.astimezone(zone(zone_name)).isoformat(),
        "limit_in_words": words.until(owed.limit_at, zone_name),
        "send_by": owed.send_by.isoformat(),
        "optional": owed.optional,
        "met_at": _iso(owed.met_at),
        "met_with": owed.met_with,
        "met_by": list(owed.met_by),
        "detected_at": _iso(owed.detected_at),
        "source": owed.source,
        "reference": owed.reference,
        "rules_version": owed.rules_version,
        "calendar": owed.calendar,
        "calendar_version": owed.calendar_version,
        "explanation": owed.explanation,
    }


def _letter(request: Request) -> dict[str, Any]:
    return {
        "id": request.id,
        "letter": request.letter,
        "obligation": request.obligation,
        "attempt": request.attempt,
        "way": request.by,
        "licence": request.licence,
        "state": request.state,
        "in_words": words.of_request(request),
        "requested_at": iso(request.requested_at),
        "sent_at": _iso(request.sent_at),
        "unconfirmed": request.unconfirmed,
    }


def _step(told: Told, dossier: Dossier) -> dict[str, Any]:
    event = told.event
    return {
        "at": iso(told.at),
        "heard": told.heard,
        "type": event.type,
        "source": event.source,
        "id": event.id,
        "time": iso(event.time),
        "in_words": words.of_event(event.data, dossier.case),
        "published": told.heard or event.id not in dossier.untold,
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else iso(at)
