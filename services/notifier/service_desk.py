"""`GET /v1/notifications?member=…` or `?event=…`: did she get it?

For the service desk: masked addresses, states in words, never a code, a link or a template's facts. The route has a
token of its own; without SERVICE_DESK_TOKEN_SHA256 it is off, and says so.
"""

from collections.abc import Collection
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.notifier import words
from services.notifier.ledger.stories import Stories
from services.notifier.story import EventRow, NotificationRow
from services.notifier.why import iso
from services.runtime.service_desk import BearerTokens, RefusedError, answer, limit_of, only

DEFAULT_LIMIT = 20
HIGHEST_LIMIT = 100
MAX_ASKED = 400
"""Characters: a source (255), a bar and an id (128) fit."""


class ServiceDesk:
    """`token_sha256`: hashes of the tokens that may ask; none: off."""

    def __init__(self, stories: Stories, token_sha256: Collection[str]) -> None:
        self._stories = stories
        self._tokens = BearerTokens(token_sha256)

    def routes(self) -> list[Route]:
        return [Route("/v1/notifications", self._get, methods=["GET"])]

    async def _get(self, request: Request) -> Response:
        return await answer(request, self._tokens, self._answer)

    async def _answer(self, request: Request) -> Response:
        name, asked, limit = _question(request)
        more = limit + 1
        if name == "member":
            events = await self._stories.not_planned(asked, more)
            rows = await self._stories.of_member(asked, more)
        else:
            events = await self._stories.events(asked, more)
            rows = [row for event in events for row in await self._stories.of_event(event, more)]
        return JSONResponse(
            {
                "notifications": [_notification(row) for row in rows[:limit]],
                "events": [_event(event) for event in events[:limit]],
                "more": len(rows) > limit or len(events) > limit,
            }
        )


def _question(request: Request) -> tuple[str, str, int]:
    """member or event, what was asked, limit."""
    only(request, "member", "event", "limit")
    asked = [(name, value) for name, value in request.query_params.items() if name != "limit"]
    if len(asked) != 1:
        rule = "member or event, one of them: member=<member id>, event=<source>|<id> or event=<id>"
        raise RefusedError(400, "parameter", rule, "member, event")
    ((name, value),) = asked
    if not value or len(value) > MAX_ASKED or not value.isascii() or not value.isprintable():
        raise RefusedError(400, "parameter", f"Not usable: 1 to {MAX_ASKED} printable ASCII characters", name)
    return name, value, limit_of(request, default=DEFAULT_LIMIT, highest=HIGHEST_LIMIT)


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
