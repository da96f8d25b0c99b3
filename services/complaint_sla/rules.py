"""What complaints are owed, as rows: `data/rules.toml`."""

from datetime import date, time
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.complaints import Letter
from schemas.types import Slug
from services.complaint_sla.tables import DATA, Line, Row, read

PATH = DATA / "rules.toml"
CATEGORY = "complaint"
"""The default procedure, which every licence has."""

BusinessDays = Annotated[int, Field(ge=1, le=60)]
MetBy = Literal["resolution", "written-acceptance"] | Letter


class LetterPlan(Row):
    """The letter that the service sends itself: so long after the start, or at a local time on the `send_by` day."""

    name: Letter
    after_minutes: int | None = Field(default=None, ge=0, le=24 * 60)
    on_send_by_at: time | None = None
    edition: Slug
    """Of its prescribed wording."""

    @model_validator(mode="after")
    def _has_one_time(self) -> Self:
        if (self.after_minutes is None) == (self.on_send_by_at is None):
            raise PydanticCustomError("letter_time", "a letter has either after_minutes or on_send_by_at")
        return self


class Rule(Row):
    """One obligation under one or more licences, for complaints received from `valid_from` to `valid_to`."""

    obligation: Slug
    optional: bool = False
    """A window that may be used, no duty: when it closes nothing is missed."""
    licences: tuple[Slug, ...] = Field(min_length=1)
    category: Slug = CATEGORY
    valid_from: date
    valid_to: date | None = None
    starts: Literal["receipt", "resolution"] = "receipt"
    business_days: BusinessDays | None = None
    weeks: int | None = Field(default=None, ge=1, le=52)
    until: time | None = None
    met_by: tuple[MetBy, ...] = Field(min_length=1)
    letter: LetterPlan | None = None
    alert_days_before: tuple[BusinessDays, ...] = ()
    delay_alert_days_before: tuple[BusinessDays, ...] = ()
    """On these the handler is told as long as nobody has explained the delay."""
    source: Literal["regulation", "own-procedure", "sector-code"]
    reference: Line

    @model_validator(mode="after")
    def _has_one_limit(self) -> Self:
        if (self.business_days is None) == (self.weeks is None):
            raise PydanticCustomError("limit", "a limit is either business_days or weeks")
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise PydanticCustomError("validity", "valid_to is before valid_from")
        if self.letter is not None and self.letter.name not in self.met_by:
            raise PydanticCustomError("letter_in_vain", "the letter is not among what meets the obligation")
        return self

    def applies_on(self, day0: date) -> bool:
        return self.valid_from <= day0 and (self.valid_to is None or day0 <= self.valid_to)


class Rules(Row):
    """All rows of one version."""

    version: Line
    alerts_at: time
    """Local time of day at which handlers are told, and their work begins."""
    work_ends_at: time
    """Local time of day; what happens later, or on a day off, they are told on the next business day."""
    rule: tuple[Rule, ...] = Field(min_length=1)


def load_rules(path: Path = PATH) -> Rules:
    """Raises `DataError`. Whether the rows are complete and agree is `rulebook.py`'s to say."""
    return read(path, Rules)
