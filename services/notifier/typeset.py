"""Words on a sheet of paper: broken into lines, in two weights of one typeface, marked for who listens.

What fpdf2 does not do itself: bold within a line that is measured as a whole, and tags for text.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import font_source_sans_pro
from fpdf import FPDF

from services.notifier.brands import Palette
from services.notifier.paper import Piece, Word

FONTS = Path(font_source_sans_pro.font_directory)
# It names the characters that a typeface lacks, and they are somebody's name.
logging.getLogger("fpdf.output").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Style:
    """Size in points, line height and space before in millimetres; the colour is one of the brand's."""

    size: float
    line: float
    before: float
    colour: str = "ink"
    bold: bool = False
    tag: str = "P"


class Typesetter(FPDF):
    """A4 in millimetres. What is put on it is within `tagged` or `artifact`, and breaks no page in there."""

    def __init__(self, palette: Palette) -> None:
        super().__init__(format="A4", unit="mm")
        self._palette = palette
        self.add_font("Letter", "", FONTS / "SourceSansPro-Regular.ttf")
        self.add_font("Letter", "B", FONTS / "SourceSansPro-Semibold.ttf")
        self.set_auto_page_break(auto=False)

    def broken(self, words: Sequence[Word], style: Style, width: float) -> Iterator[list[Word]]:
        """Into lines of at most `width`; a word that is wider is broken, too."""
        line: list[Word] = []
        used = 0.0
        self._pen(style, bold=style.bold)
        space = self.get_string_width(" ")
        for word in (part for whole in words for part in self._fitting(whole, style, width)):
            needed = self.measured(word, style)
            if line and used + space + needed > width:
                yield line
                line, used = [], 0.0
            used += needed + (space if line else 0)
            line.append(word)
        if line:
            yield line

    def _fitting(self, word: Word, style: Style, width: float) -> Iterator[Word]:
        if self.measured(word, style) <= width:
            yield word
            return
        for text, bold in word:
            part = ""
            for char in text:
                if part and self.measured(((part + char, bold),), style) > width:
                    yield ((part, bold),)
                    part = ""
                part += char
            yield ((part, bold),)

    def measured(self, word: Sequence[Piece], style: Style) -> float:
        total = 0.0
        for text, bold in word:
            self._pen(style, bold=bold or style.bold)
            total += self.get_string_width(text)
        return total

    def put(self, x: float, y: float, words: Sequence[Word], style: Style) -> None:
        """Neighbours of one weight as one string, so that a reader's copy has the spaces too."""
        runs: list[Piece] = []
        for number, word in enumerate(words):
            for piece, (text, bold) in enumerate(word):
                gap = " " if number and not piece else ""
                if runs and runs[-1][1] == bold:
                    runs[-1] = (runs[-1][0] + gap + text, bold)
                elif runs:
                    runs[-1] = (runs[-1][0] + gap, runs[-1][1])
                    runs.append((text, bold))
                else:
                    runs.append((text, bold))
        for text, bold in runs:
            self._pen(style, bold=bold or style.bold)
            self.text(x, y, text)
            x += self.get_string_width(text)

    def put_text(self, x: float, y: float, text: str, style: Style) -> None:
        self._pen(style, bold=style.bold)
        self.text(x, y, text)

    def _pen(self, style: Style, *, bold: bool) -> None:
        self.set_font("Letter", "B" if bold else "", style.size)
        self.set_text_color(getattr(self._palette, style.colour))

    # --- marks for who listens ----------------------------------------------------------------------------------------

    @contextmanager
    def tagged(self, tag: str) -> Iterator[None]:
        """fpdf2 itself marks figures and links only; these are its own means, with our tags."""
        mark = self.struct_builder.next_mcid_for_page(self.page)
        self._add_marked_content(struct_type=f"/{tag}", mcid=mark)
        self._out(f"/{tag} <</MCID {mark}>> BDC")
        yield
        self._out("EMC")

    @contextmanager
    def artifact(self) -> Iterator[None]:
        self._out("/Artifact BMC")
        yield
        self._out("EMC")


def plain(text: str) -> tuple[Word, ...]:
    """Text without emphasis as words."""
    return tuple(((word, False),) for word in text.split(" ") if word)
