"""The demo's table of what happens leaves no notice out, and its events are what the contract says."""

from collections import defaultdict
from datetime import UTC, datetime

import pytest

from demo.coverage import PAIRS, missing
from demo.journey import PEOPLE, SCENES, Here, Step, of
from demo.stage import Member
from schemas.topics import DATA_OF_TYPE
from services.notifier.brands import load_brands
from services.notifier.catalogue import CATALOGUE
from tests.unit.test_demo_table import ROW

STEPS = [step for scene in SCENES for step in scene.steps]
MEMBERS = {key: Member(id=key, **who) for key, who in PEOPLE.items()}
ELSEWHERE = {
    ("email-address-changed", "cigna-healthcare"),
    ("email-address-changed", "cm"),
    ("password-changed", "cigna-healthcare"),
}
"""Told by scenes of their own, as more than an event belongs to them."""
TIMED = {"members.coverage-ended.v1": "members.portal-access-ending.v1"}
"""What auth_events hears → what it then says."""


def here(step: Step) -> Here:
    return Here(MEMBERS[step.who], datetime.now(UTC), "http://127.0.0.1:1/")


def test_every_notice_of_a_member_happens_to_somebody_of_each_brand_that_has_it() -> None:
    assert {(step.notice, MEMBERS[step.who].brand) for step in STEPS} | ELSEWHERE == set(PAIRS)


def test_every_language_of_every_brand_is_somebody_s() -> None:
    read = defaultdict(set)
    for member in MEMBERS.values():
        read[member.brand].add(member.locale)
    assert read == {brand.id: set(brand.languages) for brand in load_brands().values()}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.who}-{step.notice}")
def test_each_event_is_valid_and_causes_the_notice_beside_it(step: Step) -> None:
    DATA_OF_TYPE[step.on].model_validate(of(step.data, here(step)))
    caused_by = TIMED.get(step.on, step.on)
    assert any((notice.name, notice.on) == (step.notice, caused_by) for notice in CATALOGUE)
    assert ("inbox" in step.to) == any(notice.in_app for notice in CATALOGUE if notice.name == step.notice)


def test_one_event_claims_another_language_than_its_member_reads() -> None:
    claimed = [(step.who, step.data["locale"]) for step in STEPS if "locale" in step.data]
    assert [who for who, locale in claimed if locale != MEMBERS[who].locale] == ["soeren"]


def test_a_notice_that_nobody_of_a_brand_got_is_missing() -> None:
    lines = missing([ROW])
    assert len(lines) == len(PAIRS) - 1
    assert "missing: welcome was sent to nobody of cigna-healthcare" in lines
    assert not any("password-changed was sent to nobody of cigna-healthcare" in line for line in lines)
