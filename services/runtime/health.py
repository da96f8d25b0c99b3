"""/healthz: the loop is alive. /readyz: what this process depends on, by name. /metrics: Prometheus text."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files. Nobody is answered who has no certificate of `client_authority`."""

    certificate: Path
    key: Path
    client_authority: Path

    def context(self) -> ssl.SSLContext:
        """Raises SettingsError when a file cannot be used; says which, and never what is in it."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ValueError) as error:
            raise _unusable(f"certificate {self.certificate} and key {self.key}", error) from None
        try:
            context.load_verify_locations(self.client_authority)
        except (OSError, ValueError) as error:
            raise _unusable(f"authority {self.client_authority}", error) from None
        return context


def _unusable(what: str, error: OSError | ValueError) -> SettingsError:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
    return SettingsError(
        "https", [f"TLS: no usable {what} ({reason}); they are PEM files, and the key has no password"]
    )


class HttpServer:
    """uvicorn on a socket of ours. The process decides when to stop, not uvicorn's signal handlers."""

    def __init__(self, app: Starlette, host: str, port: int, tls: Tls | None = None) -> None:
        """Raises SettingsError when the address is taken, or a certificate cannot be used."""
        # Starlette would send a path with one slash too many elsewhere: to http, whatever came, and with its secrets.
        app.router.redirect_slashes = False
        context = None if tls is None else tls.context()
        try:
            self._socket = socket.create_server((host, port))
        except OSError as error:
            raise SettingsError("http", [f"HTTP_HOST and HTTP_PORT: cannot listen there ({error.strerror})"]) from None
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ssl_context_factory=None if context is None else lambda _config, _default: context,
        )
        self._server = _Server(config)

    async def serve(self) -> None:
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Answers what it has begun, then `serve` returns."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
