"""What the hooks need. Connections of their own: providers who wait for PostgreSQL keep no publisher from it."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Self

import structlog

from services.auth_events.hand_over import DATABASE_ERRORS, UnavailableError, within
from services.auth_events.hooks import Hooks
from services.auth_events.jwks import Jwks, fetch
from services.auth_events.metrics import Metrics, Told, UpstreamMetrics
from services.auth_events.providers.signals import Signal
from services.auth_events.settings import AuthEventsSettings
from services.auth_events.upstreams import Upstreams
from services.auth_events.whose import Whose
from services.runtime.clock import Clock
from services.runtime.database import Database, close, connect, describe, is_away
from services.runtime.outbox import Outbox
from services.runtime.vault import Vault

log = structlog.get_logger()

CONNECTIONS = 4
TAKE_SECONDS = 1.5


class Taking:
    """Signals into the database within `TAKE_SECONDS`. Raises `UnavailableError`: sending them again helps."""

    def __init__(self, whose: Whose, clock: Clock) -> None:
        self._whose = whose
        self._clock = clock

    async def take(self, signals: Sequence[Signal]) -> list[Told]:
        try:
            return await within(TAKE_SECONDS, self._whose.take(signals, self._clock.now()))
        except DATABASE_ERRORS as error:
            log.warning("upstream_not_taken", **describe(error))
            if not is_away(error):
                raise
            raise UnavailableError from None


class Reception:
    def __init__(self, upstreams: Upstreams, clock: Clock, database: Database, whose: Whose) -> None:
        self._upstreams = upstreams
        self._clock = clock
        self._database = database
        self._whose = whose
        self._keys: dict[str, Jwks] = {}

    @classmethod
    async def open(cls, settings: AuthEventsSettings, upstreams: Upstreams, clock: Clock, outbox: Outbox) -> Self:
        database = await connect(str(settings.database_url), size=CONNECTIONS, application="auth-events-hooks")
        vault = Vault.parse(settings.vault_keys.get_secret_value())
        return cls(upstreams, clock, database, Whose(database, outbox, vault))

    def hooks(self, metrics: Metrics, upstream_metrics: UpstreamMetrics) -> Hooks:
        now = asyncio.get_running_loop().time
        for source in self._upstreams.of("ssf"):
            name = source.upstream.name
            self._keys[name] = Jwks(source.jwks_uri, fetch, now, partial(upstream_metrics.record_keys, name))
        taking = Taking(self._whose, self._clock)
        return Hooks(self._upstreams, taking.take, self._clock, self._keys, (metrics, upstream_metrics))

    async def close(self) -> None:
        for keys in self._keys.values():
            await keys.close()
        await close(self._database)
