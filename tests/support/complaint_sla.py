"""A complaint_sla under test: the real one, in this process, on the real broker and database."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from schemas.topics import DEADLINES
from services.complaint_sla.main import READ, ComplaintSla
from services.complaint_sla.rulebook import Rulebook, load_rulebook
from services.complaint_sla.settings import ComplaintSlaSettings
from services.runtime.clock import Clock
from services.runtime.database import connect
from tests.support import kafka as test_kafka
from tests.support.kafka import groups_from_now
from tests.support.notifier import VAULT_KEYS, logging_of_a_process

PARTITIONS = {(topic, number) for topic in READ for number in range(test_kafka.PARTITIONS)}


def settings(kafka: str, database: str, group: str, **more: Any) -> ComplaintSlaSettings:
    values: dict[str, Any] = {
        "kafka_bootstrap_servers": kafka,
        "kafka_group": group,
        "database_url": database,
        "vault_keys": VAULT_KEYS,
    }
    return ComplaintSlaSettings(**(values | more))


@asynccontextmanager
async def running(
    values: ComplaintSlaSettings, clock: Clock, rulebook: Rulebook | None = None
) -> AsyncIterator[ComplaintSla]:
    """Started, and stopped gracefully at the end; a part that failed fails the test."""
    with logging_of_a_process("complaint-sla-under-test"):
        database = await connect(str(values.database_url), size=8)
        service = ComplaintSla(values, clock, database, rulebook or load_rulebook())
        try:
            await service.start(PARTITIONS)
            yield service
        finally:
            status = await service.process.stop()
            await service.close()
        assert status == 0, "complaint_sla failed; its log says why"


async def fresh_group(kafka: str) -> str:
    """A prefix whose groups start at the present end of every topic it reads."""
    return await groups_from_now(kafka, READ)


def told(records: list[Any], complaint: str) -> list[str]:
    """Ids of what was said of a complaint, from records of `complaints.deadlines.v1`, in their order."""
    documents = [json.loads(record.value) for record in records if record.topic == DEADLINES.name]
    return [document["id"] for document in documents if document["subject"] == complaint]
