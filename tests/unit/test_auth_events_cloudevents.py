"""CloudEvents over HTTP, read in each mode; each refusal says which field and which rule."""

import json
from typing import Any

import pytest

from services.auth_events.problems import Problem, RefusedError
from services.auth_events.providers.cloudevents import MAX_EVENTS, read
from tests.support.auth_events import BATCH, CODE, STRUCTURED, Document, binary, code


def problem(headers: dict[str, str] | list[tuple[str, str]], body: bytes) -> Problem:
    with pytest.raises(RefusedError) as caught:
        read(list(headers.items()) if isinstance(headers, dict) else headers, body)
    return caught.value.problem


def structured(document: Any) -> Problem:
    return problem({"content-type": STRUCTURED}, json.dumps(document).encode())


def without(name: str) -> Document:
    document = code()
    del document[name]
    return document


def with_data(**fields: Any) -> Document:
    return code(data={**CODE["data"], **fields})


@pytest.mark.parametrize("content_type", [STRUCTURED, f"{STRUCTURED}; charset=UTF-8", "Application/CloudEvents+JSON"])
def test_structured_mode(content_type: str) -> None:
    document = code()
    (event,) = read([("content-type", content_type)], json.dumps(document).encode())
    assert (event.source, event.id, event.subject) == (document["source"], document["id"], "m-1")


def test_structured_mode_wins_over_attribute_headers() -> None:
    headers, _ = binary(code(id="header"))
    (event,) = read([*{**headers, "content-type": STRUCTURED}.items()], json.dumps(code(id="body")).encode())
    assert event.id == "body"


def test_binary_mode_is_the_same_event() -> None:
    document = code()
    headers, body = binary(document)
    (from_binary,) = read([*headers.items()], body)
    (from_structured,) = read([("content-type", STRUCTURED)], json.dumps(document).encode())
    assert from_binary == from_structured


def test_binary_attributes_are_percent_decoded_once() -> None:
    headers, body = binary(code())
    (event,) = read([*{**headers, "ce-source": "https://login.example.test/%2541"}.items()], body)
    assert event.source == "https://login.example.test/%41"


def test_a_batch_keeps_its_order_and_its_repeats() -> None:
    documents = [code(id="b"), code(id="a"), code(id="b")]
    events = read([("content-type", BATCH)], json.dumps(documents).encode())
    assert [event.id for event in events] == ["b", "a", "b"]


def test_an_empty_batch_is_a_batch() -> None:
    assert read([("content-type", BATCH)], b"[]") == []


@pytest.mark.parametrize(
    ("headers", "rule"),
    [
        ([], "exactly one content-type"),
        ([("content-type", STRUCTURED), ("content-type", BATCH)], "exactly one content-type"),
        ([("content-type", "application/json")], "which mode"),
        ([("content-type", "text/plain"), ("ce-specversion", "1.0")], "which mode"),
        ([("content-type", "application/cloudevents+avro")], "which mode"),
        ([("content-type", f"{STRUCTURED}; charset=latin-1")], "charset is UTF-8"),
        ([("content-type", STRUCTURED), ("content-encoding", "gzip")], "no content-encoding"),
    ],
)
def test_another_media_type_is_415_and_says_which_are_read(headers: list[tuple[str, str]], rule: str) -> None:
    refused = problem(headers, b"{}")
    assert (refused.status, refused.code, refused.field) == (415, "media-type", "content-type")
    assert rule in (refused.rule or "")
    assert dict(refused.headers)["Accept"]


