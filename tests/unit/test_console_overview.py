"""Is the promise kept? From numbers to a verdict in words, each tile with the rows behind it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.console.breaches import Run
from services.console.broker import GroupOnTopic
from services.console.figures import Complaints, Figures, Lane
from services.console.overview import Overview, Tile, overview_of
from services.console.pages import number, span

NOW = datetime(2026, 11, 26, 14, 10, tzinfo=UTC)
CALM = Figures(
    lanes={
        "codes": Lane(open=2, oldest_seconds=60.0, sent=1000, late=0),
        "security": Lane(open=1, oldest_seconds=600.0),
        "letters": Lane(open=1, oldest_seconds=3600.0),
        "general": Lane(),
    },
    waiting_events=3,
    suppressed=4,
    outbox_rows=5,
    outbox_seconds=30.0,
    complaints=Complaints(
        missed=0, missed_since=None, missed_ever=9, due=12, due_today=2, for_a_person=0, watermark_seconds=900.0
    ),
)


def tile(overview: Overview, title: str) -> Tile:
    (found,) = [tile for group in overview.groups for tile in group.tiles if tile.title == title]
    return found


def with_lane(name: str, lane: Lane) -> Figures:
    return replace(CALM, lanes={**CALM.lanes, name: lane})


def with_complaints(**changed: object) -> Figures:
    return replace(CALM, complaints=replace(CALM.complaints, **changed))  # type: ignore[arg-type]


def test_up_to_its_limits_the_promise_is_kept_and_nothing_is_said_against_it() -> None:
    overview = overview_of(CALM, 0, NOW)
    assert (overview.kind, overview.verdict, overview.because) == ("good", "Yes, the promise is kept right now", [])


@pytest.mark.parametrize(
    ("figures", "because"),
    [
        (
            with_lane("codes", Lane(open=1, oldest_seconds=61.0)),
            "Codes and links: one is unsent for 61 s, more than 60 s",
        ),
        (with_lane("security", Lane(open=1, oldest_seconds=661.0)), "Security notices: one is unsent for 11 min"),
        (with_lane("letters", Lane(open=1, oldest_seconds=3601.0)), "Letters: one is unsent for 1 h"),
        (with_lane("codes", Lane(sent=100, late=2)), "Codes and links: 2 of 100 left later than 10 s"),
        (with_lane("codes", Lane(sent=98, expired=2)), "Codes and links: 2 expired unsent"),
        (with_complaints(missed=1), "1 deadline of a complaint was missed"),
        (with_complaints(watermark_seconds=901.0), "known only through 15 min ago"),
    ],
)
def test_beyond_a_limit_the_verdict_is_no_and_says_why(figures: Figures, because: str) -> None:
    overview = overview_of(figures, 0, NOW)
    assert overview.verdict == "No, the promise is not kept right now"
    assert because in overview.because[0]


@pytest.mark.parametrize(
    ("figures", "dead", "because"),
    [
        (CALM, 1, "1 could not be accepted"),
        (CALM, None, "The broker does not answer"),
        (with_lane("codes", Lane(open=1, unknown=1)), 0, "1 may or may not have arrived"),
        (with_lane("codes", Lane(sent=1000, late=3)), 0, "3 of 1\u202f000 were handed over late"),
        (with_lane("codes", Lane(sent=999, expired=1)), 0, "Codes and links: 1 expired unsent"),
        (with_complaints(for_a_person=2), 0, "2 complaints wait for a person"),
        (replace(CALM, outbox_seconds=31.0), 0, "Outcomes wait for 31 s"),
    ],
)
def test_what_wants_a_look_breaks_no_promise(figures: Figures, dead: int | None, because: str) -> None:
    overview = overview_of(figures, dead, NOW)
    assert overview.kind == "look"
    assert because in " ".join(overview.because)


def test_what_is_bad_is_said_before_what_wants_a_look() -> None:
    overview = overview_of(with_complaints(missed=1, for_a_person=1), 7, NOW)
    assert "missed" in overview.because[0]
    assert len(overview.because) == 3


def minutes_ago(number: float) -> datetime:
    return NOW - timedelta(minutes=number)


@pytest.mark.parametrize(
    ("figures", "since"),
    [
        (with_lane("codes", Lane(open=1, oldest_seconds=360.0)), minutes_ago(5)),
        (with_lane("codes", Lane(sent=100, late=2, run=Run(minutes_ago(12), minutes_ago(3)))), minutes_ago(12)),
        (with_lane("codes", Lane(expired=1, run=Run(minutes_ago(20), minutes_ago(6)))), minutes_ago(20)),
        (with_complaints(missed=1, missed_since=minutes_ago(70)), minutes_ago(70)),
        (with_complaints(watermark_seconds=1020.0), minutes_ago(2)),
    ],
)
def test_what_is_broken_says_since_when(figures: Figures, since: datetime) -> None:
    assert overview_of(figures, 0, NOW).since == since


def test_of_two_troubles_the_older_one_says_since_when() -> None:
    both = replace(with_lane("codes", Lane(open=1, oldest_seconds=360.0)), complaints=replace(
        CALM.complaints, missed=1, missed_since=minutes_ago(70)))  # fmt: skip
    assert overview_of(both, 0, NOW).since == minutes_ago(70)


def test_what_is_kept_is_kept_since_the_last_breach_also_a_single_one() -> None:
    figures = with_lane("codes", Lane(sent=1000, late=1, run=Run(minutes_ago(8), minutes_ago(7))))
    overview = overview_of(figures, 0, NOW)
    assert (overview.kind, overview.since) == ("look", minutes_ago(7))


def test_without_a_breach_in_24_hours_there_is_no_since() -> None:
    assert overview_of(CALM, 3, NOW).since is None


def test_a_group_that_does_not_read_on_is_named_and_leads_to_its_topic() -> None:
    groups = [GroupOnTopic("notifier", "identity.codes.v1", 4, {0: 3}, still) for still in (60.0, 130.0)]
    overview = overview_of(CALM, 0, NOW, groups)
    assert (overview.kind, overview.because) == (
        "look", ["notifier has not read on in identity.codes.v1 for 2 min."],
    )  # fmt: skip
    assert tile(overview, "Groups that stand still").path == "/topics/identity.codes.v1"


def test_every_number_leads_to_the_rows_behind_it() -> None:
    overview = overview_of(CALM, 0, NOW)
    assert all(tile.path.startswith("/") for group in overview.groups for tile in group.tiles)
    assert tile(overview, "Codes and links: oldest unsent").path == "/notifications?lane=codes&state=open"
    assert tile(overview, "Handed over late, last hour").path == "/notifications?late=1"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (119.9, "119 s"),
        (120, "2 min"),
        (3600, "1 h"),
        (3900, "1 h 5 min"),
        (86_400, "1 d"),
        (97_200, "1 d 3 h"),
    ],
)
def test_a_span_is_as_long_as_one_says_it(seconds: float, said: str) -> None:
    assert span(seconds) == said


@pytest.mark.parametrize(("value", "said"), [(0, "0"), (0.25, "0.2"), (12.7, "13"), (1234567, "1\u202f234\u202f567")])
def test_a_number_can_be_read(value: float, said: str) -> None:
    assert number(value) == said
