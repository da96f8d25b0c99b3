"""The real broker and the real database, one of each for a session: given ones, else embedded ones.

They start with the first test that asks for them, and stop with the session, on Ctrl-C too.
"""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from demo.embedded import EmbeddedKafka, EmbeddedPostgres
from demo.embedded.jars import KAFKA_VERSION
from tests.support.database import migrate, temporary_database
from tests.support.kafka import create_topics

GIVEN_KAFKA = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
GIVEN_DATABASE = os.environ.get("DATABASE_URL")
REAL_PARTS = (Path(__file__).parent / "integration", Path(__file__).parent / "e2e")


def pytest_report_header() -> list[str]:
    return [
        f"broker: {f'given, {GIVEN_KAFKA}' if GIVEN_KAFKA else f'embedded, Apache Kafka {KAFKA_VERSION}'}",
        f"database: {'given (DATABASE_URL)' if GIVEN_DATABASE else 'embedded, PostgreSQL 18'}",
    ]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several work, each file with real parts is one worker's, so that what it sets up is set up once."""
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in REAL_PARTS):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[str]:
    if GIVEN_KAFKA:
        yield GIVEN_KAFKA
        return
    terminal = pytestconfig.pluginmanager.getplugin("capturemanager")
    assert terminal is not None

    def say(text: str) -> None:
        # Past pytest's capture: a first download takes a while, and silence looks like a hang.
        with terminal.global_and_fixture_disabled():
            print(text, flush=True)

    with EmbeddedKafka(_folder(tmp_path_factory, "kafka"), say=say) as kafka:
        yield kafka.bootstrap


@pytest.fixture(scope="session")
async def kafka(kafka_server: str) -> str:
    """Bootstrap address of a real broker that has the contract's topics."""
    await create_topics(kafka_server)
    return kafka_server


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """DSN of a real PostgreSQL, for a user who may create databases."""
    if GIVEN_DATABASE:
        yield GIVEN_DATABASE
        return
    with EmbeddedPostgres(_folder(tmp_path_factory, "postgres"), durable=False) as postgres:
        yield postgres.dsn


@pytest.fixture(scope="session")
async def migrated_template(database_server: str) -> AsyncIterator[str]:
    async with temporary_database(database_server) as dsn:
        await migrate(dsn)
        yield dsn


@pytest.fixture
async def database(database_server: str, migrated_template: str) -> AsyncIterator[str]:
    """DSN of a fresh, migrated database for this test alone."""
    async with temporary_database(database_server, template=migrated_template) as dsn:
        yield dsn


def _folder(factory: pytest.TempPathFactory, name: str) -> Path:
    return factory.mktemp(name, numbered=False)


@pytest.fixture(autouse=True)
def _log_configuration() -> Iterator[None]:
    """Each test leaves structlog as it found it, also the list of processors that loggers hold on to."""
    before = structlog.get_config()
    processors = [*before["processors"]]
    yield
    before["processors"][:] = processors
    structlog.configure(**before)
