"""`member-notices topics`: creates what is missing, and says where a broker differs from the contract."""

import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.topics import CODES, CONTACTS, TOPICS, Topic
from services.runtime.settings import KafkaSettings
from services.runtime.topics import check_topics, create_topics, retentions
from tests.support.kafka import admin_client

ROOT = Path(__file__).parents[2]


def run(*arguments: str, kafka: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", "topics", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "KAFKA_BOOTSTRAP_SERVERS": kafka},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
async def topic(kafka: str) -> AsyncIterator[Topic]:
    """Not on the broker yet; gone again after the test."""
    topic = replace(CODES, name=f"test-topics-{uuid.uuid4().hex}")
    yield topic
    async with admin_client(kafka) as admin:
        if topic.name in await admin.list_topics():
            await admin.delete_topics([topic.name])


def test_what_exists_is_left_as_it_is_and_is_as_the_contract_says(kafka: str) -> None:
    created = run("create", kafka=kafka)
    assert created.returncode == 0, created.stderr
    assert created.stdout.splitlines() == [f"{name}: exists" for name in TOPICS]
    checked = run("check", kafka=kafka)
    assert (checked.returncode, checked.stdout) == (0, "every topic is as the contract says\n")


@pytest.mark.parametrize("command", ["create", "check"])
def test_a_broker_that_is_away_is_one_sentence(command: str) -> None:
    done = run(command, kafka="127.0.0.1:1")
    assert done.returncode == 1
    assert "KAFKA_BOOTSTRAP_SERVERS" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_command_without_its_setting_says_which() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "topics", "check"],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "KAFKA_BOOTSTRAP_SERVERS is missing. Set it to " in done.stderr


async def test_a_missing_topic_is_told_created_and_then_as_agreed(kafka: str, topic: Topic) -> None:
    settings = KafkaSettings(kafka_bootstrap_servers=kafka)
    assert await check_topics(settings, [topic]) == [f"{topic.name}: missing; run member-notices topics create"]
    assert await create_topics(settings, [topic], partitions=2, replication=1) == [f"{topic.name}: created"]
    assert await create_topics(settings, [topic], partitions=5, replication=1) == [f"{topic.name}: exists"]
    assert await check_topics(settings, [topic]) == []


async def test_each_difference_is_a_line_with_both_sides(kafka: str, topic: Topic) -> None:
    settings = KafkaSettings(kafka_bootstrap_servers=kafka)
    await create_topics(settings, [topic], partitions=1, replication=1)
    wanted = replace(topic, retention=timedelta(days=2), compacted=True)
    assert set(await check_topics(settings, [wanted])) >= {
        f"{topic.name}: retention.ms is 86400000, the contract says 172800000",
        f"{topic.name}: cleanup.policy is delete, the contract says compact",
    }


async def test_what_the_broker_refuses_is_said_with_the_topic(kafka: str, topic: Topic) -> None:
    settings = KafkaSettings(kafka_bootstrap_servers=kafka)
    with pytest.raises(SystemExit, match=f"cannot create {topic.name}: "):
        await create_topics(settings, [topic], partitions=1, replication=99)


async def test_retentions_are_the_brokers_of_the_topics_that_exist(kafka: str) -> None:
    settings = KafkaSettings(kafka_bootstrap_servers=kafka)
    found = await retentions(settings, [CODES.name, CONTACTS.name, "no-such-topic"])
    assert found == {CODES.name: 86_400_000, CONTACTS.name: None}
