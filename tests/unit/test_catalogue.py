"""The table holds together: events exist, names are one, secrets live no longer than their event says."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from schemas.complaints import Letter
from schemas.topics import DATA_OF_TYPE, TOPIC_OF_TYPE
from services.notifier.brands import load_brands
from services.notifier.catalogue import (
    AS_THE_EVENT_SAYS,
    CATALOGUE,
    CODE_MARGIN,
    LANES,
    NOTICES_OF_TYPE,
    OF_COMPLAINTS,
    SECURITY_LIFE,
    UNTIL_SENT,
    Lane,
    Notice,
    misfits,
)
from services.notifier.main import TOPICS_OF_LANE
from services.notifier.sources import TEMPLATES

NAMES = [notice.name for notice in CATALOGUE]
every_notice = pytest.mark.parametrize("notice", CATALOGUE, ids=NAMES)


def test_a_name_stands_for_one_notice() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_lanes_are_in_order_of_urgency() -> None:
    assert LANES == ("codes", "security", "letters", "general")


@every_notice
def test_a_notice_is_on_an_event_of_the_contract_for_brands_that_exist(notice: Notice) -> None:
    assert notice.on in DATA_OF_TYPE
    assert notice.brands <= load_brands().keys()
    assert notice in NOTICES_OF_TYPE[notice.on]


@every_notice
def test_a_notice_has_a_template_in_every_language_of_its_brands(notice: Notice) -> None:
    brands = load_brands()
    languages = {language for brand in notice.brands for language in brands[brand].languages}
    assert languages <= {path.stem for path in (TEMPLATES / notice.name).glob("*.md")}


@every_notice
def test_a_name_can_stand_in_a_row_an_outcome_and_a_folder(notice: Notice) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", notice.name)


@every_notice
def test_the_event_names_what_the_notice_needs(notice: Notice) -> None:
    needed = {
        "login": set(),
        "communication": set(),
        "login-and-communication": set(),
        "named-channel": {"channel", "phone"},
        "old-and-new": {"old", "new"},
        "named-address": {"email"},
        "complainant": {"complainant", "letter"},
        "handler": {"handler"},
    }[notice.to]
    assert needed <= DATA_OF_TYPE[notice.on].model_fields.keys()


@every_notice
def test_secrets_live_as_long_as_their_event_says_less_a_minute(notice: Notice) -> None:
    data = DATA_OF_TYPE[notice.on]
    if data.secret_fields:
        assert notice.lives is AS_THE_EVENT_SAYS
    if notice.lives is AS_THE_EVENT_SAYS:
        assert data.model_fields["expires_at"].is_required()
        assert (notice.margin, CODE_MARGIN) == (timedelta(seconds=60), timedelta(seconds=60))
    else:
        assert notice.margin == timedelta(0)


@every_notice
def test_security_lives_72_hours_and_is_never_superseded(notice: Notice) -> None:
    if notice.lane == "security":
        assert notice.lives == SECURITY_LIFE == timedelta(hours=72)
        assert not notice.supersedes


@every_notice
def test_the_topic_of_an_event_is_read_by_the_lane_that_sends_its_notice(notice: Notice) -> None:
    """A lane's consumer leases for its own workers; another's leaves every row to the claimer, which is slower."""
    lane: Lane = "general" if notice.name == "bank-account-changed" else notice.lane
    assert TOPIC_OF_TYPE[notice.on].name in TOPICS_OF_LANE[lane]


@every_notice
def test_what_a_complaint_is_owed_has_no_time_to_live(notice: Notice) -> None:
    assert (notice.lives is UNTIL_SENT) == (notice.on in OF_COMPLAINTS) == (notice.lane == "letters")


def test_every_letter_of_the_contract_has_one_notice_and_is_to_the_complainant() -> None:
    letters = [notice.letter for notice in CATALOGUE if notice.on == "complaints.letter-due.v1"]
    assert sorted(filter(None, letters)) == sorted(get_args(get_args(Letter)[0]))
    assert {notice.to for notice in CATALOGUE if notice.letter} == {"complainant"}


def test_a_topic_is_read_by_one_lane() -> None:
    topics = [topic for topics in TOPICS_OF_LANE.values() for topic in topics]
    assert len(set(topics)) == len(topics)


def test_rows_and_brand_folders_fit() -> None:
    assert misfits(load_brands().keys()) == []


def test_a_brand_folder_that_no_row_names_is_a_problem_with_a_way_out() -> None:
    (problem,) = misfits({*load_brands(), "nobody-s"})
    assert problem.startswith("brand nobody-s has a folder")
    assert "Name it in the rows of the notices it has, or remove its folder" in problem


def test_a_row_that_names_a_brand_without_a_folder_is_a_problem_with_a_way_out() -> None:
    rows = [replace(notice, brands=notice.brands | {"nobody-s"}) for notice in CATALOGUE[:2]]
    (problem,) = misfits(set().union(*(notice.brands for notice in CATALOGUE[:2])), rows)
    assert problem.startswith("brand nobody-s has no folder")
    assert "the row one-time-verification-code" in problem
