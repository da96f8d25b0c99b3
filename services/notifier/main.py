"""Composition root of the notifier."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import structlog
from starlette.applications import Starlette

from schemas.topics import ACTIVITY, CODES, CONTACTS, DEADLINES, LINKS, NOTIFIER_DEAD_LETTERS, OUTCOMES, SECURITY
from services.notifier import metrics
from services.notifier.accept import Acceptor
from services.notifier.brands import Brand
from services.notifier.catalogue import Lane as LaneName
from services.notifier.channels.configured import channels_of
from services.notifier.compose import Composer
from services.notifier.deliver import Delivery
from services.notifier.enclosures import import_typesetting
from services.notifier.housekeeping import Housekeeping, watch
from services.notifier.lanes import Lane
from services.notifier.ledger.accepting import Accepting
from services.notifier.ledger.contacts import Contacts
from services.notifier.ledger.inserting import Accepted, Inserting
from services.notifier.ledger.letters import KeptLetters
from services.notifier.ledger.promise import Promise
from services.notifier.ledger.rows import Sealer
from services.notifier.ledger.sending import Sending
from services.notifier.ledger.stories import Stories
from services.notifier.ledger.throttling import Throttling
from services.notifier.ledger.upkeep import Upkeep
from services.notifier.plan import Rules
from services.notifier.service_desk import ServiceDesk
from services.notifier.settings import NotifierSettings
from services.notifier.startup import SERVICE, load_messages, refuse_unfit_topics
from services.runtime import logs, traces
from services.runtime.clock import Clock
from services.runtime.clock_watch import ClockWatch
from services.runtime.database import Database, close, connect_to_schema
from services.runtime.health import Check, HttpServer, routes
from services.runtime.intake import Intake
from services.runtime.kafka import Drain, create_broker, producer_of, subscribe
from services.runtime.outbox import Outbox
from services.runtime.process import Process
from services.runtime.publisher import Publisher
from services.runtime.vault import Vault

log = structlog.get_logger()

TOPICS_OF_LANE: dict[LaneName, list[str]] = {
    "codes": [CODES.name, LINKS.name],
    "security": [SECURITY.name],
    "letters": [DEADLINES.name],
    "general": [ACTIVITY.name, CONTACTS.name],
}
"""Who reads what. A lane's own consumer keeps a flood on one from standing before another."""

SHAPE: dict[LaneName, tuple[int, float]] = {
    "codes": (2, 0.25),
    "security": (2, 0.5),
    "letters": (1, 1),
    "general": (1, 1),
}
"""Workers, and each one's chunk as a share of the connections per lane."""
LEASE_MARGIN_SECONDS = 30.0
"""On top of send time-out and the 10 s that must be left: time to wait in the queue and for the slowest neighbour."""


async def run(settings: NotifierSettings, clock: Clock | None = None) -> int:
    """Send until SIGTERM or SIGINT (0) or until a part fails (1). Raises SettingsError before anything is read."""
    logs.configure(SERVICE, settings.log_level)
    traces.start(SERVICE, settings)
    brands, composer = load_messages(settings)
    read = {topic for lane in settings.lanes_here() for topic in TOPICS_OF_LANE[lane]}
    await refuse_unfit_topics(settings, {*read, OUTCOMES.name, NOTIFIER_DEAD_LETTERS.name})
    database = await connect_to_schema(str(settings.database_url), service=SERVICE, schema="notifier", size=12)
    notifier = Notifier(settings, clock or settings.clock(), database, brands, composer)
    try:
        await notifier.start()
        return await notifier.process.until_stopped()
    finally:
        await notifier.close()


