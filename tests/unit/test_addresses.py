"""What was left is told for seven days; what is new, or confirmed, counts anew."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from schemas.members import ContactV1
from services.notifier.addresses import (
    LEFT_FOR,
    LeftAddress,
    counting_anew,
    left_addresses,
    previous_address,
    read,
    written,
)

T0 = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def contact(login: str = "a@example.test", **more: Any) -> ContactV1:
    return ContactV1.model_validate(
        {"version": 1, "brand": "cm", "language": "nl", "login_email": login, **more}, strict=False
    )


def left_after(*logins: str) -> tuple[LeftAddress, ...]:
    """One change a day."""
    left: tuple[LeftAddress, ...] = ()
    for number, (before, after) in enumerate(pairwise(logins)):
        left = left_addresses(contact(before), left, contact(after), T0 + number * DAY)
    return left


def test_nothing_was_left_by_a_new_member_or_by_another_spelling() -> None:
    assert left_addresses(None, (), contact(), T0) == ()
    assert left_after("a@example.test", "A@Example.test ".strip()) == ()


@pytest.mark.parametrize(("age", "told"), [(-DAY, True), (LEFT_FOR - DAY, True), (LEFT_FOR, False)])
def test_it_is_told_for_seven_days(age: timedelta, *, told: bool) -> None:
    left = left_after("a@example.test", "b@example.test")
    assert previous_address(left, T0 + age) == ("a@example.test" if told else None)


def test_who_hops_from_address_to_address_does_not_shake_off_the_first_owner() -> None:
    left = left_after("owner@example.test", "b@example.test", "c@example.test")
    assert [each.address for each in left] == ["owner@example.test", "b@example.test"]
    assert previous_address(left, T0 + 2 * DAY) == "owner@example.test"
    assert previous_address(left, T0 + LEFT_FOR) == "b@example.test"


def test_who_goes_back_is_not_told_twice_and_the_other_address_is_told() -> None:
    assert [each.address for each in left_after("a@example.test", "b@example.test", "a@example.test")] == [
        "b@example.test"
    ]


def test_what_had_its_days_is_not_kept() -> None:
    left = (LeftAddress("old@example.test", T0 - LEFT_FOR),)
    assert left_addresses(contact(), left, contact(version=2), T0) == ()


def test_it_is_read_as_it_was_written_and_shows_no_address() -> None:
    left = left_after("a@example.test", "b@example.test")
    assert read(written(left)) == left
    assert "example.test" not in repr(left)


def test_only_what_a_version_adds_counts_anew() -> None:
    before = contact(phones=("+32470000001",))
    after = contact("new@example.test", communication_email="a@example.test", phones=("+32470000001", "+32470000002"))
    assert counting_anew(before, after) == {"email": {"new@example.test"}, "sms": {"+32470000002"}}
    assert counting_anew(None, before) == {"email": {"a@example.test"}, "sms": {"+32470000001"}}
    assert counting_anew(before, contact(phones=("+32470000001",), version=2)) == {}


def test_what_the_member_confirmed_since_counts_anew_once() -> None:
    before, confirmed = contact(), contact(confirmed_at=T0.isoformat())
    assert counting_anew(before, confirmed) == {"email": {"a@example.test"}}
    assert counting_anew(confirmed, confirmed) == {}
