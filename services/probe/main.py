"""Composition root of the probe: a canary code through the real path, again and again, or once."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from aiokafka.errors import KafkaError
from starlette.applications import Starlette

from services.probe import canary, doors, metrics
from services.probe.canary import Failure
from services.probe.doors import Door
from services.probe.settings import ProbeSettings
from services.probe.watch import Outcomes
from services.runtime import logs
from services.runtime.clock import SystemClock
from services.runtime.health import HttpServer, routes
from services.runtime.kafka import producer_of
from services.runtime.outbox import pause
from services.runtime.process import Process
from services.runtime.publisher import Publisher

log = structlog.get_logger()

SERVICE = "probe"
CONNECT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Result:
    """`seconds`: from sending it in to hearing that it was handed over; None: that was not heard."""

    seconds: float | None
    failure: Failure | None


async def run(settings: ProbeSettings) -> int:
    """Until SIGTERM or SIGINT (0) or until a part fails (1). Whatever becomes of a canary fails no part."""
    logs.configure(SERVICE, settings.log_level)
    process = Process(SERVICE)
    publisher = Publisher(lambda: producer_of(settings, SERVICE))
    probe = Probe(settings, publisher)
    server = HttpServer(
        Starlette(routes=routes({"broker": publisher.check}, metrics.vitals)), settings.http_host, settings.http_port
    )

    async def stop_http() -> None:
        server.stop()

    process.run("http", server.serve())
    process.run("vitals", metrics.vitals.run(process.stopping))
    process.run("probe", probe.run(process.stopping))
    process.on_stop("http", stop_http)
    log.info("started", port=server.port, door="topic" if settings.auth_events_url is None else "auth-events")
    try:
        return await process.until_stopped()
    finally:
        await publisher.stop()


async def once(settings: ProbeSettings, say: Callable[[str], None]) -> int:
    """One canary: says how long it took. 0: in time; 1: not, and why."""
    logs.configure(SERVICE, "error")
    publisher = Publisher(lambda: producer_of(settings, SERVICE))
    try:
        result = await Probe(settings, publisher).go()
    finally:
        await publisher.stop()
    took = "" if result.seconds is None else f"handed over after {result.seconds:.3f} s"
    say(": ".join(part for part in (result.failure, took) if part))
    return 0 if result.failure is None else 1


class Probe:
    """Sends canaries and measures them."""

    def __init__(self, settings: ProbeSettings, publisher: Publisher) -> None:
        self._settings = settings
        self._topic = doors.topic(publisher)
        self._clock = SystemClock()
        self._is_known = settings.probe_address is None

    async def run(self, stopping: asyncio.Event) -> None:
        """One canary after the other until told to stop; one that is being watched is given up then."""
        metrics.record_started()
        loop = asyncio.get_running_loop()
        while not stopping.is_set():
            next_at = loop.time() + self._settings.probe_interval_seconds
            going = asyncio.create_task(self.go())
            told = asyncio.create_task(stopping.wait())
            await asyncio.wait({going, told}, return_when=asyncio.FIRST_COMPLETED)
            told.cancel()
            if not going.done():
                going.cancel()
                await asyncio.wait({going})
                return
            record(going.result())
            if await pause(stopping, max(0.0, next_at - loop.time())):
                return

    async def go(self) -> Result:
        """One canary. Never raises for what Kafka, auth-events or the notifier do."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS + self._settings.probe_give_up_seconds):
                await self._introduce()
                async with Outcomes(self._settings, self._settings.probe_member) as outcomes:
                    return await self._through(outcomes)
        except (KafkaError, OSError) as error:
            log.warning("canary_not_watched", error=type(error).__name__)
            return Result(None, "not-accepted")

    async def _introduce(self) -> None:
        """The canary's contact, once. Not taken: its code waits for it, which is found out soon enough."""
        settings = self._settings
        if not self._is_known and settings.probe_address is not None:
            self._is_known = await self._topic(
                canary.contact(
                    member=settings.probe_member,
                    source=settings.probe_source,
                    brand=settings.probe_brand,
                    address=settings.probe_address,
                    now=self._clock.now(),
                )
            )

    async def _through(self, outcomes: Outcomes) -> Result:
        settings, id_ = self._settings, f"canary-{uuid.uuid4()}"
        event = canary.code(
            member=settings.probe_member,
            source=settings.probe_source,
            id=id_,
            url=settings.probe_url,
            now=self._clock.now(),
        )
        loop = asyncio.get_running_loop()
        began = loop.time()
        if not await self._door()(event):
            return Result(None, "not-accepted")
        told = await outcomes.verdict(settings.probe_source, id_, settings.probe_give_up_seconds)
        if told is None:
            return Result(None, "no-outcome")
        seconds = loop.time() - began
        if told == "failed":
            return Result(None, "failed")
        return Result(seconds, "late" if seconds > settings.probe_late_seconds else None)

    def _door(self) -> Door:
        url, token = self._settings.auth_events_url, self._settings.auth_events_token
        return self._topic if url is None or token is None else doors.auth_events(str(url), token.get_secret_value())


def record(result: Result) -> None:
    """In metrics and, where it went wrong, in the log."""
    if result.seconds is not None:
        metrics.record_latency(result.seconds)
    if result.failure is None:
        metrics.record_success()
    else:
        metrics.record_failure(result.failure)
        log.warning("canary_failed", reason=result.failure, seconds=result.seconds)
