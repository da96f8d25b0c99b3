"""A TOML file of who may send us what: read whole, or refused by field and rule, and never by a value of it."""

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from services.runtime.settings import SettingsError

Entries = TypeVar("Entries", bound=BaseModel)


def read(path: Path, setting: str, model: type[Entries]) -> Entries:
    """`setting`: what names the file. Raises `SettingsError`."""
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        problems = [f"cannot be read ({error.strerror})"]
    except UnicodeDecodeError:
        problems = ["is not UTF-8"]
    except tomllib.TOMLDecodeError as error:
        problems = [f"is not TOML ({_position(error)})"]
    except ValidationError as error:
        problems = [_sentence(dict(problem)) for problem in error.errors(include_input=False)]
    raise refusal(setting, *problems)


def refusal(setting: str, *problems: str) -> SettingsError:
    return SettingsError("auth-events", [f"{setting}: {problem}" for problem in problems])


def _position(error: tomllib.TOMLDecodeError) -> str:
    """Where, without what: the message quotes the file."""
    found = re.search(r"at (line [0-9]+, column [0-9]+|end of document)\)$", str(error))
    return found[0].rstrip(")") if found else "syntax"


def _sentence(problem: dict[str, Any]) -> str:
    path = ".".join(str(part) for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{path}: {message}" if path else message
