"""A refused record: sealed, explained, never larger than its topic takes, and whole again when it is opened."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.topics import NOTIFIER_DEAD_LETTERS
from services.runtime.dead_letters import DeadLetter, DeadLetterError, dead_letter, read_dead_letter
from services.runtime.publisher import Message
from services.runtime.vault import Vault, VaultError

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
VAULT = Vault({"first": b"k" * 32})
LIMIT = NOTIFIER_DEAD_LETTERS.max_message_bytes
SECRET = b'{"data": {"code": "Zq7-246810", "email": "anna@example.test"}}'
Headers = Sequence[tuple[str, bytes | None]]


@dataclass
class Read:
    """A record as aiokafka hands it over."""

    value: bytes | None
    key: bytes | None = b"m-1"
    headers: Headers = ()
    topic: str = "identity.codes.v1"
    partition: int = 2
    offset: int = 17
    timestamp: int = 0


def refused(record: Read, *, limit: int = LIMIT, vault: Vault = VAULT) -> Message:
    return dead_letter(
        record, reason="data-invalid: data.code (missing)", topic=NOTIFIER_DEAD_LETTERS.name, limit=limit, at=AT,
        vault=vault,
    )  # fmt: skip


def read_back(message: Message) -> DeadLetter:
    return read_dead_letter(Read(message.value, message.key, list(message.headers), topic=message.topic))


def size(message: Message) -> int:
    """Of one record in a batch of its own, without compression; Kafka's own bytes are fewer than 200."""
    headers = sum(len(name) + len(value) + 10 for name, value in message.headers)
    return len(message.key or b"") + len(message.value or b"") + headers + 200


names = st.text(st.characters(codec="utf-8"), max_size=20)
headers = st.lists(st.tuples(names, st.none() | st.binary(max_size=50)), max_size=5)


@given(st.binary(max_size=300), st.none() | st.binary(max_size=50), headers)
def test_the_record_comes_back_as_it_was(value: bytes, key: bytes | None, headers: Headers) -> None:
    letter = read_back(refused(Read(value, key, headers)))
    original = letter.open(VAULT)
    assert (original.value, list(original.headers), letter.key) == (value, list(headers), key)
    assert (letter.origin, letter.at, letter.reason) == (
        "identity.codes.v1/2/17",
        AT,
        "data-invalid: data.code (missing)",
    )
    assert not letter.tombstone


def test_nothing_of_the_value_or_its_headers_can_be_read_without_the_key() -> None:
    message = refused(Read(SECRET, headers=[("ce_data", SECRET)]))
    everything = b"".join([message.value or b"", *(value for _, value in message.headers)])
    assert b"Zq7" not in everything
    assert b"example.test" not in everything
    assert "Zq7" not in repr(read_back(message))
    assert dict(message.headers)["key-id"] == b"first"
    with pytest.raises(VaultError):
        read_back(message).open(Vault({"other": b"o" * 32}))


def test_a_letter_opens_in_its_own_place_only() -> None:
    message = refused(Read(SECRET))
    moved = [(name, b"18" if name == "origin-offset" else value) for name, value in message.headers]
    letter = read_dead_letter(Read(message.value, message.key, moved))
    with pytest.raises(VaultError):
        letter.open(VAULT)


def test_a_tombstone_stays_one() -> None:
    message = refused(Read(None))
    assert message.value is None
    letter = read_back(message)
    assert letter.tombstone
    with pytest.raises(DeadLetterError):
        letter.open(VAULT)


@pytest.mark.parametrize("more", range(-6000, 6000, 500))
def test_what_does_not_fit_is_told_by_digest_and_size(more: int) -> None:
    value = b"x" * (LIMIT + more)
    message = refused(Read(value))
    assert size(message) <= LIMIT
    letter = read_back(message)
    if letter.size is None:
        assert letter.open(VAULT).value == value
    else:
        assert more > -6000
        assert (letter.size, letter.sha256) == (len(value), hashlib.sha256(value).hexdigest())
        with pytest.raises(DeadLetterError):
            letter.open(VAULT)


@given(st.integers(0, 50_000), st.none() | st.integers(0, 50_000), st.integers(0, 20_000), st.integers(9_000, 30_000))
def test_a_letter_is_never_larger_than_its_topic_takes(value: int, key: int | None, header: int, limit: int) -> None:
    """A letter the broker refuses would be tried for ever, and its partition stand still."""
    record = Read(b"v" * value, None if key is None else b"k" * key, [("h", b"h" * header)])
    assert size(refused(record, limit=limit)) <= limit
    assert size(refused(Read(None, record.key, record.headers), limit=limit)) <= limit


def test_the_largest_record_of_the_contract_fits_whole() -> None:
    value = b"x" * (LIMIT - 65_536 - 1000)
    assert read_back(refused(Read(value, b"m" * 64))).open(VAULT).value == value


@pytest.mark.parametrize("name", ["reason", "origin-topic", "origin-partition", "origin-offset", "first-seen"])
def test_a_record_that_somebody_else_put_there_is_told_by_its_place(name: str) -> None:
    message = refused(Read(SECRET))
    for broken in (
        [(each, value) for each, value in message.headers if each != name],
        [(each, b"\xff" if each == name else value) for each, value in message.headers],
        [(each, None if each == name else value) for each, value in message.headers],
    ):
        with pytest.raises(DeadLetterError, match="t/0/3 is not a dead letter") as caught:
            read_dead_letter(Read(message.value, message.key, broken, topic="t", partition=0, offset=3))
        assert "Zq7" not in str(caught.value)
