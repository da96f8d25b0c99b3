"""Receipts and rulebooks for tests of complaint deadlines."""

from dataclasses import replace
from datetime import date, datetime
from functools import cache

from services.complaint_sla.calendars import Day
from services.complaint_sla.procedure import Deadline, Receipt, deadlines
from services.complaint_sla.rulebook import Rulebook, load_rulebook

LICENCE_OF = {
    "england": "uk",
    "scotland": "uk",
    "northern-ireland": "uk",
    "belgium": "be",
    "jersey": "je",
    "guernsey": "gg",
}
"""Every calendar, and the licence that counts by it."""


@cache
def rulebook() -> Rulebook:
    """The one that runs; frozen, so shared."""
    return load_rulebook()


def receipt(received_at: str | datetime, calendar: str = "england") -> Receipt:
    if isinstance(received_at, str):
        received_at = datetime.fromisoformat(received_at)
    return Receipt(received_at=received_at, licence=LICENCE_OF[calendar], calendar=calendar)


def owed(received_at: str | datetime, calendar: str = "england", book: Rulebook | None = None) -> dict[str, Deadline]:
    """By obligation."""
    return {each.obligation: each for each in deadlines(book or rulebook(), receipt(received_at, calendar))}


def with_holiday(book: Rulebook, calendar: str, day: date) -> Rulebook:
    """The same with one more day off."""
    days = {**book.calendars.calendars[calendar], day: Day(name="Proclaimed", source="override")}
    calendars = {**book.calendars.calendars, calendar: days}
    return replace(book, calendars=book.calendars.model_copy(update={"calendars": calendars, "_built": {}}))
