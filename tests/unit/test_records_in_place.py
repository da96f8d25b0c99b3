"""Where an event stands on Kafka: on its own topic, under its subject, at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from schemas.envelope import EventError, read_in_place
from schemas.topics import SECURITY, SIGN_ONS
from services.auth_events.contacts import known_of
from services.console.redacted import shown
from tests.support.contract import as_bytes, example

EVENT = example("identity.password-changed.v1")
NO_TIME = 2**62
"""Milliseconds; a broker without a limit on timestamps takes it."""


@dataclass
class At:
    """A record as aiokafka hands it over."""

    value: bytes | None = as_bytes(EVENT)
    key: bytes | None = EVENT["subject"].encode()
    topic: str = SECURITY.name
    headers: Sequence[tuple[str, bytes | None]] = ()
    partition: int = 0
    offset: int = 0
    timestamp: int = 1_795_000_000_000


def test_an_event_on_its_topic_under_its_subject_is_read() -> None:
    assert read_in_place(At()).id == EVENT["id"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (replace(At(), topic=SIGN_ONS.name), f"topic-mismatch: type (belongs on {SECURITY.name})"),
        (replace(At(), key=b"m-other"), "key-mismatch: record key (must be the subject)"),
        (replace(At(), key=None), "key-mismatch: record key (must be the subject)"),
    ],
)
def test_one_that_stands_elsewhere_is_refused(record: At, reason: str) -> None:
    with pytest.raises(EventError) as refused:
        read_in_place(record)
    assert refused.value.reason == reason


def test_a_tombstone_at_no_time_is_refused() -> None:
    with pytest.raises(EventError) as refused:
        known_of(replace(At(), value=None, timestamp=NO_TIME))
    assert refused.value.reason == "attribute-invalid: record timestamp"


def test_a_record_at_no_time_is_shown() -> None:
    assert shown(replace(At(), timestamp=NO_TIME)).at is None
