"""The HTML of a letter's body → blocks that can be set on paper. PURE.

The body is what `markup` wrote and Jinja filled in, so the printed letter says what the e-mailed one says. What follows
the rule is about e-mail, and is not printed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Literal

Kind = Literal["title", "heading", "note", "text", "item", "label", "value"]
Piece = tuple[str, bool]
"""Text without white space, and whether it is bold."""
Word = tuple[Piece, ...]
"""What no line break comes into."""

_KINDS: dict[str, Kind] = {
    "h1": "title",
    "h2": "heading",
    "h3": "note",
    "p": "text",
    "li": "item",
    "th": "label",
    "td": "value",
}
_SPACE = re.compile(r"([ \t\r\n]+)")
"""Not the no-break space."""


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph, list item, or cell of a table of facts. `boxed`: within a highlighted box."""

    kind: Kind
    words: tuple[Word, ...]
    boxed: bool = False

    @property
    def text(self) -> str:
        return " ".join("".join(text for text, _ in word) for word in self.words)


def blocks(html: str) -> tuple[Block, ...]:
    """In reading order, down to the rule. Raises nothing: what `markup` never writes is passed over."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return tuple(reader.found)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Block] = []
        self._tables: list[str] = []
        """Classes of the tables we are in."""
        self._kind: Kind | None = None
        self._runs: list[Piece] = []
        self._bold = 0
        self._ended = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name = dict(attrs).get("class") or ""
        if name == "aside":
            self._ended = True
        if tag == "table":
            self._tables.append(name)
        elif tag == "br":
            self._runs.append((" ", False))
        elif tag == "strong":
            self._bold += 1
        elif tag in _KINDS and (tag not in {"td", "th"} or self._tables[-1:] == ["facts"]):
            self._kind, self._runs = _KINDS[tag], []

    def handle_endtag(self, tag: str) -> None:
        if tag == "table" and self._tables:
            self._tables.pop()
        elif tag == "strong":
            self._bold -= 1
        elif self._kind is not None and _KINDS.get(tag) == self._kind:
            words = tuple(_words(self._runs))
            if words and not self._ended:
                self.found.append(Block(self._kind, words, boxed="callout" in self._tables))
            self._kind = None

    def handle_data(self, data: str) -> None:
        if self._kind is not None:
            self._runs.append((data, self._bold > 0))


def _words(runs: list[Piece]) -> Iterator[Word]:
    word: list[Piece] = []
    for text, bold in runs:
        for part in _SPACE.split(text):
            if not part:
                continue
            if not _SPACE.fullmatch(part):
                word.append((part, bold))
            elif word:
                yield tuple(word)
                word = []
    if word:
        yield tuple(word)
