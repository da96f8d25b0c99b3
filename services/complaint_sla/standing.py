"""How complaints stand right now, in counts."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`unregistered`, `unconfirmed` and `stuck` want a person; the rest is what is normal to look at."""

    at: datetime
    open: int
    due_in_a_day: int
    due_in_five_days: int
    missed_today: int
    unregistered: int
    unconfirmed: int
    stuck: int
    outbox_rows: int
    outbox_seconds: float
