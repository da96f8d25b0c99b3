"""The listening side of SMTP: one port that can be taken down for a while and comes back as the same port."""

import asyncio
import socket
from datetime import UTC, datetime, timedelta

from demo.catcher.faults import Faults
from demo.catcher.inbox import Inbox
from demo.catcher.smtp import SmtpPolicy, SmtpSession
from demo.catcher.wire import Wire

BACKLOG = 1024


class Relay:
    """Listens on `host`:`port` (0: the system chooses) between `start` and `stop`."""

    def __init__(self, inbox: Inbox, faults: Faults, policy: SmtpPolicy, *, host: str, port: int) -> None:
        self._inbox = inbox
        self._faults = faults
        self._policy = policy
        self._host = host
        self.port = port
        self.down_until: datetime | None = None
        self.connections = 0
        """Accepted since the start."""
        self._sessions: set[Wire] = set()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._socket: socket.socket | None = None
        self._back_up: asyncio.TimerHandle | None = None

    @property
    def open_connections(self) -> int:
        return len(self._sessions)

    def start(self) -> None:
        """Raises `OSError` where the port is taken."""
        self._socket = self._bind()
        self.port = self._socket.getsockname()[1]
        self._listen()

    def stop(self) -> None:
        if self._back_up is not None:
            self._back_up.cancel()
        self._deafen()

    def take_down(self, seconds: float) -> None:
        """Cut every connection and refuse new ones for so many seconds; 0 or less: up again at once."""
        if self._back_up is not None:
            self._back_up.cancel()
            self._back_up = None
        if seconds <= 0:
            self._come_back()
            return
        if self.down_until is None:
            self._deafen()
            # Bound but not listening: connections are refused, and nobody else can be given the port meanwhile.
            self._socket = self._bind()
        self.down_until = datetime.now(UTC) + timedelta(seconds=seconds)
        self._back_up = asyncio.get_running_loop().call_later(seconds, self._come_back)
        self._inbox.announce()

    def _come_back(self) -> None:
        if self.down_until is not None:
            self.down_until = None
            self._listen()
            self._inbox.announce()

    def _bind(self) -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        try:
            bound.bind((self._host, self.port))
        except OSError:
            bound.close()
            raise
        return bound

    def _listen(self) -> None:
        assert self._socket is not None
        self._socket.listen(BACKLOG)
        asyncio.get_running_loop().add_reader(self._socket, self._accept, self._socket)

    def _deafen(self) -> None:
        """asyncio's own server may close its socket a turn later; this one is closed when this returns."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        for handshake in self._handshakes:
            handshake.cancel()
        for session in tuple(self._sessions):
            session.abort()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(BACKLOG):
            try:
                connection, _peer = listening.accept()
            except OSError:  # none left (EWOULDBLOCK), or the client has gone again
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = asyncio.create_task(self._serve(connection))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _serve(self, connection: socket.socket) -> None:
        self.connections += 1
        session = SmtpSession(self._inbox, self._faults, self._policy, self._sessions.discard)
        self._sessions.add(session)
        await asyncio.get_running_loop().connect_accepted_socket(lambda: session, connection)
