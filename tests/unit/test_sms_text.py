"""Encodings and parts, by the tables of GSM 03.38."""

import pytest

from services.notifier.sms_text import GSM7_BASIC, GSM7_EXTENDED, Parts, not_gsm7, sms_parts


@pytest.mark.parametrize(
    ("text", "encoding", "parts"),
    [
        ("", "GSM-7", 1),
        ("a" * 160, "GSM-7", 1),
        ("a" * 161, "GSM-7", 2),
        ("a" * 306, "GSM-7", 2),
        ("a" * 307, "GSM-7", 3),
        ("€" * 80, "GSM-7", 1),
        ("€" * 81, "GSM-7", 2),
        # 153 is odd: an escaped character does not straddle two parts, so 76 fit in one.
        ("€" * 152, "GSM-7", 2),
        ("€" * 153, "GSM-7", 3),
        ("é" * 160, "GSM-7", 1),
        ("ê" + "a" * 69, "UCS-2", 1),
        ("ê" + "a" * 70, "UCS-2", 2),
        ("a”s", "UCS-2", 1),
        ("ç", "UCS-2", 1),
        ("ë", "UCS-2", 1),
        ("\u00a0", "UCS-2", 1),
        ("😀" * 35, "UCS-2", 1),
        ("😀" * 36, "UCS-2", 2),
        ("😀" * 66, "UCS-2", 2),
        ("😀" * 67, "UCS-2", 3),
    ],
)
def test_what_a_text_costs(text: str, encoding: str, parts: int) -> None:
    assert (sms_parts(text).encoding, sms_parts(text).parts) == (encoding, parts)


def test_the_alphabet_is_whole() -> None:
    # 128 positions: one is the escape, so 127 characters; of the extension table the ten that are characters.
    assert (len(GSM7_BASIC), len(GSM7_EXTENDED)) == (127, 10)
    assert GSM7_BASIC.isdisjoint(GSM7_EXTENDED)


def test_foreign_characters_are_named_once_in_order() -> None:
    assert not_gsm7("être ”à l”île") == "ê”î"
    assert sms_parts("code") == Parts("GSM-7", 1)
