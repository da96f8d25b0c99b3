"""`make test-containers`: the tests of integration, on Kafka and PostgreSQL in containers. Arguments go to pytest.

The containers end with this process. Where it is killed, testcontainers' reaper removes them (unless it is disabled).
"""

import os
import subprocess
import sys
from pathlib import Path

from docker.errors import APIError, DockerException  # type: ignore[import-untyped] # no stubs in the lock
from testcontainers.core.docker_client import DockerClient

from tests.containers.servers import KafkaContainer, postgres_container

ROOT = Path(__file__).parents[2]


def main() -> int:
    """The exit status of pytest; 1 where Docker is missing or refuses, with a sentence that says so."""
    try:
        engine = DockerClient().client.version()["Version"]
        with KafkaContainer() as kafka, postgres_container() as postgres:
            print(f"Docker Engine {engine}: {kafka.image}, {postgres.image}", flush=True)
            return run_tests(kafka.bootstrap, postgres.get_connection_url())
    except APIError as error:
        return refuse(
            f"Docker refuses: {error.explanation}",
            "Where images cannot be pulled, build or load those that deploy/compose.yaml names, and set "
            "TESTCONTAINERS_RYUK_DISABLED=true.",
        )
    except DockerException:
        return refuse(
            "No Docker Engine answers here: start one, or name it in DOCKER_HOST, then again.",
            "Without Docker, `make integration` runs the same tests on embedded servers.",
        )


def run_tests(kafka: str, database: str) -> int:
    servers = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "DATABASE_URL": database}
    tests = [sys.executable, "-m", "pytest", "tests/integration", *sys.argv[1:]]
    return subprocess.run(tests, cwd=ROOT, env=os.environ | servers, check=False).returncode


def refuse(*lines: str) -> int:
    print("\n".join(lines), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
