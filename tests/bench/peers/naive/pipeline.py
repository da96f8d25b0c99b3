"""The notification pipeline a team writes first: one event, one row, one mail, one connection, one commit.

The yardstick of the bench, frozen: `FROZEN` holds the hashes of this folder and the bench refuses to run with another.
Everything in it is what the libraries' own guides show, and each choice that costs nothing is made in its favour
(uvloop, no log line per message, asyncpg with prepared statements, templates compiled once, two statements a mail).

Consumes `--count` events and exits. Prints one JSON line: mails, wall and CPU seconds of this process, counted from the
first event after `--warm-up` to the last one recorded.
"""

import argparse
import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import aiosmtplib
import asyncpg
import babel.dates
import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from pydantic import AwareDatetime, BaseModel

log = logging.getLogger("naive")

ACCEPT = """
WITH member AS (
    SELECT id, name, email, language, time_zone FROM members WHERE id = $3
), mail AS (
    INSERT INTO mails (source, event_id, member_id, type, recipient, language)
    SELECT $1, $2, id, $4, email, language FROM member
    ON CONFLICT DO NOTHING
    RETURNING event_id
)
SELECT name, email, language, time_zone FROM member, mail
"""
RECORD = "UPDATE mails SET status = $3, sent_at = now() WHERE source = $1 AND event_id = $2"
TEMPLATES = {"identity.password-changed.v1": "password-changed"}


class PasswordChanged(BaseModel):
    changed_at: AwareDatetime


class Event(BaseModel):
    specversion: Literal["1.0"]
    id: str
    source: str
    type: Literal["identity.password-changed.v1"]
    subject: str
    time: AwareDatetime
    data: PasswordChanged


@dataclass
class Meter:
    """Starts at the first event after the warm-up."""

    warm_up: int
    count: int
    handled: int = 0
    mails: int = 0
    wall_started: float = 0.0
    cpu_started: float = 0.0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0

    def begin_event(self) -> None:
        if self.handled == self.warm_up:
            self.wall_started, self.cpu_started = time.perf_counter(), time.process_time()

    def end_event(self, *, mailed: bool) -> None:
        if self.handled >= self.warm_up:
            self.mails += mailed
            self.wall_seconds = time.perf_counter() - self.wall_started
            self.cpu_seconds = time.process_time() - self.cpu_started
        self.handled += 1

    def is_done(self) -> bool:
        return self.handled >= self.warm_up + self.count


class Pipeline:
    """Event in, mail out."""

    def __init__(self, *, templates: Path, smtp_port: int, sender: str) -> None:
        self.pool: asyncpg.Pool
        self.smtp_port = smtp_port
        self.sender = sender
        self.sender_domain = sender.rpartition("@")[2].rstrip(">")
        self.jinja = Environment(
            loader=FileSystemLoader(templates),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
        )
        self.jinja.filters["format_datetime"] = babel.dates.format_datetime
        self.jinja.filters["format_date"] = babel.dates.format_date
        self.jinja.filters["format_time"] = babel.dates.format_time

    async def handle(self, event: Event) -> bool:
        """True when a mail was sent."""
        mail = await self.pool.fetchrow(ACCEPT, event.source, event.id, event.subject, event.type)
        if mail is None:
            log.warning("no member, or mailed before: %s %s", event.source, event.id)
            return False
        message = self.compose(event, mail)
        try:
            await aiosmtplib.send(
                message, hostname="127.0.0.1", port=self.smtp_port, local_hostname="naive.example.test"
            )
        except aiosmtplib.SMTPException:
            log.exception("not sent: %s %s", event.source, event.id)
            await self.pool.execute(RECORD, event.source, event.id, "failed")
            return False
        await self.pool.execute(RECORD, event.source, event.id, "sent")
        return True

    def compose(self, event: Event, mail: asyncpg.Record) -> EmailMessage:
        facts = {
            "event": event,
            "data": event.data,
            "name": mail["name"],
            "language": mail["language"],
            "time_zone": ZoneInfo(mail["time_zone"]),
        }
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = mail["email"]
        message["Subject"] = self.render(event, mail["language"], "subject.txt", facts).strip()
        message["Date"] = format_datetime(event.time)
        message["Message-ID"] = make_msgid(domain=self.sender_domain)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(self.render(event, mail["language"], "body.txt", facts))
        message.add_alternative(self.render(event, mail["language"], "body.html", facts), subtype="html")
        return message

    def render(self, event: Event, language: str, part: str, facts: dict[str, object]) -> str:
        return self.jinja.get_template(f"{TEMPLATES[event.type]}/{language}.{part}").render(facts)


def build(arguments: argparse.Namespace, meter: Meter) -> FastStream:
    broker = KafkaBroker(arguments.bootstrap, logger=log, log_level=logging.DEBUG)
    pipeline = Pipeline(templates=arguments.templates, smtp_port=arguments.smtp_port, sender=arguments.sender)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with asyncpg.create_pool(arguments.dsn, min_size=1, max_size=4) as pool:
            pipeline.pool = pool
            yield

    app = FastStream(broker, logger=log, lifespan=lifespan)

    async def on_event(body: bytes) -> None:
        if meter.is_done():
            return
        meter.begin_event()
        mailed = await pipeline.handle(Event.model_validate_json(body))
        meter.end_event(mailed=mailed)
        if meter.is_done():
            app.exit()

    # Offset committed after each event: the default policy would lose events in a crash.
    subscriber = broker.subscriber(
        arguments.topic, group_id=arguments.group, auto_offset_reset="earliest", ack_policy=AckPolicy.ACK
    )
    subscriber(on_event)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="The naive pipeline: the bench's yardstick.")
    parser.add_argument("--bootstrap", required=True, help="Kafka, host:port")
    parser.add_argument("--topic", required=True)
    parser.add_argument("--group", default="naive")
    parser.add_argument("--dsn", required=True, help="PostgreSQL, with the tables of schema.sql")
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--sender", default="Cigna Healthcare <no-reply@example.test>")
    parser.add_argument(
        "--templates", type=Path, required=True, help="<notice>/<language>.subject.txt, .body.txt, .body.html"
    )
    parser.add_argument("--warm-up", type=int, default=0, help="events before the clock starts")
    parser.add_argument("--count", type=int, required=True, help="events to measure")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    meter = Meter(warm_up=arguments.warm_up, count=arguments.count)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(build(arguments, meter).run())
    result = {"mails": meter.mails, "wall_seconds": meter.wall_seconds, "cpu_seconds": meter.cpu_seconds}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
