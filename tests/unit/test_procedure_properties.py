"""What is true of every deadline, whatever the receipt."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.complaint_sla.deadlines_command import document
from services.complaint_sla.explain import explanation
from services.complaint_sla.procedure import deadlines
from tests.support.complaints import LICENCE_OF, owed, receipt, rulebook, with_holiday

LAST = datetime(2030, 11, 5)  # noqa: DTZ001 - hypothesis wants it bare and adds the zone; 56 days before the last
instants = st.datetimes(datetime(2024, 1, 1), LAST, timezones=st.just(UTC))  # noqa: DTZ001 - as above
calendars = st.sampled_from(sorted(LICENCE_OF))
BY_BUSINESS_DAYS = ("summary-resolution", "acknowledgement")
BY_WEEKS = {"decision-or-holding": 28, "final-response": 56}


@given(instants, calendars)
def test_weeks_end_on_day_0_s_weekday(received_at: datetime, calendar: str) -> None:
    found = owed(received_at, calendar)
    for obligation, days in BY_WEEKS.items():
        deadline = found[obligation]
        assert deadline.last_day.weekday() == deadline.day0.weekday()
        assert (deadline.last_day - deadline.day0).days == days


@given(instants, calendars)
def test_business_days_end_on_no_weekend_and_no_holiday(received_at: datetime, calendar: str) -> None:
    days_off = rulebook().calendars.calendars[calendar].keys()
    for obligation in BY_BUSINESS_DAYS:
        last_day = owed(received_at, calendar)[obligation].last_day
        assert last_day.weekday() < 5
        assert last_day not in days_off


@given(instants, calendars)
def test_what_is_sent_by_its_day_is_in_time_and_on_a_business_day(received_at: datetime, calendar: str) -> None:
    days_off = rulebook().calendars.calendars[calendar].keys()
    for deadline in owed(received_at, calendar).values():
        assert deadline.send_by <= deadline.last_day
        assert deadline.send_by.weekday() < 5
        assert deadline.send_by not in days_off


@given(instants, calendars)
def test_a_limit_is_the_local_instant_it_says(received_at: datetime, calendar: str) -> None:
    for deadline in owed(received_at, calendar).values():
        local = deadline.limit_at.astimezone(ZoneInfo(deadline.zone)).replace(tzinfo=None)
        if deadline.rule.until is None:
            assert local == datetime.combine(deadline.last_day + timedelta(days=1), datetime.min.time())
        else:
            assert local == datetime.combine(deadline.last_day, deadline.rule.until)


@given(instants, calendars, st.dates(date(2024, 1, 1), date(2030, 12, 31)))
def test_a_new_holiday_makes_no_limit_earlier(received_at: datetime, calendar: str, day: date) -> None:
    before = owed(received_at, calendar)
    after = owed(received_at, calendar, with_holiday(rulebook(), calendar, day))
    for obligation, deadline in before.items():
        assert deadline.limit_at <= after[obligation].limit_at
        assert obligation in BY_BUSINESS_DAYS or deadline.limit_at == after[obligation].limit_at


@given(instants, calendars)
def test_computing_again_changes_nothing(received_at: datetime, calendar: str) -> None:
    of = receipt(received_at, calendar)
    assert deadlines(rulebook(), of) == deadlines(replace(rulebook()), of)


@given(instants, instants, calendars)
def test_what_was_received_later_is_owed_no_earlier(one: datetime, other: datetime, calendar: str) -> None:
    earlier, later = owed(min(one, other), calendar), owed(max(one, other), calendar)
    assert all(earlier[obligation].limit_at <= later[obligation].limit_at for obligation in earlier)


@given(instants, calendars)
def test_every_deadline_comes_after_its_receipt_and_the_weeks_in_order(received_at: datetime, calendar: str) -> None:
    limits = [deadline.limit_at for deadline in owed(received_at, calendar).values()]
    assert received_at < limits[0]
    assert limits == sorted(limits)


@given(instants, calendars)
def test_an_explanation_accounts_for_every_day_counted(received_at: datetime, calendar: str) -> None:
    for obligation in BY_BUSINESS_DAYS:
        deadline = owed(received_at, calendar)[obligation]
        assert deadline.rule.business_days is not None
        days = (deadline.last_day - deadline.day0).days
        assert days == deadline.rule.business_days + len(deadline.not_counted)
        assert "\n" not in explanation(deadline)


@given(instants, calendars)
def test_every_deadline_can_be_written_as_json(received_at: datetime, calendar: str) -> None:
    of = receipt(received_at, calendar)
    text = json.dumps(document(of, deadlines(rulebook(), of)))
    limits = [datetime.fromisoformat(each["limit_at"]) for each in json.loads(text)["deadlines"]]
    assert limits == [each.limit_at for each in deadlines(rulebook(), of)]
