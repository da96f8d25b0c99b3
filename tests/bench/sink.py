"""An SMTP server that accepts everything, as cheaply as asyncio allows, and remembers who got mail when.

A process of its own, the same for every pipeline: `python -m tests.bench.sink` prints `{"smtp_port", "control_port"}`
and lives until its standard input closes, so it dies with whoever started it. Control is one JSON object a line:

    {"op": "reset"}               forget everything
    {"op": "wait", "count": n}    answers once n mails came since the last reset
    {"op": "report"}              {"mails": [[recipient, monotonic seconds]], "samples": {recipient: message}}

It announces PIPELINING (RFC 2920) and 8BITMIME; whole messages are kept for recipients that start with `sample`.
"""

import asyncio
import json
import re
import sys
import time
from typing import Any, cast

import uvloop

EHLO = b"250-sink.example.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
REPLIES = {
    b"EHLO": EHLO,
    b"HELO": b"250 sink.example.test\r\n",
    b"MAIL": b"250 2.1.0 OK\r\n",
    b"RCPT": b"250 2.1.5 OK\r\n",
    b"DATA": b"354 go ahead\r\n",
    b"RSET": b"250 2.0.0 OK\r\n",
    b"NOOP": b"250 2.0.0 OK\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
}
END_OF_DATA = b"\r\n.\r\n"
MAILBOX = re.compile(rb"<([^<>]*)>")


class Inbox:
    """Everything accepted since the last reset."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, float]] = []
        self.samples: dict[str, str] = {}
        self._awaited: tuple[int, asyncio.Future[None]] | None = None

    def accept(self, recipients: list[str], message: bytes) -> None:
        now = time.monotonic()
        for recipient in recipients:
            self.mails.append((recipient, now))
            if recipient.startswith("sample"):
                self.samples[recipient] = message.replace(b"\r\n..", b"\r\n.").decode("utf-8", "surrogateescape")
        if self._awaited and len(self.mails) >= self._awaited[0] and not self._awaited[1].done():
            self._awaited[1].set_result(None)

    async def wait(self, count: int) -> None:
        if len(self.mails) < count:
            self._awaited = (count, asyncio.get_running_loop().create_future())
            await self._awaited[1]

    def reset(self) -> None:
        self.mails.clear()
        self.samples.clear()


class Session(asyncio.Protocol):
    """One SMTP connection. Replies to pipelined commands leave in one write."""

    transport: asyncio.Transport

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.buffer = bytearray()
        self.recipients: list[str] = []
        self.in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(b"220 sink.example.test ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        searched = max(len(self.buffer) - len(END_OF_DATA), 0)
        self.buffer += data
        replies: list[bytes] = []
        while (reply := self._message(searched) if self.in_data else self._command()) is not None:
            replies.append(reply)
            searched = 0
        if replies:
            self.transport.write(b"".join(replies))
            if replies[-1].startswith(b"221"):
                self.transport.close()

    def _command(self) -> bytes | None:
        line, end, rest = self.buffer.partition(b"\r\n")
        if not end:
            return None
        self.buffer = rest
        verb = bytes(line[:4]).upper()
        if verb == b"RCPT" and (mailbox := MAILBOX.search(line)):
            self.recipients.append(mailbox[1].decode())
        elif verb in {b"MAIL", b"RSET"}:
            self.recipients = []
        elif verb == b"DATA":
            self.in_data = True
        return REPLIES.get(verb, b"502 5.5.1 not here\r\n")

    def _message(self, searched: int) -> bytes | None:
        end = self.buffer.find(END_OF_DATA, searched)
        if end < 0:
            return None
        self.inbox.accept(self.recipients, bytes(self.buffer[: end + 2]))
        del self.buffer[: end + len(END_OF_DATA)]
        self.in_data = False
        return b"250 2.0.0 OK\r\n"


async def control(inbox: Inbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        request = json.loads(line)
        answer: dict[str, Any] = {}
        match request["op"]:
            case "reset":
                inbox.reset()
            case "wait":
                await inbox.wait(request["count"])
            case "report":
                answer = {"mails": inbox.mails, "samples": inbox.samples}
            case unknown:
                answer = {"error": f"no such op: {unknown}"}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
    writer.close()


async def serve() -> None:
    loop = asyncio.get_running_loop()
    inbox = Inbox()
    smtp = await loop.create_server(lambda: Session(inbox), "127.0.0.1", 0, backlog=1024)
    controller = await asyncio.start_server(lambda r, w: control(inbox, r, w), "127.0.0.1", 0)
    ports = {"smtp_port": smtp.sockets[0].getsockname()[1], "control_port": controller.sockets[0].getsockname()[1]}
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
