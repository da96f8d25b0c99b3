"""The servers of `deploy/compose.yaml` as testcontainers: the same images, so that one place says which versions."""

import re
from pathlib import Path
from typing import Self

from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

COMPOSE = Path(__file__).parents[2] / "deploy" / "compose.yaml"
PORT = 9092
ADVERTISED = "/tmp/advertised"  # noqa: S108 - in the container, which has one user
START_SECONDS = 90


def image_of(service: str) -> str:
    """Return the image of a service of the compose file. Raises LookupError."""
    found = re.search(rf"^  {service}:\n(?:    .*\n)*?    image: (\S+)$", COMPOSE.read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(f"{COMPOSE.name} has no image for {service}")
    return found[1]


def postgres_container() -> PostgresContainer:
    """For a user who may create databases; without a driver in its URL."""
    return PostgresContainer(image_of("postgres"), driver=None).with_command("postgres -c max_connections=200")


class KafkaContainer(DockerContainer):
    """One node of Apache Kafka's own image, which testcontainers has no module for.

    Clients outside must be told the port that Docker chose, which is known only when the container runs. So it waits
    for a file with that address before it becomes the broker.
    """

    def __init__(self) -> None:
        super().__init__(image_of("kafka"))
        self.with_exposed_ports(PORT)
        self.with_envs(
            CLUSTER_ID="bWVtYmVyLW5vdGljZXMtMg",
            KAFKA_NODE_ID="1",
            KAFKA_PROCESS_ROLES="broker,controller",
            KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:9093",
            KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
            KAFKA_LISTENERS=f"OUTSIDE://:{PORT},CONTROLLER://:9093,INSIDE://:9094",
            KAFKA_INTER_BROKER_LISTENER_NAME="INSIDE",
            KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT,INSIDE:PLAINTEXT",
            KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
            KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
            KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS="1",
            KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
            KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
            KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
            KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR="1",
            KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR="1",
            KAFKA_HEAP_OPTS="-Xms256m -Xmx512m",
        )
        wait = f"until [ -e {ADVERTISED} ]; do sleep 0.1; done"
        run = f'export KAFKA_ADVERTISED_LISTENERS="$(cat {ADVERTISED})"; exec /etc/kafka/docker/run'
        self.with_command(["bash", "-c", f"{wait}; {run}"])

    @property
    def bootstrap(self) -> str:
        return f"{self.get_container_host_ip()}:{self.get_exposed_port(PORT)}"

    def start(self) -> Self:
        """Returns when it serves."""
        super().start()
        advertised = f"OUTSIDE://{self.bootstrap},INSIDE://localhost:9094"
        self.copy_into_container(advertised.encode(), ADVERTISED)
        LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(START_SECONDS).wait_until_ready(self)
        return self
