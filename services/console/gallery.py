"""The gallery that `member-notices preview --out` wrote: every notice as it is sent, from the contract's examples.

Read from its folder and never made here: the console does not know how a message is composed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

LIST = "messages.json"
DOUBTS = "doubts.json"


class GalleryError(Exception):
    """There is none to show. Says how to make it."""


@dataclass(frozen=True, slots=True)
class Message:
    """As the list has it. `page`: the mail's file in the folder, None for an SMS."""

    notice: str
    brand: str
    locale: str
    variant: str
    subject: str
    page: str | None
    text: str
    attached: Sequence[str]
    sms: dict[str, Any] | None
    portal: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class Doubt:
    """A fact of a brand on which sources disagree: what is said of it, and what else was found."""

    brand: str
    doubt: str


class Gallery:
    """`folder`: None where no setting names one."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._read: tuple[int, Sequence[Message]] | None = None

    def messages(self) -> Sequence[Message]:
        """In the order of the list, which is the catalogue's; read anew when it was written anew.

        Raises `GalleryError`.
        """
        if self._folder is None:
            raise GalleryError("CONSOLE_GALLERY_DIR names no folder.")
        try:
            written = (self._folder / LIST).stat().st_mtime_ns
            if self._read is None or self._read[0] != written:
                self._read = (written, _messages((self._folder / LIST).read_text("utf-8")))
        except FileNotFoundError:
            raise GalleryError("The folder that CONSOLE_GALLERY_DIR names has none yet.") from None
        except (OSError, ValueError, KeyError, TypeError):
            raise GalleryError(
                "What CONSOLE_GALLERY_DIR names is no gallery of this version, or not all of it."
            ) from None
        return self._read[1]

    def doubts(self) -> Sequence[Doubt] | None:
        """None: there is no gallery of this version to say."""
        if self._folder is None:
            return None
        try:
            listed = json.loads((self._folder / DOUBTS).read_text("utf-8"))
            return [Doubt(entry["brand"], entry["doubt"]) for entry in listed]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def mail(self, name: str) -> str | None:
        """The HTML of a mail that the list names; None: it names none such. Raises `GalleryError`."""
        known = {message.page for message in self.messages()}
        if self._folder is None or name not in known:
            return None
        try:
            return (self._folder / name).read_text("utf-8")
        except (OSError, ValueError):
            raise GalleryError("A mail of the gallery is not there; it was not written to its end.") from None


def _messages(text: str) -> Sequence[Message]:
    """What a later version adds is left out. Raises `ValueError`, `KeyError`, `TypeError`."""
    names = [field.name for field in fields(Message)]
    return [Message(**{name: entry[name] for name in names}) for entry in json.loads(text)]
