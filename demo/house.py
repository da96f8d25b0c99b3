"""Everything that runs in the demo: broker, database, catcher and the services, started side by side."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from demo import environment
from demo.broker import READ
from demo.embedded import EmbeddedError, EmbeddedKafka, EmbeddedPostgres
from demo.embedded.jars import KAFKA_VERSION, cache_folder, locked_jars
from demo.environment import VAULT_KEYS, Publishers
from demo.processes import CATCHER, PROGRAM, Parts, Service, to_the_end
from demo.progress import Steps
from demo.providers import Providers
from schemas.topics import TOPICS
from services.runtime.migrations import upgrade
from services.runtime.settings import KafkaSettings, load
from services.runtime.topics import create_topics

SERVICES = Path(__file__).parents[1] / "services"
PARTITIONS = 3
KEEPER = "complaint-sla"
CONSOLE = "console"
LANES_OF = {"notifier codes": "codes", "notifier security": "security,letters,general"}
"""Two processes, as in production: a flood of security mail is no business of the codes."""


class House:
    """Starts and stops the parts; every failure is an EmbeddedError. Files and logs are in `folder`."""

    def __init__(self, folder: Path, steps: Steps, group: str) -> None:
        """`group`: what the consumer groups are named after."""
        self.folder = folder
        self.group = group
        self.of_notifier: dict[str, str] = {}
        self.kafka_given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        self.database_given = os.environ.get("DATABASE_URL")
        self.publishers = Publishers.write(folder)
        self.providers = Providers(folder)
        self._steps = steps
        self._parts = Parts()
        self._kafka = EmbeddedKafka(folder / "kafka", say=steps.say)
        self._postgres = EmbeddedPostgres(folder / "postgres")
        self._gallery = folder / "gallery"
        arguments = ["--gallery", str(self._gallery)]
        self.catcher = Service(
            "catcher", CATCHER, arguments, folder=folder, environment=dict(os.environ), ready_event=None
        )
        self.services: dict[str, Service] = {}

    @property
    def kafka(self) -> KafkaSettings:
        """Known once it runs."""
        bootstrap = self.kafka_given or self._kafka.bootstrap
        return load(KafkaSettings, "demo", kafka_bootstrap_servers=bootstrap)

    @property
    def database(self) -> str:
        return self.database_given or self._postgres.dsn

    @property
    def inbox(self) -> str:
        url: str = self.catcher.announced["http_url"]
        return url

    @property
    def gallery(self) -> str:
        return f"{self.inbox}/gallery/"

    @asynccontextmanager
    async def gallery_in_the_making(self) -> AsyncIterator[None]:
        """Every message in a gallery beside the inbox, some seconds after it was begun."""
        command = (PROGRAM, "preview", "--out", str(self._gallery))
        making = asyncio.create_task(to_the_end(*command, hear=lambda _: None))
        try:
            yield
        finally:
            making.cancel()
            await asyncio.wait([making])

    @property
    def processes(self) -> list[Service]:
        return [self.catcher, *self.services.values()]

    def ended(self) -> list[str]:
        """Of our processes, those that should run and do not."""
        return [f"{each.name} does not run, see {each.log}" for each in self.processes if not each.running]

    @property
    def clock_file(self) -> Path | None:
        """None where a server was given: the deadlines of others must not follow our clock."""
        return None if self.kafka_given or self.database_given else self.folder / "clock"

    @property
    def clock(self) -> dict[str, str]:
        """The setting that shifts a process's clock."""
        return {} if self.clock_file is None else {"DEMO_CLOCK_FILE": str(self.clock_file)}

    async def start_servers(self) -> None:
        """Broker with topics, migrated database, catcher."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._start_kafka())
                group.create_task(self._start_database())
                group.create_task(self._start(self.catcher, "catcher: SMTP relay, Twilio and inbox"))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def start_services(self) -> None:
        """The services as processes, settings through their environment."""
        kafka, database = self.kafka.kafka_bootstrap_servers, self.database
        self.of_notifier = environment.of_notifier(kafka, database, self.catcher.announced, self.group) | self.clock
        files = (self.publishers.file, self.providers.file)
        of_auth_events = environment.of_auth_events(kafka, database, files, f"{self.group}-auth-events") | self.clock
        of_complaint_sla = environment.of_complaint_sla(kafka, database, self.group) | self.clock
        self.services = {
            "auth-events": self._service("auth-events", ["auth-events"], of_auth_events, "listening"),
            **{
                name: self._service(name, ["notifier", "--lanes", lanes], self.of_notifier, "started")
                for name, lanes in LANES_OF.items()
            },
            KEEPER: self._service(KEEPER, [KEEPER], of_complaint_sla, "started"),
        }
        if not self.database_given:  # there its user may become what the console is
            of_console = environment.of_console(kafka, database, self._gallery) | self.clock
            self.services[CONSOLE] = self._service(CONSOLE, [CONSOLE], of_console, "started")
        try:
            async with asyncio.TaskGroup() as group:
                for service in self.services.values():
                    group.create_task(self._start(service, service.name))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    def consuming(self) -> bool:
        """Whether the consumers have partitions of every topic that is read; the logs say so.

        Asked here and not of the broker: aiokafka 0.14 cannot decode Kafka 4's answer about groups.
        """
        assigned = {
            partition.rpartition("-")[0]
            for name in (*LANES_OF, KEEPER)
            for line in self.services[name].lines()
            if line.get("event") == "partitions_assigned"
            for partition in line["partitions"]
        }
        return assigned >= READ

    async def restart(self, service: Service) -> None:
        await self._parts.start(service)

    async def stop(self) -> None:
        """In order: who takes in, who sends, who receives, then the servers. None is left when this returns."""
        await self._parts.stop(*self.services.values())
        await self._parts.stop(self.catcher, self._kafka, self._postgres)

    def _service(self, name: str, arguments: list[str], values: dict[str, str], ready_event: str) -> Service:
        return Service(name, PROGRAM, arguments, folder=self.folder, environment=values, ready_event=ready_event)

    async def _start(self, service: Service, text: str) -> None:
        with self._steps.step(text):
            await self._parts.start(service)

    async def _start_kafka(self) -> None:
        if self.kafka_given:
            self._steps.say(f"Kafka: {self.kafka_given}, as KAFKA_BOOTSTRAP_SERVERS says")
        else:
            await self._fetch_jars()
            with self._steps.step(f"Apache Kafka {KAFKA_VERSION}, embedded"):
                await self._parts.start(self._kafka)
        with self._steps.step("topics of the contract"):
            await create_topics(self.kafka, TOPICS.values(), partitions=PARTITIONS, replication=1)

    async def _fetch_jars(self) -> None:
        """The first time, by a process of its own: a download that is cut off must not hold Ctrl-C up."""
        folder = cache_folder() / f"kafka-{KAFKA_VERSION}"
        if all((folder / jar.file_name).is_file() for jar in locked_jars()):
            return
        said = [""]

        def hear(line: str) -> None:
            said.append(line)
            self._steps.say(line)

        with self._steps.step("download of Kafka's jars, the first time only"):
            if await to_the_end("demo.embedded", "fetch", hear=hear):
                raise EmbeddedError(said[-1])

    async def _start_database(self) -> None:
        if self.database_given:
            self._steps.say(f"PostgreSQL: {urlsplit(self.database_given).hostname}, as DATABASE_URL says")
            await _refuse_foreign(self.database_given)
        else:
            with self._steps.step("PostgreSQL 18, embedded"):
                await self._parts.start(self._postgres)
        with self._steps.step("migrations"):
            for directory in sorted(SERVICES.glob("*/migrations")):
                await asyncio.to_thread(upgrade, self.database, directory.parent.name, directory)


async def _refuse_foreign(dsn: str) -> None:
    """A notifier claims whatever is open in its ledger: the demo's must not do that in a ledger of production."""
    key = VAULT_KEYS.partition(":")[0].encode()
    connection = await asyncpg.connect(dsn)
    try:
        exists = await connection.fetchval("SELECT to_regclass('notifier.contacts') IS NOT NULL")
        foreign = exists and await connection.fetchval(
            "SELECT EXISTS (SELECT FROM notifier.contacts WHERE data IS NOT NULL AND substr(data, 2, $1) <> $2)",
            len(key),
            key,
        )
    finally:
        await connection.close()
    if foreign:
        raise EmbeddedError(
            "DATABASE_URL names a database with contacts that are not the demo's: "
            "name an empty one, or unset it for the embedded server."
        )
