"""Trouble on real parts under a real Prometheus: the alert fires, what its page says mends it, the alert is over.

The rules are ours with minutes made seconds (`tests.support.prometheus.hurried`): what is proved is that each trouble
shows in what the processes export, that the rule sees it, and that it is seen to be over. promtool proves the times.
"""

import json
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from demo.catcher import Catcher, Fault
from demo.embedded.server import free_ports
from schemas.topics import SECURITY
from services.runtime.clock import DemoClock
from tests.support import console, replicas
from tests.support.complaint_story import received
from tests.support.database import temporary_database
from tests.support.notifier import Upstream, contact, event_of, upstream
from tests.support.operations import headings
from tests.support.prometheus import Prometheus
from tests.support.replicas import COMMAND, Replica
from tests.support.waiting import wait_for

LINK = "https://www.cignahealthbenefits.com/sign-in?t=drill"
PHONE = "+32470111222"


@dataclass
class Drill:
    prometheus: Prometheus
    catcher: Catcher
    upstream: Upstream
    database: str
    clock: DemoClock
    environ: dict[str, str]
    notifier: Replica
    letters: Replica
    console: httpx.AsyncClient

    async def overview_says(self, sentence: str) -> None:
        async def said() -> bool:
            return sentence in (await self.console.get("/")).text

        await wait_for(said, f"overview: {sentence}", within_seconds=150)

    async def code(self, member: str, channel: str) -> None:
        at = self.clock.now()
        where: dict[str, Any] = {"url": LINK} if channel == "email" else {"phone": PHONE}
        await self.upstream.publish(
            event_of(
                "identity.verification-code-issued.v1", member, id=f"{member}-{time.time_ns()}", time=at,
                channel=channel, code="246810", purpose="sign-in", expires_at=at + timedelta(minutes=15), **where,
            )
        )  # fmt: skip

    def command(self, *words: str) -> str:
        done = subprocess.run([*COMMAND, *words], env=self.environ, capture_output=True, text=True, check=True)
        return done.stdout


@pytest.fixture(scope="module")
async def drill(
    kafka: str, database_server: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Drill]:
    """A notifier for all lanes but letters, complaint-sla, and Prometheus; a notifier for letters that does not run."""
    folder = tmp_path_factory.mktemp("drill")
    clock = DemoClock(folder / "clock")
    clock.jump_to(clock.now())
    async with (
        temporary_database(database_server, template=migrated_template) as database,
        Catcher() as catcher,
        upstream(kafka) as up,
    ):
        environ = replicas.settings(kafka, database, catcher, "drill", DEMO_CLOCK_FILE=str(folder / "clock"))
        ports = dict(zip(("notifier", "letters", "complaint-sla"), map(str, free_ports(3)), strict=True))
        notifier = Replica(
            "notifier", folder, environ | {"LANES": "codes,security,general", "HTTP_PORT": ports["notifier"]}
        )
        letters = Replica("letters", folder, environ | {"LANES": "letters", "HTTP_PORT": ports["letters"]})
        keeper = Replica(
            "complaint-sla",
            folder,
            environ | {"KAFKA_GROUP": "drill-sla", "HTTP_PORT": ports["complaint-sla"]},
            service="complaint-sla",
        )
        prometheus = Prometheus(
            folder,
            {
                "notifier": [f"127.0.0.1:{ports['notifier']}", f"127.0.0.1:{ports['letters']}"],
                "complaint-sla": [f"127.0.0.1:{ports['complaint-sla']}"],
            },
        )
        async with (
            replicas.running(notifier, keeper),
            console.running(console.settings(kafka, database), clock) as shown,
            console.asked(shown) as http,
        ):
            prometheus.start()
            try:
                yield Drill(prometheus, catcher, up, database, clock, environ, notifier, letters, http)
            finally:
                prometheus.stop()
                await letters.stop()


def leads_to_its_page(alert: dict[str, Any]) -> None:
    assert alert["annotations"]["runbook_url"].partition("#")[2] in headings()


async def test_relay_down(drill: Drill) -> None:
    """Unsent for too long: the relay is away. Nothing is lost, it leaves when the relay is back."""
    await drill.upstream.publish(contact("m-relay"))
    drill.catcher.relay_down(3600)
    await drill.code("m-relay", "email")
    leads_to_its_page(await drill.prometheus.fires(alertname="UnsentForTooLong", lane="codes"))
    await drill.overview_says("Codes and links: one is unsent for")
    drill.catcher.behave()
    await wait_for(lambda: drill.catcher.inbox.mails, "mail after the relay came back", within_seconds=120)
    await drill.prometheus.is_over(alertname="UnsentForTooLong", lane="codes")


