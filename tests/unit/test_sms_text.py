"""Encodings and parts, by the tables of GSM 03.38."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.sms_text import (
    DASHES,
    DOTS,
    FAITHFUL,
    GSM7_BASIC,
    GSM7_EXTENDED,
    LETTERS,
    QUOTES,
    SPACES,
    UNSEEN,
    Parts,
    as_sent,
    not_gsm7,
    sms_parts,
)


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


@pytest.mark.parametrize(
    ("characters", "becomes"),
    [
        (QUOTES, {"'", '"'}),
        (DASHES, {"-"}),
        (SPACES, {" "}),
        (DOTS, {"...", "-"}),
        (UNSEEN, {""}),
        (LETTERS, set(LETTERS.values())),
    ],
)
def test_what_is_respelled_is_then_in_the_alphabet_and_was_not_before(
    characters: dict[str, str], becomes: set[str]
) -> None:
    assert set(characters.values()) == becomes
    assert not_gsm7("".join(characters)) == "".join(characters)
    assert not_gsm7("".join(becomes)) == ""


def test_no_character_is_in_two_tables() -> None:
    assert len(FAITHFUL) == sum(map(len, (QUOTES, DASHES, SPACES, DOTS, UNSEEN, LETTERS)))


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("l\u2019\u00eatre \u00ab\u00a0id\u00e9al\u00a0\u00bb \u2014 d\u00e9j\u00e0", 'l\'etre " idéal " - déjà'),
        ("\u201eGr\u00f6\u00dfe\u201c", '"Größe"'),
        ("één \u2018woord\u2019", "één 'woord'"),
        ("ça, Noël, naïve, hôpital, août, œuvre", "ca, Noel, naive, hopital, aout, oeuvre"),
        ("Ç É Ä Ö Ü Å Æ Ø Ñ ß à ä å æ è é ì ñ ò ö ø ù ü", "Ç É Ä Ö Ü Å Æ Ø Ñ ß à ä å æ è é ì ñ ò ö ø ù ü"),
        ("José Núñez, Łukasz Żak, Đorđe Šarić, Þór, Nguyễn", "José Nuñez, Lukasz Zak, Dorde Saric, Thor, Nguyen"),
        ("Noe\u0308l", "Noel"),
        ("a\u00a0b\u202fc\u2009d", "a b c d"),
        ("wait\u2026", "wait..."),
        ("€ 5 [a] {b} ~ | ^ \\", "€ 5 [a] {b} ~ | ^ \\"),
    ],
)
def test_a_text_is_respelled_where_the_alphabet_has_the_same(text: str, sent: str) -> None:
    assert as_sent(text) == sent
    assert sms_parts(as_sent(text)).encoding == "GSM-7"


@pytest.mark.parametrize("name", ["王小明", "Ωραία", "Иван", "สมชาย", "אברהם", "محمد", "👩‍👩‍👧", "a\u0301 ≠ b"])
def test_what_has_no_equivalent_goes_as_it_is_with_all_its_accents(name: str) -> None:
    text = f"Noël\u00a0: {name}"
    assert as_sent(text) == unicodedata.normalize("NFC", text)
    assert sms_parts(as_sent(text)).encoding == "UCS-2"


@given(st.text(max_size=200))
def test_respelling_twice_changes_nothing_and_never_costs_the_alphabet(text: str) -> None:
    sent = as_sent(text)
    assert as_sent(sent) == sent
    assert not not_gsm7(sent) or not_gsm7(text)
