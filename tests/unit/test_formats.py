"""Times in words."""

import pytest

from services.notifier.formats import clock, day, span, when


@pytest.mark.parametrize(
    ("locale", "zone", "text"),
    [
        ("en", "Europe/Brussels", "Sunday, 22 November 2026 at 13:46 (Central European Standard Time)"),
        ("fr", "Europe/Brussels", "dimanche 22 novembre 2026 à 13:46 (heure normale d\u2019Europe centrale)"),
        ("nl", "Europe/Brussels", "zondag 22 november 2026 om 13:46 (Midden-Europese standaardtijd)"),
        ("de", "Europe/Brussels", "Sonntag, 22. November 2026 um 13:46 Uhr (Mitteleuropäische Normalzeit)"),
        ("en", "UTC", "Sunday, 22 November 2026 at 12:46 (UTC)"),
        ("en", "Asia/Tokyo", "Sunday, 22 November 2026 at 21:46 (Japan Standard Time)"),
    ],
)
def test_an_instant_is_told_in_the_readers_zone_and_language(locale: str, zone: str, text: str) -> None:
    assert when("2026-11-22T12:46:00Z", locale, zone) == text


@pytest.mark.parametrize(
    ("value", "zone", "text"),
    [
        ("2026-07-22T12:46:00Z", "Europe/Brussels", "14:46 (Central European Summer Time)"),
        ("2026-07-22T12:46:00Z", "Europe/Dublin", "13:46 (Irish Standard Time)"),
        ("2026-01-22T12:46:00Z", "Europe/Dublin", "12:46 (Greenwich Mean Time)"),
        ("2026-01-22T12:46:00Z", "Australia/Sydney", "23:46 (Australian Eastern Daylight Time)"),
        # Both sides of the hour that comes twice: 25 October 2026.
        ("2026-10-25T00:30:00Z", "Europe/Brussels", "02:30 (Central European Summer Time)"),
        ("2026-10-25T01:30:00Z", "Europe/Brussels", "02:30 (Central European Standard Time)"),
    ],
)
def test_summer_time_is_told_apart(value: str, zone: str, text: str) -> None:
    assert clock(value, "en", zone) == text


def test_german_says_uhr_after_a_time_of_day() -> None:
    assert clock("2026-11-22T12:46:00Z", "de", "UTC") == "12:46 Uhr (UTC)"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Europe", "../etc/passwd", "", "Europe/Brussels/x"])
def test_an_unknown_zone_is_utc_and_says_so(zone: str) -> None:
    assert clock("2026-11-22T12:46:00Z", "en", zone) == "12:46 (UTC)"


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without zone"):
        clock("2026-11-22T12:46:00", "en", "UTC")


@pytest.mark.parametrize(
    ("value", "locale", "text"),
    [
        ("2026-12-08", "en", "Tuesday, 8 December 2026"),
        ("2026-12-01", "fr", "mardi 1er décembre 2026"),
        ("2026-12-11", "fr", "vendredi 11 décembre 2026"),
        ("2026-12-01", "nl", "dinsdag 1 december 2026"),
        ("2026-12-01", "de", "Dienstag, 1. Dezember 2026"),
    ],
)
def test_a_day_is_told_without_a_zone(value: str, locale: str, text: str) -> None:
    assert day(value, locale) == text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("P1D", ("one business day", "un jour ouvrable", "één werkdag", "einem Arbeitstag")),
        ("P3D", ("three business days", "trois jours ouvrables", "drie werkdagen", "drei Arbeitstagen")),
        ("P8W", ("eight weeks", "huit semaines", "acht weken", "acht Wochen")),
        ("P6M", ("six months", "six mois", "zes maanden", "sechs Monaten")),
        ("P12M", ("twelve months", "douze mois", "twaalf maanden", "zwölf Monaten")),
        ("P35D", ("35 business days", "35 jours ouvrables", "35 werkdagen", "35 Arbeitstagen")),
    ],
)
def test_a_length_of_time_is_told_in_words(value: str, words: tuple[str, ...]) -> None:
    assert tuple(span(value, locale) for locale in ("en", "fr", "nl", "de")) == words
