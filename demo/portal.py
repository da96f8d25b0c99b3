"""The portal of the demo: reads what members are to see there from Kafka, as a real one would, and shows it."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer

from demo.journey import CM
from demo.stage import Member
from demo.watch import Inbox
from schemas.envelope import read_record
from schemas.notifications import InAppMessageV1
from schemas.topics import IN_APP
from services.runtime.kafka import client_options
from services.runtime.settings import KafkaSettings

NAMES = {CM: "My CM"}
"""What members call theirs, where it is not the brand's name."""


class Portal:
    """Use with `async with`: from then on, not before, whatever comes is handed to the inbox, copies and all."""

    def __init__(self, settings: KafkaSettings, inbox: Inbox, member: Callable[[str], Member | None]) -> None:
        """`member`: by id, who it is; None: somebody else's, who is shown nothing here."""
        self._inbox = inbox
        self._member = member
        self._consumer = AIOKafkaConsumer(IN_APP.name, **client_options(settings), enable_auto_commit=False)
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        for partition, end in (await self._consumer.end_offsets(self._consumer.assignment())).items():
            self._consumer.seek(partition, end)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self._consumer.stop()

    def ended(self) -> list[str]:
        """Why it does not read any more, if it does not."""
        if self._reading is None or not self._reading.done():
            return []
        return [f"the portal does not read: {type(self._reading.exception()).__name__}"]

    async def _read(self) -> None:
        async for record in self._consumer:
            event = read_record(record.headers, record.value)
            assert isinstance(event.data, InAppMessageV1)
            who = self._member(event.subject)
            if who is None:
                continue
            told = {
                "event": event.id,
                "to": who.id,
                "name": who.name,
                "portal": NAMES.get(who.brand, who.brand),
                "record": f"{record.topic}/{record.partition}/{record.offset}",
            }
            await self._inbox.show(told | event.data.model_dump(mode="json"))
