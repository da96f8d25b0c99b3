"""The pages about notifications, events and suppressed addresses."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from schemas.words import OF_EVENT_STATE, OF_STATE, because, of_result
from services.console.interventions import KINDS, Interventions
from services.console.notifications import Events, Notifications, search_hash
from services.console.pages import Pages, link
from services.console.searching import ENDED, OPEN, Place, Wanted
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.service_desk import RefusedError, only

HERE = "/notifications"
MAX_ASKED = 400
LANES = ("codes", "security", "letters", "general")
STATES = ("open", *OPEN, *ENDED)
KIND: Mapping[str, str] = {
    "sent": "good", "delivered": "good", "retrying": "look", "unknown": "look",
    "failed": "bad", "bounced": "bad", "expired": "bad", "waiting": "look",
}  # fmt: skip
"""The shape beside a state; what is not here has none of its own."""
_FIELDS = ("member", "event", "state", "notice", "lane", "to", "address", "late", "before")
_NOTICE = re.compile(r"[a-z0-9-]{0,64}")
_HASH = re.compile(r"([0-9a-f]{64})?")
WORDS: Mapping[str, Any] = {
    "because": because,
    "of_result": of_result,
    "of_state": OF_STATE,
    "of_event": OF_EVENT_STATE,
    "kind": KIND,
}


class NotificationPages:
    """`search_key`: of the notifier; without it no address can be looked for."""

    def __init__(self, database: Database, pages: Pages, clock: Clock, search_key: bytes | None) -> None:
        self._notifications = Notifications(database)
        self._events = Events(database)
        self._interventions = Interventions(database)
        self._pages = pages
        self._clock = clock
        self._search_key = search_key

    async def search(self, request: Request) -> Response:
        """Raises `RefusedError`."""
        only(request, *_FIELDS)
        asked = {name: request.query_params.get(name, "").strip() for name in _FIELDS}
        if asked["address"]:
            return self._by_hash(asked)
        if asked["event"]:
            return await self._of_event(asked)
        wanted, before, now = _wanted(asked), _place(asked["before"]), self._clock.now()
        found = await self._notifications.search(wanted, now, before)
        return self._listed(asked, rows=found.rows, found=found, events=[])

    async def one(self, request: Request) -> Response:
        """Raises `RefusedError`."""
        only(request)
        now = self._clock.now()
        row = await self._notifications.one(_uuid(request.path_params["id"]), now)
        if row is None:
            raise RefusedError(404, "unknown", "No such notification: never, or more than 130 days ago")
        return self._pages.page(
            "notification.html",
            here=HERE,
            now=now,
            row=row,
            attempts=await self._notifications.attempts(row),
            taught=await self._notifications.taught(row),
            interventions=await self._interventions.about(row),
            kinds=KINDS,
            **WORDS,
        )

    async def events(self, request: Request) -> Response:
        """Raises `RefusedError`."""
        only(request, "state", "member")
        state, member = request.query_params.get("state", "waiting"), request.query_params.get("member", "")
        if state not in {"waiting", "skipped", "failed"}:
            raise RefusedError(400, "parameter", "Not usable: waiting, skipped or failed", "state")
        events = await self._events.not_planned(state, _printable(member, "member"))
        return self._pages.page("events.html", here=HERE, now=self._clock.now(), state=state, events=events, **WORDS)

    async def suppressions(self, request: Request) -> Response:
        """Raises `RefusedError`."""
        only(request)
        rows = await self._notifications.suppressions()
        return self._pages.page("suppressions.html", here=HERE, now=self._clock.now(), rows=rows, **WORDS)

    async def interventions(self, request: Request) -> Response:
        """Raises `RefusedError`."""
        only(request, "kind")
        kind = request.query_params.get("kind", "")
        if kind and kind not in KINDS:
            raise RefusedError(400, "parameter", f"Not usable: one of {', '.join(KINDS)}", "kind")
        rows = await self._interventions.latest(kind)
        return self._pages.page(
            "interventions.html", here=HERE, now=self._clock.now(), interventions=rows, kind=kind, kinds=KINDS
        )

    def _by_hash(self, asked: Mapping[str, str]) -> Response:
        """The address leaves the page's own address at once: what is kept of it is its keyed hash."""
        if self._search_key is None:
            raise RefusedError(400, "parameter", "No address can be looked for: SEARCH_KEY is not set", "address")
        kept = {name: value for name, value in asked.items() if name != "address"}
        digest = search_hash(self._search_key, asked["address"]).hex()
        return RedirectResponse(link(HERE, **{**kept, "to": digest}), 303)

    async def _of_event(self, asked: Mapping[str, str]) -> Response:
        events = await self._events.find(_printable(asked["event"], "event"), self._clock.now())
        rows = [row for event in events for row in await self._notifications.of_event(event)]
        return self._listed(asked, rows=rows, found=None, events=events)

    def _listed(self, asked: Mapping[str, str], **told: Any) -> Response:
        return self._pages.page(
            "notifications.html",
            here=HERE,
            now=self._clock.now(),
            asked=asked,
            states=STATES,
            lanes=LANES,
            by_address=self._search_key is not None,
            **told,
            **WORDS,
        )


def _wanted(asked: Mapping[str, str]) -> Wanted:
    for name, known in (("state", STATES), ("lane", LANES), ("late", ("1",))):
        if asked[name] and asked[name] not in known:
            raise RefusedError(400, "parameter", f"Not usable: one of {', '.join(known)}", name)
    if not _NOTICE.fullmatch(asked["notice"]):
        raise RefusedError(400, "parameter", "Not usable: a notice as the catalogue calls it", "notice")
    if not _HASH.fullmatch(asked["to"]):
        raise RefusedError(400, "parameter", "Not usable: 64 hex digits; look for the address instead", "to")
    return Wanted(
        member=_printable(asked["member"], "member"),
        state=asked["state"],
        notice=asked["notice"],
        lane=asked["lane"],
        address_hash=bytes.fromhex(asked["to"]),
        late=bool(asked["late"]),
    )


def _printable(text: str, name: str) -> str:
    if len(text) > MAX_ASKED or not text.isascii() or not (text.isprintable() or not text):
        raise RefusedError(400, "parameter", f"Not usable: at most {MAX_ASKED} printable ASCII characters", name)
    return text


def _place(text: str) -> Place | None:
    try:
        return Place.read(text) if text else None
    except (ValueError, OverflowError):
        raise RefusedError(400, "parameter", "Not usable: start from the first page again", "before") from None


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise RefusedError(404, "unknown", "No such notification: its id is a UUID") from None
