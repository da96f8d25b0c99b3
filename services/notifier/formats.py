"""Times in words, in the reader's zone and language. Pure.

Babel's own formatters cost some 100 µs a time. A date, a minute of the day and a zone's name each take few values,
so each is formatted by Babel once and remembered.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, get_timezone_name

# `en` alone is American to Babel; the English of our brands is European.
_REGIONAL = {"en": "en_GB"}
_DATE_AND_TIME = {
    "en": "{day} at {clock}",
    "fr": "{day} à {clock}",
    "nl": "{day} om {clock}",
    "de": "{day} um {clock}",
}


def when(value: str, locale: str, zone: str) -> str:
    """`2026-11-22T12:46:00Z` → `Sunday, 22 November 2026 at 13:46 (Central European Standard Time)`.

    `value` is ISO 8601 with an offset, `zone` an IANA name; a zone nobody knows is UTC, and the text says so.
    """
    at = _local(value, zone)
    return _DATE_AND_TIME[locale].format(day=_day(at.date(), locale), clock=_clock(at, locale))


def clock(value: str, locale: str, zone: str) -> str:
    """The time of day alone: `13:46 (Central European Standard Time)`."""
    return _clock(_local(value, zone), locale)


def _local(value: str, zone: str) -> datetime:
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("a time without zone")
    return at.astimezone(_zone(zone))


def _clock(at: datetime, locale: str) -> str:
    name = _zone_name(at.tzinfo or UTC, at.utcoffset() or timedelta(), at.year, locale)
    return f"{_minute(at.hour, at.minute, locale)} ({name})"


# Sizes bound what a stranger's zone or date could make us keep.
@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # unknown, a folder of the zone data, or not a name at all
        return UTC


@lru_cache(maxsize=1024)
def _day(day: date, locale: str) -> str:
    return format_date(day, "full", locale=_REGIONAL.get(locale, locale))


@lru_cache(maxsize=8 * 24 * 60)
def _minute(hour: int, minute: int, locale: str) -> str:
    return format_time(time(hour, minute), "short", locale=_REGIONAL.get(locale, locale))


@lru_cache(maxsize=4096)
def _zone_name(zone: tzinfo, offset: timedelta, year: int, locale: str) -> str:
    if str(zone) == "UTC":
        return "UTC"
    # Not `dst()`: for Dublin the zone data calls winter the exception, and its names come out swapped.
    usual = min(datetime(year, month, 1, tzinfo=UTC).astimezone(zone).utcoffset() or timedelta() for month in (1, 7))
    variant: Literal["daylight", "standard"] = "daylight" if offset > usual else "standard"
    return get_timezone_name(zone, "long", zone_variant=variant, locale=_REGIONAL.get(locale, locale))
