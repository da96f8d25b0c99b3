"""Composition root of the console."""

import structlog
from prometheus_client import CollectorRegistry

from services.console.broker import Broker
from services.console.gallery import Gallery
from services.console.gate import Trust
from services.console.metrics import Metrics
from services.console.settings import ConsoleSettings
from services.console.site import Site
from services.console.views import SERVICE, connect, still_there
from services.runtime import logs
from services.runtime.clock import Clock
from services.runtime.database import Database, close
from services.runtime.health import HttpServer, Tls
from services.runtime.process import Process
from services.runtime.vitals import Vitals

log = structlog.get_logger()


async def run(settings: ConsoleSettings, clock: Clock | None = None) -> int:
    """Serve until SIGTERM or SIGINT (0) or until a part fails (1). Raises SettingsError before anything is served."""
    logs.configure(SERVICE, settings.log_level)
    database = await connect(str(settings.database_url))
    console = Console(settings, clock or settings.clock(), database)
    try:
        console.start()
        return await console.process.until_stopped()
    finally:
        await console.close()


class Console:
    """The parts of one console process."""

    def __init__(self, settings: ConsoleSettings, clock: Clock, database: Database) -> None:
        self.process = Process(SERVICE)
        self.port = 0
        self.tls_port: int | None = None
        """Where a certificate lets in; None: nowhere."""
        self.broker = Broker(settings)
        self._settings = settings
        self._database = database
        registry = CollectorRegistry()
        self._vitals = Vitals(registry)
        key = settings.search_key
        search_key = None if key is None else key.get_secret_value().encode()
        self._site = Site(
            database, self.broker, clock, search_key, Gallery(settings.console_gallery_dir), Metrics(registry)
        )

    def start(self) -> None:
        """Every part running; the line that says where."""
        settings = self._settings
        trust = Trust(settings.proxy_secrets(), open_on_loopback=settings.open_on_loopback)
        self.port = self._serve("http", trust, settings.http_port)
        if (tls := settings.tls()) is not None:
            self.tls_port = self._serve("https", Trust((), certified=True), settings.console_tls_port, tls)
        self.process.run("vitals", self._vitals.run(self.process.stopping))
        self.process.run("broker", self.broker.run(self.process.stopping))
        if not (settings.open_on_loopback or settings.proxy_secrets() or self.tls_port):
            log.warning(
                "nobody_may_look", set="CONSOLE_PROXY_SECRET_SHA256, CONSOLE_CLIENT_CA_FILE or CONSOLE_OPEN_ON_LOOPBACK"
            )
        log.info("started", host=settings.http_host, port=self.port, tls_port=self.tls_port)

    def _serve(self, name: str, trust: Trust, port: int, tls: Tls | None = None) -> int:
        """Raises SettingsError: the address is taken, or a certificate cannot be used."""
        checks = {"database": self._check_database, "broker": self.broker.check}
        app = self._site.app(trust, checks, self._vitals)
        server = HttpServer(app, self._settings.http_host, port, tls)

        async def stop_serving() -> None:
            server.stop()

        self.process.run(name, server.serve())
        self.process.on_stop(name, stop_serving)
        return server.port

    async def close(self) -> None:
        await self.broker.close()
        await close(self._database)

    async def _check_database(self) -> str | None:
        return await still_there(self._database)
