"""How many parts an SMS takes: GSM 03.38 where every character is in its alphabet, else UCS-2. Pure."""

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


def not_gsm7(text: str) -> str:
    """The characters that force UCS-2, each once, in order of appearance."""
    return "".join(dict.fromkeys(char for char in text if char not in GSM7_BASIC and char not in GSM7_EXTENDED))


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
