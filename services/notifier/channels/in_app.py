"""In-app: an event on a topic that the portal reads. One id on every attempt, so a copy is one message to it."""

from collections.abc import Callable
from datetime import datetime

from aiokafka import AIOKafkaProducer

from schemas.envelope import new_event, record_headers, write_structured
from schemas.notifications import InAppMessageV1
from schemas.topics import IN_APP
from services.notifier.channels.base import ChannelError, Consequence, OutgoingMessage, Sent
from services.runtime.publisher import BrokerAwayError, Message, Publisher

SOURCE = "urn:member-notices:notifier"
SEND_SECONDS = 5.0
(TYPE,) = IN_APP.types


def in_app_record(id_: str, member: str, at: datetime, message: InAppMessageV1) -> bytes:
    """The value of the record; `at` is the same on every attempt."""
    value, _ = write_structured(new_event(source=SOURCE, id=id_, type=TYPE, subject=member, time=at, data=message))
    return value


class InAppChannel:
    """Never fails for good: a member's inbox is always there. The broker away is waited for as a relay is."""

    name = "in-app"

    def __init__(self, build: Callable[[], AIOKafkaProducer]) -> None:
        self._publisher = Publisher(build)

    async def send(self, message: OutgoingMessage) -> Sent:
        record = Message(
            topic=IN_APP.name,
            key=message.address.encode(),
            value=message.body,
            headers=record_headers(message.id, TYPE),
        )
        try:
            await self._publisher.publish([record], timeout=SEND_SECONDS)
        except BrokerAwayError:
            # It may have been written all the same.
            raise ChannelError(Consequence.UNKNOWN, "broker:time-out-after-data") from None
        return Sent(reply_code="acknowledged")

    async def check(self) -> str | None:
        """The broker's readiness is a check of its own."""
        return None

    async def close(self) -> None:
        await self._publisher.stop()
