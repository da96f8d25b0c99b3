"""What an explanation letter says when nobody has given a reason: `data/general_reasons.toml`."""

from pathlib import Path

from pydantic import Field

from schemas.complaints import Texts
from schemas.types import Slug
from services.complaint_sla.tables import DATA, Line, Row, read

PATH = DATA / "general_reasons.toml"


class Reason(Row):
    """One approved text, for some licences."""

    licences: tuple[Slug, ...] = Field(min_length=1)
    approved_by: Line
    text: Texts


class Reasons(Row):
    reason: tuple[Reason, ...] = ()

    def of(self, licence: str) -> Texts | None:
        """None: letters of this licence wait until somebody explains the delay."""
        return next((each.text for each in self.reason if licence in each.licences), None)


def load_reasons(path: Path = PATH) -> Reasons:
    """Raises `DataError`."""
    return read(path, Reasons)
