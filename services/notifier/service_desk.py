"""`GET /v1/notifications?member=…` or `?event=…`: did she get it?

For the service desk: masked addresses, states in words, never a code, a link or a template's facts. The route has a
token of its own; without SERVICE_DESK_TOKEN_SHA256 it is off, and says so.
"""

import hashlib
import hmac
from collections.abc import Collection
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.notifier import words
from services.notifier.ledger.stories import Stories
from services.notifier.story import EventRow, NotificationRow
from services.notifier.why import iso
from services.runtime.database import describe, is_away

log = structlog.get_logger()

DEFAULT_LIMIT = 20
HIGHEST_LIMIT = 100
MAX_ASKED = 400
"""Characters: a source (255), a bar and an id (128) fit."""


class _RefusedError(Exception):
    def __init__(self, status: int, code: str, detail: str, parameter: str | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.document = {
            "type": f"urn:member-notices:problem:{code}",
            "title": detail.partition(":")[0],
            "status": status,
            "detail": detail,
            **({"parameter": parameter} if parameter else {}),
        }


class ServiceDesk:
    """`token_sha256`: hashes of the tokens that may ask, several while one is being replaced; none: off."""

    def __init__(self, stories: Stories, token_sha256: Collection[str]) -> None:
        self._stories = stories
        self._tokens = [bytes.fromhex(token) for token in token_sha256]

    def routes(self) -> list[Route]:
        return [Route("/v1/notifications", self._get, methods=["GET"])]

    async def _get(self, request: Request) -> Response:
        try:
            self._refuse_strangers(request)
            return JSONResponse(await self._answer(request), headers={"Cache-Control": "no-store"})
        except _RefusedError as refused:
            return _problem(refused)
        except Exception as error:
            if not is_away(error):
                log.error("service_desk_failed", exc_info=error)
                return _problem(
                    _RefusedError(500, "internal", "A defect of ours: the notifier's log says what happened")
                )
            log.warning("service_desk_without_database", **describe(error))
            return _problem(_RefusedError(503, "unavailable", "The ledger cannot be reached: ask again in a minute"))

    def _refuse_strangers(self, request: Request) -> None:
        """Constant time in what the token is: every hash is compared, whichever matches."""
        if not self._tokens:
            raise _RefusedError(404, "off", "This route is off: set SERVICE_DESK_TOKEN_SHA256 to switch it on")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        presented = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        known = [hmac.compare_digest(each, presented) for each in self._tokens]
        if scheme.lower() != "bearer" or not any(known):
            raise _RefusedError(
                401, "token", "No valid token: send Authorization: Bearer with the service desk's token"
            )

    async def _answer(self, request: Request) -> dict[str, Any]:
        name, asked, limit = _question(request)
        more = limit + 1
        if name == "member":
            events = await self._stories.not_planned(asked, more)
            rows = await self._stories.of_member(asked, more)
        else:
            events = await self._stories.events(asked, more)
            rows = [row for event in events for row in await self._stories.of_event(event, more)]
        return {
            "notifications": [_notification(row) for row in rows[:limit]],
            "events": [_event(event) for event in events[:limit]],
            "more": len(rows) > limit or len(events) > limit,
        }


def _question(request: Request) -> tuple[str, str, int]:
    """member or event, what was asked, limit."""
    given = request.query_params.multi_items()
    for name, _ in given:
        if name not in {"member", "event", "limit"}:
            raise _RefusedError(400, "parameter", "Unknown parameter: use member or event, and limit", "query")
        if len(request.query_params.getlist(name)) > 1:
            raise _RefusedError(400, "parameter", "Given twice: give it once", name)
    asked = [(name, value) for name, value in given if name != "limit"]
    if len(asked) != 1:
        rule = "member or event, one of them: member=<member id>, event=<source>|<id> or event=<id>"
        raise _RefusedError(400, "parameter", rule, "member, event")
    ((name, value),) = asked
    if not value or len(value) > MAX_ASKED or not value.isascii() or not value.isprintable():
        raise _RefusedError(400, "parameter", f"Not usable: 1 to {MAX_ASKED} printable ASCII characters", name)
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= HIGHEST_LIMIT):
        raise _RefusedError(400, "parameter", f"Not usable: a whole number from 1 to {HIGHEST_LIMIT}", "limit")
    return name, value, int(text)


def _notification(row: NotificationRow) -> dict[str, Any]:
    last = row.tried[-1] if row.tried else None
    return {
        "id": str(row.id),
        "event": {"source": row.event_source, "id": row.event_id, "type": row.event_type, "time": iso(row.event_time)},
        "notice": row.notice,
        "role": row.role,
        "channel": row.channel,
        "language": row.locale,
        "brand": row.brand,
        "address": row.address,
        "state": row.state,
        "since": iso(row.state_at),
        "reason": row.reason,
        "in_words": words.of_notification(row),
        "accepted_at": iso(row.accepted_at),
        "sent_at": None if row.sent_at is None else iso(row.sent_at),
        "expires_at": None if row.expires_at is None else iso(row.expires_at),
        "attempts": row.attempts,
        "reply_code": None if last is None else last.reply_code,
    }


def _event(event: EventRow) -> dict[str, Any]:
    return {
        "source": event.source,
        "id": event.id,
        "type": event.type,
        "time": iso(event.time),
        "state": event.state,
        "reason": event.reason,
        "in_words": words.of_event(event),
        "accepted_at": iso(event.accepted_at),
        "waits_until": None if event.waits_until is None else iso(event.waits_until),
    }


def _problem(refused: _RefusedError) -> Response:
    headers = {"WWW-Authenticate": 'Bearer realm="service-desk"'} if refused.status == 401 else {}
    return JSONResponse(
        refused.document, status_code=refused.status, headers=headers, media_type="application/problem+json"
    )