@pytest.mark.parametrize(
    ("document", "status", "code_", "field"),
    [
        ([], 400, "attribute-invalid", "$"),
        ("text", 400, "attribute-invalid", "$"),
        (without("specversion"), 400, "attribute-missing", "specversion"),
        (code(specversion="0.3"), 400, "attribute-invalid", "specversion"),
        (without("id"), 400, "attribute-missing", "id"),
        (code(id="two words"), 400, "attribute-invalid", "id"),
        (without("source"), 400, "attribute-missing", "source"),
        (without("subject"), 400, "attribute-missing", "subject"),
        (code(subject="ana@mail.example.test"), 400, "attribute-invalid", "subject"),
        (without("time"), 400, "attribute-missing", "time"),
        (code(time="2026-11-22T12:00:00"), 400, "attribute-invalid", "time"),
        (code(time="9999-12-31T23:59:59-14:00"), 400, "attribute-invalid", "time"),
        (code(datacontenttype="text/xml"), 400, "attribute-invalid", "datacontenttype"),
        (code(type="identity.verification-code-issued"), 400, "attribute-invalid", "type"),
        (code(type="identity.unheard-of.v1"), 422, "type-unknown", "type"),
        (without("data"), 400, "attribute-missing", "data"),
        (code(data=None), 422, "data-invalid", "data"),
        (with_data(phone="0470 00 00 01"), 422, "data-invalid", "data.phone"),
        (with_data(phone=None), 422, "data-invalid", "data"),
        (with_data(unheard_of=1), 422, "data-invalid", "data.unheard_of"),
        (with_data(purpose="a\x00b"), 422, "text-not-storable", "data.purpose"),
    ],
)
def test_each_broken_event_is_refused_by_field(document: Any, status: int, code_: str, field: str) -> None:
    refused = structured(document)
    assert (refused.status, refused.code, refused.field) == (status, code_, field)
    assert refused.detail


@pytest.mark.parametrize(
    ("body", "code_"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b'{"a": NaN}', "not-json"),
        (b"[" * 5000, "not-json"),
        (b"1" * 5000, "not-json"),
        (b'{"a": "\xff"}', "not-utf-8"),
    ],
)
@pytest.mark.parametrize("content_type", [STRUCTURED, BATCH])
def test_a_body_that_cannot_be_read_is_400(body: bytes, code_: str, content_type: str) -> None:
    refused = problem({"content-type": content_type}, body)
    assert (refused.status, refused.code) == (400, code_)


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"ce-id": ""}, "ce-id", "printable ASCII"),
        ({"ce-source": "%ff"}, "ce-source", "percent-encoded UTF-8"),
        ({"ce-under_score": "x"}, "ce-*", "lower-case letters and digits"),
        ({"ce-time": "yesterday"}, "ce-time", "RFC 3339"),
    ],
)
def test_binary_mode_names_the_header(changes: dict[str, str], field: str, rule: str) -> None:
    headers, body = binary(code())
    refused = problem({**headers, **changes}, body)
    assert (refused.status, refused.field) == (400, field)
    assert rule in (refused.rule or "")


def test_an_attribute_given_twice_is_refused() -> None:
    headers, body = binary(code())
    refused = problem([*headers.items(), ("ce-id", "another")], body)
    assert (refused.field, refused.rule) == ("ce-id", "given once")


def test_the_refusal_of_a_batch_says_which_event() -> None:
    refused = problem({"content-type": BATCH}, json.dumps([code(), code(), with_data(phone="x")]).encode())
    assert (refused.event, refused.field) == (2, "data.phone")


def test_one_id_for_two_events_is_refused() -> None:
    twins = [code(id="one"), code(id="two"), with_data(code="9999") | {"id": "one"}]
    refused = problem({"content-type": BATCH}, json.dumps(twins).encode())
    assert (refused.status, refused.code, refused.event) == (422, "id-reused", 2)


def test_a_batch_is_an_array_of_at_most_so_many() -> None:
    assert structured([code()]).status == 400
    assert problem({"content-type": BATCH}, json.dumps(code()).encode()).field == "$"
    refused = problem({"content-type": BATCH}, json.dumps([1] * (MAX_EVENTS + 1)).encode())
    assert (refused.status, refused.rule) == (413, f"at most {MAX_EVENTS} events")
