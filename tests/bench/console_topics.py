"""What is on the topics: events, a group that is behind, dead letters of several reasons."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import CODES, NOTIFIER_DEAD_LETTERS
from services.runtime.dead_letters import dead_letter
from services.runtime.vault import Vault
from tests.bench.load import Published, code, members, password_changes, publisher
from tests.support.notifier import VAULT_KEYS

EVENTS = 3_000
LETTERS = 500
REASONS = ("schema: data.expires_at: missing", "type: unknown", "envelope: ce_time: not a time")


async def stock(bootstrap: str) -> None:
    everybody = members(EVENTS)
    events = [*map(code, everybody), *(change.record for change in password_changes(everybody, EVENTS))]
    async with publisher(bootstrap) as to:
        await to.publish([*events, *map(_letter, range(LETTERS))])
    group = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id="a-group-that-is-behind", enable_auto_commit=False)
    await group.start()
    try:
        partitions = [TopicPartition(CODES.name, number) for number in range(CODES.partitions)]
        group.assign(partitions)
        ends = await group.end_offsets(partitions)
        await group.commit({partition: end // 2 for partition, end in ends.items()})
    finally:
        await group.stop()


def _letter(number: int) -> Published:
    record: Any = SimpleNamespace(topic=CODES.name, partition=0, offset=number, key=b"m-1", value=b"{}", headers=[])
    topic, vault = NOTIFIER_DEAD_LETTERS.name, Vault.parse(VAULT_KEYS)
    reason = REASONS[number % len(REASONS)]
    message = dead_letter(record, reason=reason, topic=topic, limit=1_000_000, at=datetime.now(UTC), vault=vault)
    headers = [(name, value or b"") for name, value in message.headers]
    return Published(topic, message.key or b"", message.value or b"", headers, "")
