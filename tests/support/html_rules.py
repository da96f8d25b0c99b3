"""What a mail's HTML owes its reader: no mistake that a browser would mend, and colours that can be read.

A document is parsed once for all messages with the same tags: text between them cannot change either.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias
from xml.etree.ElementTree import Element

from tinyhtml5.parser import HTMLParser

LEAST_CONTRAST = 4.5
"""WCAG 2.2 AA, for text of any size."""

Declarations: TypeAlias = Mapping[str, str]
Compound: TypeAlias = tuple[str, frozenset[str]]
"""A tag, or nothing, and classes: the parts of selectors that our styles are made of."""

_MEDIA = re.compile(r"@media \(([^)]*)\)\{\n?(.*?)\n?\}\n?(?=@|\Z)", re.DOTALL)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_COMPOUND = re.compile(r"([a-z][a-z0-9]*)?((?:\.[a-z-]+)*)")
_HEX = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class Rule:
    selector: tuple[Compound, ...]
    """Descendants, the outermost first."""
    declarations: Declarations

    @property
    def weight(self) -> tuple[int, int]:
        return sum(len(classes) for _, classes in self.selector), sum(1 for tag, _ in self.selector if tag)


@dataclass(frozen=True, slots=True)
class Seen:
    """A text as it stands on its ground."""

    text: str
    colour: str
    ground: str


@cache
def mistakes(html: str) -> tuple[str, ...]:
    """What the parser had to mend, and what would stay unread."""
    parser = HTMLParser(namespace_html_elements=False)
    root = parser.parse(html)
    found = [f"{code} at {position}" for position, code, _ in parser.errors]
    for scheme, rules in _schemes(root).items():
        for seen in _texts(root, rules, (), "", ""):
            ratio = contrast(seen.colour, seen.ground)
            if ratio < LEAST_CONTRAST:
                found.append(f"{scheme}: {seen.text!r}, {seen.colour!r} on {seen.ground!r}, is {ratio:.2f}:1")
    return tuple(found)


def _schemes(root: Element) -> dict[str, list[Rule]]:
    """The ways it is shown, each with the rules that then override the styles in line. Later rules come later."""
    sheets = [style.text or "" for style in root.iter("style")]
    media = dict(found for sheet in sheets for found in _MEDIA.findall(sheet))
    by_outlook = "".join(sheet for sheet in sheets if "[data-ogsc]" in sheet).replace("[data-ogsc] ", "")
    return {
        "light": [],
        "on a phone": _rules(media["max-width:600px"]),
        "dark": _rules(media["prefers-color-scheme:dark"]),
        "dark in Outlook": _rules(by_outlook),
    }


def _rules(sheet: str) -> list[Rule]:
    found = [
        Rule(tuple(map(_compound, selector.split())), _declarations(declarations.replace("!important", "")))
        for selectors, declarations in _RULE.findall(sheet)
        for selector in selectors.strip().split(",")
    ]
    return sorted(found, key=lambda rule: rule.weight)


def _compound(text: str) -> Compound:
    found = _COMPOUND.fullmatch(text)
    assert found, f"a selector that these rules cannot weigh: {text}"
    return found[1] or "", frozenset(found[2].split(".")[1:])


def _declarations(text: str) -> Declarations:
    pairs = (each.split(":", 1) for each in text.split(";") if each.strip())
    return {name.strip(): value.strip() for name, value in pairs}


def _texts(
    node: Element, rules: Sequence[Rule], above: tuple[Element, ...], colour: str, ground: str
) -> Iterator[Seen]:
    line = (*above, node)
    style = dict(_declarations(node.get("style", "")))
    for rule in rules:
        if _meets(rule.selector, line):
            style.update(rule.declarations)
    if style.get("display") == "none" or node.tag == "head":
        return
    colour, ground = style.get("color", colour), style.get("background-color", style.get("background", ground))
    for text in (node.text, *(child.tail for child in node)):
        if text and text.strip():
            yield Seen(" ".join(text.split())[:40], colour, ground)
    for child in node:
        if isinstance(child.tag, str):  # a comment's tag is a function
            yield from _texts(child, rules, line, colour, ground)


def _meets(selector: tuple[Compound, ...], line: Sequence[Element]) -> bool:
    *outer, last = selector
    if not _is(line[-1], last):
        return False
    above = iter(line[:-1])
    return all(any(_is(element, compound) for element in above) for compound in outer)


def _is(element: Element, compound: Compound) -> bool:
    tag, classes = compound
    return tag in {"", element.tag} and classes <= set((element.get("class") or "").split())


def contrast(one: str, other: str) -> float:
    """As WCAG counts it: 1 to 21. 0 where a colour is not six hexadecimal digits."""
    if not (_HEX.fullmatch(one) and _HEX.fullmatch(other)):
        return 0
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
