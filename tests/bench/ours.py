"""The notifier as a process, with the settings a deployment has: only addresses and keys are given."""

import base64
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from demo.embedded.server import free_ports
from schemas import topics
from tests.bench.load import PasswordChange
from tests.bench.meters import cpu_seconds
from tests.bench.rig import REPOSITORY, BenchError, Rig, running, until
from tests.bench.rounds import START_SECONDS, Round, measure

PROGRAM = str(Path(sys.executable).with_name("member-notices"))
WARM_UP = 500
SECONDS_A_MAIL = 0.05
"""The slowest we wait for."""
BULK_LANES = "security,letters,general"
CODES_LANE = "codes"
TABLES_SECONDS = 60.0
LOG = REPOSITORY / "var" / "bench-notifier.log"


class Ours:
    """The notifier's environment for this run; every process of the run shares its keys and database."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._environ = {
            "PATH": os.environ.get("PATH", ""),
            "KAFKA_BOOTSTRAP_SERVERS": rig.bootstrap,
            "DATABASE_URL": rig.dsn("notices"),
            "VAULT_KEYS": "bench:" + base64.b64encode(secrets.token_bytes(32)).decode(),
            "SEARCH_KEY": secrets.token_hex(32),
            "DELIVERY_MODE": "capture",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(rig.sink.smtp_port),
            "SMTP_TLS": "none",
            "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
            "TWILIO_AUTH_TOKEN": "unused",
            "TWILIO_SENDER": "+32460000000",
            # Nothing listens there; no event of the bench goes by SMS.
            "TWILIO_API_BASE_URL": "http://127.0.0.1:9",
        }

    async def prepare(self) -> None:
        LOG.parent.mkdir(parents=True, exist_ok=True)
        LOG.write_bytes(b"")
        await self._rig.create_database("notices")
        async with running("migrate", [PROGRAM, "migrate"], environ=self._environ, log=LOG) as process:
            status = await process.wait()
        if status:
            raise BenchError(f"member-notices migrate ended with {status}: see {LOG}")

    @asynccontextmanager
    async def notifier(self, lanes: str, *, samples: Path | None = None) -> AsyncIterator[int]:
        """Its process id, once it is ready. `samples`: where to write what its CPU time went into."""
        [port] = free_ports(1)
        environ = self._environ | {"HTTP_PORT": str(port)}
        program = [sys.executable, "-m", "tests.bench.sampler", str(samples)] if samples else [PROGRAM]
        command = [*program, "notifier", "--lanes", lanes]
        async with (
            running("the notifier", command, environ=environ, log=LOG) as process,
            httpx.AsyncClient() as http,
        ):

            async def ready() -> bool:
                if process.returncode is not None:
                    raise BenchError(f"the notifier ended with {process.returncode}: see {LOG}")
                try:
                    return (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == httpx.codes.OK
                except httpx.TransportError:
                    return False

            await until(ready, f"the notifier ({lanes}) is ready; its log is {LOG}", START_SECONDS)
            yield process.pid
        if process.returncode:
            raise BenchError(f"the notifier ended with {process.returncode}: see {LOG}")

    async def run(
        self, warm_up: Sequence[PasswordChange], changes: Sequence[PasswordChange], *, samples: Path | None = None
    ) -> Round:
        """One round in one process. It has settled once every outcome it owes is on Kafka."""
        outcomes = await self.outcomes()
        owed = iter((outcomes + len(warm_up), outcomes + len(warm_up) + len(changes)))
        async with self.notifier(BULK_LANES, samples=samples) as pid:

            async def settled() -> None:
                await self.outcomes_reach(next(owed))
                if samples:
                    os.kill(pid, signal.SIGUSR1)

            return await measure(
                self._rig,
                warm_up,
                changes,
                within_seconds=SECONDS_A_MAIL * len(changes) + 30,
                cpu=lambda: cpu_seconds(pid),
                settled=settled,
            )

    async def outcomes_reach(self, count: int) -> None:
        async def reached() -> bool:
            return await self.outcomes() >= count

        await until(reached, f"{count} outcomes on {topics.OUTCOMES.name}", TABLES_SECONDS)

    async def contacts_stored(self) -> None:
        async def stored() -> bool:
            return await self._rig.is_read(topics.CONTACTS.name)

        await until(stored, "all contacts read by every group of the notifier", TABLES_SECONDS)

    async def outcomes(self) -> int:
        """Told so far, of all notifications."""
        return await self._rig.record_count(topics.OUTCOMES.name)
