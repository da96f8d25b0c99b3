"""The composition root of auth_events."""

import asyncio

import structlog
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from schemas.topics import TOPICS
from services.auth_events.hand_over import HandOver
from services.auth_events.intake import Intake
from services.auth_events.metrics import Metrics
from services.auth_events.publishers import Publishers
from services.auth_events.settings import AuthEventsSettings
from services.runtime import health, logs
from services.runtime.database import Database, close, connect_to_schema
from services.runtime.kafka import producer_of
from services.runtime.outbox import Outbox
from services.runtime.process import Process
from services.runtime.publisher import Publisher
from services.runtime.settings import SettingsError
from services.runtime.topics import retentions
from services.runtime.vault import Vault

log = structlog.get_logger()

SERVICE = "auth-events"
CHECK_TOPICS_SECONDS = 5.0


async def run(settings: AuthEventsSettings) -> int:
    """Serve until SIGTERM or SIGINT (0) or until a part fails (1). Raises SettingsError before anything is started."""
    logs.configure(SERVICE, settings.log_level)
    publishers = Publishers.read(settings.auth_events_publishers_file)
    await _refuse_missing_topics(settings)
    database = await connect_to_schema(str(settings.database_url), service=SERVICE, schema="auth_events")
    direct = Publisher(lambda: producer_of(settings, SERVICE))
    relaying = Publisher(lambda: producer_of(settings, f"{SERVICE}-relay"))
    try:
        return await _serve(settings, publishers, database, direct, relaying)
    finally:
        await direct.stop()
        await relaying.stop()
        await close(database)


async def _refuse_missing_topics(settings: AuthEventsSettings) -> None:
    """A topic that does not exist takes no event, ever. A broker that is away is bridged by the outbox: said once."""
    published = {topic.name for topic in TOPICS.values() if topic.types}
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


async def _serve(
    settings: AuthEventsSettings, publishers: Publishers, database: Database, direct: Publisher, relaying: Publisher
) -> int:
    metrics = Metrics(CollectorRegistry())
    outbox = Outbox("auth_events", Vault.parse(settings.vault_keys.get_secret_value()))
    hand_over = HandOver(database, outbox, direct)
    intake = Intake(publishers, hand_over.take, metrics)
    app = Starlette(
        routes=[*intake.routes(), *health.routes({"acceptance": hand_over.check}, metrics.vitals)],
        exception_handlers=intake.exception_handlers(),
    )
    server = health.HttpServer(app, settings.http_host, settings.http_port)
    process = Process(SERVICE)

    async def stop_serving() -> None:
        server.stop()

    process.run("http", server.serve())
    process.run("relay", outbox.relay(database, relaying, stopping=process.stopping, relayed=metrics.record_relayed))
    process.run(
        "watch", outbox.watch(database, process.stopping, metrics.record_outbox, metrics.vitals.record_watch_failure)
    )
    process.run("vitals", metrics.vitals.run(process.stopping))
    process.on_stop("http", stop_serving)
    log.info("listening", host=settings.http_host, port=server.port, publishers=publishers.names())
    return await process.until_stopped()