class Notifier:
    """The parts of one notifier process."""

    def __init__(
        self,
        settings: NotifierSettings,
        clock: Clock,
        database: Database,
        brands: Mapping[str, Brand],
        composer: Composer,
    ) -> None:
        self.process = Process(SERVICE)
        self._settings = settings
        self._clock = clock
        self._database = database
        self._brands = brands
        self._composer = composer
        self._vault = vault = Vault.parse(settings.vault_keys.get_secret_value())
        self._publisher = Publisher(lambda: producer_of(settings, SERVICE))
        self._relaying = Publisher(lambda: producer_of(settings, f"{SERVICE}-relay"))
        self._outbox = Outbox("notifier", vault)
        self._upkeep = Upkeep(database)
        self._desk = ServiceDesk(Stories(database, vault), settings.service_desk_tokens())
        sealer = Sealer(vault, settings.search_key.get_secret_value().encode())
        self._lease_seconds = settings.smtp_send_seconds + 10 + LEASE_MARGIN_SECONDS
        rules = Rules(
            brands=brands,
            deliverable=settings.deliverable,
            loopback_origin=settings.loopback_link_origin,
            team_mailbox=settings.complaints_team_mailbox,
        )
        throttling = Throttling(sealer, timedelta(seconds=settings.throttle_seconds))
        inserting = Inserting(sealer, self._lease_seconds, throttling)
        self._contacts = Contacts(database, sealer, inserting, rules)
        self._accepting = Accepting(database, self._contacts, inserting, rules)
        self._sending = Sending(database, sealer, self._lease_seconds)
        self._letters = KeptLetters(database, vault)
        self._clock_watch = ClockWatch(database, metrics.record_skew)
        self._lanes = {name: _lane(name, settings, self._clock_watch.trusted) for name in settings.lanes_here()}
        self._channels = {name: channels_of(settings, clock) for name in self._lanes}
        self._broker = create_broker(settings, "notifier")
        self._acceptors: dict[str, Acceptor] = {}

    async def start(self) -> None:
        """Every part running; the line that says where."""
        await self._upkeep.ensure_partitions(self._clock.now())
        stopping = self.process.stopping
        await self._clock_watch.compare()
        if "letters" in self._lanes:
            import_typesetting()
        for name, lane in self._lanes.items():
            delivery = self._delivery(name)
            for number in range(lane.workers):
                self.process.run(f"{name}-{number}", lane.work(delivery.deliver, stopping))
            self.process.run(f"{name}-claim", lane.claim(self._sending, self._clock, stopping))
            for topic in TOPICS_OF_LANE[name]:
                self._subscribe(name, topic)
        self.process.run(
            "outcomes",
            self._outbox.relay(self._database, self._relaying, stopping=stopping, relayed=metrics.record_relayed),
        )
        self.process.run("upkeep", self._housekeeping().run(stopping))
        self.process.run("clock", self._clock_watch.run(stopping))
        self.process.run("watch", watch(Promise(self._database, self._settings.probe_member), self._broker, stopping))
        server = HttpServer(
            Starlette(routes=[*self._desk.routes(), *routes(self._checks(), metrics.vitals)]),
            self._settings.http_host,
            self._settings.http_port,
        )
        self.process.run("http", server.serve())
        self.process.run("vitals", metrics.vitals.run(stopping))
        await self._broker.start()
        self._stop_in_order(server)
        log.info("started", port=server.port, lanes=list(self._lanes), delivery_mode=self._settings.delivery_mode)

    def _housekeeping(self) -> Housekeeping:
        return Housekeeping(self._contacts, self._upkeep, self._letters, self._clock, self._clock_watch.trusted)

    async def close(self) -> None:
        for channels in self._channels.values():
            for channel in channels.values():
                await channel.close()
        await self._publisher.stop()
        await self._relaying.stop()
        await close(self._database)

    def _stop_in_order(self, server: HttpServer) -> None:
        """First nothing more comes in, then what was not handed over is given back, then nobody asks any more."""

        async def give_back() -> None:
            for lane in self._lanes.values():
                if rows := lane.take_all():
                    await self._sending.release(rows, self._clock.now())

        async def stop_http() -> None:
            server.stop()

        self.process.on_stop("consumers", self._broker.stop)
        self.process.on_stop("give-back", give_back)
        self.process.on_stop("http", stop_http)

    def _subscribe(self, lane: LaneName, topic: str) -> None:
        drain = Drain()
        acceptor = self._acceptors[topic] = Acceptor(
            accepting=self._accepting,
            contacts=self._contacts,
            intake=Intake(
                publisher=self._publisher,
                vault=self._vault,
                clock=self._clock,
                drain=drain,
                stopping=self.process.stopping,
                dead_letters=NOTIFIER_DEAD_LETTERS,
                recorder=metrics,
                compacted=frozenset({CONTACTS.name}),
            ),
            clock=self._clock,
            brands=self._brands,
            room=lambda: {name: lane.room for name, lane in self._lanes.items()},
            accepted=self._take,
        )
        subscribe(
            self._broker,
            [topic],
            group_id=f"{self._settings.kafka_group}-{topic}",
            handler=acceptor.contacts if topic == CONTACTS.name else acceptor.events,
            supervisor=self.process,
            drain=drain,
            instance_id=self._settings.kafka_instance_id,
            poll_ms=10 if lane == "codes" else 50,
        )

    def _take(self, accepted: Accepted) -> None:
        """What was leased goes to its lane; for what was left, the lane's claimer looks now."""
        for name, lane in self._lanes.items():
            lane.put(row for row in accepted.leased if row.lane == name)
            if name in accepted.left_for_others:
                lane.look()
        for kind, count in accepted.plans.items():
            metrics.record_decision(kind, count)

    def _delivery(self, name: LaneName) -> Delivery:
        return Delivery(
            sending=self._sending,
            letters=self._letters,
            composer=self._composer,
            brands=self._brands,
            channels=self._channels[name],
            deliverable=self._settings.deliverable,
            clock=self._clock,
            hand_over_within=LEASE_MARGIN_SECONDS,
            stopping=self.process.stopping,
            bounce_address=self._settings.smtp_bounce_address,
            canary=self._settings.probe_member,
        )

    def _checks(self) -> dict[str, Check]:
        async def database() -> str | None:
            await self._database.fetchval("SELECT 1")
            return None

        async def accepting() -> str | None:
            waits = {acceptor.waiting_for for acceptor in self._acceptors.values() if acceptor.waiting_for}
            return "; ".join(sorted(waits)) or None

        async def channels() -> str | None:
            told = [await channel.check() for lane in self._channels.values() for channel in lane.values()]
            return next((trouble for trouble in told if trouble), None)

        return {
            "database": database,
            "broker": self._publisher.check,
            "clock": self._clock_watch.check,
            "accepting": accepting,
            "channels": channels,
        }


def _lane(name: LaneName, settings: NotifierSettings, trusted: asyncio.Event) -> Lane:
    workers, share = SHAPE[name]
    return Lane(name, workers=workers, chunk=max(1, int(settings.smtp_connections * share)), trusted=trusted)
