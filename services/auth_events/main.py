"""The composition root of auth_events."""

import asyncio

import structlog
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from schemas.topics import AUTH_EVENTS_DEAD_LETTERS, TOPICS
from services.auth_events.follow import SERVICE
from services.auth_events.hand_over import HandOver
from services.auth_events.intake import Intake
from services.auth_events.listening import Listening
from services.auth_events.metrics import Metrics, TimerMetrics, UpstreamMetrics
from services.auth_events.publishers import Publishers
from services.auth_events.reception import Reception
from services.auth_events.settings import AuthEventsSettings
from services.auth_events.timekeeping import CONNECTIONS, Timekeeping
from services.auth_events.upstreams import Upstreams
from services.runtime import health, logs, traces
from services.runtime.clock import Clock
from services.runtime.database import Database, close, connect, connect_to_schema
from services.runtime.kafka import producer_of
from services.runtime.outbox import Outbox
from services.runtime.process import Process
from services.runtime.publisher import Publisher
from services.runtime.settings import SettingsError
from services.runtime.topics import retentions
from services.runtime.vault import Vault

log = structlog.get_logger()

CHECK_TOPICS_SECONDS = 5.0


async def run(settings: AuthEventsSettings, clock: Clock | None = None) -> int:
    """Serve until SIGTERM or SIGINT (0) or until a part fails (1). Raises SettingsError before anything is started."""
    logs.configure(SERVICE, settings.log_level)
    traces.start(SERVICE, settings)
    known = (
        Publishers.read(settings.auth_events_publishers_file),
        Upstreams.read(settings.auth_events_providers_file),
    )
    await _refuse_missing_topics(settings)
    database = await connect_to_schema(str(settings.database_url), service=SERVICE, schema="auth_events")
    service = AuthEvents(settings, clock or settings.clock(), known, database)
    try:
        await service.start()
        return await service.process.until_stopped()
    finally:
        await service.close()


async def _refuse_missing_topics(settings: AuthEventsSettings) -> None:
    """A topic that does not exist takes no event, ever. A broker that is away is bridged by the outbox: said once."""
    published = {topic.name for topic in TOPICS.values() if topic.types} | {AUTH_EVENTS_DEAD_LETTERS.name}
    try:
        async with asyncio.timeout(CHECK_TOPICS_SECONDS):
            present = await retentions(settings, published)
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning(
            "broker_not_reached",
            error=type(error).__name__,
            look_at="KAFKA_BOOTSTRAP_SERVERS",
            meanwhile="events are answered 202 from the outbox",
        )
        return
    missing = sorted(published - present.keys())
    if missing:
        raise SettingsError(SERVICE, [f"topic {name} is missing; run member-notices topics create" for name in missing])


class AuthEvents:
    """The parts of one process."""

    def __init__(
        self, settings: AuthEventsSettings, clock: Clock, known: tuple[Publishers, Upstreams], database: Database
    ) -> None:
        self.process = Process(SERVICE)
        self.registry = CollectorRegistry()
        self._settings = settings
        self._clock = clock
        self._publishers, self._upstreams = known
        self._database = database
        self._direct = Publisher(lambda: producer_of(settings, SERVICE))
        self._relaying = Publisher(lambda: producer_of(settings, f"{SERVICE}-relay"))
        self._timekeeping: Timekeeping | None = None
        self._listening: Listening | None = None
        self._reception: Reception | None = None

    async def start(self) -> None:
        """Every part running; the line that says where."""
        metrics = Metrics(self.registry)
        outbox = Outbox("auth_events", Vault.parse(self._settings.vault_keys.get_secret_value()))
        hand_over = HandOver(self._database, outbox, self._direct)
        intake = Intake(self._publishers, hand_over.take, metrics)
        timer_metrics, upstream_metrics = TimerMetrics(self.registry), UpstreamMetrics(self.registry)
        own = await connect(str(self._settings.database_url), size=CONNECTIONS, application=f"{SERVICE}-timers")
        self._timekeeping = Timekeeping(self._settings, self._clock, own, outbox, timer_metrics)
        self._listening = Listening(self._settings, self._clock, own, outbox, (timer_metrics, upstream_metrics))
        self._reception = await Reception.open(self._settings, self._upstreams, self._clock, outbox)
        hooks = self._reception.hooks(metrics, upstream_metrics).routes()
        app = Starlette(
            routes=[*intake.routes(), *hooks, *health.routes({"acceptance": hand_over.check}, metrics.vitals)],
            exception_handlers=intake.exception_handlers(),
        )
        server = health.HttpServer(app, self._settings.http_host, self._settings.http_port)

        async def stop_serving() -> None:
            server.stop()

        stopping = self.process.stopping
        self.process.run("http", server.serve())
        self.process.run(
            "relay",
            outbox.relay(self._database, self._relaying, stopping=stopping, relayed=metrics.record_relayed),
        )
        failed = metrics.vitals.record_watch_failure
        self.process.run("watch", outbox.watch(self._database, stopping, metrics.record_outbox, failed))
        self.process.run("vitals", metrics.vitals.run(stopping))
        self.process.on_stop("http", stop_serving)
        self._timekeeping.start(self.process)
        self._listening.start(self.process)
        known = {"publishers": self._publishers.names(), "providers": self._upstreams.names()}
        log.info("listening", host=self._settings.http_host, port=server.port, **known)

    async def close(self) -> None:
        if self._reception is not None:
            await self._reception.close()
        if self._listening is not None:
            await self._listening.close()
        if self._timekeeping is not None:
            await self._timekeeping.close()
        await self._direct.stop()
        await self._relaying.stop()
        await close(self._database)
