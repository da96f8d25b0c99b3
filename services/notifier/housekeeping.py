"""What a notifier does besides sending: ends what waited in vain, keeps partitions, measures the promise."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from faststream.kafka import KafkaBroker

from services.notifier import metrics
from services.notifier.ledger.contacts import Contacts
from services.notifier.ledger.letters import KeptLetters
from services.notifier.ledger.promise import Promise
from services.notifier.ledger.upkeep import Upkeep
from services.runtime.clock import Clock
from services.runtime.database import describe, is_away
from services.runtime.kafka import lags
from services.runtime.outbox import pause

log = structlog.get_logger()

UPKEEP_SECONDS = 1.0
WATCH_SECONDS = 10.0
FULL_PART = 500
"""At least so many done means that there may be more."""


class Housekeeping:
    """Every second: end what waited in vain. Every hour: partitions, and what is kept no longer."""

    def __init__(
        self, contacts: Contacts, upkeep: Upkeep, letters: KeptLetters, clock: Clock, trusted: asyncio.Event
    ) -> None:
        """`trusted`: set while the clock may decide what has ended; what is dropped is forgotten for good."""
        self._contacts = contacts
        self._upkeep = upkeep
        self._letters = letters
        self._clock = clock
        self._trusted = trusted

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop. A step that fails is logged and tried again in its turn; it keeps no other from going."""
        next_hourly = self._clock.now()
        while not await pause(stopping, UPKEEP_SECONDS):
            if not self._trusted.is_set():
                continue
            now = self._clock.now()
            await self._step("end_waiting", self._contacts.waiting.end, now)
            if now >= next_hourly:
                next_hourly = now + timedelta(hours=1)
                for name, step in (
                    ("ensure_partitions", self._upkeep.ensure_partitions),
                    ("drop_old_partitions", self._upkeep.drop_old_partitions),
                    ("forget_old_groups", self._upkeep.forget_old_groups),
                    ("erase_old_contents", self._upkeep.erase_old_contents),
                    ("forget_hashes", self._upkeep.forget_hashes),
                    ("forget_left", self._contacts.forget_left),
                    ("drop_old_letters", self._letters.drop_old),
                ):
                    await self._step(name, step, now)

    async def _step(self, name: str, step: Callable[[datetime], Awaitable[Any]], now: datetime) -> None:
        try:
            # Steps that work through a backlog in bounded parts return how many they did.
            while isinstance(done := await step(now), int) and done >= FULL_PART:
                log.info("upkeep", step=name, done=done)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("upkeep_waits_for_database", step=name, **describe(error))


async def watch(promise: Promise, broker: KafkaBroker, stopping: asyncio.Event) -> None:
    """Every few seconds: how old is the oldest unsent, how far behind are we. Survives a database that is away."""
    while not await pause(stopping, WATCH_SECONDS):
        try:
            metrics.record_lags(await lags(broker))
            metrics.record_open_work(await promise.open_work())
            metrics.record_backlog(await promise.backlog())
        except Exception as error:
            # What is only measured must not end what it measures.
            metrics.vitals.record_watch_failure()
            log.warning("watch_failed", exc_info=error)
