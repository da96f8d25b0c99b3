"""Every page and every search of the console, asked with what is in the ledger."""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from schemas.topics import TOPICS
from services.console.notification_pages import LANES, STATES
from services.console.pages import link
from services.console.searching import Place

HEAVY = "m-heavy"
"""The member with the most."""
_ONE = """
SELECT id, event_source, event_id, member_id FROM notifier.notifications
WHERE day = current_date - $1::integer AND role = 'login' AND lane = 'security' AND attempts > 0 LIMIT 1
"""
_RARE = """
SELECT notice FROM notifier.notifications WHERE day >= current_date - 2
GROUP BY notice ORDER BY count(*), notice LIMIT 1
"""
_COMPLAINT = """
SELECT complaint_id FROM complaint_sla.cases WHERE (closed_at IS NULL) = $1 AND received_at IS NOT NULL LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    path: str
    status: int = 200


async def pages(dsn: str) -> list[Page]:
    connection = await asyncpg.connect(dsn)
    try:
        return [
            Page("overview", "/"),
            *await _searches(connection),
            *await _ones(connection),
            *await _complaints(connection),
            Page("topics", "/topics"),
            *(Page(f"topic {name}", f"/topics/{name}") for name in list(TOPICS)[:3]),
            Page("dead letters", "/dead-letters"),
        ]
    finally:
        await connection.close()


async def _searches(connection: asyncpg.Connection) -> list[Page]:
    recent, old = await connection.fetchrow(_ONE, 1), await connection.fetchrow(_ONE, 100)
    rare = await connection.fetchval(_RARE)
    assert recent is not None
    assert old is not None
    deep = Place(datetime.now(UTC) - timedelta(days=60), uuid.UUID(int=2**128 - 1))
    nobody = hashlib.sha256(b"nobody").hexdigest()
    address = hashlib.sha256(recent["member_id"].encode()).hexdigest()
    asked: dict[str, dict[str, object]] = {
        "everything": {},
        "everything, 60 days back": {"before": deep},
        "a member": {"member": recent["member_id"]},
        "the member with the most": {"member": HEAVY},
        "the member with the most, 60 days back": {"member": HEAVY, "before": deep},
        "a member, one state": {"member": HEAVY, "state": "failed"},
        "an address": {"to": address},
        "an address nobody has": {"to": nobody},
        "an event of yesterday": {"event": f"{recent['event_source']}|{recent['event_id']}"},
        "an event of 100 days ago": {"event": f"{old['event_source']}|{old['event_id']}"},
        "an event by its id alone": {"event": old["event_id"]},
        "an event nobody sent": {"event": "nothing"},
        **{f"state {state}": {"state": state} for state in STATES},
        "state failed, 60 days back": {"state": "failed", "before": deep},
        "state sent, 60 days back": {"state": "sent", "before": deep},
        **{f"lane {lane}": {"lane": lane} for lane in LANES},
        "lane letters, 60 days back": {"lane": "letters", "before": deep},
        "the most frequent notice": {"notice": "one-time-verification-code"},
        "the rarest notice": {"notice": rare},
        "a notice that is none": {"notice": "none"},
        "a notice in a lane it has not": {"notice": "password-changed", "lane": "letters"},
        "a notice and a state": {"notice": "password-changed", "state": "bounced"},
        "a rare notice and a state": {"notice": rare, "state": "failed"},
        "handed over late": {"late": 1},
    }
    return [Page(f"notifications: {name}", link("/notifications", **query)) for name, query in asked.items()]


async def _ones(connection: asyncpg.Connection) -> list[Page]:
    recent, old = await connection.fetchrow(_ONE, 1), await connection.fetchrow(_ONE, 100)
    assert recent is not None
    assert old is not None
    return [
        Page("one notification of yesterday", f"/notifications/{recent['id']}"),
        Page("one notification of 100 days ago", f"/notifications/{old['id']}"),
        Page("a notification nobody made", f"/notifications/{uuid.UUID(int=7)}", status=404),
        *(Page(f"events {state}", f"/events?state={state}") for state in ("waiting", "skipped", "failed")),
        Page("events of a member", link("/events", state="skipped", member=recent["member_id"])),
        Page("suppressed addresses", "/suppressions"),
    ]


async def _complaints(connection: asyncpg.Connection) -> list[Page]:
    open_, closed = [await connection.fetchval(_COMPLAINT, is_open) for is_open in (True, False)]
    return [
        Page("complaints due", "/complaints"),
        Page("complaints missed", "/complaints?state=missed"),
        Page("complaints that wait for a person", "/complaints?state=person"),
        Page("an open complaint", f"/complaints/{open_}"),
        Page("a closed complaint", f"/complaints/{closed}"),
        Page("a complaint nobody made", "/complaints/c-none", status=404),
    ]
