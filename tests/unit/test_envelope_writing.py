"""What we write, we read; and a redelivery is told from an id used twice."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import (
    Event,
    new_event,
    read_event,
    read_record,
    write_structured,
)
from schemas.identity import NewSignOnDetectedV1, PasswordChangedV1
from schemas.types import Data
from tests.support.contract import EXAMPLES, example, refusal

TYPE = "identity.new-sign-on-detected.v1"
T0 = datetime(2026, 11, 22, 8, 16, 35, tzinfo=UTC)


def _written(event: Event[Data]) -> Event[Data]:
    value, headers = write_structured(event)
    return read_record(headers, value)


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_written_is_read_again_and_says_the_same(name: str) -> None:
    event = read_event(EXAMPLES[name])
    again = _written(event)
    assert (again.source, again.id, again.type, again.subject, again.time) == (
        event.source, event.id, event.type, event.subject, event.time
    )  # fmt: skip
    assert again.data == event.data
    assert again.data.model_fields_set == event.data.model_fields_set
    assert _written(again) == again


times = st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)).flatmap(  # noqa: DTZ001 - strategy adds the zone
    lambda naive: st.integers(-14 * 60, 14 * 60).map(
        lambda minutes: naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    )
)
storable = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=60)


@given(
    time=times,
    signed_on_at=times,
    browser=st.none() | storable,
    subject=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._~:-]{0,63}", fullmatch=True),
)
@settings(deadline=None)
def test_an_event_of_our_own_survives_the_wire(
    time: datetime, signed_on_at: datetime, browser: str | None, subject: str
) -> None:
    data = NewSignOnDetectedV1(signed_on_at=signed_on_at, browser=browser)
    event = new_event(source="urn:test", id="1", type=TYPE, subject=subject, time=time, data=data)
    assert _written(event) == event
    assert event.time == time
    assert event.data == data


def test_we_write_structured_json_with_copies_for_those_who_only_route() -> None:
    value, headers = write_structured(read_event(example(TYPE)))
    assert headers == [
        ("content-type", b"application/cloudevents+json; charset=UTF-8"),
        ("ce_id", example(TYPE)["id"].encode()),
        ("ce_type", TYPE.encode()),
    ]
    assert json.loads(value) == example(TYPE) | {
        "time": "2026-11-22T08:16:35.790000Z",
        "data": example(TYPE)["data"] | {"signed_on_at": "2026-11-22T08:16:35.502000Z"},
    }


def test_an_event_of_our_own_needs_a_zone_too() -> None:
    naive = T0.replace(tzinfo=None)
    data = PasswordChangedV1(changed_at=T0)
    error = refusal(
        lambda: new_event(
            source="urn:test", id="1", type="identity.password-changed.v1", subject="m-1", time=naive, data=data
        )
    )
    assert error.field == "time"


# --- Telling a redelivery from an id used twice ------------------------------------------------------------------


def test_the_content_s_hash_ignores_how_json_is_written() -> None:
    document = example(TYPE)
    shuffled = dict(reversed(document.items())) | {"data": dict(reversed(document["data"].items()))}
    spaced = json.dumps(shuffled, indent=3, ensure_ascii=False).encode()
    assert read_record([], spaced).content_sha256 == read_event(document).content_sha256


@pytest.mark.parametrize(
    "change",
    [{"subject": "m-1"}, {"time": "2026-11-22T08:16:36Z"}, {"data": {"signed_on_at": "2026-11-22T08:16:35Z"}}],
)
def test_the_content_s_hash_tells_other_content(change: dict[str, Any]) -> None:
    assert read_event(example(TYPE) | change).content_sha256 != read_event(example(TYPE)).content_sha256


def test_the_content_s_hash_does_not_cover_the_key_it_is_compared_under() -> None:
    other = example(TYPE) | {"id": "other", "source": "urn:other"}
    assert read_event(other).content_sha256 == read_event(example(TYPE)).content_sha256
