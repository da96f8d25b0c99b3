"""The upstream systems of the story: CloudEvents over HTTP with a token, or straight onto Kafka."""

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from demo import client
from schemas.envelope import STRUCTURED_CONTENT_TYPE, Event, write_structured
from schemas.topics import TOPIC_OF_TYPE
from schemas.types import Data
from services.runtime.kafka import producer_of
from services.runtime.publisher import RecordHeaders
from services.runtime.settings import KafkaSettings


class Upstream:
    """Use with `async with`. `tokens`: by CloudEvents source."""

    def __init__(self, settings: KafkaSettings, auth_events: str, tokens: Mapping[str, str]) -> None:
        self.auth_events = auth_events
        self._tokens = tokens
        self._producer = producer_of(settings, "demo")

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._producer.stop()

    async def over_http(self, event: Event[Data]) -> None:
        """Returns with the 202; anything else is a `client.AnswerError`."""
        body, _ = write_structured(event)
        headers = {"authorization": f"Bearer {self._tokens[event.source]}", "content-type": STRUCTURED_CONTENT_TYPE}
        await client.post(f"{self.auth_events}/v1/events", body, headers)

    async def onto_kafka(self, *events: Event[Data]) -> None:
        """Returns when the broker has acknowledged all of them."""
        pending = []
        for event in events:
            value, headers = write_structured(event)
            topic = TOPIC_OF_TYPE[event.type].name
            pending.append(await self._producer.send(topic, value=value, key=event.subject.encode(), headers=headers))
        await asyncio.gather(*pending)

    async def raw(self, topic: str, key: bytes | None, value: bytes | None, headers: RecordHeaders = ()) -> None:
        """A record as it is, whatever it is."""
        await self._producer.send_and_wait(topic, value=value, key=key, headers=list(headers))

    async def forget(self, topic: str, keys: Sequence[str]) -> None:
        """Tombstones."""
        for pending in [await self._producer.send(topic, key=key.encode()) for key in keys]:
            await pending
