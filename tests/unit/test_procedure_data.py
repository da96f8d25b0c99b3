"""Licences and rules: what is incomplete or contradicts itself is refused by file, field and rule."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from services.complaint_sla import licences, rules
from services.complaint_sla.licences import Prescribed, load_licences
from services.complaint_sla.reasons import Reasons
from services.complaint_sla.rulebook import DEFAULT_OBLIGATIONS, Rulebook
from services.complaint_sla.rules import load_rules
from services.complaint_sla.tables import DataError
from tests.support.complaints import rulebook

VERSION = rulebook().calendars.version


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(licences.FOLDER, tmp_path / "licences")
    shutil.copy(rules.PATH, tmp_path / "rules.toml")
    return tmp_path


def _edit(path: Path, before: str, after: str) -> None:
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf-8")


def _load(folder: Path) -> Rulebook:
    return Rulebook(
        licences=load_licences(folder / "licences"),
        rules=load_rules(folder / "rules.toml"),
        calendars=rulebook().calendars,
    )


def _refused(folder: Path) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        _load(folder)
    return caught.value.problems


def test_the_four_licences_are_there_with_all_that_they_owe() -> None:
    assert rulebook().licences.keys() == {"uk", "be", "je", "gg"}
    for licence in rulebook().licences:
        assert {rule.obligation for rule in rulebook().rows(licence, "complaint")} == DEFAULT_OBLIGATIONS


def test_where_sources_disagree_or_wording_is_missing_a_person_is_told() -> None:
    doubts = sorted(rulebook().doubts())
    assert [doubt.partition(":")[0] for doubt in doubts] == [
        "be.ombudsman.website",
        "gg.ombudsman.address",
        "je.ombudsman.address",
        "uk.prescribed",
        "uk.prescribed",
    ]
    assert all("is used" in doubt for doubt in doubts[:3])


def test_a_licence_without_an_approved_general_reason_is_told() -> None:
    book = replace(rulebook(), reasons=Reasons())
    assert sum("no general reason" in doubt for doubt in book.doubts()) == len(book.licences)


def test_wording_that_nobody_has_approved_is_not_sent() -> None:
    licence = rulebook().licences["uk"]
    wording = Prescribed(letters=("final",), source="regulation", text={"en": "Word for word."})
    approved = wording.model_copy(update={"approved_by": "legal"})
    assert licence.model_copy(update={"prescribed": (wording,)}).prescribed_for("final") is None
    assert licence.model_copy(update={"prescribed": (approved,)}).prescribed_for("final") == {"en": "Word for word."}


def test_an_absent_fact_is_absent_and_not_guessed() -> None:
    belgium = rulebook().licences["be"].ombudsman
    assert belgium.refer_within_months is None
    assert belgium.approach_without_answer is None
    assert rulebook().licences["je"].ombudsman.binds is None


def test_a_licence_is_one_more_file_and_its_rows(folder: Path) -> None:
    shutil.copy(folder / "licences/je.toml", folder / "licences/im.toml")
    path = folder / "rules.toml"
    path.write_text(path.read_text("utf-8").replace('"je"', '"je", "im"'), "utf-8")
    assert {rule.obligation for rule in _load(folder).rows("im", "complaint")} == DEFAULT_OBLIGATIONS


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ('zone = "Europe/London"', 'zone = "Europe/Atlantis"', "uk.toml: zone: Value error, no time zone"),
        ('zone = "Europe/London"', 'zone = "Asia/Tokyo"', f"uk.toml: zone: {VERSION} was made without Asia/Tokyo"),
        ('calendar = "england"', 'calendar = "wales"', f"uk.toml: calendar: {VERSION} has no calendar wales"),
        ('"scotland"', '"cornwall"', f"uk.toml: calendar: {VERSION} has no calendar cornwall"),
        ('zone = "Europe/London"\n', "", "uk.toml: zone: Field required"),
        ("[ombudsman]", "[ombudsmen]", "uk.toml: ombudsman: Field required"),
        ('source = "regulation"', 'source = "hearsay"', "uk.toml: acceptance_required: no source hearsay"),
        ("value = true", 'value = "yes"', "uk.toml: acceptance_required.value: Input should be a valid boolean"),
        (", checked_on = 2026-11-22", "", "uk.toml: sources.insurer.checked_on: Field required"),
        ('value = "P8W"', 'value = "8 weeks"', "uk.toml: ombudsman.approach_without_answer.value: String should"),
        ("value = 6", "value = 0", "uk.toml: ombudsman.refer_within_months.value: Input should be greater"),
        ("[ombudsman]", "[ombudsman", "uk.toml: "),
    ],
)
def test_a_licence_that_cannot_be_used_is_refused(before: str, after: str, problem: str, folder: Path) -> None:
    _edit(folder / "licences/uk.toml", before, after)
    assert any(each.startswith(problem) for each in _refused(folder)), _refused(folder)


def test_a_doubt_names_who_says_otherwise(folder: Path) -> None:
    _edit(folder / "licences/be.toml", ', other_source = "others"', "")
    assert _refused(folder) == ("be.toml: ombudsman.website: other comes with other_source, which says who prints it",)


def test_every_problem_of_every_licence_is_told_at_once(folder: Path) -> None:
    _edit(folder / "licences/be.toml", "calendar =", "kalender =")
    _edit(folder / "licences/uk.toml", "zone =", "zoom =")
    assert {problem.partition(":")[0] for problem in _refused(folder)} == {"be.toml", "uk.toml"}


def test_the_name_that_means_not_covered_is_no_licence(folder: Path) -> None:
    shutil.copy(folder / "licences/je.toml", folder / "licences/other.toml")
    assert _refused(folder) == ("other.toml: id: this name means that no licence covers the complaint",)


def test_no_licence_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no licence"):
        load_licences(tmp_path)


ACKNOWLEDGEMENT = "rules.toml: acknowledgement of uk, category complaint"


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (
            "valid_to = 2026-05-31",
            "valid_to = 2026-05-30",
            f"{ACKNOWLEDGEMENT}: valid_to: no row applies on 2026-05-31",
        ),
        (
            "valid_to = 2026-05-31",
            "valid_to = 2026-06-01",
            f"{ACKNOWLEDGEMENT}: valid_to: two rows apply on 2026-06-01",
        ),
        ("valid_to = 2026-05-31\n", "", f"{ACKNOWLEDGEMENT}: valid_to: two rows apply on 2026-06-01"),
        ("valid_to = 2026-05-31", "valid_to = 2023-05-31", "rules.toml: rule.3: valid_to is before valid_from"),
        (
            "valid_from = 2026-06-01",
            "valid_from = 2026-06-01\nvalid_to = 2029-12-31",
            f"{ACKNOWLEDGEMENT}: valid_to: no row applies after 2029-12-31",
        ),
        (
            "valid_from = 2024-01-01",
            "valid_from = 2025-01-01",
            "rules.toml: summary-resolution of uk, category complaint: valid_from: no row applies from 2024-01-01 to",
        ),
        (
            'licences = ["be", "je", "gg"]',
            'licences = ["be", "je"]',
            "rules.toml: summary-resolution of gg, category complaint: there is no row",
        ),
        (
            'licences = ["be", "je", "gg"]',
            'licences = ["be", "je", "gg", "fr"]',
            "rules.toml: summary-resolution.licences: there is no licence fr",
        ),
        ("business_days = 3", "business_days = 3\nweeks = 1", "rules.toml: rule.0: a limit is either"),
        ("business_days = 3\n", "", "rules.toml: rule.0: a limit is either business_days or weeks"),
        ("business_days = 3", "business_days = 0", "rules.toml: rule.0.business_days: Input should be greater"),
        ("until = 17:00:00", 'until = "five"', "rules.toml: rule.0.until: "),
        ('source = "regulation"', 'source = "rumour"', "rules.toml: rule.0.source: Input should be"),
        ('met_by = ["resolution"]', "met_by = []", "rules.toml: rule.0.met_by: Tuple should have"),
        (
            'met_by = ["acknowledgement", "final"]',
            'met_by = ["final"]',
            "rules.toml: rule.3: the letter is not among what meets the obligation",
        ),
        ("after_minutes = 15, ", "", "rules.toml: rule.3.letter: a letter has either after_minutes or on_send_by_at"),
        ("alerts_at = 09:00:00", "", "rules.toml: alerts_at: Field required"),
        ("alerts_at = 09:00:00", "alerts_at = 25:00:00", "rules.toml: "),
    ],
)
def test_rules_that_leave_a_gap_or_contradict_are_refused(before: str, after: str, problem: str, folder: Path) -> None:
    _edit(folder / "rules.toml", before, after)
    assert any(each.startswith(problem) for each in _refused(folder)), _refused(folder)


def test_another_category_is_rows_of_its_own(folder: Path) -> None:
    path = folder / "rules.toml"
    path.write_text(
        path.read_text("utf-8")
        + """
[[rule]]
obligation = "final-response"
licences = ["uk"]
category = "payment-services"
valid_from = 2024-01-01
business_days = 15
met_by = ["final"]
source = "regulation"
reference = "DISP 1.6.2A"
""",
        "utf-8",
    )
    assert [rule.business_days for rule in _load(folder).rows("uk", "payment-services")] == [15]
