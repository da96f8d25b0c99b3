"""Making a version, what it changes, and which deadlines would move."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from services.complaint_sla import calendar_changes, seed
from services.complaint_sla.calendar_changes import differences, moves
from services.complaint_sla.calendars import FOLDER, load_newest, load_version
from services.complaint_sla.seed import Override, make, rendered
from services.complaint_sla.tables import DATA, DataError, read
from tests.support.complaints import receipt, rulebook

NEWEST = load_newest()
OVERRIDES = read(DATA / "overrides.toml", seed.Overrides).override


def _override(**changes: object) -> Override:
    given = {
        "calendar": "england",
        "change": "add",
        "days": [date(2027, 6, 14)],
        "name": "Proclaimed",
        "reason": "proclaimed after the release",
        "source": "the proclamation",
        "checked_on": date(2026, 11, 22),
    }
    return Override.model_validate({name: value for name, value in (given | changes).items() if value is not None})


def test_the_newest_version_is_what_seed_overrides_and_zones_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert seed.main(["--check"]) == 0
    assert capsys.readouterr().out == ""


def test_a_version_made_again_is_the_file_byte_for_byte() -> None:
    made = make(NEWEST.version, NEWEST.approved_through, OVERRIDES)
    assert rendered(made) == (FOLDER / f"{NEWEST.version}.toml").read_text("utf-8")


def test_an_override_becomes_a_day_off_and_a_line_of_the_report() -> None:
    made = make("2026-12-01", 2030, (*OVERRIDES, _override()))
    assert list(differences(NEWEST, made)) == ["england: Mon 2027-06-14 added: Proclaimed (override)"]


def test_an_override_may_take_a_day_off_away() -> None:
    removal = _override(change="remove", days=[date(2026, 6, 15)], calendar="scotland", name=None)
    (line,) = differences(NEWEST, make("2026-12-01", 2030, (*OVERRIDES, removal)))
    assert line.startswith("scotland: Mon 2026-06-15 removed: ")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"days": [date(2026, 12, 25)]}, "england 2026-12-25: the seed says so already"),
        ({"change": "remove", "name": None}, "england 2027-06-14: the seed says so already"),
        ({"calendar": "atlantis"}, "there is no atlantis"),
    ],
)
def test_an_override_that_changes_nothing_is_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(DataError) as caught:
        make("2026-12-01", 2030, (_override(**changes),))
    assert problem in str(caught.value)


@pytest.mark.parametrize("changes", [{"name": None}, {"change": "remove"}, {"days": []}, {"source": None}])
def test_an_override_says_what_why_and_where_from(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        _override(**changes)


def test_a_version_is_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--version", "2026-12-01", "--through", "2030"]
    assert seed.main(arguments, tmp_path) == 0
    assert load_version("2026-12-01", tmp_path).calendars == NEWEST.calendars
    with pytest.raises(SystemExit):
        seed.main(arguments, tmp_path)
    assert "a version is never edited: --version 2026-12-01.1" in capsys.readouterr().err


def test_one_more_approved_year_is_reported_day_by_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed.main(["--version", "2026-12-01", "--through", "2030"], tmp_path)
    assert seed.main(["--version", "2027-12-01", "--through", "2031"], tmp_path) == 0
    report = capsys.readouterr().out.splitlines()
    assert report[0] == "approved_through: 2030 → 2031"
    assert "Europe/London: now 2031-03-30T01:00Z +01:00" in report
    assert "jersey: Fri 2031-05-09 added: Liberation Day (holidays)" in report


def test_a_report_names_what_was_renamed_or_made_with_another_release() -> None:
    named = dict(NEWEST.calendars["england"])
    named[date(2026, 12, 25)] = named[date(2026, 12, 25)].model_copy(update={"name": "Christmas"})
    other = NEWEST.model_copy(update={"tzdata": "2027.1", "calendars": {**NEWEST.calendars, "england": named}})
    assert list(differences(NEWEST, other)) == [
        f"tzdata: {NEWEST.tzdata} → 2027.1",
        "england: Fri 2026-12-25 was Christmas Day (holidays), is Christmas (holidays)",
    ]


def test_a_dry_run_names_the_deadlines_that_would_move_and_no_others() -> None:
    after = replace(rulebook(), calendars=make("2026-12-01", 2030, (*OVERRIDES, _override())))
    receipts = {
        "c-1": receipt("2027-06-10T09:00Z"),  # Thu: Fri 11, Mon 14, Tue 15 | 15, 16
        "c-2": receipt("2027-06-10T09:00Z", "scotland"),
        "c-3": receipt("2027-06-14T09:00Z"),  # the day itself is day 0, and never counted
    }
    assert [str(move) for move in moves(receipts, rulebook(), after)] == [
        "c-1: summary-resolution: 2027-06-15T16:00:00+00:00 → 2027-06-16T16:00:00+00:00",
        "c-1: acknowledgement: 2027-06-17T23:00:00+00:00 → 2027-06-18T23:00:00+00:00",
    ]


def test_the_dry_run_is_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "calendars"
    folder.mkdir()
    for version, overrides in (("2026-11-22", OVERRIDES), ("2026-12-01", (*OVERRIDES, _override()))):
        (folder / f"{version}.toml").write_text(rendered(make(version, 2030, overrides)))
    open_complaints = tmp_path / "open.csv"
    open_complaints.write_text("complaint,received_at,licence,calendar\nc-1,2027-06-10T09:00Z,uk,\n")
    assert calendar_changes.main(["2026-11-22", "2026-12-01", "--receipts", str(open_complaints)], folder) == 0
    assert capsys.readouterr().out.splitlines() == [
        "england: Mon 2027-06-14 added: Proclaimed (override)",
        "moves c-1: summary-resolution: 2027-06-15T16:00:00+00:00 → 2027-06-16T16:00:00+00:00",
        "moves c-1: acknowledgement: 2027-06-17T23:00:00+00:00 → 2027-06-18T23:00:00+00:00",
    ]


@pytest.mark.parametrize("text", ["id\nc-1\n", "complaint,received_at,licence\nc-1,yesterday,uk\n"])
def test_receipts_that_cannot_be_read_end_the_dry_run(text: str, tmp_path: Path) -> None:
    (tmp_path / "open.csv").write_text(text)
    with pytest.raises(SystemExit):
        calendar_changes.main([NEWEST.version, NEWEST.version, "--receipts", str(tmp_path / "open.csv")])
