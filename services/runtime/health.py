"""/healthz: the loop is alive. /readyz: what this process depends on, by name. /metrics: Prometheus text."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from services.runtime.settings import SettingsError
from services.runtime.vitals import Vitals

Check = Callable[[], Awaitable[str | None]]
"""None when ready; else what is wrong and what to look at, in one sentence."""
CHECK_SECONDS = 2.0


def routes(checks: Mapping[str, Check], vitals: Vitals) -> list[BaseRoute]:
    """`/metrics` asks the checks too, so that what is not ready can be seen without anybody asking `/readyz`."""

    async def told() -> dict[str, str | None]:
        names = list(checks)
        results = await asyncio.gather(*(_bounded(checks[name]) for name in names))
        answers = dict(zip(names, results, strict=True))
        vitals.record_ready({name: trouble is None for name, trouble in answers.items()})
        return answers

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        answers = await told()
        shown = {name: trouble or "ready" for name, trouble in answers.items()}
        return JSONResponse(shown, status_code=503 if any(answers.values()) else 200)

    async def metrics(_: Request) -> Response:
        await told()
        return Response(generate_latest(vitals.registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


async def _bounded(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 (a readiness check reports whatever went wrong, by class)
        return type(error).__name__


class HttpServer:
    """uvicorn on a socket of ours. The process decides when to stop, not uvicorn's signal handlers."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        """Raises SettingsError when the address is taken."""
        # Starlette would send a path with one slash too many elsewhere: to http, whatever came, and with its secrets.
        app.router.redirect_slashes = False
        try:
            self._socket = socket.create_server((host, port))
        except OSError as error:
            raise SettingsError("http", [f"HTTP_HOST and HTTP_PORT: cannot listen there ({error.strerror})"]) from None
        self.port: int = self._socket.getsockname()[1]
        self._server = _Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))

    async def serve(self) -> None:
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Answers what it has begun, then `serve` returns."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
