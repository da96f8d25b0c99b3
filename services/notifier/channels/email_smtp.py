"""E-mail by SMTP: kept connections, one recipient a message, and certainty about what was handed over.

aiosmtplib has no pool, its time-out is per command, and its `data()` does not tell a connection lost before the message
from one lost after it: here the whole hand-over has one time-out, and only what broke after the final dot is unknown.
"""

import asyncio
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPConnectResponseError,
    SMTPException,
    SMTPResponse,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPStatus,
    SMTPTimeoutError,
)

from services.notifier.bounces import OF_ADDRESS
from services.notifier.channels.base import ChannelError, Consequence, OutgoingMessage, Sent

MAX_AGE_SECONDS = 300.0
MAX_MESSAGES = 200
"""Relays close connections that live long or carry much; we close first."""

CONSEQUENCES: tuple[tuple[re.Pattern[str], Consequence], ...] = (
    (re.compile(r"^(500|502|503|504|530|534|535|538) "), Consequence.CONFIGURATION),
    # About us, and said of every recipient: Postfix puts what it has against client, HELO and sender off until RCPT.
    (
        re.compile(
            r"^5\d\d (5\.1\.[78] |.*((client host|helo command|sender address) rejected"
            r"|relay(ing)? (access )?(denied|not permitted)|unable to relay))",
            re.IGNORECASE | re.DOTALL,
        ),
        Consequence.CONFIGURATION,
    ),
    (re.compile(r"^552 .*5\.2\.2"), Consequence.RETRY),  # mailbox full: later
    (re.compile(r"^4\d\d "), Consequence.RETRY),
    (re.compile(r"^5\d\d "), Consequence.PERMANENT),
)
"""Reply code and text → what it means for us; the first match counts."""
_STATUS = re.compile(r"\d\.\d{1,3}\.\d{1,3}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Where mail is handed over."""

    host: str
    port: int
    tls: Literal["starttls", "implicit", "none"]
    username: str | None = None
    password: str | None = None
    send_seconds: float = 30.0


class _Connection:
    __slots__ = ("born", "client", "used")

    def __init__(self, client: SMTP) -> None:
        self.client = client
        self.born = time.monotonic()
        self.used = 0

    @property
    def fresh(self) -> bool:
        return self.client.is_connected and self.used < MAX_MESSAGES and time.monotonic() - self.born < MAX_AGE_SECONDS


class SmtpChannel:
    """As many connections as callers that send at once; the lanes bound that number."""

    name = "email"

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._idle: list[_Connection] = []
        self._context = ssl.create_default_context() if relay.tls != "none" else None
        self._trouble: str | None = None

    async def send(self, message: OutgoingMessage) -> Sent:
        try:
            sent = await self._hand_over(message)
        except ChannelError as error:
            self._trouble = error.reason if error.consequence is Consequence.CONFIGURATION else None
            raise
        self._trouble = None
        return sent

    async def _hand_over(self, message: OutgoingMessage) -> Sent:
        transfer = _Transfer()
        try:
            async with asyncio.timeout(self._relay.send_seconds), self._connection(message) as connection:
                return await transfer.run(connection, message)
        except SMTPResponseException as error:  # before OSError: a refused greeting is both
            raise transfer.refused(error) from None
        except (SMTPTimeoutError, TimeoutError):
            raise transfer.broken("smtp:time-out") from None
        except (SMTPServerDisconnected, OSError) as error:
            if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
                raise transfer.broken("smtp:tls", Consequence.CONFIGURATION) from None
            # aiosmtplib calls both so: nobody listens, and somebody who hangs up before the greeting.
            nobody = isinstance(error, SMTPConnectError) and not isinstance(error.__cause__, SMTPServerDisconnected)
            raise transfer.broken("smtp:unreachable" if nobody else "smtp:disconnected") from None
        except SMTPException:
            # STARTTLS or AUTH is not offered: stripped on the way, or a wrong port.
            raise ChannelError(Consequence.CONFIGURATION, "smtp:not-offered") from None

    async def check(self) -> str | None:
        if self._trouble is None:
            return None
        return (
            f"the relay refuses us ({self._trouble}); check SMTP_USERNAME, SMTP_PASSWORD, SMTP_TLS, "
            "and whether it lets this machine and this sender in"
        )

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().client.close()

    @asynccontextmanager
    async def _connection(self, message: OutgoingMessage) -> AsyncIterator[_Connection]:
        """A kept connection that has answered MAIL, or a new one. Kept again only after a clean hand-over:
        a refusal would need RSET first, and is rare.
        """
        connection = await self._greeted(message)
        try:
            yield connection
        except BaseException:
            connection.client.close()
            raise
        connection.used += 1
        if connection.fresh:
            self._idle.append(connection)
        else:
            connection.client.close()

    async def _greeted(self, message: OutgoingMessage) -> _Connection:
        """MAIL FROM accepted. A kept connection the relay has closed meanwhile is no failure of the message."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.fresh:
                connection.client.close()
                continue
            try:
                return await _mail_from(connection, message)
            except (SMTPServerDisconnected, SMTPTimeoutError):
                continue
            except SMTPSenderRefused as error:
                if error.code != 421:  # the relay's goodbye to a connection that was idle for long
                    raise
        return await _mail_from(_Connection(await self._connect()), message)

    async def _connect(self) -> SMTP:
        relay = self._relay
        client = SMTP(
            hostname=relay.host,
            port=relay.port,
            local_hostname=_helo_name(),
            timeout=relay.send_seconds,
            use_tls=relay.tls == "implicit",
            start_tls=relay.tls == "starttls",
            tls_context=self._context,
        )
        try:
            await client.connect()
            if relay.username and relay.password:
                await client.login(relay.username, relay.password)
        except BaseException:
            client.close()
            raise
        return client


async def _mail_from(connection: _Connection, message: OutgoingMessage) -> _Connection:
    try:
        await connection.client.mail(message.sender)
    except BaseException:
        connection.client.close()
        raise
    return connection


class _Transfer:
    """RCPT, DATA, message. Knows how far it came."""

    def __init__(self) -> None:
        self._handed_over = False

    async def run(self, connection: _Connection, message: OutgoingMessage) -> Sent:
        client = connection.client
        await client.rcpt(message.address)
        ready = await client.execute_command(b"DATA")
        if ready.code != 354:
            raise _refusal(ready.code, ready.message)
        reply = await self._body(client, message.body)
        if reply.code // 100 == 2:
            return Sent(reply_code=str(reply.code), answer=reply.message)
        if reply.code // 100 in {4, 5}:
            raise _refusal(reply.code, reply.message)
        raise self.broken("smtp:unreadable")

    async def _body(self, client: SMTP, body: bytes) -> SMTPResponse:
        """The message and its final dot in one write. Lines end in CRLF already (`mime`); only dots need stuffing.

        Goes around `SMTP.data()`, which sends DATA and message in one call and so hides which of them broke.
        """
        protocol = client.protocol
        if protocol is None or protocol._command_lock is None:  # noqa: SLF001 (see above)
            raise SMTPServerDisconnected("connection lost")
        stuffed = body.replace(b"\r\n.", b"\r\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        async with protocol._command_lock:  # noqa: SLF001 (see above)
            protocol._response_pending = True  # noqa: SLF001 (see above)
            self._handed_over = True
            protocol.write(stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"))
            return await protocol.read_response(timeout=client.timeout)

    def broken(self, reason: str, before: Consequence = Consequence.RETRY) -> ChannelError:
        """`before`: what it means as long as nothing was handed over."""
        if self._handed_over:
            return ChannelError(Consequence.UNKNOWN, f"{reason}-after-data")
        return ChannelError(before, reason)

    def refused(self, error: SMTPResponseException) -> ChannelError:
        """aiosmtplib raises a reply that it cannot read as a refusal, with a code of its own."""
        if error.code == SMTPStatus.invalid_response:
            return self.broken("smtp:unreadable")
        if isinstance(error, SMTPConnectResponseError) and error.code >= 500:
            return ChannelError(Consequence.RETRY, f"smtp:{error.code}", reply_code=str(error.code))
        # A sender refused is refused for every message: the relay does not know us.
        ours = isinstance(error, SMTPAuthenticationError | SMTPSenderRefused) and error.code != 552
        if ours and error.code >= 500:
            return ChannelError(Consequence.CONFIGURATION, f"smtp:{error.code}", reply_code=str(error.code))
        return _refusal(error.code, error.message)


def _refusal(code: int, text: str) -> ChannelError:
    line = f"{code} {text}"
    status = _STATUS.match(text)
    dead = code // 100 == 5 and status is not None and status[0] in OF_ADDRESS
    for pattern, consequence in CONSEQUENCES:
        if pattern.search(line):
            return ChannelError(
                consequence, f"smtp:{code}", reply_code=str(code), suppresses="address-bounced" if dead else None
            )
    return ChannelError(Consequence.RETRY, f"smtp:{code}", reply_code=str(code))


def _helo_name() -> str:
    """A name with a domain, else an address literal (RFC 5321, 4.1.3): a container's bare name is refused by relays
    that ask for a whole one."""
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", name) else "[127.0.0.1]"
