"""What stands behind the hooks, beside the intake and never in its way: whose events are, and who signed on from where.

As with `timekeeping`, what fails is begun again, and `/readyz` does not ask.
"""

import asyncio
from datetime import datetime, timedelta

import structlog

from schemas.topics import CONTACTS, SIGN_ONS
from services.auth_events import browser
from services.auth_events.contacts import Contacts
from services.auth_events.follow import SERVICE, Following
from services.auth_events.metrics import TimerMetrics, UpstreamMetrics
from services.auth_events.settings import AuthEventsSettings
from services.auth_events.sign_ons import Browsers, SignOns
from services.auth_events.whose import Whose
from services.runtime.clock import Clock
from services.runtime.database import Database, describe, is_away
from services.runtime.kafka import lags, producer_of
from services.runtime.outbox import Outbox, pause
from services.runtime.process import Process
from services.runtime.publisher import Publisher
from services.runtime.vault import Vault

log = structlog.get_logger()

UPKEEP_SECONDS = 10.0
FORGET_EVERY = timedelta(hours=1)
BATCH = 500


class Listening:
    def __init__(
        self,
        settings: AuthEventsSettings,
        clock: Clock,
        database: Database,
        outbox: Outbox,
        metrics: tuple[TimerMetrics, UpstreamMetrics],
    ) -> None:
        self._clock = clock
        self._whose = Whose(database, outbox, Vault.parse(settings.vault_keys.get_secret_value()))
        self._browsers = Browsers(database, outbox)
        self._topics_metrics, self._metrics = metrics
        self._publisher = Publisher(lambda: producer_of(settings, f"{SERVICE}-dead-letters-of-upstreams"))
        self._forget_at: datetime | None = None
        contacts, sign_ons = Contacts(self._whose, clock, self._metrics), SignOns(self._browsers, clock, self._metrics)
        self._followings = {
            topic.name: Following(
                name,
                topic,
                handler,
                settings=settings,
                clock=clock,
                publisher=self._publisher,
                metrics=self._topics_metrics,
            )
            for name, topic, handler in (
                ("contacts", CONTACTS, contacts.take),
                ("sign_ons", SIGN_ONS, sign_ons.take),
            )
        }

    def start(self, process: Process) -> None:
        browser.load()
        for name, following in self._followings.items():
            process.run(name, following.run(process.stopping))
            process.on_stop(name, following.end)
        process.run("upkeep", self._keep_up(process.stopping))

    async def close(self) -> None:
        await self._publisher.stop()

    async def _keep_up(self, stopping: asyncio.Event) -> None:
        while not await pause(stopping, UPKEEP_SECONDS):
            try:
                await self.look(stopping)
            except Exception as error:
                if is_away(error):
                    log.warning("upkeep_waits_for_database", **describe(error))
                else:
                    log.error("upkeep_failed", exc_info=error)

    async def look(self, stopping: asyncio.Event) -> None:
        """What waited too long ends; what nobody needs is forgotten; the metrics say how things stand."""
        now = self._clock.now()
        while not stopping.is_set():
            ended = await self._whose.end_waiting(now, BATCH)
            self._metrics.record_unclaimed(ended)
            if ended < BATCH:
                break
        waiting = await self._whose.waiting(now)
        self._metrics.record_waiting(waiting.count, waiting.oldest_seconds)
        if self._forget_at is None or now >= self._forget_at:
            await self._whose.forget_old(now)
            while not stopping.is_set() and await self._browsers.forget_old(now, BATCH) == BATCH:
                pass
            self._forget_at = now + FORGET_EVERY
        for following in self._followings.values():
            if following.broker is not None:
                self._topics_metrics.record_lags(await lags(following.broker))