async def test_poison(drill: Drill) -> None:
    """Dead letters: the command says which record and why; the publisher mends it and publishes it again."""
    await drill.upstream.raw(SECURITY.name, b"m-poison", b'{"specversion": "1.0"}')
    leads_to_its_page(await drill.prometheus.fires(alertname="DeadLetters", topic=SECURITY.name))
    await drill.overview_says("could not be accepted in the last 24 hours")
    listed = drill.command("dead-letters", "list")
    assert SECURITY.name in listed
    await drill.upstream.publish(contact("m-poison"))
    at = drill.clock.now()
    await drill.upstream.publish(
        event_of("identity.password-changed.v1", "m-poison", id="mended", time=at, changed_at=at)
    )
    await wait_for(
        lambda: [mail for mail in drill.catcher.mails if "m-poison@example.test" in str(mail)],
        "mail of the mended event",
    )
    await drill.prometheus.is_over(alertname="DeadLetters", topic=SECURITY.name)


async def test_stuck_consumer(drill: Drill) -> None:
    """Lag: /readyz or the log names what the batch waits for; here a session that holds a lock, which is ended."""
    holder = await asyncpg.connect(drill.database)
    # The console knows a group on a topic by what it has committed there.
    await drill.upstream.publish(contact("m-moved"))
    await wait_for(
        lambda: holder.fetchval("SELECT true FROM notifier.contacts WHERE member_id = 'm-moved'"), "first contact"
    )
    try:
        await holder.execute("BEGIN; LOCK TABLE notifier.contacts IN ACCESS EXCLUSIVE MODE")
        await drill.upstream.publish(contact("m-stuck"))
        alert = await drill.prometheus.fires(alertname="ConsumerStuck", because="unaccepted")
        leads_to_its_page(alert)
        assert alert["labels"]["topic"] == "members.contacts.v1"
        await drill.overview_says("has not read on in members.contacts.v1 for")
    finally:
        with suppress(asyncpg.PostgresError):
            await holder.execute("ROLLBACK")
        await holder.close()
    await drill.prometheus.is_over(alertname="ConsumerStuck")


async def test_revoked_twilio_key(drill: Drill) -> None:
    """Not ready: /readyz names Twilio. The key is made valid, the process restarted; the text leaves."""
    await drill.upstream.publish(contact("m-twilio", phones=[PHONE]))
    drill.catcher.misbehave(Fault(at="sms", action="reply", status=401, code=20003, reply="Authenticate", times=None))
    await drill.code("m-twilio", "sms")
    alert = await drill.prometheus.fires(alertname="NotReady", check="channels")
    leads_to_its_page(alert)
    await drill.overview_says("Codes and links: one is unsent for")
    assert "Twilio refuses us" in (await drill.notifier.unready())["channels"]
    drill.catcher.behave()
    await drill.notifier.stop()
    await drill.notifier.start()
    await wait_for(lambda: drill.catcher.texts, "text after the key was mended", within_seconds=120)
    await drill.prometheus.is_over(alertname="NotReady", check="channels")


async def test_coming_deadline_and_a_lane_that_nobody_runs(drill: Drill) -> None:
    """Lane not run, then coming deadlines: its page leads to the letter that has no outcome; the lane is started."""
    await drill.prometheus.fires(alertname="LaneNotRun", lane="letters")
    at = drill.clock.now()
    await drill.upstream.publish(received("c-drill", at))
    limit = await wait_for(lambda: _limit(drill.database), "deadline of the complaint")
    drill.clock.jump_to(limit - timedelta(hours=12))
    leads_to_its_page(await drill.prometheus.fires(alertname="ComplaintDeadlineNear"))
    await drill.overview_says('<span class="said">1 within 24 hours</span>')
    told = json.loads(drill.command("why", "c-drill", "--json"))
    assert told
    await drill.letters.start()
    await drill.prometheus.is_over(alertname="ComplaintDeadlineNear")
    await drill.prometheus.is_over(alertname="LaneNotRun", lane="letters")
    for quiet in ("ComplaintDeadlineMissed", "NotMeasured"):
        assert not await drill.prometheus.firing(alertname=quiet)


async def _limit(database: str) -> Any:
    connection = await asyncpg.connect(database)
    try:
        return await connection.fetchval(
            "SELECT limit_at FROM complaint_sla.obligations"
            " WHERE complaint_id = 'c-drill' AND obligation = 'acknowledgement'"
        )
    finally:
        await connection.close()
