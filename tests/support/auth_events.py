"""Events and publishers for the tests of auth_events."""

import base64
import json
import os
import subprocess
import sys
import uuid
from copy import deepcopy
from pathlib import Path
from typing import Any, Self

import httpx

from services.auth_events.publishers import new_token
from tests.support.waiting import wait_for

START_SECONDS = 120.0
"""On two cores beside three other tests and their brokers."""
ROOT = Path(__file__).parents[2]
START = """
import asyncio, sys
from services.auth_events.main import run
from services.auth_events.settings import AuthEventsSettings
from services.runtime.settings import load
sys.exit(asyncio.run(run(load(AuthEventsSettings, "auth-events"))))
"""
Document = dict[str, Any]
SOURCE = "https://login.example.test/"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

CODE: Document = {
    "specversion": "1.0",
    "type": "identity.verification-code-issued.v1",
    "source": f"{SOURCE}codes",
    "id": "code-1",
    "subject": "m-1",
    "time": "2026-11-22T12:00:00Z",
    "datacontenttype": "application/json",
    "data": {
        "channel": "sms",
        "phone": "+32470000001",
        "code": "481516",
        "purpose": "sign-in",
        "expires_at": "2026-11-22T12:15:00Z",
    },
}
CONTACT: Document = {
    "specversion": "1.0",
    "type": "members.contact.v1",
    "source": "urn:administration",
    "id": "contact-1",
    "subject": "m-1",
    "time": "2026-11-22T12:00:00Z",
    "data": {"version": 1, "brand": "cigna-healthcare", "language": "en", "login_email": "ana@mail.example.test"},
}


def code(**attributes: Any) -> Document:
    """A fresh code event with an id of its own."""
    return {**deepcopy(CODE), "id": uuid.uuid4().hex, **attributes}


def contact(version: int = 1, **attributes: Any) -> Document:
    document = {**deepcopy(CONTACT), "id": uuid.uuid4().hex, **attributes}
    document["data"]["version"] = version
    return document


def binary(document: Document) -> tuple[dict[str, str], bytes]:
    """Headers and body of the same event in binary mode."""
    headers = {f"ce-{name}": value for name, value in document.items() if name not in ("data", "datacontenttype")}
    return {**headers, "content-type": "application/json"}, json.dumps(document["data"]).encode()


class PublishersFile:
    """Two publishers: `login` (every identity type below SOURCE) and `administration` (contacts)."""

    def __init__(self, path: Path) -> None:
        login, administration = new_token(), new_token()
        self.path = path
        self.login = login.token
        self.administration = administration.token
        path.write_text(
            f'[[publishers]]\nname = "login"\ntoken_sha256 = ["{login.sha256}"]\n'
            f'sources = ["{SOURCE}*"]\ntypes = ["identity.*"]\n'
            f'[[publishers]]\nname = "administration"\ntoken_sha256 = ["{administration.sha256}"]\n'
            'sources = ["urn:administration"]\ntypes = ["members.*", "members.contact.v1"]\n'
        )


class AuthEvents:
    """The service as a process of its own, on a free port; `log` is all it wrote to standard output."""

    def __init__(self, folder: Path, *, kafka: str, database: str, providers: Path | None = None) -> None:
        self._log = folder / "auth-events.log"
        self.file = PublishersFile(folder / "publishers.toml")
        self._environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "DATABASE_URL": database,
            "VAULT_KEYS": f"test:{base64.b64encode(os.urandom(32)).decode()}",
            "AUTH_EVENTS_PUBLISHERS_FILE": str(self.file.path),
            "AUTH_EVENTS_KAFKA_GROUP": f"test-{uuid.uuid4()}",
            "HTTP_PORT": "0",
        }
        if providers is not None:
            self._environment["AUTH_EVENTS_PROVIDERS_FILE"] = str(providers)
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.AsyncClient(timeout=30)

    async def __aenter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 (a fork of milliseconds; stop() must work without a loop)
                [sys.executable, "-c", START], env=self._environment, cwd=ROOT, stdout=log, stderr=log
            )
        try:
            listening = await wait_for(
                lambda: self.lines("listening") or self._ended(), "listening auth_events", within_seconds=START_SECONDS
            )
            assert isinstance(listening, list), self.log
        except BaseException:
            # Nobody leaves what was not entered, and it would go on with a database that another test gets next.
            await self.stop()
            raise
        self.http.base_url = httpx.URL(f"http://127.0.0.1:{listening[-1]['port']}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        await self.http.aclose()

    async def stop(self) -> int | None:
        """SIGTERM, and the exit status. The loop goes on: proxies of the test may run in it."""
        assert self._process is not None
        self._process.terminate()
        try:
            await wait_for(self._ended, "end of auth_events")
        finally:
            self._process.kill()
        return self._process.returncode

    @property
    def log(self) -> str:
        return self._log.read_text()

    def lines(self, event: str) -> list[dict[str, Any]]:
        parsed = [json.loads(line) for line in self.log.splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in parsed if line["event"] == event]

    async def post(self, document: Any, content_type: str = STRUCTURED, *, token: str | None = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {token or self.file.login}", "content-type": content_type}
        return await self.http.post("/v1/events", content=json.dumps(document), headers=headers)

    def _ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None
