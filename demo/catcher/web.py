"""The HTTP side: JSON API, live stream, the reading pane's content and the one page around it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from demo.catcher.careful import MAIL_POLICY, PAGE_POLICY, CarefulHeaders, Gallery
from demo.catcher.faults import Fault, Faults
from demo.catcher.inbox import Inbox
from demo.catcher.messages import Mail, Message
from demo.catcher.relay import Relay
from demo.catcher.views import detail, summary, wanted, with_links_in_new_tab

T = TypeVar("T")

PAGE = Path(__file__).parent / "page"
MAX_LIMIT = 500
STREAM_INTERVAL_SECONDS = 0.25
"""At most four updates a second reach a browser, whatever comes in."""
HEARTBEAT_SECONDS = 15


class _Down(BaseModel):
    model_config = ConfigDict(extra="forbid")
    down_seconds: float = Field(ge=0, le=3600)


class _ToShow(BaseModel):
    """What a portal shows; the fields of the contract's message, and whose it is."""

    model_config = ConfigDict(extra="forbid")
    event: str = Field(min_length=1, max_length=128)
    record: str = Field(max_length=300)
    portal: str = Field(max_length=100)
    to: str = Field(min_length=1, max_length=128)
    name: str = Field(max_length=200)
    notice: str = Field(max_length=100)
    locale: str = Field(max_length=10)
    title: str = Field(max_length=200)
    text: str = Field(max_length=4000)
    link: str | None = Field(default=None, max_length=2048)


_FAULTS: TypeAdapter[Fault | list[Fault]] = TypeAdapter(Fault | list[Fault])
_DOWN = TypeAdapter(_Down)
_TO_SHOW = TypeAdapter(_ToShow)


