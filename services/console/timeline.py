"""A complaint's deadlines on one line of time, from its receipt to the last of them. PURE."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

LEAST = timedelta(hours=1)
"""A line that is shorter would show nothing."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One obligation. `limit`, `met`: where on the line, 0 to 100; `met` None while it is not."""

    obligation: str
    state: str
    limit_at: datetime
    limit: float
    met: float | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """`now`: where on the line this moment is; None where it lies beyond the line, or before it."""

    stretches: Sequence[Stretch]
    now: float | None


def timeline(received_at: datetime | None, obligations: Sequence[Mapping[str, Any]], now: datetime) -> Timeline | None:
    """None: there is nothing to draw. Obligations have obligation, state, limit_at and met_at."""
    if received_at is None or not obligations:
        return None
    times: list[datetime] = [at for each in obligations for at in (each["limit_at"], each["met_at"]) if at is not None]
    length = max(max(times) - received_at, LEAST)

    def place(at: datetime) -> float:
        return round(min(100.0, max(0.0, 100 * (at - received_at) / length)), 1)

    stretches = [
        Stretch(
            obligation=each["obligation"],
            state=each["state"],
            limit_at=each["limit_at"],
            limit=place(each["limit_at"]),
            met=None if each["met_at"] is None else place(each["met_at"]),
        )
        for each in obligations
    ]
    return Timeline(stretches, place(now) if received_at <= now <= received_at + length else None)
