"""The licences complaints fall under: `data/licences/<id>.toml`, one file each.

Zone and calendar count the days; the ombudsman's row is what letters say. Every fact names its source and the day
somebody checked it. Where sources disagree the insurer's own text is used, and the other one is a flag for a person.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import Field, StrictBool, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from schemas.complaints import NOT_COVERED, Letter, Texts
from schemas.types import Email, Slug
from services.complaint_sla import zones
from services.complaint_sla.tables import DATA, DataError, Line, Row, read

FOLDER = DATA / "licences"

V = TypeVar("V")


class Source(Row):
    """Where facts come from, and when somebody last looked."""

    title: Line
    checked_on: date


class Fact(Row, Generic[V]):
    """A value and its source; `other` is what another source says instead."""

    value: V
    source: Slug
    other: Line | None = None
    other_source: Slug | None = None

    @model_validator(mode="after")
    def _a_doubt_is_explained(self) -> Self:
        if (self.other is None) != (self.other_source is None):
            raise PydanticCustomError("other_source", "other comes with other_source, which says who prints it")
        return self


class PhoneFact(Fact[Line]):
    where: Literal["at-home", "from-abroad"] | None = None


class Ombudsman(Row):
    """What a letter says about the ombudsman. An absent field leaves its sentence out."""

    name: Fact[Line]
    address: Fact[Line] | None = None
    email: Fact[Email] | None = None
    website: Fact[Line] | None = None
    phones: tuple[PhoneFact, ...] = ()
    refer_within_months: Fact[Annotated[int, Field(ge=1, le=60)]] | None = None
    """Counted from the final response or the summary letter being sent."""
    refer_is_conditional: Fact[StrictBool] | None = None
    approach_without_answer: Fact[Annotated[str, StringConstraints(pattern=r"^P[1-9][0-9]?[WM]$")]] | None = None
    """How long after receipt it may be approached although no answer came: ISO 8601, weeks or months."""
    binds: Fact[Literal["firm", "nobody"]] | None = None
    """Whom its decision binds."""

    @model_validator(mode="after")
    def _a_condition_has_a_time(self) -> Self:
        if (self.refer_within_months is None) != (self.refer_is_conditional is None):
            raise PydanticCustomError("refer", "refer_within_months and refer_is_conditional come together")
        return self


class Prescribed(Row):
    """Wording that a regulator prescribes, verbatim and not ours to put otherwise."""

    letters: tuple[Letter, ...] = Field(min_length=1)
    source: Slug
    approved_by: Line | None = None
    """Who has compared it with the regulator's text. Without it nothing of it is sent."""
    text: Texts


class Licence(Row):
    """One licence, whole."""

    id: Slug
    zone: str
    """IANA name; day 0 is the local date of receipt there."""
    calendar: Slug
    other_calendars: tuple[Slug, ...] = ()
    """Those that a policy may name instead."""
    acceptance_required: Fact[StrictBool]
    """Whether a summary resolution counts only once the complainant has accepted it."""
    sources: dict[Slug, Source] = Field(min_length=1)
    ombudsman: Ombudsman
    prescribed: tuple[Prescribed, ...] = ()
    wording_lacks: tuple[Letter, ...] = ()
    """Letters for which a regulator prescribes wording that nobody has put here yet."""

    @field_validator("id")
    @classmethod
    def _is_a_licence(cls, value: str) -> str:
        if value == NOT_COVERED:
            raise PydanticCustomError("not_covered", "this name means that no licence covers the complaint")
        return value

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        zones.zone(value)
        return value

    @model_validator(mode="after")
    def _sources_are_known(self) -> Self:
        for path, fact in self._facts():
            for source in (fact.source, fact.other_source):
                if source is not None and source not in self.sources:
                    raise PydanticCustomError(
                        "source_unknown", "{path}: no source {source}", {"path": path, "source": source}
                    )
        return self

    def doubts(self) -> Iterator[str]:
        """What a person has to settle, a sentence each: for start-up and the console."""
        for path, fact in self._facts():
            if fact.other is not None:
                other = self.sources[fact.other_source or ""].title
                yield f"{self.id}.{path}: {fact.value!r} is used; {fact.other!r} says: {other}"
        for wording in self.prescribed:
            if wording.approved_by is None:
                yield f"{self.id}.prescribed: the wording for {', '.join(wording.letters)} is not approved, so not sent"
        for letter in self.wording_lacks:
            yield f"{self.id}.prescribed: a regulator prescribes wording for {letter}, and it is not here"

    def prescribed_for(self, letter: Letter) -> Texts | None:
        """The approved wording, if there is any."""
        found = (each.text for each in self.prescribed if letter in each.letters and each.approved_by is not None)
        return next(found, None)

    def _facts(self) -> Iterator[tuple[str, Fact[object]]]:
        for name in type(self).model_fields:
            yield from _facts_in(name, getattr(self, name))


def _facts_in(path: str, value: object) -> Iterator[tuple[str, Fact[object]]]:
    if isinstance(value, Fact):
        yield path, value
    elif isinstance(value, Row):
        for name in type(value).model_fields:
            yield from _facts_in(f"{path}.{name}", getattr(value, name))
    elif isinstance(value, tuple):
        for inner in value:
            yield from _facts_in(path, inner)


def load_licences(folder: Path = FOLDER) -> dict[str, Licence]:
    """By id. Raises `DataError` with every problem of every file."""
    loaded: dict[str, Licence] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            loaded[path.stem] = read(path, Licence, id=path.stem)
        except DataError as error:
            problems += error.problems
    if problems or not loaded:
        raise DataError(problems or [f"{folder.name}: no licence"])
    return loaded
