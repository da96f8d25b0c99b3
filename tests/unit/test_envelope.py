"""What is read in either mode, and what is refused."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.envelope import (
    STRUCTURED_CONTENT_TYPE,
    Headers,
    parse_json,
    read_event,
    read_record,
)
from schemas.identity import NewSignOnDetectedV1
from tests.support.contract import as_binary, as_bytes, example, refusal

TYPE = "identity.new-sign-on-detected.v1"
T0 = datetime(2026, 11, 22, 8, 16, 35, tzinfo=UTC)
MARKER = "Qx7-4810-Zw"


def _reason(document: dict[str, Any], *, publishing: bool = False) -> str:
    return refusal(lambda: read_event(document, publishing=publishing)).reason


# --- Reading, both modes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("content-type", STRUCTURED_CONTENT_TYPE.encode())],
        [("Content-Type", b"Application/CloudEvents+JSON")],
        [("content-type", b"application/json")],
        [("ce_id", example(TYPE)["id"].encode()), ("ce_type", TYPE.encode())],
        [("content-type", STRUCTURED_CONTENT_TYPE.encode()), ("ce_specversion", b"1.0")],
    ],
)
def test_structured_mode_is_read_with_and_without_content_type(headers: Headers) -> None:
    assert read_record(headers, as_bytes(example(TYPE))) == read_event(example(TYPE))


@pytest.mark.parametrize(
    "content_type",
    [[], [("content-type", b"application/json")], [("content-type", b"application/json; charset=utf-8")]],
)
def test_binary_mode_is_read_with_and_without_content_type(content_type: list[tuple[str, bytes]]) -> None:
    headers, value = as_binary(example(TYPE))
    assert read_record([*headers, *content_type], value) == read_event(example(TYPE))


def test_binary_mode_is_read_whatever_the_case_of_its_headers() -> None:
    headers, value = as_binary(example(TYPE))
    assert read_record([(name.upper(), text) for name, text in headers], value) == read_event(example(TYPE))


def test_binary_mode_carries_json_only() -> None:
    headers, value = as_binary(example(TYPE))
    error = refusal(lambda: read_record([*headers, ("content-type", b"text/xml")], value))
    assert error.reason == "attribute-invalid: datacontenttype (must be application/json)"


@pytest.mark.parametrize("value", [None, b"\xff\xfe", b""])
def test_headers_that_are_not_ours_may_hold_anything(value: bytes | None) -> None:
    read_record([("traceparent", value), ("x-ce_id", value)], as_bytes(example(TYPE)))


@pytest.mark.parametrize("name", ["content-type", "ce_id", "ce_traceparent"])
@pytest.mark.parametrize(("value", "rule"), [(None, "null value"), (b"\xff\xfe", "not UTF-8")])
def test_a_header_of_ours_is_text(name: str, value: bytes | None, rule: str) -> None:
    error = refusal(lambda: read_record([(name, value)], as_bytes(example(TYPE))))
    assert error.reason == f"attribute-invalid: header {name} ({rule})"


def test_a_header_given_twice_is_refused_unless_it_says_the_same() -> None:
    same = ("ce_type", TYPE.encode())
    read_record([same, same], as_bytes(example(TYPE)))
    error = refusal(lambda: read_record([same, ("ce_type", b"other")], as_bytes(example(TYPE))))
    assert error.reason == "attribute-invalid: header ce_type (given twice)"


@pytest.mark.parametrize("name", ["ce_id", "ce_type"])
def test_a_copied_header_agrees_with_the_event(name: str) -> None:
    error = refusal(lambda: read_record([(name, MARKER.encode())], as_bytes(example(TYPE))))
    assert error.reason == f"attribute-invalid: header {name} (differs from the event)"


def test_a_null_value_is_a_tombstone() -> None:
    assert refusal(lambda: read_record([], None)).code == "tombstone"


@pytest.mark.parametrize("value", [b"[]", b"7", b'"text"', b"null"])
def test_a_structured_event_is_an_object(value: bytes) -> None:
    assert refusal(lambda: read_record([], value)).code == "attribute-invalid"


# --- Bytes that are no JSON, text that no database takes ---------------------------------------------------------


@pytest.mark.parametrize(
    "value", [b"", b"{", b"NaN", b'{"a": Infinity}', b'"\x00"', b"[" * 300 + b"]" * 300, b"[" * 100_000, b"1" * 5000]
)
def test_what_is_not_json_is_told_as_that(value: bytes) -> None:
    assert refusal(lambda: parse_json(value)).reason == "not-json"


@pytest.mark.parametrize("value", [b"\xff", b'"\xff"', b'"\xed\xa0\x80"', '"é"'.encode("latin-1")])
def test_what_is_not_utf_8_is_told_as_that(value: bytes) -> None:
    assert refusal(lambda: parse_json(value)).reason == "not-utf-8"


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\udfff\\ud800"])
def test_nul_and_lone_surrogates_are_refused_in_the_raw_record(escape: str) -> None:
    value = as_bytes(example(TYPE)).replace(b"Firefox", escape.encode())
    assert refusal(lambda: read_record([], value)).reason == "text-not-storable: data.browser"


@pytest.mark.parametrize("text", ["a\x00", "\ud800"])
@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("data.unheard.0.of", lambda text: {"data": {"unheard": [{"of": text}]}}),
        ("data.*", lambda text: {"data": {text: 1}}),
        ("source", lambda text: {"source": text}),
        ("extension", lambda text: {"extension": text}),
    ],
)
def test_nul_and_lone_surrogates_are_refused_anywhere(text: str, field: str, place: Callable[[str], Any]) -> None:
    assert _reason(example(TYPE) | place(text)) == f"text-not-storable: {field}"


def test_an_escaped_backslash_before_u0000_is_only_text() -> None:
    document = example(TYPE)
    document["data"]["browser"] = "\\u0000"
    event = read_record([], as_bytes(document))
    assert isinstance(event.data, NewSignOnDetectedV1)
    assert event.data.browser == "\\u0000"


def test_a_surrogate_pair_is_one_character() -> None:
    value = as_bytes(example(TYPE)).replace(b"Firefox", b"\\ud83e\\udd8a")
    data = read_record([], value).data
    assert isinstance(data, NewSignOnDetectedV1)
    assert data.browser == "🦊 145"


# --- Attributes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["specversion", "source", "id", "type", "subject", "time", "data"])
def test_a_missing_attribute_is_named(name: str) -> None:
    document = example(TYPE)
    del document[name]
    error = refusal(lambda: read_event(document))
    assert (error.code, error.field) == ("attribute-missing", name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("specversion", "0.3"),
        ("source", ""),
        ("source", "a b"),
        ("source", "x" * 256),
        ("id", 7),
        ("id", "x" * 129),
        ("id", "é"),
        ("type", "identity.password-changed"),
        ("type", "Identity.Changed.v1"),
        ("subject", "amara@example.test"),
        ("subject", "+32470123456"),
        ("subject", "x" * 65),
        ("subject", "m-1\n"),
        ("datacontenttype", "application/xml"),
        ("datacontenttype", "application/jsonlines"),
        ("datacontenttype", 7),
    ],
)
def test_an_attribute_that_breaks_its_rule_is_named(name: str, value: Any) -> None:
    error = refusal(lambda: read_event(example(TYPE) | {name: value}))
    assert (error.code, error.field) == ("attribute-invalid", name)
    assert error.rule


def test_a_type_nobody_knows_is_told_as_that() -> None:
    assert _reason(example(TYPE) | {"type": "identity.unheard-of.v1"}) == "type-unknown: type"


TIMES_REFUSED = [
    "2026-11-22T12:00:00",
    "2026-11-22",
    "2026-11-22 12:00:00Z",
    "2026-02-30T12:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "1999-12-31T23:59:59Z",
    "2100-01-01T00:00:00Z",
    "1700000000",
    "1700000000.5",
    1_700_000_000,
    1_700_000_000.5,
    True,
    None,
    {},
]


@pytest.mark.parametrize("value", TIMES_REFUSED)
def test_a_time_is_rfc_3339_with_zone_in_our_century(value: Any) -> None:
    assert _reason(example(TYPE) | {"time": value}).startswith("attribute-invalid: time")
    document = example(TYPE)
    document["data"]["signed_on_at"] = value
    assert _reason(document).startswith("data-invalid: data.signed_on_at (")


DAYS_REFUSED: list[Any] = [
    *("2026-11-22T00:00:00Z", "2026-11-22T00:00:00", "2026-02-30", "20261122", "20000", "1999-12-31", "2100-01-01"),
    *(20_000, 20_000.0, True, None, []),
]


@pytest.mark.parametrize("value", DAYS_REFUSED)
def test_a_day_is_text_without_a_time_in_our_century(value: Any) -> None:
    document = example("members.coverage-ended.v1")
    document["data"]["ended_on"] = value
    assert _reason(document).startswith("data-invalid: data.ended_on (")


def test_a_time_is_read_into_utc() -> None:
    assert read_event(example(TYPE) | {"time": "2026-11-22T09:16:35+01:00"}).time == T0


# --- Data --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "field"), [(TYPE, "data.unheard_of"), ("members.contact.v1", "data.preferences.unheard_of")]
)
def test_an_unknown_field_is_ignored_by_a_reader_and_refused_to_a_publisher(type_: str, field: str) -> None:
    document = example(type_)
    target = document
    for part in field.split(".")[:-1]:
        target = target[part]
    target["unheard_of"] = MARKER
    assert read_event(document).data == read_event(example(type_)).data
    assert read_record([], as_bytes(document)).data == read_event(example(type_)).data
    assert _reason(document, publishing=True) == f"data-invalid: {field} (extra_forbidden)"


@pytest.mark.parametrize("name", ["data_base64", "traceParent", "x-y"])
def test_a_misnamed_attribute_is_ignored_by_a_reader_and_refused_to_a_publisher(name: str) -> None:
    document = example(TYPE) | {name: "x"}
    assert read_event(document) == read_event(example(TYPE))
    assert _reason(document, publishing=True).startswith("attribute-invalid: ")


@pytest.mark.parametrize(
    ("type_", "field", "value"),
    [
        ("members.contact.v1", "version", "7"),
        ("members.contact.v1", "version", True),
        ("members.contact.v1", "has_card", "yes"),
        ("members.contact.v1", "has_card", 1),
        ("members.portal-access-ending.v1", "reminder", "off"),
        ("notifications.sent.v1", "attempt", "1"),
    ],
)
def test_text_is_no_number_and_a_word_no_boolean(type_: str, field: str, value: Any) -> None:
    document = example(type_)
    document["data"][field] = value
    assert _reason(document).startswith(f"data-invalid: data.{field} (")


def test_the_state_of_an_outcome_is_the_one_its_type_names() -> None:
    document = example("notifications.sent.v1")
    document["data"]["state"] = "failed"
    assert _reason(document) == "data-invalid: data.state (literal_error)"


@pytest.mark.parametrize(
    ("channel", "field", "rule"), [("sms", "phone", "phone_required"), ("email", "url", "url_required")]
)
def test_a_code_names_what_its_channel_needs(channel: str, field: str, rule: str) -> None:
    document = example("identity.verification-code-issued.v1")
    document["data"] |= {"channel": channel, field: None}
    assert _reason(document) == f"data-invalid: data ({rule})"
