"""Blocks → a PDF in the brand's hand: a letter for a window envelope, or a document with a title.

The same input gives the same bytes on every machine and every day: date and typeface come from outside, nothing is
read from a clock. A4 in millimetres. Each block is tagged with what it is, for who listens instead of reading.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from fpdf.prefs import ViewerPreferences

from services.notifier.brands import Brand
from services.notifier.paper import Block, Word
from services.notifier.typeset import Style, Typesetter, plain

LEFT, RIGHT, TOP, BOTTOM = 25.0, 25.0, 30.0, 32.0
WIDTH = 210 - LEFT - RIGHT
WINDOW_TOP, WINDOW_HEIGHT, WINDOW_WIDTH = 52.0, 38.0, 85.0
"""DIN 5008 and the left window of most of Europe: what shows through, without its edges."""
LETTER_TOP = 102.0
FOLDS = (105.0, 210.0)
LABEL_WIDTH = 52.0
SIGNATURE = 16.0
"""Room for a pen."""


STYLES = {
    "title": Style(17, 7.4, 0, bold=True, tag="H1"),
    "heading": Style(12, 5.6, 6.2, bold=True, tag="H2"),
    "note": Style(10.5, 5, 4, bold=True, tag="H3"),
    "text": Style(10.5, 5.1, 2.9),
    "item": Style(10.5, 5.1, 1.4, tag="LI"),
    "label": Style(9.5, 5.1, 0, "muted"),
    "value": Style(10.5, 5.1, 0, bold=True),
}
SMALL = Style(7.5, 3.5, 0, "muted")
TALLEST = 160.0
"""What is kept on one page at most."""
AIR = 1.5
"""Above and below the words of a table's row."""
NEARER = 2.0
"""How much nearer a note's text is to its heading than to other text."""
_INDENT = {"item": 5.0}


@dataclass(frozen=True, slots=True)
class Envelope:
    """To whom, where the date is written by hand, and who signs."""

    lines: Sequence[str]
    date_label: str
    signatory: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """What the file says of itself."""

    title: str
    language: str
    made_on: date


def document(brand: Brand, record: Record, content: Sequence[Block]) -> bytes:
    """A title and what follows it, from the top of the page."""
    sheet = _Sheet(brand, record)
    sheet.add_page()
    sheet.y = 44
    sheet.flow(content)
    return bytes(sheet.output())


def letter(brand: Brand, record: Record, content: Sequence[Block], envelope: Envelope) -> bytes:
    """For a window envelope, with room for date and signature; the last block is who writes."""
    sheet = _Sheet(brand, record)
    sheet.add_page()
    sheet.address(envelope)
    sheet.y = LETTER_TOP
    *body, close, writer = content
    last = max((number for number, block in enumerate(body) if block.kind == "heading"), default=len(body))
    sheet.flow(body[:last])
    sheet.close_with(body[last:], close, writer, envelope.signatory)
    return bytes(sheet.output())


