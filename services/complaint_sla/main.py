"""Composition root of complaint_sla."""

from functools import partial

import structlog
from starlette.applications import Starlette

from schemas.topics import COMPLAINT_SLA_DEAD_LETTERS, DEADLINES, LIFECYCLE, OUTCOMES
from services.complaint_sla import metrics
from services.complaint_sla.cases import Cases
from services.complaint_sla.ingest import Ingest
from services.complaint_sla.reading import Reading
from services.complaint_sla.rulebook import Rulebook, load_rulebook
from services.complaint_sla.service_desk import ServiceDesk
from services.complaint_sla.settings import ComplaintSlaSettings
from services.complaint_sla.sweep import Sweeper
from services.complaint_sla.tables import DataError
from services.runtime import logs, traces
from services.runtime.clock import Clock
from services.runtime.clock_watch import ClockWatch
from services.runtime.database import Database, close, connect_to_schema
from services.runtime.health import Check, HttpServer, routes
from services.runtime.intake import Intake
from services.runtime.kafka import Drain, create_broker, lags, producer_of, subscribe
from services.runtime.outbox import Outbox, pause
from services.runtime.process import Process
from services.runtime.publisher import Publisher
from services.runtime.settings import SettingsError
from services.runtime.topics import partitions_of
from services.runtime.vault import Vault
from services.runtime.watermark import Progress, Reader

log = structlog.get_logger()

SERVICE = "complaint-sla"
READ = (LIFECYCLE.name, OUTCOMES.name)
WATCH_SECONDS = 10.0
WATERMARK_ALERT_SECONDS = 900
"""A story known less far than this is an alert; nothing is guessed meanwhile."""


async def run(settings: ComplaintSlaSettings, clock: Clock | None = None) -> int:
    """Keep time until SIGTERM or SIGINT (0) or until a part fails (1). Raises SettingsError before anything is read."""
    logs.configure(SERVICE, settings.log_level)
    traces.start(SERVICE, settings)
    rulebook = load()
    partitions = await partitions_of(settings, SERVICE, {*READ, DEADLINES.name, COMPLAINT_SLA_DEAD_LETTERS.name})
    database = await connect_to_schema(str(settings.database_url), service=SERVICE, schema="complaint_sla")
    service = ComplaintSla(settings, clock or settings.clock(), database, rulebook)
    try:
        await service.start({(topic, number) for topic in READ for number in range(partitions[topic])})
        return await service.process.until_stopped()
    finally:
        await service.close()


def load() -> Rulebook:
    """The data files, or no start: `SettingsError` with every problem. What a person has to settle is said."""
    try:
        rulebook = load_rulebook()
    except DataError as error:
        raise SettingsError(SERVICE, list(error.problems)) from None
    for doubt in rulebook.doubts():
        log.warning("licence_fact_in_doubt", fact=doubt)
    return rulebook


class ComplaintSla:
    """The parts of one process."""

    def __init__(self, settings: ComplaintSlaSettings, clock: Clock, database: Database, rulebook: Rulebook) -> None:
        self.process = Process(SERVICE)
        self._settings = settings
        self._clock = clock
        self._database = database
        self._vault = vault = Vault.parse(settings.vault_keys.get_secret_value())
        self._publisher = Publisher(lambda: producer_of(settings, SERVICE))
        self._relaying = Publisher(lambda: producer_of(settings, f"{SERVICE}-relay"))
        self._outbox = Outbox("complaint_sla", vault)
        self._reading = Reading(database, vault)
        self._windows = rulebook.windows
        self._desk = ServiceDesk(self._reading, rulebook, clock, settings.service_desk_tokens())
        cases = Cases(database, vault, self._outbox)
        self._ingest = Ingest(database, cases, rulebook, clock)
        self._progress = Progress(database, "complaint_sla")
        self._clock_watch = ClockWatch(database, metrics.record_skew)
        self._sweeper = Sweeper(cases, self._progress, rulebook, clock, self._clock_watch.trusted)
        self._broker = create_broker(settings, SERVICE)
        self._intakes: dict[str, Intake] = {}
        self._readers: list[Reader] = []

    async def start(self, partitions: set[tuple[str, int]]) -> None:
        """Every part running; `partitions` are all of the topics that are read, whoever reads them."""
        stopping = self.process.stopping
        await self._clock_watch.compare()
        await self._progress.know(partitions)
        for topic in READ:
            drain = Drain()
            intake = self._intakes[topic] = Intake(
                publisher=self._publisher,
                vault=self._vault,
                clock=self._clock,
                drain=drain,
                stopping=stopping,
                dead_letters=COMPLAINT_SLA_DEAD_LETTERS,
                recorder=metrics,
            )
            consumer = subscribe(
                self._broker,
                [topic],
                group_id=f"{self._settings.kafka_group}-{topic}",
                handler=partial(self._ingest.take, intake=intake),
                supervisor=self.process,
                drain=drain,
                instance_id=self._settings.kafka_instance_id,
            )
            reader = Reader(topic, self._progress, self._clock, consumer, intake.accepted_up_to)
            self._readers.append(reader)
            self.process.run(f"follow-{topic}", reader.follow(stopping))
        self.process.run("sweep", self._sweeper.run(stopping))
        self.process.run(
            "relay",
            self._outbox.relay(self._database, self._relaying, stopping=stopping, relayed=metrics.record_relayed),
        )
        self.process.run("clock", self._clock_watch.run(stopping))
        self.process.run("watch", self._watch())
        server = HttpServer(
            Starlette(routes=[*self._desk.routes(), *routes(self._checks(), metrics.vitals)]),
            self._settings.http_host,
            self._settings.http_port,
        )
        self.process.run("http", server.serve())
        self.process.run("vitals", metrics.vitals.run(stopping))
        await self._broker.start()

        async def stop_http() -> None:
            server.stop()

        self.process.on_stop("consumers", self._broker.stop)
        self.process.on_stop("http", stop_http)
        log.info("started", port=server.port)

    async def close(self) -> None:
        await self._publisher.stop()
        await self._relaying.stop()
        await close(self._database)

    async def _watch(self) -> None:
        while not await pause(self.process.stopping, WATCH_SECONDS):
            try:
                metrics.record_lags(await lags(self._broker))
                metrics.record_standing(await self._reading.standing(self._clock.now(), self._windows))
            except Exception as error:
                # What is only measured must not end what it measures.
                metrics.vitals.record_watch_failure()
                log.warning("watch_failed", exc_info=error)

    def _checks(self) -> dict[str, Check]:
        async def database() -> str | None:
            await self._database.fetchval("SELECT 1")
            return None

        async def accepting() -> str | None:
            waits = [intake.waiting_for for intake in self._intakes.values() if intake.waiting_for]
            return "; ".join(waits) or None

        async def watermark() -> str | None:
            troubles = [reader.trouble for reader in self._readers if reader.trouble]
            known = await self._progress.watermark()
            behind = None if known is None else (self._clock.now() - known).total_seconds()
            if behind is None or behind > WATERMARK_ALERT_SECONDS:
                troubles.append("the story is not known through the last 15 minutes: letters and misses wait")
            return "; ".join(troubles) or None

        return {
            "database": database,
            "broker": self._publisher.check,
            "clock": self._clock_watch.check,
            "accepting": accepting,
            "watermark": watermark,
        }
