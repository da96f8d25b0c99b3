"""A greylist as Postfix asks one (SMTPD_POLICY_README): first tries for a recipient are put off, the next is taken."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PUT_OFF = "defer_if_permit 4.2.0 Greylisted, come again"
TAKEN = "dunno"


class Greylist:
    """`tries` counts what was asked of each recipient."""

    def __init__(self, first_tries: int) -> None:
        self.tries: Counter[str] = Counter()
        self.port = 0
        self._first_tries = first_tries

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests are lines `name=value` up to an empty one; Postfix keeps the connection for more."""
        request: dict[str, str] = {}
        while line := await reader.readline():
            name, _, value = line.decode().rstrip("\n").partition("=")
            if name:
                request[name] = value
                continue
            recipient = request.get("recipient", "")
            self.tries[recipient] += 1
            action = PUT_OFF if self.tries[recipient] <= self._first_tries else TAKEN
            writer.write(f"action={action}\n\n".encode())
            request = {}
        writer.close()


@asynccontextmanager
async def greylisting(first_tries: int) -> AsyncIterator[Greylist]:
    greylist = Greylist(first_tries)
    server = await asyncio.start_server(greylist.answer, "127.0.0.1", 0)
    greylist.port = server.sockets[0].getsockname()[1]
    try:
        yield greylist
    finally:
        server.close()
