"""How long what a message speaks of still lasts: whole units, rounded down, so that it is true when it leaves. PURE.

A length is ISO 8601, as the filter `lasts` says it: `PT15M`, `PT72H`, `P24M`, `P30D`. None: nothing true could be
said, and a template leaves it out.
"""

from calendar import monthrange
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Final

from services.notifier.formats import local_day

SLACK: Final = timedelta(seconds=10)
"""By so much a figure may be too large: what we promise a code takes, and less than an inbox does. Without it, no code
that lives 15 minutes would ever say so."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_NEEDS: Final = {
    "valid_for": ("expires_at",),
    "access_for": ("coverage_ended_on", "access_ends_on"),
    "access_left": ("access_ends_on",),
}
"""Length → the facts that it is counted from."""


def lifetime_names(facts: Collection[str]) -> frozenset[str]:
    """The lengths that an event with these facts has."""
    return frozenset(name for name, needs in _NEEDS.items() if all(need in facts for need in needs))


def lifetimes(facts: Mapping[str, object], *, happened_at: datetime, now: datetime) -> dict[str, str | None]:
    """Of an event of `happened_at`, told `now`; by the names that `lifetime_names` has of its facts."""
    lengths: dict[str, str | None] = {}
    for name in lifetime_names(facts.keys()):
        if name == "valid_for":
            lengths[name] = _valid_for(datetime.fromisoformat(str(facts["expires_at"])), happened_at, now)
        elif name == "access_for":
            ended, ends = (date.fromisoformat(str(facts[need])) for need in _NEEDS[name])
            lengths[name] = _whole_months(ended, ends)
        else:
            ends = date.fromisoformat(str(facts["access_ends_on"]))
            left = (ends - local_day(now, str(facts.get("time_zone", "UTC")))).days
            lengths[name] = f"P{left}D" if left > 0 else None
    return lengths


def _valid_for(expires_at: datetime, happened_at: datetime, now: datetime) -> str | None:
    """What is left, and never more than the life it was given, whatever our clock says of the producer's."""
    given, left = expires_at - happened_at, expires_at - now
    lasts = min(given, left) if given > timedelta(0) else left
    return _whole_units((lasts + SLACK) // timedelta(seconds=1)) if lasts > timedelta(0) else None


def _whole_units(seconds: int) -> str:
    """Hours up to four days, as links have them (72); minutes up to two hours, unless it is one."""
    if seconds >= 4 * _DAY:
        return f"P{seconds // _DAY}D"
    if seconds >= 2 * _HOUR or seconds // _MINUTE == 60:
        return f"PT{seconds // _HOUR}H"
    return f"PT{seconds // _MINUTE}M" if seconds >= _MINUTE else f"PT{seconds}S"


def _whole_months(start: date, end: date) -> str | None:
    """None: no whole number of months, only the day is true. A month that is too short ends on its last day."""
    months = (end.year - start.year) * 12 + end.month - start.month
    last = min(start.day, monthrange(end.year, end.month)[1])
    return f"P{months}M" if months > 0 and end.day == last else None
