"""Who may look, which methods, and the headers of every answer."""

import hashlib
import hmac
from collections.abc import Collection
from typing import Protocol

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.metrics import REFUSED, Metrics
from services.runtime.settings import is_loopback

HEADER = "x-console-proxy-secret"
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""For orchestrators, as at every process: no member and no complaint is in them."""
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


class Trust:
    """`secrets`: SHA-256 of what a proxy may send, several while one is being replaced.

    `certified`: TLS has let in only who holds a certificate of the proxy's authority.
    """

    def __init__(self, secrets: Collection[bytes], *, open_on_loopback: bool = False, certified: bool = False) -> None:
        self._secrets = tuple(secrets)
        self._open = open_on_loopback
        self._certified = certified

    def admits(self, request: Request) -> bool:
        """Constant time in what the secret is: every hash is compared, whichever matches.

        Where all of this machine are let in, the page must have been asked for by a name of this machine: else any web
        page that its user opens could read it through a name that leads here.
        """
        if self._certified:
            return True
        if self._open:
            return is_loopback(_host(request.headers.get("host", "")))
        presented = hashlib.sha256(request.headers.get(HEADER, "").encode("utf-8", "surrogateescape")).digest()
        matches = [hmac.compare_digest(each, presented) for each in self._secrets]
        return any(matches)


def _host(authority: str) -> str:
    """Without its port."""
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isdigit() else authority


class Refusals(Protocol):
    """The pages of who is not let in."""

    def forbidden(self) -> Response: ...
    def not_allowed(self) -> Response: ...


class Gate:
    """ASGI middleware: asks `trust` for everything but the probes, lets GET and HEAD through, adds headers to all.

    What an answer says for itself stands: a mail of the gallery has a policy of its own.
    """

    def __init__(self, app: ASGIApp, trust: Trust, refusals: Refusals, policy: str, metrics: Metrics) -> None:
        self._app = app
        self._trust = trust
        self._refusals = refusals
        self._metrics = metrics
        self._headers = {**SECURITY, "Content-Security-Policy": policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)
        app: ASGIApp = self._app
        if request.method not in {"GET", "HEAD"}:
            app = self._refused(self._refusals.not_allowed())
        elif request.url.path not in PROBES and not self._trust.admits(request):
            app = self._refused(self._refusals.forbidden())

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await app(scope, receive, send_with_headers)

    def _refused(self, response: Response) -> Response:
        self._metrics.record_refusal(REFUSED, response.status_code)
        return response
