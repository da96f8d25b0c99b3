"""Deadlines as the wall calendar has them: worked examples, cases by hand, and every day counted a second way."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.complaint_sla.procedure import (
    ProcedureError,
    Receipt,
    deadlines,
    deadlines_after_resolution,
    refer_until,
)
from tests.support.complaints import LICENCE_OF, owed, receipt, rulebook
from tests.support.second_count import DAYS_OFF, count

INSTANT = timedelta(microseconds=1)


def _instants(received_at: str, calendar: str) -> list[str]:
    return [f"{each.limit_at:%Y-%m-%dT%H:%MZ}" for each in owed(received_at, calendar).values()]


@pytest.mark.parametrize(
    ("received_at", "calendar", "limits"),
    [
        (
            "2026-12-01T10:00Z",
            "england",
            ["2026-12-04T17:00Z", "2026-12-09T00:00Z", "2026-12-30T00:00Z", "2027-01-27T00:00Z"],
        ),
        (
            "2026-12-24T16:30Z",
            "belgium",
            ["2026-12-30T16:00Z", "2027-01-04T23:00Z", "2027-01-21T23:00Z", "2027-02-18T23:00Z"],
        ),
        (
            "2026-09-02T08:00Z",
            "england",
            ["2026-09-07T16:00Z", "2026-09-09T23:00Z", "2026-09-30T23:00Z", "2026-10-29T00:00Z"],
        ),
    ],
)
def test_the_worked_examples(received_at: str, calendar: str, limits: list[str]) -> None:
    assert _instants(received_at, calendar) == limits


BY_HAND = {
    # 25 Fri off, 26-27 weekend, 28 Mon off; 29 30 31; 1 Jan off, 2-3 weekend, 4 Mon off (2 Jan); 5 6.
    "Christmas in Scotland": (
        *("2026-12-24T16:30Z", "scotland"),
        *("2026-12-31T17:00Z", "2027-01-07T00:00Z", "2027-01-22T00:00Z", "2027-02-19T00:00Z"),
    ),
    # 25-26 weekend, 27 and 28 off; 29 30 31; 1-2 Jan weekend, 3 Mon off; 4 5.
    "Christmas on a weekend": (
        *("2027-12-24T10:00Z", "england"),
        *("2027-12-31T17:00Z", "2028-01-06T00:00Z", "2028-01-22T00:00Z", "2028-02-19T00:00Z"),
    ),
    # Thu 4 May; Fri 5, Mon 8, Tue 9 off, Wed 10 17:00 BST; Thu 11, Fri 12.
    "Liberation Day 2028": (
        *("2028-05-04T12:00Z", "jersey"),
        *("2028-05-10T16:00Z", "2028-05-12T23:00Z", "2028-06-01T23:00Z", "2028-06-29T23:00Z"),
    ),
    "Liberation Day 2028 on the other island": (
        *("2028-05-04T12:00Z", "guernsey"),
        *("2028-05-10T16:00Z", "2028-05-12T23:00Z", "2028-06-01T23:00Z", "2028-06-29T23:00Z"),
    ),
    # Thu 6 May; Fri 7, Mon 10 (9 is Sunday, nothing instead), Tue 11; Wed 12, Thu 13.
    "Liberation Day on a Sunday": (
        *("2027-05-06T12:00Z", "guernsey"),
        *("2027-05-11T16:00Z", "2027-05-13T23:00Z", "2027-06-03T23:00Z", "2027-07-01T23:00Z"),
    ),
    # Fri 12 Jul; Mon 15 off; Tue 16, Wed 17, Thu 18; Fri 19, Mon 22.
    "The King's visit to Jersey": (
        *("2024-07-12T10:00Z", "jersey"),
        *("2024-07-18T16:00Z", "2024-07-22T23:00Z", "2024-08-09T23:00Z", "2024-09-06T23:00Z"),
    ),
    # Sat 26 Feb; Mon 28, Tue 29, Wed 1 Mar; Thu 2, Fri 3. Clocks go forward on Sun 26 Mar.
    "Leap day 2028": (
        *("2028-02-26T12:00Z", "england"),
        *("2028-03-01T17:00Z", "2028-03-04T00:00Z", "2028-03-26T00:00Z", "2028-04-22T23:00Z"),
    ),
    # Tue 27 Feb; Wed 28, Thu 29, Fri 1 Mar 17:00 CET; Mon 4, Tue 5. Clocks go forward on Sun 31 Mar.
    "Leap day 2024": (
        *("2024-02-27T09:00Z", "belgium"),
        *("2024-03-01T16:00Z", "2024-03-05T23:00Z", "2024-03-26T23:00Z", "2024-04-23T22:00Z"),
    ),
    # 00:30 on Wed 1 Jul in Brussels; Thu 2, Fri 3, Mon 6; Tue 7, Wed 8.
    "After midnight in Brussels": (
        *("2026-06-30T22:30Z", "belgium"),
        *("2026-07-06T15:00Z", "2026-07-08T22:00Z", "2026-07-29T22:00Z", "2026-08-26T22:00Z"),
    ),
    # Still Tue 30 Jun in London: Wed 1, Thu 2, Fri 3; Mon 6, Tue 7.
    "The same instant in London": (
        *("2026-06-30T22:30Z", "england"),
        *("2026-07-03T16:00Z", "2026-07-07T23:00Z", "2026-07-28T23:00Z", "2026-08-25T23:00Z"),
    ),
    # Wed 24 Mar; Thu 25, Good Friday, weekend, Easter Monday; Tue 30, Wed 31 17:00 BST; Thu 1, Fri 2 Apr.
    "Easter and the clocks going forward": (
        *("2027-03-24T09:00Z", "england"),
        *("2027-03-31T16:00Z", "2027-04-02T23:00Z", "2027-04-21T23:00Z", "2027-05-19T23:00Z"),
    ),
    # Scotland works on Easter Monday: Thu 25, Mon 29, Tue 30; Wed 31, Thu 1 Apr.
    "Easter in Scotland": (
        *("2027-03-24T09:00Z", "scotland"),
        *("2027-03-30T16:00Z", "2027-04-01T23:00Z", "2027-04-21T23:00Z", "2027-05-19T23:00Z"),
    ),
    # Wed 13 May; Ascension; Fri 15, Mon 18, Tue 19; Wed 20, Thu 21. No bridge day on the 15th.
    "Ascension": (
        *("2026-05-13T08:00Z", "belgium"),
        *("2026-05-19T15:00Z", "2026-05-21T22:00Z", "2026-06-10T22:00Z", "2026-07-08T22:00Z"),
    ),
    # Thu 22 Oct; Fri 23, Mon 26, Tue 27 17:00 CET; Wed 28, Thu 29. Clocks go back on Sun 25.
    "The clocks going back": (
        *("2026-10-22T08:00Z", "belgium"),
        *("2026-10-27T16:00Z", "2026-10-29T23:00Z", "2026-11-19T23:00Z", "2026-12-17T23:00Z"),
    ),
    # Thu 10 Jul; Fri 11, Mon 14 off (12 is Saturday); Tue 15, Wed 16; Thu 17, Fri 18.
    "Twelfth of July": (
        *("2025-07-10T10:00Z", "northern-ireland"),
        *("2025-07-16T16:00Z", "2025-07-18T23:00Z", "2025-08-07T23:00Z", "2025-09-04T23:00Z"),
    ),
    # Sun 5 Apr; Mon 6 off; Tue 7, Wed 8, Thu 9; Fri 10, Mon 13. Weeks end on Sundays.
    "Easter Sunday is day 0": (
        *("2026-04-05T12:00Z", "england"),
        *("2026-04-09T16:00Z", "2026-04-13T23:00Z", "2026-05-03T23:00Z", "2026-05-31T23:00Z"),
    ),
    # Thu 11 Jun; Fri 12, Mon 15 off; Tue 16, Wed 17; Thu 18, Fri 19.
    "A holiday proclaimed once": (
        *("2026-06-11T10:00Z", "scotland"),
        *("2026-06-17T16:00Z", "2026-06-19T23:00Z", "2026-07-09T23:00Z", "2026-08-06T23:00Z"),
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_cases_counted_by_hand(case: str) -> None:
    received_at, calendar, *limits = BY_HAND[case]
    assert _instants(received_at, calendar) == limits


@pytest.mark.parametrize("calendar", DAYS_OFF)
def test_every_day_of_seven_years_is_counted_alike_a_second_way(calendar: str) -> None:
    a_day_and_67_minutes = timedelta(days=1, minutes=67)  # goes round the clock every three weeks
    received_at = datetime(2024, 1, 1, tzinfo=UTC)
    while received_at < datetime(2030, 11, 5, tzinfo=UTC):  # 56 days before the last
        ours, theirs = owed(received_at, calendar), count(calendar, received_at)
        assert [each.limit_at for each in ours.values()] == [
            theirs.summary,
            theirs.acknowledgement,
            theirs.four_weeks,
            theirs.eight_weeks,
        ], received_at
        assert ours["decision-or-holding"].send_by == theirs.send_by_four
        assert ours["final-response"].send_by == theirs.send_by_eight
        received_at += a_day_and_67_minutes


@pytest.mark.parametrize("calendar", LICENCE_OF)
def test_an_instant_before_the_limit_is_met_and_the_limit_itself_is_missed(calendar: str) -> None:
    for deadline in owed("2026-09-02T08:00Z", calendar).values():
        assert deadline.is_met_at(deadline.limit_at - INSTANT)
        assert not deadline.is_met_at(deadline.limit_at)


def test_a_receipt_counts_by_its_instant_whatever_zone_it_was_written_in() -> None:
    assert owed("2026-12-24T16:30Z") == owed("2026-12-24T17:30+01:00") == owed("2026-12-24T08:30-08:00")


def test_the_licence_counts_by_its_own_calendar_unless_the_policy_names_another() -> None:
    unnamed = Receipt(received_at=datetime(2026, 12, 24, 16, 30, tzinfo=UTC), licence="uk")
    assert {each.calendar for each in deadlines(rulebook(), unnamed)} == {"england"}


def test_alerts_come_at_nine_local_so_many_business_days_before_the_last_day() -> None:
    # uk, Wed 2 Sep 2026: last days Wed 9 Sep, Wed 30 Sep, and Wed 28 Oct, after the clocks went back.
    found = owed("2026-09-02T08:00Z")
    alerts = {name: [f"{at:%m-%d %H:%M}" for at in each.alerts_at] for name, each in found.items()}
    assert alerts == {
        "summary-resolution": [],
        "acknowledgement": ["09-08 08:00"],
        "decision-or-holding": ["09-23 08:00"],
        "final-response": ["10-21 08:00"],
    }
    assert [f"{at:%m-%d %H:%M}" for at in found["final-response"].delay_alerts_at] == ["10-14 08:00"]


def test_an_alert_before_a_sunday_counts_the_friday_as_one() -> None:
    # Weeks from Easter Sunday 2026 end on Sun 3 May: Fri 1, Thu 30, Wed 29, Tue 28, Mon 27 Apr.
    deadline = owed("2026-04-05T12:00Z")["decision-or-holding"]
    assert deadline.send_by == date(2026, 5, 1)
    assert deadline.alerts_at == (datetime(2026, 4, 27, 8, tzinfo=UTC),)


def test_the_service_s_own_letters_leave_15_minutes_after_receipt_or_at_nine_on_the_send_by_day() -> None:
    found = owed("2026-04-05T12:00Z")
    assert {name: each.letter_at for name, each in found.items()} == {
        "summary-resolution": None,
        "acknowledgement": datetime(2026, 4, 5, 12, 15, tzinfo=UTC),
        "decision-or-holding": datetime(2026, 5, 1, 8, tzinfo=UTC),
        "final-response": datetime(2026, 5, 29, 8, tzinfo=UTC),
    }


@pytest.mark.parametrize(("received_at", "edition"), [("2026-05-31T22:59Z", "2024"), ("2026-05-31T23:00Z", "2026-06")])
def test_the_acknowledgement_s_edition_follows_the_local_day_of_receipt(received_at: str, edition: str) -> None:
    letter = owed(received_at)["acknowledgement"].rule.letter
    assert letter is not None
    assert letter.edition == edition


def test_only_the_uk_asks_for_acceptance_of_a_summary_resolution() -> None:
    required = {
        calendar: owed("2026-09-02T08:00Z", calendar)["summary-resolution"].acceptance_required
        for calendar in LICENCE_OF
    }
    assert {calendar for calendar, is_required in required.items() if is_required} == {
        "england",
        "scotland",
        "northern-ireland",
    }


def test_a_resolution_owes_its_letter_by_the_end_of_the_next_business_day() -> None:
    # Resolved on Thu 24 Dec 2026: Fri 25 off, weekend, Mon 28 off, Tue 29.
    (deadline,) = deadlines_after_resolution(
        rulebook(), receipt("2026-12-22T09:00Z"), datetime(2026, 12, 24, 12, tzinfo=UTC)
    )
    assert deadline.obligation == "summary-letter"
    assert deadline.limit_at == datetime(2026, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("licence", "sent_at", "last_day"),
    [
        ("uk", "2026-08-31T12:00Z", date(2027, 2, 28)),
        ("uk", "2027-08-31T12:00Z", date(2028, 2, 29)),
        ("uk", "2026-08-30T23:30Z", date(2027, 2, 28)),
        ("uk", "2027-01-12T12:00Z", date(2027, 7, 12)),
        ("je", "2026-12-31T12:00Z", date(2027, 6, 30)),
        ("be", "2026-08-31T12:00Z", None),
    ],
)
def test_the_time_to_refer_is_clamped_to_the_month_s_end(licence: str, sent_at: str, last_day: date | None) -> None:
    assert refer_until(rulebook().licences[licence], datetime.fromisoformat(sent_at)) == last_day


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"licence": "atlantis"}, "licence-unknown"),
        ({"licence": "other"}, "licence-not-covered"),
        ({"calendar": "belgium"}, "calendar-unknown"),
        ({"category": "payment-services"}, "category-unknown"),
        ({"received_at": datetime(2026, 12, 1, 10)}, "time-without-zone"),  # noqa: DTZ001 - what is refused
        ({"received_at": datetime(2030, 11, 6, tzinfo=UTC)}, "calendar-ends"),
        ({"received_at": datetime(2023, 12, 31, 12, tzinfo=UTC)}, "calendar-ends"),
    ],
)
def test_nothing_is_guessed(changes: dict[str, object], code: str) -> None:
    given: dict[str, object] = {"received_at": datetime(2026, 12, 1, 10, tzinfo=UTC), "licence": "uk", **changes}
    with pytest.raises(ProcedureError) as caught:
        deadlines(rulebook(), Receipt(**given))  # type: ignore[arg-type]  # of mixed types on purpose
    assert caught.value.code == code


def test_the_last_day_that_can_be_computed_is_56_days_before_the_calendar_ends() -> None:
    assert owed("2030-11-05T12:00Z")["final-response"].last_day == date(2030, 12, 31)
