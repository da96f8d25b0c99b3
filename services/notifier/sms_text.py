"""How an SMS is spelled and how many parts it takes: GSM 03.38 where every character is in its alphabet, else UCS-2.

Pure.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

GSM7_ASCII = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 \n\r!\"#$%&'()*+,-./:;<=>?@_")
GSM7_WESTERN = frozenset("£¥èéùìòÇØøÅåÆæßÉ¤¡ÄÖÑÜ§¿äöñüà")
"""Missing, and each turns a whole text into UCS-2: ê ë ç î ï ô û á í ó ú, curly quotes, dashes, a no-break space."""
GSM7_GREEK = frozenset("ΔΦΓΛΩΠΨΣΘΞ")
GSM7_BASIC = GSM7_ASCII | GSM7_WESTERN | GSM7_GREEK
GSM7_EXTENDED = frozenset("^{}\\[~]|€\f")
"""Two units each: an escape comes first."""

QUOTES = dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a\u02bc\u2032", "'") | dict.fromkeys(
    "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'
)
DASHES = dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
SPACES = dict.fromkeys("\t\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " ")
DOTS = {"\u2026": "...", "\u2022": "-", "\u00b7": "-"}
UNSEEN = dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", "")
LETTERS = dict(zip("łŁđĐħĦŧŦðÐ\u0131", "lLdDhHtTdDi", strict=True)) | dict(
    zip("œŒẞĳĲﬁﬂþÞ", ("oe", "OE", "SS", "ij", "IJ", "fi", "fl", "th", "Th"), strict=True)
)
"""Latin letters that are no letter with an accent; those with one lose it (`ê` is e)."""
FAITHFUL = {**QUOTES, **DASHES, **SPACES, **DOTS, **UNSEEN, **LETTERS}
"""What a reader takes for the same, though not the same character."""


@dataclass(frozen=True, slots=True)
class Parts:
    encoding: Literal["GSM-7", "UCS-2"]
    parts: int


def sms_parts(text: str) -> Parts:
    """What the text costs: 160 units in one part, 153 in each of several (GSM-7); 70 and 67 (UCS-2).

    An escaped character and a surrogate pair are never split between parts, which may leave a unit unused.
    """
    if not not_gsm7(text):
        return Parts("GSM-7", _count((2 if char in GSM7_EXTENDED else 1 for char in text), single=160, several=153))
    return Parts("UCS-2", _count((2 if ord(char) > 0xFFFF else 1 for char in text), single=70, several=67))


def as_sent(text: str) -> str:
    """The text in GSM-7, if every character of it is there or has a faithful equivalent there.

    Else the text as it is: where one character needs UCS-2, no other one has to give up its accent.
    """
    text = unicodedata.normalize("NFC", text)
    return text if without_equivalent(text) else _respelled(text)


def without_equivalent(text: str) -> str:
    """The characters that cost the text its place in GSM-7, each once, in order of appearance."""
    return not_gsm7(_respelled(text))


def not_gsm7(text: str) -> str:
    """The characters that force UCS-2, each once, in order of appearance."""
    return "".join(dict.fromkeys(char for char in text if char not in GSM7_BASIC and char not in GSM7_EXTENDED))


def _respelled(text: str) -> str:
    return "".join(map(_equivalent, unicodedata.normalize("NFC", text)))


def _equivalent(char: str) -> str:
    if char in GSM7_BASIC or char in GSM7_EXTENDED:
        return char
    if char in FAITHFUL:
        return FAITHFUL[char]
    letter, *marks = list(unicodedata.normalize("NFD", char))
    accented = marks and letter.isascii() and letter.isalpha()
    return letter if accented and all(map(unicodedata.combining, marks)) else char


def _count(units: Iterable[int], *, single: int, several: int) -> int:
    sizes = list(units)
    if sum(sizes) <= single:
        return 1
    parts, used = 1, 0
    for size in sizes:
        if used + size > several:
            parts, used = parts + 1, 0
        used += size
    return parts
