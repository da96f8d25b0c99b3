"""Data files of this service, TOML beside the code: read and checked as a whole, refused by file, field and rule."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

DATA = Path(__file__).parent / "data"

Line = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")]


class DataError(ValueError):
    """Data that cannot be used: each problem names file, field and rule."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


class Row(BaseModel):
    """Base of everything read from a data file: frozen, and a field nobody knows is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


R = TypeVar("R", bound=Row)


def read(path: Path, model: type[R], **given: Any) -> R:
    """The file as `model`; `given` are fields that the place of the file says. Raises `DataError`."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError([f"{path.name}: {error}"]) from None
    try:
        return model.model_validate(content | given)
    except ValidationError as error:
        raise DataError([f"{path.name}: {_told(problem)}" for problem in error.errors(include_url=False)]) from None


def _told(problem: Any) -> str:
    field = ".".join(str(part) for part in problem["loc"])
    return f"{field}: {problem['msg']}" if field else problem["msg"]
