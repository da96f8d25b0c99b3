"""Routes → questions → pages, and what a question that failed looks like."""

import time
from collections.abc import Awaitable, Callable, Mapping

import asyncpg
import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.console.broker import Broker
from services.console.broker_pages import BrokerPages
from services.console.complaint_pages import ComplaintPages
from services.console.figures import figures
from services.console.gallery import Gallery
from services.console.gate import Gate, Trust
from services.console.metrics import NO_PAGE, Metrics
from services.console.notice_pages import NoticePages
from services.console.notification_pages import NotificationPages
from services.console.overview import IN_WORDS, overview_of
from services.console.pages import POLICY, Pages
from services.console.views import STATEMENT_SECONDS
from services.runtime.clock import Clock
from services.runtime.database import Database, describe, is_away
from services.runtime.health import Check, routes
from services.runtime.service_desk import RefusedError
from services.runtime.vitals import Vitals

log = structlog.get_logger()
Page = Callable[[Request], Awaitable[Response]]


class Site:
    def __init__(
        self,
        database: Database,
        broker: Broker,
        clock: Clock,
        search_key: bytes | None,
        gallery: Gallery,
        metrics: Metrics,
    ) -> None:
        """`search_key`: the notifier's; without it no address can be looked for."""
        self._database = database
        self._broker = broker
        self._clock = clock
        self._pages = Pages()
        self._gallery = gallery
        self._metrics = metrics
        self._notifications = NotificationPages(database, self._pages, clock, search_key)

    def app(self, trust: Trust, checks: Mapping[str, Check], vitals: Vitals) -> Starlette:
        """`vitals`: what /metrics tells."""
        gate = Middleware(Gate, trust=trust, refusals=self._pages, policy=POLICY, metrics=self._metrics)
        return Starlette(
            routes=[*self._routes(), *routes(checks, vitals)],
            middleware=[gate],
            exception_handlers={404: self._no_such_page},
        )

    def _routes(self) -> list[BaseRoute]:
        complaints = ComplaintPages(self._database, self._pages, self._clock)
        broker = BrokerPages(self._broker, self._pages, self._clock)
        notices = NoticePages(self._gallery, self._pages, self._clock)
        pages: dict[str, Page] = {
            "/": self._overview,
            "/notifications": self._notifications.search,
            "/notifications/{id}": self._notifications.one,
            "/events": self._notifications.events,
            "/suppressions": self._notifications.suppressions,
            "/interventions": self._notifications.interventions,
            "/complaints": complaints.search,
            "/complaints/{id}": complaints.one,
            "/notices": notices.every,
            "/notices/mails/{name}": notices.mail,
            "/notices/{notice}": notices.one,
            "/dead-letters": broker.dead_letters,
            "/topics": broker.topics,
            "/topics/{name}": broker.topic,
        }
        return [Route(path, self._measured(path, self._answering(page))) for path, page in pages.items()]

    def _measured(self, path: str, page: Page) -> Page:
        async def answer(request: Request) -> Response:
            began = time.monotonic()
            response = await page(request)
            self._metrics.record_answer(path, response.status_code, time.monotonic() - began)
            return response

        return answer

    def _answering(self, page: Page) -> Page:
        async def answer(request: Request) -> Response:
            try:
                return await page(request)
            except RefusedError as refused:
                return self._refused(refused)
            except asyncpg.QueryCanceledError:
                return self._pages.message(
                    503,
                    "That took too long",
                    f"The database could not tell within {STATEMENT_SECONDS} seconds, so it was stopped.",
                    "Ask for less: one member, one event, or one state. If every page says so, the database is busy.",
                )
            except Exception as error:  # noqa: BLE001 (a page that fails is a page that says so)
                return self._failed(error)

        return answer

    def _refused(self, refused: RefusedError) -> Response:
        title, _, rule = str(refused.document["detail"]).partition(": ")
        named = refused.document.get("parameter")
        sentences = [f"{named}: {rule}." if named else f"{rule[:1].upper()}{rule[1:]}."] if rule else []
        return self._pages.message(refused.status, title, *sentences)

    def _failed(self, error: Exception) -> Response:
        if is_away(error) and not isinstance(error, asyncpg.SyntaxOrAccessError):
            log.warning("console_without_database", **describe(error))
            return self._pages.message(
                503,
                "The database does not answer",
                "The page is asked for again by itself; /readyz says what is missing.",
            )
        log.error("console_failed", exc_info=error)
        return self._pages.message(500, "A defect of ours", "The console's log says what happened.")

    async def _no_such_page(self, request: Request, error: Exception) -> Response:  # noqa: ARG002 (Starlette's)
        self._metrics.record_refusal(NO_PAGE, 404)
        return self._pages.message(404, "No such page", "The menu above has all there are.")

    async def _overview(self, request: Request) -> Response:  # noqa: ARG002 (Starlette's)
        now = self._clock.now()
        told, seen = await figures(self._database, now), self._broker.seen
        dead = None if seen is None else sum(seen.dead.values())
        overview = overview_of(told, dead, now, () if seen is None else seen.groups, self._gallery.doubts())
        return self._pages.page("overview.html", overview=overview, in_words=IN_WORDS, here="/", now=now)
