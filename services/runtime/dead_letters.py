"""What could not be accepted: the original record, encrypted, with the reason and where it came from.

Headers in the clear: reason, origin-topic, origin-partition, origin-offset, first-seen, key-id, and where they apply
tombstone, or too-large with sha256 and size. Value and `origin-headers` are sealed, each bound to its origin; the
original headers are JSON `[[name, base64 | null], …]`, so that every byte and every null comes back.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from services.runtime.kafka import Record
from services.runtime.publisher import Message
from services.runtime.vault import Vault

OriginalHeaders: TypeAlias = Sequence[tuple[str, bytes | None]]


class DeadLetterError(Exception):
    """A record that is no dead letter of ours, or contents that cannot be read. Never holds a value."""


@dataclass(frozen=True, slots=True)
class Original:
    """The record as it was before it was refused."""

    key: bytes | None = field(repr=False)
    value: bytes = field(repr=False)
    headers: OriginalHeaders = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A refused record, read back; what it contained stays sealed until `open`."""

    topic: str
    """Where it was read from."""
    partition: int
    offset: int
    at: datetime
    """Of its first refusal, UTC."""
    reason: str
    """Code, field path and rule."""
    tombstone: bool
    sha256: str | None
    """Of the original value, where that was too large to be kept; `size` in bytes goes with it."""
    size: int | None
    key: bytes | None = field(repr=False)
    sealed_value: bytes | None = field(repr=False)
    sealed_headers: bytes | None = field(repr=False)

    @property
    def origin(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    def open(self, vault: Vault) -> Original:
        """Raises `VaultError` (another key), or `DeadLetterError` where nothing was kept."""
        if self.sealed_value is None or self.sealed_headers is None:
            raise DeadLetterError("only its metadata was kept")
        value = vault.decrypt(self.sealed_value, _value_place(self.origin))
        headers = _read_headers(vault.decrypt(self.sealed_headers, _headers_place(self.origin)))
        return Original(self.key, value, headers)


def dead_letter(record: Record, *, reason: str, topic: str, limit: int, at: datetime, vault: Vault) -> Message:
    """`reason`: code, field path and rule, never a value. `limit`: the dead-letter topic's max.message.bytes.

    What does not fit under `limit` is written as SHA-256 and size; it is still on its origin topic until retention.
    Producers compress, and a broker's limit counts what was compressed: key and value may each be larger than it.
    """
    origin = f"{record.topic}/{record.partition}/{record.offset}"
    headers = [
        ("reason", reason.encode("ascii", "replace")),
        ("origin-topic", record.topic.encode()),
        ("origin-partition", str(record.partition).encode()),
        ("origin-offset", str(record.offset).encode()),
        ("first-seen", at.isoformat().encode()),
        ("key-id", vault.active.encode()),
    ]
    key, value = record.key, record.value
    if key is not None and len(key) > limit // 2:
        key = None
    if value is None:
        # aiokafka refuses a record with neither key nor value.
        empty = b"" if key is None else None
        return Message(topic=topic, key=key, value=empty, headers=[*headers, ("tombstone", b"true")])
    sealed = vault.encrypt(value, _value_place(origin))
    sealed_headers = vault.encrypt(_write_headers(record.headers), _headers_place(origin))
    # Without its key it is not the whole record: then it is read again from its origin, as one that is too large.
    if key != record.key or len(key or b"") + len(sealed) + len(sealed_headers) + 4096 > limit:
        headers += [
            ("too-large", b"true"),
            ("sha256", hashlib.sha256(value).hexdigest().encode()),
            ("size", str(len(value)).encode()),
        ]
        return Message(topic=topic, key=key, value=b"", headers=headers)
    return Message(topic=topic, key=key, value=sealed, headers=[*headers, ("origin-headers", sealed_headers)])


def read_dead_letter(record: Record) -> DeadLetter:
    """Raises `DeadLetterError` for a record that somebody else put there."""
    told = {name: value for name, value in record.headers if value is not None}
    try:
        size, sha256 = told.get("size"), told.get("sha256")
        return DeadLetter(
            topic=told["origin-topic"].decode(),
            partition=int(told["origin-partition"]),
            offset=int(told["origin-offset"]),
            at=datetime.fromisoformat(told["first-seen"].decode()).astimezone(UTC),
            reason=told["reason"].decode("ascii"),
            tombstone="tombstone" in told,
            sha256=None if sha256 is None else sha256.decode("ascii"),
            size=None if size is None else int(size),
            key=record.key,
            sealed_value=None if "too-large" in told else record.value,
            sealed_headers=told.get("origin-headers"),
        )
    except (KeyError, ValueError):
        raise DeadLetterError(
            f"{record.topic}/{record.partition}/{record.offset} is not a dead letter as this version writes them"
        ) from None


def _value_place(origin: str) -> str:
    return f"dead-letters/{origin}"


def _headers_place(origin: str) -> str:
    return f"dead-letters/{origin}/headers"


def _write_headers(headers: OriginalHeaders) -> bytes:
    return json.dumps(
        [[name, None if value is None else base64.b64encode(value).decode()] for name, value in headers]
    ).encode()


def _read_headers(text: bytes) -> OriginalHeaders:
    try:
        return [
            (str(name), None if value is None else base64.b64decode(value, validate=True))
            for name, value in json.loads(text)
        ]
    except (ValueError, TypeError):
        raise DeadLetterError("its original headers were written by a version that could not read them back") from None
