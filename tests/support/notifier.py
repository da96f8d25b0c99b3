"""A notifier under test: the real one, in this process, on the real broker and database and a catcher."""

import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer

from demo.catcher import Catcher
from schemas.envelope import Event, new_event, write_structured
from schemas.topics import ACTIVITY, CODES, CONTACTS, DATA_OF_TYPE, DEADLINES, LINKS, SECURITY, TOPIC_OF_TYPE
from schemas.types import Data
from services.notifier.brands import load_brands
from services.notifier.main import Notifier
from services.notifier.settings import NotifierSettings
from services.runtime import logs
from services.runtime.clock import Clock, SystemClock
from services.runtime.database import connect
from tests.support.kafka import groups_from_now
from tests.support.notices import composer

VAULT_KEYS = "test:" + "Q" * 42 + "A="
READ = (CODES.name, LINKS.name, SECURITY.name, DEADLINES.name, ACTIVITY.name, CONTACTS.name)


def settings(kafka: str, database: str, catcher: Catcher, group: str, **more: Any) -> NotifierSettings:
    """What `.env` would say, for servers on this machine."""
    values: dict[str, Any] = {
        "kafka_bootstrap_servers": kafka,
        "kafka_group": group,
        "database_url": database,
        "vault_keys": VAULT_KEYS,
        "search_key": "s" * 32,
        "delivery_mode": "capture",
        "smtp_host": catcher.host,
        "smtp_port": catcher.smtp_port,
        "smtp_tls": "none",
        "smtp_send_seconds": 5,
        "twilio_account_sid": catcher.account_sid,
        "twilio_auth_token": catcher.auth_token,
        "twilio_sender": "+32460000000",
        "twilio_api_base_url": catcher.twilio_url,
        "loopback_link_origin": catcher.http_url,
    }
    return NotifierSettings(**(values | more))


@asynccontextmanager
async def running(values: NotifierSettings, clock: Clock | None = None) -> AsyncIterator[Notifier]:
    """Started, and stopped gracefully at the end; a part that failed fails the test."""
    with logging_of_a_process("notifier-under-test"):
        brands, composed = load_brands(), composer()
        database = await connect(str(values.database_url), size=8)
        notifier = Notifier(values, clock or SystemClock(), database, brands, composed)
        try:
            await notifier.start()
            yield notifier
        finally:
            status = await notifier.process.stop()
            await notifier.close()
        assert status == 0, "the notifier failed; its log says why"


@contextmanager
def logging_of_a_process(service: str) -> Iterator[None]:
    """`configure` is for a whole process; what it changed is put back, so that a later test sees its own lines."""
    structure, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure(service, "warning")
    try:
        yield
    finally:
        structlog.configure(**structure)
        structlog.contextvars.unbind_contextvars("service")
        root.handlers[:] = handlers
        root.setLevel(level)


class Upstream:
    """Publishes onto the contract's topics as an upstream would."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def publish(self, *events: Event[Data]) -> None:
        for event in events:
            value, headers = write_structured(event)
            await self.raw(TOPIC_OF_TYPE[event.type].name, event.subject.encode(), value, headers)

    async def raw(
        self, topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, Any]] | None = None
    ) -> None:
        await self._producer.send_and_wait(topic, value=value, key=key, headers=headers)

    async def contact(self, member: str, **data: Any) -> None:
        """A contact at `<member>@example.test`, unless said otherwise."""
        await self.publish(contact(member, **data))

    async def forget(self, member: str) -> None:
        await self.raw(CONTACTS.name, member.encode(), None)


def event_of(type_: str, member: str, *, id: str, time: Any, source: str = "urn:test:idp", **data: Any) -> Event[Data]:
    """A valid event of this type."""
    return new_event(
        source=source, id=id, type=type_, subject=member, time=time, data=DATA_OF_TYPE[type_].model_validate(data)
    )


def contact(member: str, **data: Any) -> Event[Data]:
    values: Mapping[str, Any] = {
        "version": 1,
        "brand": "cigna-healthcare",
        "language": "en",
        "login_email": f"{member}@example.test",
        **data,
    }
    return event_of(
        "members.contact.v1",
        member,
        id=f"{member}-{values['version']}",
        time=SystemClock().now(),
        source="urn:test:members",
        **values,
    )


@asynccontextmanager
async def upstream(kafka: str) -> AsyncIterator[Upstream]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        yield Upstream(producer)
    finally:
        await producer.stop()


async def fresh_group(kafka: str) -> str:
    """A prefix whose groups start at the present end of every topic the notifier reads."""
    return await groups_from_now(kafka, READ)
