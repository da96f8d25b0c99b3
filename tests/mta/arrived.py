"""A mail as it lies in a mailbox, read with Python's own parser as a mail program would read it."""

import email
import re
from dataclasses import dataclass
from email.policy import default
from functools import cached_property
from io import BytesIO
from typing import cast

from pypdf import PdfReader

from tests.support.pages import Page

_SPACES = re.compile(r"[\s\u00a0\u202f\u2009]+")
_PLAINER = str.maketrans({"\u2019": "'", "\u2018": "'", "\u2011": "-", "\u00ad": None, "\u200c": None, "\u034f": None})


def plain(text: str) -> str:
    """On one line, with plain apostrophes, hyphens and spaces."""
    return _SPACES.sub(" ", text.translate(_PLAINER)).strip()


@dataclass(frozen=True)
class File:
    """What is attached."""

    name: str
    type: str
    content: bytes

    @cached_property
    def pages(self) -> list[str]:
        return [plain(page.extract_text()) for page in PdfReader(BytesIO(self.content)).pages]

    @property
    def text(self) -> str:
        return " ".join(self.pages)


class Arrived:
    """One mail; `raw` is what Postfix wrote, with its own trace before ours."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.message = email.message_from_bytes(raw, policy=default)

    @property
    def shape(self) -> list[str]:
        return [part.get_content_type() for part in self.message.walk()]

    @cached_property
    def text(self) -> str:
        """What a reader without HTML sees, its line ends kept."""
        return self._body("plain")

    @cached_property
    def page(self) -> Page:
        return Page(self._body("html"))

    @cached_property
    def plain_text(self) -> str:
        return plain(self.text)

    @cached_property
    def plain_page(self) -> str:
        return plain(self.page.text)

    def _body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part is not None, f"no text/{kind}"
        content = part.get_content()
        assert isinstance(content, str)
        return content

    @cached_property
    def files(self) -> list[File]:
        return [
            File(part.get_filename() or "", part.get_content_type(), cast("bytes", part.get_content()))
            for part in self.message.iter_attachments()
        ]

    @property
    def own(self) -> bytes:
        """Without the lines that Postfix put before ours."""
        return self.raw[self.raw.index(b"\nFrom:") + 1 :]

    @property
    def defects(self) -> list[str]:
        """Of every part and every header, as the parser names them."""
        parts = list(self.message.walk())
        return [
            *(repr(defect) for part in parts for defect in part.defects),
            *(f"{name}: {defect!r}" for part in parts for name, value in part.items() for defect in value.defects),
        ]
