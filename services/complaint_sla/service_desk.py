"""`GET /v1/complaints/{id}`: one complaint, each deadline with its explanation, as JSON or as a picture.
`GET /v1/complaints?due_before=…`: what is due, the nearest limit first.

For the service desk, behind its token; without SERVICE_DESK_TOKEN_SHA256 both are off. Addresses are masked, texts of
letters never told.
"""

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from functools import cache

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schemas.topics import COMPLAINT_SLA_DEAD_LETTERS
from schemas.types import Time
from services.complaint_sla.axis import Axis, span_of
from services.complaint_sla.calendars import Calendar, CalendarError, CalendarVersion, load_version
from services.complaint_sla.case import Case
from services.complaint_sla.dossier import Dossier
from services.complaint_sla.picture import LEFT, MEDIA_TYPE, RIGHT, picture
from services.complaint_sla.reading import Reading
from services.complaint_sla.rulebook import Rulebook
from services.complaint_sla.tables import DataError
from services.complaint_sla.timeline import document, due
from services.runtime.clock import Clock
from services.runtime.service_desk import BearerTokens, RefusedError, answer, limit_of, only
from services.runtime.vault import VaultError

DEFAULT_LIMIT = 100
HIGHEST_LIMIT = 500
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:-]{0,63}", re.ASCII)
_TIME: TypeAdapter[datetime] = TypeAdapter(Time)
_FORMS = {"json", "picture"}
_ALONE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
"""A picture opened by itself fetches nothing and runs nothing."""


class ServiceDesk:
    """`token_sha256`: hashes of the tokens that may ask; none: off."""

    def __init__(self, reading: Reading, rulebook: Rulebook, clock: Clock, token_sha256: Collection[str]) -> None:
        self._reading = reading
        self._rulebook = rulebook
        self._clock = clock
        self._tokens = BearerTokens(token_sha256)

    def routes(self) -> list[Route]:
        return [
            Route("/v1/complaints", self._get_due, methods=["GET"]),
            Route("/v1/complaints/{id}", self._get_one, methods=["GET"]),
        ]

    async def _get_due(self, request: Request) -> Response:
        return await answer(request, self._tokens, self._due)

    async def _get_one(self, request: Request) -> Response:
        return await answer(request, self._tokens, self._one)

    async def _due(self, request: Request) -> Response:
        only(request, "due_before", "limit")
        before, limit = _instant(request), limit_of(request, default=DEFAULT_LIMIT, highest=HIGHEST_LIMIT)
        now, found = self._clock.now(), await self._reading.due_before(before, limit + 1)
        return JSONResponse(
            {
                "obligations": [due(each, self._rulebook.zone_of(each.licence), now) for each in found[:limit]],
                "more": len(found) > limit,
            }
        )

    async def _one(self, request: Request) -> Response:
        only(request, "as")
        as_picture = _wants_picture(request)
        dossier = await self._dossier(request.path_params["id"])
        zone_name, now = self._rulebook.zone_of(dossier.case.licence), self._clock.now()
        if as_picture:
            axis = axis_of(self._rulebook, dossier.case)
            drawn = picture(dossier.case, axis, zone_name, now)
            response = Response(drawn, media_type=MEDIA_TYPE, headers=_ALONE)
        else:
            response = JSONResponse(document(dossier, zone_name, now))
        response.headers["Vary"] = "Accept"
        return response

    async def _dossier(self, id_: str) -> Dossier:
        if not _ID.fullmatch(id_):
            rule = "Not usable: letters, digits and . _ ~ : -, at most 64, as the complaint desk names it"
            raise RefusedError(400, "parameter", rule, "id")
        try:
            dossier = await self._reading.dossier(id_)
        except VaultError:
            lost = "It cannot be opened: its key is not among VAULT_KEYS; put that key back"
            raise RefusedError(500, "sealed", lost) from None
        if dossier is None:
            meaning = (
                "Unknown complaint: nothing about it has arrived, it was refused (look on "
                f"{COMPLAINT_SLA_DEAD_LETTERS.name}), or it closed more than six years ago and was forgotten"
            )
            raise RefusedError(404, "complaint-unknown", meaning)
        return dossier


def axis_of(rulebook: Rulebook, case: Case) -> Axis | None:
    """With the days off of the calendar that its deadlines were counted by. None: there is nothing to count."""
    if case.received is None or not case.owed:
        return None
    zone_name = rulebook.zone_of(case.licence)
    first, narrow_from, last = span_of(case, zone_name)
    version = _version(case.owed[0].calendar_version) or rulebook.calendars
    days_off = _days_off(version.calendar(case.owed[0].calendar), first, narrow_from)
    return Axis(
        zone=zone_name, first=first, narrow_from=narrow_from, last=last, left=LEFT, right=RIGHT, days_off=days_off
    )


@cache
def _version(name: str) -> CalendarVersion | None:
    """None: a file of that version is no longer here."""
    try:
        return load_version(name)
    except DataError:
        return None


def _days_off(calendar: Calendar, first: date, end: date) -> Mapping[date, str]:
    found: dict[date, str] = {}
    for number in range((end - first).days):
        day = first + timedelta(days=number)
        try:
            reason = calendar.not_counted(day)
        except CalendarError:
            continue  # beyond the approved years: nothing to shade
        if reason is not None:
            found[day] = reason.why
    return found


def _instant(request: Request) -> datetime:
    try:
        return _TIME.validate_python(request.query_params.get("due_before"))
    except ValidationError:
        rule = "Not usable: a time in RFC 3339 with its zone, 2000 to 2100: 2026-12-24T16:30:00Z; write + as %2B"
        raise RefusedError(400, "parameter", rule, "due_before") from None


def _wants_picture(request: Request) -> bool:
    """`as` decides; without it `Accept` does, if it names SVG and not JSON."""
    form = request.query_params.get("as")
    if form is not None and form not in _FORMS:
        raise RefusedError(400, "parameter", "Not usable: json or picture", "as")
    if form is not None:
        return form == "picture"
    accepted = request.headers.get("accept", "").lower()
    return MEDIA_TYPE in accepted and "application/json" not in accepted