class _Sheet(Typesetter):
    def __init__(self, brand: Brand, record: Record) -> None:
        super().__init__(brand.colours.light)
        self._brand = brand
        self.set_margins(LEFT, TOP, RIGHT)
        self.set_title(record.title)
        self.set_author(brand.name)
        self.set_creator("Member Notices")
        self.set_lang(record.language)
        self.set_creation_date(datetime.combine(record.made_on, datetime.min.time(), UTC))
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)

    # --- the frame of a page ------------------------------------------------------------------------------------------

    def header(self) -> None:
        with self.artifact():
            self.set_fill_color(self._palette.accent)
            self.rect(0, 0, 210, 3, style="F")
            first = self.page_no() == 1
            self.put_text(
                LEFT, 24 if first else 17, self._brand.name, Style(18 if first else 10, 0, 0, "accent", bold=True)
            )
        self.y = TOP

    def footer(self) -> None:
        with self.artifact():
            self.set_draw_color(self._palette.line)
            self.set_line_width(0.2)
            self.line(LEFT, 276, 210 - RIGHT, 276)
            y = 280.0
            for words in self.broken(plain(self._brand.imprint or self._brand.name), SMALL, WIDTH - 22):
                self.put(LEFT, y, words, SMALL)
                y += SMALL.line
            if self._brand.help.phone:
                self.put_text(LEFT, y, self._brand.help.phone, SMALL)
            self._pen(SMALL, bold=False)
            self.set_xy(LEFT, 277.6)
            self.cell(WIDTH, SMALL.line, f"{self.page_no()} / {{nb}}", align="R")

    def address(self, envelope: Envelope) -> None:
        """What shows through the window; beside it the date, to be written; and where to fold."""
        with self.artifact():
            self.set_draw_color(self._palette.muted)
            self.set_line_width(0.15)
            for fold in FOLDS:
                self.line(4, fold, 8, fold)
        with self.tagged("P"):
            self.put_text(LEFT, WINDOW_TOP - 3, self._brand.name, SMALL)
        style = STYLES["text"]
        lines = [words for line in envelope.lines for words in self.broken(plain(line), style, WINDOW_WIDTH)]
        height = min(style.line, WINDOW_HEIGHT / max(len(lines), 1))
        for number, words in enumerate(lines):
            with self.tagged("P"):
                self.put(LEFT, WINDOW_TOP + 3.5 + number * height, words, style)
        with self.tagged("P"):
            self.put_text(140, WINDOW_TOP + 3.5, envelope.date_label, STYLES["label"])
        with self.artifact():
            self.line(152, WINDOW_TOP + 4.2, 210 - RIGHT, WINDOW_TOP + 4.2)

    def close_with(self, last: Sequence[Block], close: Block, writer: Block, signatory: str | None) -> None:
        """A signature does not stand alone on a page: the letter's last section goes with it."""
        style = STYLES["text"]
        self._room(sum(map(self._height, (*last, close))) + SIGNATURE + style.line * 2.5)
        self.flow(last)
        self._paragraph(close)
        self.y += SIGNATURE
        with self.artifact():
            self.set_draw_color(self._palette.muted)
            self.set_line_width(0.2)
            self.line(LEFT, self.y, LEFT + 65, self.y)
        self.y += 0.8
        if signatory:
            self._set(plain(signatory), style, LEFT, WIDTH)
        self._set(writer.words, style, LEFT, WIDTH)

    # --- the flow -----------------------------------------------------------------------------------------------------

    def flow(self, content: Sequence[Block]) -> None:
        """Boxes and tables stay whole, and with what announces them: a heading, a line that ends in a colon."""
        rest = list(content)
        while rest:
            self._room(sum(self._height(block) for block in _together(rest)))
            if rest[0].boxed:
                self._box(_taken(rest, _is_boxed))
            elif rest[0].kind == "label":
                self._facts(_taken(rest, _is_cell))
            else:
                self._paragraph(rest.pop(0))

    def _height(self, block: Block) -> float:
        """Of a label nothing: its value is as high, or nearly."""
        if block.kind == "label":
            return 0
        style = STYLES[block.kind]
        lines = len(list(self.broken(block.words, style, WIDTH - (LABEL_WIDTH if block.kind == "value" else 0))))
        return style.before + lines * style.line + (2 * AIR if block.kind == "value" else 0)

    def _paragraph(self, block: Block) -> None:
        style, indent = STYLES[block.kind], _INDENT.get(block.kind, 0)
        self._room(style.before + style.line * 2)
        self.y += style.before if self.y > TOP else 0
        if indent:
            with self.artifact():
                self.put_text(LEFT + 1, self.y + style.line * 0.72, "•", style)
        self._set(block.words, style, LEFT + indent, WIDTH - indent)
        self.y -= NEARER if block.kind == "note" else 0

    def _set(self, words: Sequence[Word], style: Style, x: float, width: float) -> None:
        """A paragraph that goes over the page's end is two to a screen reader: a page holds its own marks."""
        for line in self.broken(words, style, width):
            self._room(style.line)
            with self.tagged(style.tag):
                self.put(x, self.y + style.line * 0.72, line, style)
            self.y += style.line

    def _facts(self, cells: Sequence[Block]) -> None:
        pairs = list(zip(cells[::2], cells[1::2], strict=True))
        label, value = STYLES["label"], STYLES["value"]
        self.y += 3.6
        for number, (name, said) in enumerate(pairs):
            lines = max(
                len(list(self.broken(name.words, label, LABEL_WIDTH - 4))),
                len(list(self.broken(said.words, value, WIDTH - LABEL_WIDTH))),
            )
            self._room(lines * value.line + 2 * AIR)
            if number == 0 or self.y == TOP:
                self._rule()
            top = self.y + AIR
            self.y = top
            self._set(name.words, label, LEFT, LABEL_WIDTH - 4)
            self.y = top
            self._set(said.words, value, LEFT + LABEL_WIDTH, WIDTH - LABEL_WIDTH)
            self.y = top + lines * value.line + AIR
            self._rule()
        self.y += 2.2

    def _rule(self) -> None:
        with self.artifact():
            self.set_draw_color(self._palette.line)
            self.set_line_width(0.25)
            self.line(LEFT, self.y, 210 - RIGHT, self.y)

    def _box(self, content: Sequence[Block]) -> None:
        pad, style = 5.0, STYLES["text"]
        heights = [len(list(self.broken(block.words, style, WIDTH - 2 * pad))) * style.line for block in content]
        height = sum(heights) + 1.5 * (len(content) - 1) + 2 * pad - 1.5
        self.y += 4
        self._room(height)
        with self.artifact():
            self.set_fill_color(self._palette.tint)
            self.rect(LEFT, self.y, WIDTH, height, style="F")
            self.set_fill_color(self._palette.accent)
            self.rect(LEFT, self.y, 1.1, height, style="F")
        end = self.y + height
        self.y += pad - 1.2
        for block in content:
            self._set(block.words, style, LEFT + pad, WIDTH - 2 * pad)
            self.y += 1.5
        self.y = end + 1.5

    def _room(self, height: float) -> None:
        """A new page if the rest of this one is lower; what is higher than a page is parted."""
        if self.y + min(height, TALLEST) > 297 - BOTTOM:
            self.add_page()
            self.y = TOP


def _taken(rest: list[Block], fits: Callable[[Block], bool]) -> list[Block]:
    """Those at the head of `rest` that fit, taken off it."""
    taken: list[Block] = []
    while rest and fits(rest[0]):
        taken.append(rest.pop(0))
    return taken


def _is_boxed(block: Block) -> bool:
    return block.boxed


def _is_cell(block: Block) -> bool:
    return block.kind in {"label", "value"} and not block.boxed


def _together(rest: Sequence[Block]) -> list[Block]:
    """What must not be parted at the head of `rest`: announcements and the whole of what they announce."""
    stays: list[Block] = []
    for number, block in enumerate(rest):
        stays.append(block)
        if block.boxed or _is_cell(block):
            fits = _is_boxed if block.boxed else _is_cell
            return stays + _taken(list(rest[number + 1 :]), fits)
        if block.kind not in {"title", "heading", "note"} and not block.text.endswith(":"):
            break
    return stays
