"""A record as it may be shown: what kind of thing it is and which fields it has, nothing of what they hold. PURE."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.envelope import EventError, read_record
from schemas.masking import masked
from services.runtime.kafka import Record, time_of

_PLACE = re.compile(r"[a-z0-9.-]+/[0-9]+/[0-9]+")


@dataclass(frozen=True, slots=True)
class Shown:
    """`data`: field → what may be said of it; None: it is no valid event, so nothing of it is."""

    partition: int
    offset: int
    at: datetime | None
    size: int
    type: str
    id: str = ""
    subject: str = ""
    data: Mapping[str, str] | None = None


def shown(record: Record) -> Shown:
    """Only what the contract's model accepted: its id, subject and the names of its fields are of a known shape."""
    at, size = time_of(record), len(record.value or b"")
    try:
        event = read_record(record.headers, record.value)
    except EventError:
        kind = "tombstone" if record.value is None else "not a valid event"
        return Shown(record.partition, record.offset, at, size, kind)
    fields = event.data.model_dump(mode="json", exclude_none=True)
    data = {name: _said(value) for name, value in fields.items()}
    return Shown(record.partition, record.offset, at, size, event.type, _opaque(event.id), _opaque(event.subject), data)


_ADDRESS = re.compile(r"[^\s<>,;:]+@[^\s<>,;:]+")
_LINK = re.compile(r"\b[a-z][a-z+.-]*://\S+|\bwww\.\S+", re.IGNORECASE)
_DIGITS = re.compile(r"\+?\d[\d ()./-]{2,}\d")


def said_by_people(text: str) -> str:
    """What somebody wrote, without links, addresses, and numbers that could be a phone or a code.

    A place in Kafka (topic/partition/offset) stays one.
    """
    if _PLACE.fullmatch(text):
        return text
    text = _LINK.sub("•••", text)
    text = _ADDRESS.sub(lambda found: masked(found[0]), text)
    return _DIGITS.sub("•••", text)


def _opaque(text: str) -> str:
    """An id that looks like an address is shown as one is."""
    digits = sum(character.isdigit() for character in text)
    return masked(text) if "@" in text or text.startswith("+") or digits == len(text) else text


def _said(value: Any) -> str:
    """Addresses as schemas.masking shows them; of anything else that it is there."""
    match value:
        case bool():
            return "yes" if value else "no"
        case str() if "@" in value or value.startswith("+"):
            return masked(value)
        case list():
            return f"••• ({len(value)})"
        case _:
            return "•••"
