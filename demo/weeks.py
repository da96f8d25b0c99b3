"""Nine weeks of six complaints by people who do not exist: what happens, and what each of them must get.

Played on a clock that jumps from one instant of interest to the next (`keeper.py`); the processes are those of
production, and their deadlines are real.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from rich.table import Table

from demo.check import Arrived
from demo.keeper import Keeper
from demo.processes import PROGRAM
from demo.stage import Stage, StoryError
from schemas.envelope import new_event
from schemas.topics import DATA_OF_TYPE

DESK = "urn:example:complaint-desk"
BRAND = "cigna-healthcare"
TUESDAY = 1
HANDLER = {"email": "robin.lindqvist@claims.example.test", "name": "Robin Lindqvist"}
ACKNOWLEDGED, RESOLVED, DECIDED = "complaint-acknowledged", "complaint-resolved-early", "complaint-final-decision"
_FOUND = """
SELECT n.member_id AS complaint, n.notice, n.role, n.state, n.id::text AS notification
FROM notifier.notifications n WHERE starts_with(n.member_id, $1)
"""
_CASES = """
SELECT c.complaint_id AS complaint, c.licence, c.how,
       array_agg(o.obligation || ' ' || o.state ORDER BY o.limit_at) AS owed
FROM complaint_sla.cases c JOIN complaint_sla.obligations o USING (complaint_id)
WHERE starts_with(c.complaint_id, $1) GROUP BY c.complaint_id ORDER BY c.complaint_id
"""


@dataclass(frozen=True, slots=True)
class Expected:
    """Of one complaint: how it ends, and each (notice, state) as often as it must be there."""

    how: str | None
    messages: Mapping[tuple[str, str], int]


@dataclass(slots=True)
class Weeks:
    """The scenes, in order. Ids begin with `prefix`, which is this run's own."""

    prefix: str
    keeper: Keeper
    stage: Stage
    dsn: str
    notifier_environment: Mapping[str, str]
    expected: dict[str, Expected] = field(default_factory=dict)
    _said: int = 0

    async def play(self) -> None:
        start = _next_tuesday(self.keeper.now())
        await self._scene(start, "Six people complain; five by e-mail, one by letter.")
        await self._receive(start)
        await self._scene(start + timedelta(minutes=10), "One is resolved before its acknowledgement has left.")
        await self._resolve("early")
        await self._scene(start + timedelta(days=1), "An acknowledgement comes back; the desk finds another address.")
        await self._bounce()
        await self._scene(start + timedelta(days=2), "One is resolved within two days; the letter is posted.")
        await self._resolve("quick")
        await self._say(
            "letter-sent", "post", letter="acknowledgement", sent_at=self._now(), by="post", reference="RR 482"
        )
        await self._scene(start + timedelta(days=3), "One was registered under the wrong licence: uk becomes be.")
        await self._correct()
        await self._scene(start + timedelta(days=14), "Two are decided, one is withdrawn.")
        for key in ("bounce", "moved"):
            await self._decide(key)
        await self._say("withdrawn", "post", withdrawn_at=self._now())
        await self._scene(start + timedelta(days=63), "The sixth is silent to the end: weeks 4 and 8 go by.")
        self.stage.tell(f"Nine weeks, {self.keeper.jumps} jumps of the clock.")

    async def check(self) -> list[str]:
        """What is missing, different or too much, a line each."""
        rows, cases = await self._fetch(_FOUND), await self._fetch(_CASES)
        found = {
            key: Counter((row["notice"], row["state"]) for row in rows if row["complaint"] == key)
            for key in self.expected
        }
        problems = [
            f"{key}: {notice} {state} {found[key][notice, state]} times, not {each.messages.get((notice, state), 0)}"
            for key, each in self.expected.items()
            for notice, state in sorted(found[key].keys() | each.messages.keys())
            if found[key][notice, state] != each.messages.get((notice, state), 0)
        ]
        problems += [
            f"{case['complaint']}: ended {case['how']}, not {self.expected[case['complaint']].how}"
            for case in cases
            if case["how"] != self.expected[case["complaint"]].how
        ]
        problems += [
            f"{case['complaint']}: {owed}"
            for case in cases
            for owed in case["owed"]
            if owed.endswith((" missed", " open"))
        ]
        return problems + _arrivals(rows, await self.stage.inbox.arrived())

    async def table(self) -> Table:
        """What became of each."""
        table = Table(title="Nine weeks of six complaints", title_justify="left", header_style="bold")
        for name in ("complaint", "licence", "messages", "obligations", "ended"):
            table.add_column(name, overflow="fold")
        rows = await self._fetch(_FOUND)
        for case in await self._fetch(_CASES):
            mine = Counter(f"{row['notice']} {row['state']}" for row in rows if row["complaint"] == case["complaint"])
            told = "\n".join(f"{count}x {name}" if count > 1 else name for name, count in sorted(mine.items()))
            table.add_row(
                case["complaint"], case["licence"], told, "\n".join(case["owed"]), case["how"] or "still open"
            )
        return table

    # --- scenes -------------------------------------------------------------------------------------------------------

    async def _receive(self, at: datetime) -> None:
        people = {
            "quick": ("Amara Okafor", "en", "email"),
            "early": ("Élodie Marchand", "fr", "email"),
            "silent": ("Grace Hartley", "en", "email"),
            "bounce": ("Jonas Becker", "de", "email"),
            "post": ("Jef Peeters", "nl", "post"),
            "moved": ("Noor Haddad", "fr", "email"),
        }
        for key, (name, locale, channel) in people.items():
            complainant = {"name": name, "locale": locale, "channel": channel}
            by_mail = {"email": f"{key}.{self.prefix}@example.test"}
            complainant |= {"address": "Voorbeeldstraat 7\n9000 Gent\nBelgië"} if channel == "post" else by_mail
            await self._say(
                "received", key, received_at=at, licence="be" if channel == "post" else "uk", brand=BRAND,
                complainant=complainant, handler=HANDLER, reference=f"CMP {len(self.expected) + 4711}",
            )  # fmt: skip
            self.expected[self._id(key)] = EXPECTED[key]
        await self.keeper.settle()

    async def _resolve(self, key: str) -> None:
        at = self._now()
        await self._say("resolved", key, delivery="send", resolved_at=at, accepted=True, text=_texts("resolved"))
        await self.keeper.settle()

    async def _bounce(self) -> None:
        key = self._id("bounce")
        (row,) = [
            each for each in await self._fetch(_FOUND) if (each["complaint"], each["notice"]) == (key, ACKNOWLEDGED)
        ]
        await self._report(row["notification"])
        await self.keeper.settle()
        found = {
            "name": "Jonas Becker",
            "locale": "de",
            "channel": "email",
            "email": f"jonas.{self.prefix}@example.test",
        }
        await self._say("updated", "bounce", complainant=found)
        await self.keeper.settle()

    async def _correct(self) -> None:
        await self._say("corrected", "moved", licence="be")
        await self.keeper.settle()
        at = self._now()
        await self._say(
            "letters-released", "moved", letters=["acknowledgement"], released_by=HANDLER["name"], released_at=at
        )
        await self.keeper.settle()

    async def _decide(self, key: str) -> None:
        await self._say("final-response-issued", key, delivery="send", issued_at=self._now(), text=_texts("decided"))

    # --- how ----------------------------------------------------------------------------------------------------------

    async def _scene(self, at: datetime, text: str) -> None:
        await self.keeper.advance(at)
        self.stage.tell(f"{at:%a %d %b %Y}  {text}")

    def _now(self) -> str:
        return self.keeper.now().isoformat()

    def _id(self, key: str) -> str:
        return f"{self.prefix}-{key}"

    async def _say(self, type_: str, key: str, **data: Any) -> None:
        full = f"complaints.{type_}.v1"
        self._said += 1
        event = new_event(
            source=DESK, id=f"{self.prefix}-{self._said:03}", type=full, subject=self._id(key), time=self.keeper.now(),
            data=DATA_OF_TYPE[full].model_validate(data),
        )  # fmt: skip
        await self.stage.upstream.onto_kafka(event)

    async def _report(self, notification: str) -> None:
        """What a relay sends back, into `member-notices bounce`, as an operator's mailbox rule does."""
        command = [sys.executable, "-m", PROGRAM, "bounce", "--yes"]
        environment = {**self.notifier_environment, "PATH": os.environ.get("PATH", "")}
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=environment,
        )  # fmt: skip
        told, _ = await process.communicate(_delivery_report(notification))
        if process.returncode:
            raise StoryError(f"The delivery report was not taken: {told.decode().strip()}")

    async def _fetch(self, query: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetch(query, self.prefix)
        finally:
            await connection.close()


EXPECTED = {
    "quick": Expected("summary-resolution", {(ACKNOWLEDGED, "sent"): 1, (RESOLVED, "sent"): 1}),
    "early": Expected("summary-resolution", {(RESOLVED, "sent"): 1}),
    "silent": Expected(
        None,
        {
            (ACKNOWLEDGED, "sent"): 1,
            ("complaint-still-investigating", "sent"): 1,
            ("complaint-no-decision-yet", "sent"): 1,
            ("deadline-approaching", "sent"): 3,
        },
    ),
    "bounce": Expected(
        "final-response",
        {(ACKNOWLEDGED, "bounced"): 1, (ACKNOWLEDGED, "sent"): 1, ("letter-bounced", "sent"): 1, (DECIDED, "sent"): 1},
    ),
    "post": Expected("withdrawn", {("letter-to-post", "sent"): 1}),
    "moved": Expected(
        "final-response", {(ACKNOWLEDGED, "sent"): 2, ("deadline-approaching", "sent"): 1, (DECIDED, "sent"): 1}
    ),
}


def _arrivals(rows: list[asyncpg.Record], arrived: list[Arrived]) -> list[str]:
    copies = Counter(each.reference for each in arrived)
    return [
        f"{row['complaint']}: {row['notice']} arrived {copies[row['notification']]} times"
        for row in rows
        if copies[row["notification"]] != (row["state"] in {"sent", "bounced"})
    ]


def _next_tuesday(now: datetime) -> datetime:
    """Ten in the morning, UTC, tomorrow or later."""
    tomorrow = now.astimezone(UTC).date() + timedelta(days=1)
    day = tomorrow + timedelta(days=(TUESDAY - tomorrow.weekday()) % 7)
    return datetime(day.year, day.month, day.day, 10, tzinfo=UTC)


def _texts(kind: str) -> dict[str, str]:
    texts = {
        "resolved": {
            "en": "We have paid the invoice of 12 October in full. You told us that this resolves your complaint.",
            "fr": "Nous avons payé la facture du 12 octobre. Vous nous avez dit que cela résout votre réclamation.",
        },
        "decided": {
            "en": "We uphold your complaint.\n\nThe invoice was refused by mistake; we have paid it today.",
            "fr": "Nous vous donnons raison.\n\nLa facture a été refusée par erreur ; nous venons de la payer.",
            "de": "Ihre Beschwerde ist berechtigt.\n\nDie Rechnung wurde irrtümlich abgelehnt; sie ist jetzt bezahlt.",
        },
    }
    return texts[kind]


def _delivery_report(notification: str) -> bytes:
    """RFC 3464: a relay's word that the message with this Message-ID did not arrive."""
    return _REPORT.format(notification=notification).encode("ascii")


_REPORT = """\
From: MAILER-DAEMON@relay.example.test
To: bounces@notices.example.test
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="report"

--report
Content-Type: text/plain

The message could not be delivered.

--report
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.test

Final-Recipient: rfc822; unknown@example.test
Action: failed
Status: 5.1.1

--report
Content-Type: text/rfc822-headers

Message-ID: <{notification}@cignahealthcare.com>

--report--
"""
