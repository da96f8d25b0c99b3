"""Licences, rules and calendars as one, complete and without contradiction, or refused."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

from services.complaint_sla.calendars import CalendarVersion, load_newest
from services.complaint_sla.licences import Licence, load_licences
from services.complaint_sla.reasons import Reasons, load_reasons
from services.complaint_sla.rules import CATEGORY, Rule, Rules, load_rules
from services.complaint_sla.tables import DataError

DEFAULT_OBLIGATIONS = frozenset(
    {"summary-resolution", "summary-letter", "acknowledgement", "decision-or-holding", "final-response"}
)
"""The default procedure: each licence owes all of it, on every day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """All that a deadline follows from. Raises `DataError` when it does not hold together."""

    licences: Mapping[str, Licence]
    rules: Rules
    calendars: CalendarVersion
    reasons: Reasons = field(default_factory=Reasons)

    def __post_init__(self) -> None:
        problems = [*self._licence_problems(), *self._rule_problems()]
        if problems:
            raise DataError(problems)

    def rows(self, licence: str, category: str) -> list[Rule]:
        """Of every obligation and day; in the file's order."""
        return [rule for rule in self.rules.rule if licence in rule.licences and rule.category == category]

    @property
    def windows(self) -> list[str]:
        """Obligations that are none: what may be used, and nothing is missed when it closes."""
        return sorted({rule.obligation for rule in self.rules.rule if rule.optional})

    @property
    def versions(self) -> tuple[str, str]:
        """Of the rules and of the calendars: what was computed under others is computed again."""
        return self.rules.version, self.calendars.version

    def zone_of(self, licence: str | None) -> str:
        """Its time zone; UTC where no licence of ours covers it."""
        found = self.licences.get(licence or "")
        return found.zone if found else "UTC"

    def doubts(self) -> Iterator[str]:
        """What a person has to settle, a sentence each."""
        for licence in self.licences.values():
            yield from licence.doubts()
            if self.reasons.of(licence.id) is None:
                yield f"{licence.id}: no general reason is approved: letters at week 8 wait for delay-explained"

    def _licence_problems(self) -> Iterator[str]:
        for id_, licence in self.licences.items():
            for calendar in (licence.calendar, *licence.other_calendars):
                if calendar not in self.calendars.calendars:
                    yield f"{id_}.toml: calendar: {self.calendars.version} has no calendar {calendar}"
            if licence.zone not in self.calendars.zones:
                yield f"{id_}.toml: zone: {self.calendars.version} was made without {licence.zone}"

    def _rule_problems(self) -> Iterator[str]:
        for reason in self.reasons.reason:
            for licence in sorted(set(reason.licences) - self.licences.keys()):
                yield f"general_reasons.toml: licences: there is no licence {licence}"
        for rule in self.rules.rule:
            for licence in sorted(set(rule.licences) - self.licences.keys()):
                yield f"rules.toml: {rule.obligation}.licences: there is no licence {licence}"
        for licence in self.licences:
            for category in sorted(
                {rule.category for rule in self.rules.rule if licence in rule.licences} | {CATEGORY}
            ):
                yield from self._gaps(licence, category)

    def _gaps(self, licence: str, category: str) -> Iterator[str]:
        rows = self.rows(licence, category)
        needed = DEFAULT_OBLIGATIONS if category == CATEGORY else frozenset()
        for obligation in sorted({rule.obligation for rule in rows} | needed):
            where = f"rules.toml: {obligation} of {licence}, category {category}"
            found = sorted((rule for rule in rows if rule.obligation == obligation), key=lambda rule: rule.valid_from)
            yield from (f"{where}: {problem}" for problem in _gaps_between(found, self.calendars.first_day))


def _gaps_between(rows: list[Rule], first_day: date) -> Iterator[str]:
    if not rows:
        yield "there is no row"
        return
    if rows[0].valid_from > first_day:
        yield f"valid_from: no row applies from {first_day} to {rows[0].valid_from - timedelta(days=1)}"
    for earlier, later in pairwise(rows):
        if earlier.valid_to is None or earlier.valid_to >= later.valid_from:
            yield f"valid_to: two rows apply on {later.valid_from}"
        elif earlier.valid_to + timedelta(days=1) != later.valid_from:
            yield f"valid_to: no row applies on {earlier.valid_to + timedelta(days=1)}"
    if rows[-1].valid_to is not None:
        yield f"valid_to: no row applies after {rows[-1].valid_to}"


def load_rulebook() -> Rulebook:
    """From the files beside the code, with the newest calendar version. Raises `DataError`."""
    return Rulebook(licences=load_licences(), rules=load_rules(), calendars=load_newest(), reasons=load_reasons())
