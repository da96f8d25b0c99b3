"""Time zones from the pinned tzdata wheel, whatever the machine has installed.

`zoneinfo` looks at the system first, and keeps what it found there in a cache that `reset_tzpath` does not clear. So
the wheel's files are read here, and what another module loaded under the same name does not matter.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from zoneinfo import ZoneInfo

TZDATA = version("tzdata")
"""Release of the wheel that is installed, for example 2026.6 for the zone database 2026f."""


@cache
def zone(name: str) -> ZoneInfo:
    """The zone of this IANA name. Raises `ValueError` for a name that the wheel does not have."""
    try:
        with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
            return ZoneInfo.from_file(file, key=name)
    except (OSError, ValueError):
        raise ValueError(f"no time zone {name} in tzdata {TZDATA}") from None


def midnight(day: date, in_zone: ZoneInfo) -> datetime:
    """The instant at which the day begins there, in UTC."""
    return at(day, time.min, in_zone)


def at(day: date, clock: time, in_zone: ZoneInfo) -> datetime:
    """That time of day there, in UTC. One that the clocks skip is the moment they do; of two, the first."""
    return datetime.combine(day, clock, in_zone).astimezone(UTC)


def offset(instant: datetime, in_zone: ZoneInfo) -> str:
    """As ISO 8601 writes it: +01:00."""
    return instant.astimezone(in_zone).isoformat()[-6:]


def changes(name: str, first: date, last: date) -> tuple[str, ...]:
    """Distance from UTC when `first` begins, and each change until `last` ends: `2026-03-29T01:00Z +01:00`."""
    in_zone = zone(name)
    return tuple(f"{instant:%Y-%m-%dT%H:%MZ} {offset(instant, in_zone)}" for instant in _changes(in_zone, first, last))


def _changes(in_zone: ZoneInfo, first: date, last: date) -> Iterator[datetime]:
    begins = datetime.combine(first, time.min, UTC)
    yield begins
    while begins.date() <= last:
        ends, old = begins + timedelta(days=1), offset(begins, in_zone)
        if offset(ends, in_zone) != old:
            yield _minute_of_change(begins, old, in_zone)
        begins = ends


def _minute_of_change(begins: datetime, old: str, in_zone: ZoneInfo) -> datetime:
    def has_changed(minute: int) -> bool:
        return offset(begins + timedelta(minutes=minute), in_zone) != old

    return begins + timedelta(minutes=bisect_left(range(24 * 60), x=True, key=has_changed))
