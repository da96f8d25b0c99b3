"""`POST /v1/events`: who is it → what is it → may they → broker or outbox → 202.

Nothing of a request is published before all of it is valid and allowed. No answer and no log line holds a value from
a request.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ExceptionHandler

from schemas.envelope import Event
from schemas.topics import TOPIC_OF_TYPE
from schemas.types import Data
from services.auth_events import problems
from services.auth_events.body import BODY_SECONDS, read_body
from services.auth_events.hand_over import UnavailableError
from services.auth_events.metrics import Metrics, Place
from services.auth_events.problems import Problem, RefusedError
from services.auth_events.providers import cloudevents
from services.auth_events.publishers import Publisher, Publishers
from services.auth_events.records import message
from services.auth_events.trust import only
from services.runtime import traces
from services.runtime.publisher import Message

log = structlog.get_logger()

RETRY_AFTER_SECONDS = 5
RECORD_OVERHEAD_BYTES = 256
"""A record batch of one: 61 bytes of batch header, and lengths, offsets and timestamps as varints."""
CLIENT_CLOSED_REQUEST = 499
"""For our metrics only: nobody is there to read it."""

Take = Callable[[Sequence[Message]], Awaitable[Place]]
"""`HandOver.take`: returns once somebody has the messages, or raises `UnavailableError`."""


@dataclass(frozen=True, slots=True)
class Intake:
    """The intake of events; `routes` and `exception_handlers` go into the process's Starlette application."""

    publishers: Publishers
    take: Take
    metrics: Metrics
    body_seconds: float = BODY_SECONDS

    def routes(self) -> list[Route]:
        return [Route("/v1/events", self._post, methods=["POST"])]

    def exception_handlers(self) -> dict[int | type[Exception], ExceptionHandler]:
        return {HTTPException: _http_refusal, Exception: _defect}

    async def _post(self, request: Request) -> Response:
        started = asyncio.get_running_loop().time()
        try:
            response = await self._accept(request)
        except RefusedError as refused:
            self.metrics.record_refused(refused.problem.code)
            response = answer(refused.problem)
        except ClientDisconnect:
            response = Response(status_code=CLIENT_CLOSED_REQUEST)
        self.metrics.record_answer(response.status_code, asyncio.get_running_loop().time() - started)
        return response

    async def _accept(self, request: Request) -> Response:
        publisher, began = self._publisher(request), traces.since()
        try:
            events = cloudevents.read(request.headers.items(), await read_body(request, self.body_seconds))
            _refuse_foreign(events, publisher)
            messages = _messages(events)
        except RefusedError as refused:
            problem = refused.problem
            log.info(
                "events_refused", publisher=publisher.name, status=problem.status, code=problem.code, rule=problem.rule
            )
            raise
        types = Counter(event.type for event in events)
        told = log.bind(publisher=publisher.name, types=dict(types))
        if messages:
            try:
                place = await self.take(messages)
            except UnavailableError:
                told.error("events_not_accepted", status=503)
                raise RefusedError(problems.unavailable(RETRY_AFTER_SECONDS)) from None
            self.metrics.record_accepted(publisher.name, types.elements(), place)
            told.info("events_accepted", status=202, place=place)
            upstream = request.headers.get(traces.HEADER)
            for event in events:
                traces.published(event.source, event.id, event.type, began, upstream, place=place)
        return JSONResponse({"accepted": len(events)}, status_code=202)

    def _publisher(self, request: Request) -> Publisher:
        scheme, _, token = only(request.headers, "authorization").partition(" ")
        publisher = self.publishers.of_token(token.strip()) if scheme.lower() == "bearer" else None
        if publisher is None:
            log.info("events_refused", publisher=None, status=401, code="token")
            raise RefusedError(problems.unauthorized())
        return publisher


def _refuse_foreign(events: Sequence[Event[Data]], publisher: Publisher) -> None:
    for position, event in enumerate(events):
        for name, allowed in (
            ("source", publisher.may_use_source(event.source)),
            ("type", publisher.may_publish(event.type)),
        ):
            if not allowed:
                raise RefusedError(problems.forbidden(name, event=position if len(events) > 1 else None))


def _messages(events: Sequence[Event[Data]]) -> list[Message]:
    """One record for each (source, id), in order."""
    messages: dict[tuple[str, str], Message] = {}
    for position, event in enumerate(events):
        if (event.source, event.id) in messages:
            continue
        record, most = message(event), TOPIC_OF_TYPE[event.type].max_message_bytes - RECORD_OVERHEAD_BYTES
        headers = sum(len(name) + len(text) for name, text in record.headers)
        if len(record.value or b"") + len(record.key or b"") + headers > most:
            limit = f"{most} bytes as a record"
            raise RefusedError(problems.too_large("An event", limit, "Shorten its data.", event=position))
        messages[event.source, event.id] = record
    return list(messages.values())


def answer(problem: Problem) -> Response:
    return JSONResponse(
        problem.body(), status_code=problem.status, headers=dict(problem.headers), media_type=problems.MEDIA_TYPE
    )


async def _http_refusal(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return answer(problems.of_http(error.status_code, error.headers or {}))


async def _defect(_: Request, error: Exception) -> Response:
    log.error("request_failed", exc_info=error)
    return answer(problems.internal())
