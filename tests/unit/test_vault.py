"""Sealed to its row and column, under a key that names itself; what cannot be read fails alone, whatever it is."""

import base64

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.runtime.vault import Vault, VaultError

OLD, NEW = b"o" * 32, b"n" * 32
VAULT = Vault({"old": OLD})
SECRET = b"481516"


def text_of(**keys: bytes) -> str:
    return ",".join(f"{key_id}:{base64.b64encode(key).decode()}" for key_id, key in keys.items())


@given(st.binary(max_size=300), st.text(max_size=50))
def test_what_was_sealed_opens_in_its_place(plain: bytes, place: str) -> None:
    assert VAULT.decrypt(VAULT.encrypt(plain, place), place) == plain


def test_the_same_value_is_sealed_differently_each_time() -> None:
    assert VAULT.encrypt(SECRET, "row/column") != VAULT.encrypt(SECRET, "row/column")
    assert SECRET not in VAULT.encrypt(SECRET, "row/column")


@pytest.mark.parametrize("place", ["notifications/2/facts", "notifications/1/secrets", ""])
def test_a_ciphertext_moved_to_another_row_or_column_does_not_open(place: str) -> None:
    sealed = VAULT.encrypt(SECRET, "notifications/1/facts")
    with pytest.raises(VaultError, match="does not belong"):
        VAULT.decrypt(sealed, place)


@given(st.data())
def test_any_bit_turned_over_is_noticed(data: st.DataObject) -> None:
    sealed = bytearray(VAULT.encrypt(SECRET, "p"))
    position = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[position // 8] ^= 1 << position % 8
    with pytest.raises(VaultError):
        VAULT.decrypt(bytes(sealed), "p")


@given(st.binary(max_size=60))
def test_bytes_that_were_never_sealed_fail_as_any_unreadable_value(garbage: bytes) -> None:
    with pytest.raises(VaultError):
        VAULT.decrypt(garbage, "p")


@given(st.integers(0, 33))
def test_a_ciphertext_cut_short_fails_as_any_unreadable_value(length: int) -> None:
    with pytest.raises(VaultError):
        VAULT.decrypt(VAULT.encrypt(SECRET, "p")[:length], "p")


def test_after_a_rotation_old_values_open_and_new_ones_use_the_first_key() -> None:
    rotated = Vault.parse(text_of(new=NEW, old=OLD))
    assert rotated.decrypt(VAULT.encrypt(SECRET, "p"), "p") == SECRET
    assert Vault.key_id(rotated.encrypt(SECRET, "p")) == rotated.active == "new"


def test_an_unknown_key_is_named_with_what_to_do_and_without_the_value() -> None:
    with pytest.raises(VaultError, match="'old' is not among VAULT_KEYS; add it back") as caught:
        Vault({"new": NEW}).decrypt(VAULT.encrypt(SECRET, "p"), "p")
    assert SECRET.decode() not in str(caught.value)


def test_the_same_key_id_with_another_key_does_not_open() -> None:
    with pytest.raises(VaultError):
        Vault({"old": NEW}).decrypt(VAULT.encrypt(SECRET, "p"), "p")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "first",
        "first:",
        ":" + base64.b64encode(OLD).decode(),
        text_of(short=b"x" * 31),
        text_of(long=b"x" * 33),
        "first:" + "Zq7" * 20,
        text_of(first=OLD) + ",",
        text_of(**{"x" * 33: OLD}),
        text_of(**{"é" * 17: OLD}),
        text_of(first=OLD) + "," + text_of(first=NEW),
    ],
    ids=range(11),
)
def test_keys_that_cannot_be_used_are_refused_by_rule_and_never_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="each key is `id:base64`") as caught:
        Vault.parse(text)
    assert "Zq7" not in str(caught.value)
    assert base64.b64encode(OLD).decode() not in str(caught.value)


@given(st.text(st.characters(blacklist_characters=":,", blacklist_categories=["Cs"]), min_size=1, max_size=8))
def test_a_key_id_may_be_any_short_text(key_id: str) -> None:
    stripped = key_id.strip()
    assume(stripped)
    vault = Vault.parse(text_of(**{stripped: OLD}))
    assert vault.active == stripped
    assert vault.decrypt(vault.encrypt(SECRET, "p"), "p") == SECRET