class _Web:
    def __init__(
        self, inbox: Inbox, faults: Faults, relay: Relay, closing: asyncio.Event, gallery: Path | None
    ) -> None:
        self._inbox = inbox
        self._faults = faults
        self._relay = relay
        self._closing = closing
        self._gallery = gallery
        self._run = uuid4().hex
        """Tells a browser that ids have started again."""

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/api/messages", self._list, methods=["GET"]),
            Route("/api/messages", self._clear, methods=["DELETE"]),
            Route("/api/messages/{id:int}", self._one),
            Route("/api/messages/{id:int}/html", self._html),
            Route("/api/messages/{id:int}/raw", self._raw),
            Route("/api/messages/{id:int}/attachments/{index:int}", self._attachment),
            Route("/api/portal", self._show, methods=["POST"]),
            Route("/api/stats", self._stats),
            Route("/api/recipients", self._recipients),
            Route("/api/relay", self._down, methods=["POST"]),
            Route("/api/faults", self._misbehave, methods=["POST"]),
            Route("/api/faults", self._behave, methods=["DELETE"]),
            Route("/api/stream", self._stream),
        ]

    async def _list(self, request: Request) -> Response:
        """Newest first. `to` is a whole address, `q` part of one or of the subject, `kind` mail, sms or portal."""
        query = request.query_params
        let_through = wanted(query.get("to", ""), query.get("q", ""), query.get("kind", ""))
        after, before = _number(query.get("after"), 0), _number(query.get("before"), 2**63)
        limit = min(_number(query.get("limit"), 50), MAX_LIMIT)
        newest_first = self._inbox.newest_first()
        matching = [each for each in newest_first if let_through(each)] if let_through else list(newest_first)
        page = [each for each in matching if after < each.id < before]
        newer = sum(1 for each in matching if each.id >= before)
        return JSONResponse(
            {
                "run": self._run,
                "total": len(matching),
                "newer": newer,
                "more": len(page) > limit,
                "messages": [summary(each) for each in page[:limit]],
            }
        )

    async def _clear(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        self._inbox.clear()
        return Response(status_code=204)

    def _find(self, request: Request) -> Message:
        message = self._inbox.get(request.path_params["id"])
        if message is None:
            raise HTTPException(404, "no such message (any more)")
        return message

    def _find_mail(self, request: Request) -> Mail:
        message = self._find(request)
        if not isinstance(message, Mail):
            raise HTTPException(404, "that message is no mail")
        return message

    async def _one(self, request: Request) -> Response:
        return JSONResponse(detail(self._find(request)))

    async def _html(self, request: Request) -> Response:
        """The HTML part; with `?view` links open in a new tab, which is all the reading pane changes."""
        html = self._find_mail(request).html
        if "view" in request.query_params:
            html = with_links_in_new_tab(html)
        return Response(html, headers={"content-security-policy": MAIL_POLICY}, media_type="text/html")

    async def _raw(self, request: Request) -> Response:
        return Response(self._find_mail(request).raw, media_type="text/plain; charset=utf-8")

    async def _attachment(self, request: Request) -> Response:
        attachments = self._find_mail(request).attachments
        index = request.path_params["index"]
        if index >= len(attachments):
            raise HTTPException(404, "no such attachment")
        # Saved, never shown: neither name nor type of a stranger's file reaches the browser.
        disposition = f'attachment; filename="attachment-{index}"'
        return Response(
            attachments[index].content,
            headers={"content-disposition": disposition},
            media_type="application/octet-stream",
        )

    async def _show(self, request: Request) -> Response:
        """For whoever reads in-app messages in a portal's place."""
        told = (await _body(request, _TO_SHOW)).model_dump()
        shown = self._inbox.add_shown(**told | {"language": told.pop("locale")})
        return JSONResponse(summary(shown), 201)

    def _status(self) -> dict[str, Any]:
        inbox, down_until = self._inbox, self._relay.down_until
        return {
            "run": self._run,
            "mails": inbox.mail_count,
            "texts": inbox.text_count,
            "shown": inbox.shown_count,
            "gallery": self._gallery is not None and (self._gallery / "index.html").exists(),
            "kept": len(inbox),
            "last_id": inbox.next_id - 1,
            "relay": {
                "smtp_port": self._relay.port,
                "down_until": down_until.isoformat() if down_until else None,
                "open_connections": self._relay.open_connections,
            },
            "faults": {"armed": self._faults.armed, "struck": self._faults.struck},
        }

    async def _stats(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        inbox = self._inbox
        return JSONResponse(
            {
                **self._status(),
                "bytes": inbox.bytes,
                "last_received_at": inbox.last_received_at.isoformat() if inbox.last_received_at else None,
                "recipients": len(inbox.recipients),
                "duplicates": [
                    {"message_id": message_id, "recipient": recipient, "copies": copies}
                    for (message_id, recipient), copies in inbox.duplicates.items()
                ],
            }
        )

    async def _recipients(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        return JSONResponse(self._inbox.recipients)

    async def _down(self, request: Request) -> Response:
        order = await _body(request, _DOWN)
        self._relay.take_down(order.down_seconds)
        return JSONResponse(self._status())

    async def _misbehave(self, request: Request) -> Response:
        faults = await _body(request, _FAULTS)
        self._faults.add(*(faults if isinstance(faults, list) else [faults]))
        self._inbox.announce()
        return JSONResponse(self._status(), 201)

    async def _behave(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        self._faults.clear()
        self._inbox.announce()
        return Response(status_code=204)

    async def _stream(self, request: Request) -> Response:
        """Server-sent events: `status` whenever something came, changed or was cleared."""
        return StreamingResponse(self._events(request), media_type="text/event-stream")

    async def _events(self, request: Request) -> AsyncIterator[str]:
        shown = ""
        while not self._closing.is_set() and not await request.is_disconnected():
            status = json.dumps(self._status())
            if status != shown:
                shown = status
                yield f"event: status\ndata: {status}\n\n"
            else:
                yield ": still here\n\n"
            await self._next_change()

    async def _next_change(self) -> None:
        """Also wakes now and then, to notice a browser that has gone."""
        changed = asyncio.ensure_future(self._inbox.changed())
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait((changed, closing), timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if changed.done():
                await asyncio.wait((closing,), timeout=STREAM_INTERVAL_SECONDS)
        finally:
            changed.cancel()
            closing.cancel()


def _number(value: str | None, default: int) -> int:
    if value is None:
        return default
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise HTTPException(400, "after, before and limit are whole numbers")
    return int(value)


async def _body(request: Request, model: TypeAdapter[T]) -> T:
    """JSON only: a form is what a page elsewhere could send here without asking (no CORS preflight)."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise HTTPException(415, "send application/json")
    try:
        return model.validate_json(await request.body())
    except ValidationError as error:
        raise HTTPException(422, error.json(include_url=False, include_input=False, include_context=False)) from None


async def _page(request: Request) -> Response:  # noqa: ARG001 - Starlette's signature
    return FileResponse(PAGE / "index.html", headers={"content-security-policy": PAGE_POLICY})


async def _problem(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    assert isinstance(error, HTTPException)
    return JSONResponse({"status": error.status_code, "detail": error.detail}, error.status_code)


def build_app(
    inbox: Inbox,
    faults: Faults,
    relay: Relay,
    more_routes: Sequence[BaseRoute],
    closing: asyncio.Event,
    allowed_hosts: Sequence[str],
    gallery: Path | None,
) -> Starlette:
    """`closing`: set before the server stops, so that streams end by themselves. `gallery`: a folder to show as well,
    once it is there.
    """
    hosts = ["127.0.0.1", "localhost", "[::1]", *allowed_hosts]
    return Starlette(
        routes=[
            Route("/", _page),
            Mount("/page", StaticFiles(directory=PAGE)),
            *([] if gallery is None else [Mount("/gallery", Gallery(gallery))]),
            *_Web(inbox, faults, relay, closing, gallery).routes,
            *more_routes,
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
            Middleware(CarefulHeaders),
        ],
        exception_handlers={HTTPException: _problem},
    )
