"""The composition: one inbox, one script of faults, an SMTP relay and one HTTP port for Twilio, API and web inbox."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from starlette.datastructures import Address
from starlette.requests import Request
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from demo.catcher.faults import Fault, Faults
from demo.catcher.inbox import Inbox
from demo.catcher.messages import Mail, Text
from demo.catcher.relay import Relay
from demo.catcher.smtp import SmtpPolicy
from demo.catcher.twilio import Twilio
from demo.catcher.web import build_app

LOOPBACK = "127.0.0.1"
ACCOUNT_SID = "AC" + "0" * 32
AUTH_TOKEN = "caught"  # noqa: S105 - a server on this machine


class Catcher:
    """Catches mail and SMS between `async with` and its end; all of it lives in the current event loop.

    Ports are 0 unless given: the system chooses. `allowed_hosts` are the names a browser may know the web inbox by
    besides this machine's own (a page elsewhere must not reach it by a name of its making). `gallery` is a folder of
    `member-notices preview`, shown at `/gallery/` once it is there.
    """

    def __init__(
        self,
        *,
        host: str = LOOPBACK,
        smtp_port: int = 0,
        http_port: int = 0,
        policy: SmtpPolicy | None = None,
        account_sid: str = ACCOUNT_SID,
        auth_token: str = AUTH_TOKEN,
        allowed_hosts: Sequence[str] = (),
        gallery: Path | None = None,
    ) -> None:
        self.host = host
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.inbox = Inbox()
        self.faults = Faults()
        self.relay = Relay(self.inbox, self.faults, policy or SmtpPolicy(), host=host, port=smtp_port)
        self.wait_for = self.inbox.wait_for
        self.mails_to = self.inbox.mails_to
        self.texts_to = self.inbox.texts_to
        self._closing = asyncio.Event()
        self._http_port = http_port
        twilio = Twilio(
            self.inbox, self.faults, self._closing, self._hang_up, account_sid=account_sid, auth_token=auth_token
        )
        app = build_app(self.inbox, self.faults, self.relay, twilio.routes, self._closing, allowed_hosts, gallery)
        self._http = _HttpServer(app)
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Both ports answer when this returns. Raises `OSError` where one is taken."""
        self.relay.start()
        listening = _listen(self.host, self._http_port)
        self._http_port = listening.getsockname()[1]
        self._serving = asyncio.create_task(self._http.serve([listening]))
        await self._http.ready.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        self.relay.stop()
        self._http.should_exit = True
        if self._serving is not None:
            await self._serving

    def _hang_up(self, request: Request) -> None:
        self._http.hang_up(request.client)

    @property
    def smtp_port(self) -> int:
        return self.relay.port

    @property
    def http_url(self) -> str:
        """The web inbox, without a slash at the end."""
        return f"http://{self.host}:{self._http_port}"

    @property
    def twilio_url(self) -> str:
        """What stands where `https://api.twilio.com` would."""
        return self.http_url

    @property
    def mails(self) -> tuple[Mail, ...]:
        """Those still kept, oldest first."""
        return self.inbox.mails

    @property
    def texts(self) -> tuple[Text, ...]:
        """Those still kept, oldest first."""
        return self.inbox.texts

    def misbehave(self, *faults: Fault) -> None:
        self.faults.add(*faults)

    def behave(self) -> None:
        """Forget the faults and bring the relay back."""
        self.faults.clear()
        self.relay.take_down(0)

    def relay_down(self, seconds: float) -> None:
        """Cut every SMTP connection and refuse new ones for so many seconds."""
        self.relay.take_down(seconds)

    def clear(self) -> None:
        """Empty the inbox and its counts; faults stay."""
        self.inbox.clear()


class _HttpServer(uvicorn.Server):
    """uvicorn inside somebody else's event loop: it leaves the signals alone and says when it is ready."""

    def __init__(self, app: ASGIApp) -> None:
        self.ready = asyncio.Event()
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                log_config=None,
                log_level="critical",
                access_log=False,
                lifespan="off",
                timeout_keep_alive=30,
                timeout_graceful_shutdown=2,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    def hang_up(self, client: Address | None) -> None:
        """Cut a connection without an answer; ASGI has no word for that."""
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, H11Protocol) and client is not None and connection.client == tuple(client):
                connection.transport.abort()


def _listen(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
