"""The bytes of an SMTP connection: lines and bodies in, replies out, and every way to misbehave with them."""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from typing import cast

from demo.catcher.faults import Fault, Faults, Stage

MAX_MAIL_BYTES = 25 * 1024 * 1024
MAX_COMMAND_BYTES = 2048
_END = b"\r\n.\r\n"


class Wire(asyncio.Protocol):
    """One connection. Replies to what came in one read go out in one write (RFC 2920)."""

    def __init__(self, faults: Faults, closed: Callable[["Wire"], None]) -> None:
        self.faults = faults
        self._closed = closed
        self._transport: asyncio.Transport | None = None
        self._in = bytearray()
        self._out: list[bytes] = []
        self._blocked = False
        """Nothing more is read: silent, dripping, or in a TLS handshake."""
        self._in_body = False
        self._body_fault: Fault | None = None
        self._searched = 0
        self._background: asyncio.Task[None] | None = None

    def greet(self) -> None:
        raise NotImplementedError

    def command(self, line: str) -> None:
        raise NotImplementedError

    def end_of_data(self, raw: bytes) -> None:
        raise NotImplementedError

    def encrypted(self) -> None:
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its base class
        self.greet()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._transport = None
        if self._background is not None:
            self._background.cancel()
        self._closed(self)

    def abort(self) -> None:
        """Cut the line at once."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._in += data
        self._read_on()

    def _read_on(self) -> None:
        while self._transport is not None and not self._blocked:
            if not (self._take_body() if self._in_body else self._take_line()):
                break
        self._flush()

    def _take_line(self) -> bool:
        end = self._in.find(b"\r\n")
        if end < 0:
            if len(self._in) > MAX_COMMAND_BYTES:
                self.send("500 5.5.2 Error: line too long")
                self.hang_up()
            return False
        line = self._in[:end].decode("utf-8", "replace")
        del self._in[: end + 2]
        self.command(line)
        return True

    def start_body(self, fault: Fault | None) -> None:
        """What follows is the mail, up to the final dot."""
        self._in_body = True
        self._body_fault = fault
        # A CRLF in front makes the end of an empty body, and a first line that starts with a dot, like any other.
        self._in[:0] = b"\r\n"
        self._searched = 0

    def _take_body(self) -> bool:
        if len(self._in) <= 2:
            return False
        if self._body_fault is not None:
            self.misbehave(self._body_fault, "")
            return False
        end = self._in.find(_END, self._searched)
        if end < 0:
            self._searched = max(0, len(self._in) - len(_END))
            if len(self._in) > 2 * MAX_MAIL_BYTES:
                self.abort()
            return False
        stuffed = bytes(self._in[: end + 2])
        del self._in[: end + len(_END)]
        self._in_body = False
        self.end_of_data(stuffed.replace(b"\r\n.", b"\r\n")[2:])
        return True

    def send(self, reply: str) -> None:
        self._out.append(reply.encode("ascii", "replace") + b"\r\n")

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def hang_up(self) -> None:
        """Send what is due, then close; nothing more is read."""
        self._flush()
        self._blocked = True
        if self._transport is not None:
            self._transport.close()

    def answer(self, at: Stage, addresses: Iterable[str], reply: str) -> bool:
        """Reply, or do what a fault puts in its place; says whether the command took effect."""
        fault = self.faults.take(at, addresses)
        if fault is None:
            self.send(reply)
            return True
        self.misbehave(fault, reply)
        takes_effect = fault.action in {"drip", "reply"}
        return fault.store or (takes_effect and (fault.reply or reply)[0] in "23")

    def misbehave(self, fault: Fault, reply: str) -> None:
        match fault.action:
            case "reply":
                self.send(fault.reply)
                if fault.reply.startswith("421"):
                    self.hang_up()
            case "disconnect":
                self.hang_up()
            case "silence":
                self._blocked = True
            case "drip":
                self._blocked = True
                self._flush()
                self._background = asyncio.create_task(self._drip(fault.reply or reply, fault.drip_seconds))

    async def _drip(self, reply: str, seconds: float) -> None:
        for byte in f"{reply}\r\n".encode("ascii", "replace"):
            await asyncio.sleep(seconds)
            if self._transport is None:
                return
            self._transport.write(bytes((byte,)))
        self._blocked = False
        self._read_on()

    def start_tls(self, context: ssl.SSLContext) -> None:
        self._flush()
        self._in.clear()  # what was sent ahead in clear text is not trusted (RFC 3207, 5)
        self._blocked = True
        self._background = asyncio.create_task(self._encrypt(context))

    async def _encrypt(self, context: ssl.SSLContext) -> None:
        if self._transport is None:  # hung up before this began
            return
        try:
            transport = await asyncio.get_running_loop().start_tls(self._transport, self, context, server_side=True)
        except OSError:  # the client did not like the certificate (ssl.SSLError is one): that is its answer
            self.abort()
            return
        if transport is None:  # hung up as the handshake ended
            return
        self._transport = transport
        self._blocked = False
        self.encrypted()
        self._read_on()
