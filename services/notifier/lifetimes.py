"""How long what a message speaks of still lasts: whole units, rounded down, so that it is true when it leaves. PURE.

A length is ISO 8601, as the filter `lasts` says it: `PT15M`, `PT72H`, `P24M`, `P30D`. None: nothing true could be
said, and a template leaves it out.
"""

from calendar import monthrange
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Final

from services.notifier.formats import local_day

PROMPTLY: Final = timedelta(seconds=10)
"""What leaves so soon after its event, as we promise of codes, says the life it was given; what waited longer says what
is left."""

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
    """Never longer than the life it was given, whatever our clock says. A producer may write one of its two times in
    whole seconds, and the other not."""
    given = expires_at.replace(microsecond=0) - happened_at.replace(microsecond=0)
    left = expires_at - now
    if given > timedelta(0):
        left = given if now - happened_at <= PROMPTLY else min(given, left)
    return _whole_units(left // timedelta(seconds=1))


def _whole_units(seconds: int) -> str | None:
    """Hours up to four days, as links have them (72); minutes up to two hours, unless they are whole ones."""
    if seconds < 1:
        return None
    if seconds >= 4 * _DAY:
        return f"P{seconds // _DAY}D"
    if seconds >= 2 * _HOUR or seconds % _HOUR == 0:
        return f"PT{seconds // _HOUR}H"
    return f"PT{seconds // _MINUTE}M" if seconds >= _MINUTE else f"PT{seconds}S"


def _whole_months(start: date, end: date) -> str | None:
    """None: no whole number of months, only the day is true. A month that is too short ends on its last day."""
    months = (end.year - start.year) * 12 + end.month - start.month
    last = min(start.day, monthrange(end.year, end.month)[1])
    return f"P{months}M" if months > 0 and end.day == last else None
