"""Create the contract's topics, and hold a broker's topics against the contract."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, Protocol

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from services.runtime.kafka import client_options
from services.runtime.settings import KafkaSettings, SettingsError

_ALREADY_EXISTS = 36
SHOWN_TRIES = 100
"""A tenth of a second apart."""


class TopicSpec(Protocol):
    """What the contract says of a topic."""

    @property
    def name(self) -> str: ...
    @property
    def partitions(self) -> int: ...
    def configs(self) -> dict[str, str]: ...


class TopicsError(SystemExit):
    """The broker refused to create a topic, or does not answer; says which and why."""


async def create_topics(
    settings: KafkaSettings, wanted: Collection[TopicSpec], *, partitions: int | None, replication: int
) -> list[str]:
    """Create what is missing. Returns a line for each topic; raises `TopicsError`."""
    new = [
        NewTopic(topic.name, partitions or topic.partitions, replication, topic_configs=topic.configs())
        for topic in wanted
    ]
    async with _admin_for_a_command(settings) as admin:
        answer = await admin.create_topics(new)
        lines: list[str] = []
        for name, code, message in answer.topic_errors:  # create_topics does not raise: each topic has its own code
            if code not in {0, _ALREADY_EXISTS}:
                raise TopicsError(f"cannot create {name}: {message or for_code(code).__name__}")
            lines.append(f"{name}: {'created' if code == 0 else 'exists'}")
        await _until_shown(admin, {topic.name for topic in wanted})
    return lines


async def _until_shown(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """A broker answers before its metadata shows what it made; whoever looks next must find it."""
    for _ in range(SHOWN_TRIES):
        if names <= set(await admin.list_topics()):
            return
        await asyncio.sleep(0.1)
    raise TopicsError("the broker took the topics and does not show them; run member-notices topics check")


async def check_topics(settings: KafkaSettings, wanted: Collection[TopicSpec]) -> list[str]:
    """One line for each difference: topic, setting, what it is, what the contract says. Raises `TopicsError`."""
    problems: list[str] = []
    async with _admin_for_a_command(settings) as admin:
        present = set(await admin.list_topics())
        problems += [
            f"{topic.name}: missing; run member-notices topics create" for topic in wanted if topic.name not in present
        ]
        found = await configs_of(admin, [topic.name for topic in wanted if topic.name in present])
        for topic in wanted:
            actual = found.get(topic.name, {})
            problems += [
                f"{topic.name}: {key} is {actual.get(key)}, the contract says {value}"
                for key, value in topic.configs().items()
                if actual and actual.get(key) != value
            ]
    return problems


async def retentions(settings: KafkaSettings, names: Collection[str]) -> dict[str, int | None]:
    """Topic → retention in milliseconds as the broker has it, of those that exist; -1: for ever, None: compacted.

    Raises KafkaError where the broker does not answer.
    """
    async with _admin(settings) as admin:
        present = set(await admin.list_topics())
        found = await configs_of(admin, [name for name in names if name in present])
    return {
        name: int(configs["retention.ms"]) if configs.get("cleanup.policy") == "delete" else None
        for name, configs in found.items()
    }


async def partitions_of(settings: KafkaSettings, service: str, names: Collection[str]) -> dict[str, int]:
    """Topic → number of partitions. Raises `SettingsError`: no broker answers, or a topic is missing."""
    try:
        async with _admin(settings) as admin:
            described: list[Any] = await admin.describe_topics(sorted(names))
    except (KafkaError, OSError) as error:
        raise SettingsError(
            service, [f"KAFKA_BOOTSTRAP_SERVERS: no broker answers there ({type(error).__name__})"]
        ) from None
    found = {topic["topic"]: len(topic["partitions"]) for topic in described if topic["error_code"] == 0}
    if missing := sorted(set(names) - found.keys()):
        raise SettingsError(service, [f"topic {name} is missing; run member-notices topics create" for name in missing])
    return found


async def configs_of(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, dict[str, str]]:
    """Topic → setting → value, of those that exist."""
    answers: list[Any] = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    )
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
        if resource[0] == 0
    }


@asynccontextmanager
async def _admin(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@asynccontextmanager
async def _admin_for_a_command(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    try:
        async with _admin(settings) as admin:
            yield admin
    except KafkaError as error:
        raise TopicsError(
            f"the broker does not answer ({type(error).__name__}); check KAFKA_BOOTSTRAP_SERVERS"
        ) from None
