"""The question behind a list of notifications, as SQL that the ledger's indexes answer. PURE.

What has ended is indexed by notice, by state and by address, each day apart (ADR 0033). What is open is in none of
these: it is little, and read as it is, so a question may have a branch for each.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from services.console.figures import LATE

OPEN = ("accepted", "claimed", "handing-over", "retrying", "unknown")
ENDED = ("sent", "delivered", "bounced", "failed", "expired", "superseded", "suppressed", "cancelled")
UNCOMMON = tuple(state for state in ENDED if state != "sent")
"""Those that the index by state has."""
_VIEW = "notifier.console_notifications"
_IS_UNCOMMON = f"state IN {UNCOMMON!r}"
_IS_ENDED, _IS_OPEN = "due_at IS NULL", "due_at IS NOT NULL"
_NEWEST = "ORDER BY event_time DESC, id DESC LIMIT"


@dataclass(frozen=True, slots=True)
class Place:
    """Between two rows of a list: what is older follows. Written `<time>,<uuid>` in an address."""

    at: datetime
    id: uuid.UUID

    def __str__(self) -> str:
        return f"{self.at.isoformat()},{self.id}"

    @classmethod
    def read(cls, text: str) -> "Place":
        """Raises `ValueError`."""
        at, _, id_ = text.partition(",")
        instant = datetime.fromisoformat(at)
        if instant.tzinfo is None:
            raise ValueError("without a zone")
        return cls(instant.astimezone(UTC), uuid.UUID(id_))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for; empty: whatever it is. `state`: one, or open, for all that has not ended."""

    member: str = ""
    state: str = ""
    notice: str = ""
    lane: str = ""
    address_hash: bytes = b""
    late: bool = False
    """Handed over late in the last hour."""

    @property
    def is_little(self) -> bool:
        """An index finds all of it, so that all days can be asked at once."""
        return bool(self.member or self.address_hash or self.late or self.state in {"open", *OPEN})


def question(wanted: Wanted, now: datetime, since: datetime, before: Place, limit: int) -> tuple[str, Sequence[Any]]:
    """Statement and arguments: events from `since` on that are older than `before`, the newest first."""
    arguments: list[Any] = []

    def given(value: object) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    # In the statement itself: PostgreSQL then plans for these days, and not for the hundred others too.
    days = f"day BETWEEN '{since.date()}' AND '{before.at.date()}'"
    conditions = [days, *(f"{column} = {given(value)}" for column, value in _columns(wanted) if value)]
    if wanted.late:
        conditions.append(f"sent_at > {given(now - timedelta(hours=1))} AND {LATE}")
    conditions.append(f"event_time >= {given(since)} AND (event_time, id) < ({given(before.at)}, {given(before.id)})")
    newest = f"{_NEWEST} {given(limit)}"
    found = [_branch(wanted, days, [*conditions, *which], newest) for which in _branches(wanted)]
    return f"SELECT * FROM ({' UNION ALL '.join(found)}) AS found {newest}", arguments  # noqa: S608 (words of this module)


def _columns(wanted: Wanted) -> Sequence[tuple[str, object]]:
    state = "" if wanted.state == "open" else wanted.state
    return (
        ("member_id", wanted.member), ("state", state), ("notice", wanted.notice), ("lane", wanted.lane),
        ("address_hash", wanted.address_hash),
    )  # fmt: skip


def _branches(wanted: Wanted) -> Sequence[Sequence[str]]:
    """Each is the condition of a partial index, said as the index says it; nothing where another index is better."""
    if wanted.member or wanted.late:
        return [[]]
    if wanted.state in {"open", *OPEN}:
        return [[_IS_OPEN]]
    if wanted.state in UNCOMMON and not wanted.address_hash:
        return [[_IS_UNCOMMON]]
    return [[_IS_ENDED]] if wanted.state else [[_IS_ENDED], [_IS_OPEN]]


def _branch(wanted: Wanted, days: str, conditions: Sequence[str], newest: str) -> str:
    narrowed = f"SELECT * FROM {_VIEW} WHERE {' AND '.join(conditions)}"  # noqa: S608
    if conditions[-1] != _IS_ENDED or wanted.notice or wanted.address_hash:
        return f"({narrowed} {newest})"
    # The index begins with the notice, and there are few: each one's newest are taken, and the newest of these.
    first = f"SELECT notice FROM {_VIEW} WHERE {days} AND {_IS_ENDED}"  # noqa: S608
    return f"""
    (WITH RECURSIVE named AS (
        ({first} ORDER BY notice LIMIT 1)
        UNION ALL
        SELECT ({first} AND notice > named.notice ORDER BY notice LIMIT 1) FROM named WHERE named.notice IS NOT NULL)
    SELECT each.* FROM named CROSS JOIN LATERAL ({narrowed} AND notice = named.notice {newest}) AS each)
    """  # noqa: S608
