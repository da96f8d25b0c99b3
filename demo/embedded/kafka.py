"""Apache Kafka itself: one KRaft node on 127.0.0.1, from jars that are locked by version and hash."""

import contextlib
import signal
import socket
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.embedded.errors import EmbeddedError
from demo.embedded.jars import KAFKA_VERSION, Say, fetch_jars, say_on_stderr
from demo.embedded.java import find_java
from demo.embedded.server import Server, free_ports

START_SECONDS = 60.0
STOP_SECONDS = 20.0
PROBE_SECONDS = 1.0
FORMAT_SECONDS = 60.0
LOGGING = Path(__file__).with_name("log4j2.properties")
# A short-lived broker for one machine: little memory, the quick compiler, the collector without threads of its own.
JAVA_OPTIONS = ("-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")

# The session timeout is how long a killed broker keeps its successor waiting; the default is 9 s.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={logs}
num.partitions=3
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.cleaner.dedupe.buffer.size=4194304
"""


class EmbeddedKafka:
    """Apache Kafka on ports and data of its own; the same ones again after `stop` or `kill`.

    Everything it writes is below `data_dir`, but the jars (see `jars.cache_folder`). As a context manager it runs
    inside the block. Every failure is an EmbeddedError.
    """

    def __init__(self, data_dir: Path, *, cache: Path | None = None, say: Say = say_on_stderr) -> None:
        self._dir = data_dir.absolute()
        self._cache = cache
        self._say = say
        self._ports: list[int] = []
        self.log = self._dir / "kafka.log"
        self._server = Server(
            f"Apache Kafka {KAFKA_VERSION}", self.log, stop_signal=signal.SIGTERM, grace_seconds=STOP_SECONDS
        )

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients; known once it was started."""
        return f"127.0.0.1:{self._ports[0]}"

    @property
    def running(self) -> bool:
        return self._server.running

    def start(self) -> str:
        """Return the bootstrap address once the broker answers. Blocks for seconds, for a minute on the first time."""
        jars = fetch_jars(self._cache, say=self._say)
        java = find_java()
        self._dir.mkdir(parents=True, exist_ok=True)
        self._ports = self._ports or free_ports(2)
        properties = self._dir / "server.properties"
        logs = self._dir / "logs"
        port, controller_port = self._ports
        properties.write_text(PROPERTIES.format(port=port, controller_port=controller_port, logs=logs.as_posix()))
        run = [str(java), *JAVA_OPTIONS, f"-Dlog4j2.configurationFile={LOGGING}", "-cp", f"{jars}/*"]
        if not (logs / "meta.properties").exists():
            self._format([*run, "kafka.tools.StorageTool", "format", "-t", new_cluster_id(), "-c", str(properties)])
        self._server.start([*run, "kafka.Kafka", str(properties)], ready=self._answers, within_seconds=START_SECONDS)
        return self.bootstrap

    def _format(self, command: list[str]) -> None:
        with self.log.open("ab") as log:
            done = subprocess.run(command, stdout=log, stderr=log, timeout=FORMAT_SECONDS, check=False)
        if done.returncode:
            raise EmbeddedError(
                f"Apache Kafka could not prepare {self._dir}. The end of {self.log}:\n{self._server.last_lines()}"
            )

    def _answers(self) -> bool:
        return answers(("127.0.0.1", self._ports[0]))

    def stop(self) -> None:
        """An orderly shutdown; returns when the process is gone."""
        self._server.stop()

    def kill(self) -> None:
        """SIGKILL; `start` brings the same broker back on the same ports and data."""
        self._server.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def new_cluster_id() -> str:
    """Return one as Kafka makes them: never with a dash in front, which its tools take for an option."""
    while (cluster_id := urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return cluster_id


# ApiVersions, version 0, correlation id 7, no client id: the one request that every broker answers in every version.
API_VERSIONS_REQUEST = struct.pack(">hhih", 18, 0, 7, -1)
API_VERSIONS_REPLY = struct.Struct(">iih")
"""Size, correlation id, error code."""


def answers(address: tuple[str, int]) -> bool:
    """Ask the broker for its API versions. The log's "started" line comes neither surely nor at the right time."""
    try:
        with contextlib.closing(socket.create_connection(address, PROBE_SECONDS)) as connection:
            connection.sendall(struct.pack(">i", len(API_VERSIONS_REQUEST)) + API_VERSIONS_REQUEST)
            reply = connection.recv(API_VERSIONS_REPLY.size, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(reply) == API_VERSIONS_REPLY.size and API_VERSIONS_REPLY.unpack(reply)[1:] == (7, 0)
