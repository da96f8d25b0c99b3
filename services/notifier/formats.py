"""Times, days and lengths of time in words, in the reader's zone and language. Pure.

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
_CLOCK = {"de": "{minute} Uhr ({zone})"}
"""The time of day and its zone, where a language sets a word beside the digits."""

DATE = {"en": "Date", "fr": "Date", "nl": "Datum", "de": "Datum"}
"""Beside the line on which a letter's date is written."""
_NUMBERS = {
    "en": ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    "fr": ("deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze"),
    "nl": ("twee", "drie", "vier", "vijf", "zes", "zeven", "acht", "negen", "tien", "elf", "twaalf"),
    "de": ("zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"),
}
"""From 2 to 12; larger numbers are digits, and one is part of its unit's words."""
_UNITS = {
    "en": {"D": ("one business day", "business days"), "W": ("one week", "weeks"), "M": ("one month", "months")},
    "fr": {"D": ("un jour ouvrable", "jours ouvrables"), "W": ("une semaine", "semaines"), "M": ("un mois", "mois")},
    "nl": {"D": ("één werkdag", "werkdagen"), "W": ("één week", "weken"), "M": ("één maand", "maanden")},
    # The dative: German says nach, von, seit and innerhalb von.
    "de": {"D": ("einem Arbeitstag", "Arbeitstagen"), "W": ("einer Woche", "Wochen"), "M": ("einem Monat", "Monaten")},
}
# Babel 2.18 has no words for Dutch hours and days. The nominative, which for a length is German's accusative, too.
_LENGTHS = {
    "en": {"PTS": ("second", "seconds"), "PTM": ("minute", "minutes"), "PTH": ("hour", "hours"),
           "PD": ("day", "days"), "PM": ("month", "months")},
    "fr": {"PTS": ("seconde", "secondes"), "PTM": ("minute", "minutes"), "PTH": ("heure", "heures"),
           "PD": ("jour", "jours"), "PM": ("mois", "mois")},
    "nl": {"PTS": ("seconde", "seconden"), "PTM": ("minuut", "minuten"), "PTH": ("uur", "uur"),
           "PD": ("dag", "dagen"), "PM": ("maand", "maanden")},
    "de": {"PTS": ("Sekunde", "Sekunden"), "PTM": ("Minute", "Minuten"), "PTH": ("Stunde", "Stunden"),
           "PD": ("Tag", "Tage"), "PM": ("Monat", "Monate")},
}  # fmt: skip
_NO_DIGITS = {ord(digit): None for digit in "0123456789"}


def when(value: str, locale: str, zone: str) -> str:
    """`2026-11-22T12:46:00Z` → `Sunday, 22 November 2026 at 13:46 (Central European Standard Time)`.

    `value` is ISO 8601 with an offset, `zone` an IANA name; a zone nobody knows is UTC, and the text says so.
    """
    at = _local(value, zone)
    return _DATE_AND_TIME[locale].format(day=_day(at.date(), locale), clock=_clock(at, locale))


def clock(value: str, locale: str, zone: str) -> str:
    """The time of day alone: `13:46 (Central European Standard Time)`."""
    return _clock(_local(value, zone), locale)


def day(value: str, locale: str) -> str:
    """A calendar day without zone: `2026-12-08` → `Tuesday, 8 December 2026`."""
    return _day(date.fromisoformat(value), locale)


def span(value: str, locale: str) -> str:
    """`P8W` → `eight weeks`, `P3M` → `three months`, `P5D` → `five business days`: as data for letters counts them.

    German has it in the dative.
    """
    number, (one, many) = int(value[1:-1]), _UNITS[locale][value[-1]]
    if number == 1:
        return one
    words = _NUMBERS[locale]
    return f"{words[number - 2] if number < len(words) + 2 else number} {many}"


def lasts(value: str, locale: str) -> str:
    """`PT15M` → `15 minutes`, `PT72H` → `72 hours`, `P24M` → `24 months`, `P30D` → `30 days`: as `lifetimes` counts."""
    number, (one, many) = int(value.strip("PTDHMS")), _LENGTHS[locale][value.translate(_NO_DIGITS)]
    return f"{number} {one if number == 1 else many}"


def local_day(at: datetime, zone: str) -> date:
    """Which day it is there; in UTC for a zone nobody knows."""
    return at.astimezone(_zone(zone)).date()


def _local(value: str, zone: str) -> datetime:
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("a time without zone")
    return at.astimezone(_zone(zone))


def _clock(at: datetime, locale: str) -> str:
    name = _zone_name(at.tzinfo or UTC, at.utcoffset() or timedelta(), at.year, locale)
    return _CLOCK.get(locale, "{minute} ({zone})").format(minute=_minute(at.hour, at.minute, locale), zone=name)


# Sizes bound what a stranger's zone or date could make us keep.
@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # unknown, a folder of the zone data, or not a name at all
        return UTC


@lru_cache(maxsize=1024)
def _day(day: date, locale: str) -> str:
    words = format_date(day, "full", locale=_REGIONAL.get(locale, locale))
    return words.replace(" 1 ", " 1er ", 1) if locale == "fr" else words  # the one ordinal that French dates have


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
