"""The books after an attack: what was owed, what the ledger says, what lies in the mailboxes, what was told."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import asyncpg

from demo.catcher import Catcher
from schemas.envelope import read_record
from schemas.notifications import OutcomeV1
from tests.support.kafka import Record
from tests.support.traffic import Owed

MARK = re.compile(r"#(\w+)$")
_ROWS = """
SELECT n.id::text, n.event_id, n.role, n.channel, n.state, n.reason, n.due_at IS NOT NULL AS open,
    count(a.attempt) AS attempts,
    count(a.attempt) FILTER (WHERE a.result = 'sent') AS sent,
    count(a.attempt) FILTER (WHERE a.result IN ('unknown', 'lost-lease') OR a.reason = 'lost-lease') AS uncertain
FROM notifier.notifications n
LEFT JOIN notifier.attempts a ON a.day = n.day AND a.notification_id = n.id
WHERE n.day >= current_date - 1 AND n.event_id LIKE $1 || '-%'
GROUP BY n.day, n.id
"""
_UNSETTLED = """
SELECT (SELECT count(*) FROM notifier.notifications WHERE day >= current_date - 1 AND event_id LIKE $1 || '-%')
    AS accepted,
    (SELECT count(*) FROM notifier.notifications WHERE due_at IS NOT NULL) AS open,
    (SELECT count(*) FROM notifier.outbox) AS untold
"""


@dataclass(frozen=True, slots=True)
class Books:
    """`doubled`: copies beyond the first that no attempt `unknown` or `lost-lease` explains (SEMANTICS 9)."""

    states: Counter[str]
    missing: list[Owed]
    """In no mailbox."""
    not_owed: list[str]
    """In the ledger, and nobody had asked for it."""
    doubled: int
    explained: int
    attempts: Counter[str]

    def __str__(self) -> str:
        return (
            f"states {dict(self.states)}, attempts {dict(self.attempts)}, missing {len(self.missing)}, "
            f"doubled {self.doubled}, explained copies {self.explained}"
        )


async def unsettled(database: str, run: str, owed: int) -> int:
    """How many of `owed` messages are not accepted or open, and outcomes not told; 0: all is over."""
    (row,) = await _fetch(database, _UNSETTLED, run)
    return int(owed - row["accepted"] + row["open"] + row["untold"])


async def audit(database: str, run: str, owed: Iterable[Owed], catcher: Catcher) -> Books:
    wanted = {(each.event, each.role): each for each in owed}
    copies = _copies(catcher)
    attempts: Counter[str] = Counter()
    states: Counter[str] = Counter()
    missing: list[Owed] = []
    not_owed: list[str] = []
    doubled = explained = 0
    rows = await _fetch(database, _ROWS, run)
    for row in rows:
        states[row["state"]] += 1
        attempts.update({"all": row["attempts"], "sent": row["sent"], "uncertain": row["uncertain"]})
        each = wanted.pop((row["event_id"], row["role"]), None)
        if each is None:
            not_owed.append(f"{row['event_id']}/{row['role']}")
            continue
        found = copies[row["id"] if each.channel == "email" else each.mark, each.address]
        if found == 0:
            missing.append(each)
        beyond = max(0, found - 1)
        explained += min(beyond, row["uncertain"])
        doubled += max(0, beyond - row["uncertain"])
    missing += wanted.values()
    return Books(states, missing, not_owed, doubled, explained, attempts)


async def sent_more_than_once(database: str, run: str) -> list[str]:
    """Notifications with other than exactly one attempt recorded as sent."""
    return [row["id"] for row in await _fetch(database, _ROWS, run) if row["sent"] != 1]


def _copies(catcher: Catcher) -> Counter[tuple[str, str]]:
    """(notification of the Message-ID, or mark of the text; recipient) → copies."""
    found: Counter[tuple[str, str]] = Counter()
    for mail in catcher.mails:
        for recipient in mail.recipients:
            found[mail.message_id.strip("<>").partition("@")[0], recipient] += 1
    for text in catcher.texts:
        mark = MARK.search(text.body)
        found[mark[1] if mark else "", text.to] += 1
    return found


@dataclass(frozen=True, slots=True)
class Told:
    """What the outcomes say of one notification, first appearances only, in order."""

    steps: list[tuple[int, str]]
    """(attempt, state)."""
    events: int
    """Records, those relayed again included."""


def told(records: Iterable[Record], run: str) -> dict[tuple[str, str], Told]:
    """(event, role) → what was told of it."""
    steps: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    events: Counter[tuple[str, str]] = Counter()
    for record in records:
        data = read_record(record.headers, record.value).data
        assert isinstance(data, OutcomeV1)
        if not data.cause.id.startswith(f"{run}-"):
            continue
        key = (data.cause.id, data.role)
        events[key] += 1
        if (data.attempt, data.state) not in steps[key]:
            steps[key].append((data.attempt, data.state))
    return {key: Told(each, events[key]) for key, each in steps.items()}


def out_of_order(outcomes: dict[tuple[str, str], Told], owed: Iterable[Owed]) -> list[Any]:
    """Those without exactly one `sent`, with a step after it, or with attempts that go back."""
    wrong: list[Any] = []
    for each in owed:
        steps = outcomes[each.event, each.role].steps if (each.event, each.role) in outcomes else []
        states = [state for _, state in steps]
        if states.count("sent") != 1 or states[-1] != "sent" or steps != sorted(steps, key=_attempt):
            wrong.append((each, steps))
    return wrong


def _attempt(step: tuple[int, str]) -> int:
    return step[0]


async def _fetch(database: str, query: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database)
    try:
        return list(await connection.fetch(query, *arguments))
    finally:
        await connection.close()
