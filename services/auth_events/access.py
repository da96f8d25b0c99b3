"""How long a former member may use the portal, and when that is said. PURE.

Days. Coverage ends with its last day, `ended_on`. The portal stays open through the same day 24 months later; where
that month has no such day (only 29 February), through the month's last.

Instants. Days are Brussels days, for both insurers sit there; mail leaves at nine in the morning, summer and winter.
The first notice is due at once, and for a coverage whose last day is still to come at 09:00 of the day after, when it
is true. The reminder is due at 09:00 on the 30th day before access ends.

Which of two events holds. The later `time`, in whatever order they arrive. At the same time a reinstatement holds
against an end, for both together say covered throughout; of two alike the one with the larger (id, source), so that
every order of arrival ends in the same state. An end with the date that is known already says nothing new.
"""

import calendar
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from schemas.envelope import Event, EventError, new_event
from schemas.members import CoverageEndedV1, CoverageReinstatedV1, PortalAccessEndingV1
from schemas.types import LATEST, Data

SOURCE = "urn:member-notices:auth-events"
NOTICE = "members.portal-access-ending.v1"
ZONE = ZoneInfo("Europe/Brussels")
MORNING = time(9)
ACCESS_MONTHS = 24
REMINDER_DAYS = 30
AHEAD = timedelta(minutes=5)
"""How far in the future a producer's or a provider's clock may be."""
KEPT = timedelta(days=130)
"""How long what was heard of a member outlives its use: as long as the notifier remembers an event."""

Result = Literal["started", "replaced", "confirmed", "cancelled", "covered", "past", "older", "duplicate"]
Which = Literal["first", "reminder"]
Fired = Literal[Which, "missed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one event says of a member's coverage."""

    member: str
    time: datetime
    source: str
    id: str
    ended_on: date | None
    """None: reinstated."""

    @property
    def rank(self) -> tuple[datetime, bool, str, str]:
        """Of two, the larger holds."""
        return self.time, self.ended_on is None, self.id, self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What is known of one member, and what is said next."""

    newest: Heard
    cause: tuple[str, str] | None = None
    """(source, id) of the event that began this end of coverage: what is said gets its ids from it."""
    access_ends_on: date | None = None
    """Fixed when it began: what was once said to the member stays."""
    told_at: datetime | None = None
    reminded_at: datetime | None = None
    due_at: datetime | None = None
    """When the next notice is due; None: there is none."""


def heard_of(event: Event[Data]) -> Heard | None:
    """None: not about coverage. Raises `EventError`: 24 months on is a day that the contract cannot say."""
    ended_on: date | None
    match event.data:
        case CoverageEndedV1(ended_on=last_day):
            if access_end(last_day) >= LATEST.date():
                raise EventError("data-invalid", "data.ended_on", "24 months later must be before 2100")
            ended_on = last_day
        case CoverageReinstatedV1():
            ended_on = None
        case _:
            return None
    return Heard(member=event.subject, time=event.time, source=event.source, id=event.id, ended_on=ended_on)


def hear(before: Access | None, heard: Heard, now: datetime) -> tuple[Access, Result]:
    """Raises `EventError` `id-reused`. `now` and every instant of the result are UTC."""
    if before is None:
        return _begun(heard, now, "started") if heard.ended_on else (Access(newest=heard), "covered")
    _refuse_reused(before, heard)
    if heard.rank <= before.newest.rank:
        return before, "duplicate" if heard == before.newest else "older"
    if heard.ended_on is None:
        return Access(newest=heard), "covered" if before.due_at is None else "cancelled"
    if heard.ended_on == before.newest.ended_on:
        return replace(before, newest=heard), "confirmed"
    return _begun(heard, now, "started" if before.due_at is None else "replaced")


def fire(access: Access, now: datetime) -> tuple[Access, Event[Data] | None, Fired]:
    """What is due now; None and `missed`: nobody came by until access was over. Only for one that has a `due_at`.

    The event's time is `now`: a notice lives seven days from it, also one that is late. Whoever commits the result with
    the event makes both happen once.
    """
    if access.access_ends_on is None or access.cause is None or access.newest.ended_on is None:
        raise ValueError("a covered member has no timer")
    if _day(now) > access.access_ends_on:
        return replace(access, due_at=None), None, "missed"
    fired: Which = "first" if access.told_at is None else "reminder"
    event = new_event(
        source=SOURCE,
        id=notice_id(*access.cause, fired),
        type=NOTICE,
        subject=access.newest.member,
        time=now,
        data=PortalAccessEndingV1(
            coverage_ended_on=access.newest.ended_on,
            access_ends_on=access.access_ends_on,
            reminder=fired == "reminder",
        ),
    )
    if fired == "reminder":
        return replace(access, due_at=None, reminded_at=now), event, fired
    at = reminder_at(access.access_ends_on)
    # A first notice within the last 30 days says it all; a reminder beside it would say it twice.
    return replace(access, due_at=at if at > now else None, told_at=now), event, fired


def access_end(ended_on: date) -> date:
    """The last day on which the portal is open."""
    months = ended_on.month - 1 + ACCESS_MONTHS
    year, month = ended_on.year + months // 12, months % 12 + 1
    return date(year, month, min(ended_on.day, calendar.monthrange(year, month)[1]))


def reminder_at(access_ends_on: date) -> datetime:
    return _morning(access_ends_on - timedelta(days=REMINDER_DAYS))


def first_at(ended_on: date, now: datetime) -> datetime:
    return now if ended_on <= _day(now) else _morning(ended_on + timedelta(days=1))


def forget_at(access: Access, now: datetime) -> datetime:
    """When no event that may still come again could start anything that was over."""
    if access.access_ends_on is None:
        return now + KEPT
    return max(now, datetime.combine(access.access_ends_on, time(), UTC)) + KEPT


def notice_id(source: str, id: str, which: Which) -> str:
    """One cause, two ids, whoever makes them and however often. NUL is in no source and no id."""
    digest = hashlib.sha256(f"{source}\0{id}".encode()).hexdigest()
    return f"portal-access/{digest[:32]}/{which}"


def _begun(heard: Heard, now: datetime, result: Result) -> tuple[Access, Result]:
    if heard.ended_on is None:
        raise ValueError("a reinstatement ends no access")
    ends_on = access_end(heard.ended_on)
    access = Access(newest=heard, cause=(heard.source, heard.id), access_ends_on=ends_on)
    if _day(now) > ends_on:
        return access, "past"
    return replace(access, due_at=first_at(heard.ended_on, now)), result


def _refuse_reused(before: Access, heard: Heard) -> None:
    """Only what is still known can be compared; the notifier remembers every id on the topic."""
    name = (heard.source, heard.id)
    newest = before.newest
    same_name = name == (newest.source, newest.id)
    if (same_name and heard != newest) or (name == before.cause and heard.rank > newest.rank):
        raise EventError("id-reused", "id")


def _day(at: datetime) -> date:
    return at.astimezone(ZONE).date()


def _morning(day: date) -> datetime:
    """No zone change falls on nine in the morning there: it exists, once."""
    return datetime.combine(day, MORNING, ZONE).astimezone(UTC)
