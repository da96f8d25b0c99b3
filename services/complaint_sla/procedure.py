"""PURE: a receipt and the rulebook → what is owed, and by when. Nothing here knows what time it is.

Day 0 is the local date of receipt in the licence's zone; it is excluded, whatever day it is. A limit is exclusive: the
instant that ends the last day (local midnight) or the time of day the rule names. Met is what was sent before it.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from schemas.complaints import NOT_COVERED, ReceivedV1
from services.complaint_sla.calendars import Calendar, CalendarError, NotCounted, add_months
from services.complaint_sla.licences import Licence
from services.complaint_sla.rulebook import Rulebook
from services.complaint_sla.rules import CATEGORY, Rule
from services.complaint_sla.zones import at, midnight, zone


class ProcedureError(ValueError):
    """No deadline can be computed, and none is guessed. `code` says why, `field` of the event where it comes from:

    time-without-zone, licence-unknown, licence-not-covered, calendar-unknown, category-unknown, calendar-ends,
    received-ahead
    """

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(text)

    @property
    def field(self) -> str:
        """Of the event's data."""
        return _FIELDS[self.code]


_FIELDS = {
    "time-without-zone": "data.received_at",
    "licence-unknown": "data.licence",
    "licence-not-covered": "data.licence",
    "calendar-unknown": "data.calendar",
    "category-unknown": "data.category",
    "calendar-ends": "data.received_at",
    "received-ahead": "data.received_at",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What deadlines are counted from. `calendar` is the one that the policy names, if any."""

    received_at: datetime
    licence: str
    calendar: str | None = None
    category: str = CATEGORY


def receipt_of(received: ReceivedV1) -> Receipt:
    return Receipt(
        received_at=received.received_at,
        licence=received.licence,
        calendar=received.calendar,
        category=received.category,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """One obligation with its limit, and what it was counted with. Instants are UTC, days those of `zone`."""

    rule: Rule
    licence: str
    zone: str
    calendar: str
    rules_version: str
    calendar_version: str
    started_at: datetime
    acceptance_required: bool
    """Whether a resolution counts only once the complainant has accepted it."""
    day0: date
    not_counted: tuple[NotCounted, ...]
    """Days passed over; none where calendar weeks are counted."""
    last_day: date
    limit_at: datetime
    """Exclusive."""
    send_by: date
    """The last business day that is in time."""
    letter_at: datetime | None
    """When the service sends its own letter."""
    alerts_at: tuple[datetime, ...]
    delay_alerts_at: tuple[datetime, ...]

    @property
    def obligation(self) -> str:
        return self.rule.obligation

    def is_met_at(self, sent_at: datetime) -> bool:
        """Whether what was handed over at this instant was in time."""
        return sent_at < self.limit_at


def deadlines(rulebook: Rulebook, receipt: Receipt) -> tuple[Deadline, ...]:
    """All that is owed from receipt on, in the rulebook's order. Raises `ProcedureError`."""
    return _computed(rulebook, receipt, "receipt", receipt.received_at)


def deadlines_after_resolution(rulebook: Rulebook, receipt: Receipt, resolved_at: datetime) -> tuple[Deadline, ...]:
    """What a summary resolution brings with it, by the rules that the complaint was received under."""
    return _computed(rulebook, receipt, "resolution", resolved_at)


def day0(rulebook: Rulebook, received: ReceivedV1) -> date:
    """Local date of receipt in the licence's zone; in UTC where no licence covers it."""
    licence = rulebook.licences.get(received.licence)
    return received.received_at.astimezone(zone(licence.zone) if licence else UTC).date()


def business_days_later(rulebook: Rulebook, received: ReceivedV1, days: int) -> date:
    """The nth business day after day 0. Raises `ProcedureError`."""
    licence = _licence(rulebook, received.licence)
    try:
        return _calendar(rulebook, licence, received.calendar).after(day0(rulebook, received), days)[0]
    except CalendarError as error:
        raise ProcedureError("calendar-ends", str(error)) from None


def working_hour(rulebook: Rulebook, received: ReceivedV1, now: datetime) -> datetime | None:
    """When a handler is told of what happens now: None in working hours, else when the next ones begin.

    Where no licence covers the complaint, or nobody has approved the calendar's year yet, at once.
    """
    licence = rulebook.licences.get(received.licence)
    if licence is None:
        return None
    there = zone(licence.zone)
    local = now.astimezone(there)
    calendar = _calendar(rulebook, licence, received.calendar)
    begins, ends = rulebook.rules.alerts_at, rulebook.rules.work_ends_at
    try:
        works_today = calendar.is_business_day(local.date())
        if works_today and begins <= local.time() < ends:
            return None
        today_still = works_today and local.time() < begins
        return at(local.date() if today_still else calendar.after(local.date(), 1)[0], begins, there)
    except CalendarError:
        return None


def refer_until(licence: Licence, sent_at: datetime) -> date | None:
    """Last local day to refer a complaint to the ombudsman, once its final response or summary letter was sent."""
    months = licence.ombudsman.refer_within_months
    return None if months is None else add_months(sent_at.astimezone(zone(licence.zone)).date(), months.value)


def _computed(rulebook: Rulebook, receipt: Receipt, starts: str, started_at: datetime) -> tuple[Deadline, ...]:
    if receipt.received_at.tzinfo is None or started_at.tzinfo is None:
        raise ProcedureError("time-without-zone", "a time without its zone could be any of several instants")
    licence = _licence(rulebook, receipt.licence)
    calendar = _calendar(rulebook, licence, receipt.calendar)
    received_on = receipt.received_at.astimezone(zone(licence.zone)).date()
    rows = rulebook.rows(licence.id, receipt.category)
    if not rows:
        raise ProcedureError("category-unknown", f"licence {licence.id} has no rules for category {receipt.category}")
    try:
        calendar.not_counted(received_on)  # a receipt from before the first year has no rules either
        return tuple(
            _deadline(rulebook, licence, calendar, rule, started_at.astimezone(UTC))
            for rule in rows
            if rule.starts == starts and rule.applies_on(received_on)
        )
    except CalendarError as error:
        raise ProcedureError("calendar-ends", str(error)) from None


def _licence(rulebook: Rulebook, id_: str) -> Licence:
    if id_ == NOT_COVERED:
        raise ProcedureError("licence-not-covered", f"licence {id_} is covered by no procedure: it has no deadlines")
    try:
        return rulebook.licences[id_]
    except KeyError:
        known = ", ".join(rulebook.licences)
        raise ProcedureError("licence-unknown", f"there is no licence {id_}, only {known} and {NOT_COVERED}") from None


def _calendar(rulebook: Rulebook, licence: Licence, named: str | None) -> Calendar:
    choices = (licence.calendar, *licence.other_calendars)
    if named is not None and named not in choices:
        raise ProcedureError("calendar-unknown", f"licence {licence.id} counts by {' or '.join(choices)}, not {named}")
    return rulebook.calendars.calendar(named or licence.calendar)


def _deadline(rulebook: Rulebook, licence: Licence, calendar: Calendar, rule: Rule, started_at: datetime) -> Deadline:
    there = zone(licence.zone)
    day0 = started_at.astimezone(there).date()
    last_day, not_counted = _last_day(calendar, rule, day0)
    send_by = calendar.on_or_before(last_day)
    letter = rule.letter

    def alerts(days_before: tuple[int, ...]) -> tuple[datetime, ...]:
        return tuple(at(calendar.before(last_day, days), rulebook.rules.alerts_at, there) for days in days_before)

    letter_at = None
    if letter is not None and letter.on_send_by_at is not None:
        letter_at = at(send_by, letter.on_send_by_at, there)
    elif letter is not None and letter.after_minutes is not None:
        letter_at = started_at + timedelta(minutes=letter.after_minutes)
    return Deadline(
        rule=rule,
        licence=licence.id,
        zone=licence.zone,
        calendar=calendar.id,
        rules_version=rulebook.rules.version,
        calendar_version=calendar.version,
        started_at=started_at,
        acceptance_required=licence.acceptance_required.value and "resolution" in rule.met_by,
        day0=day0,
        not_counted=not_counted,
        last_day=last_day,
        limit_at=at(last_day, rule.until, there) if rule.until else midnight(last_day + timedelta(days=1), there),
        send_by=send_by,
        letter_at=letter_at,
        alerts_at=alerts(rule.alert_days_before),
        delay_alerts_at=alerts(rule.delay_alert_days_before),
    )


def _last_day(calendar: Calendar, rule: Rule, day0: date) -> tuple[date, tuple[NotCounted, ...]]:
    if rule.business_days is not None:
        return calendar.after(day0, rule.business_days)
    assert rule.weeks is not None, "a rule has one of the two"
    return day0 + timedelta(weeks=rule.weeks), ()
