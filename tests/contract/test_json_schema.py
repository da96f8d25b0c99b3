"""The published schemas: valid, complete, and of one mind with the reader."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.envelope import EventError, read_event
from schemas.json_schema import event_schemas
from schemas.topics import DATA_OF_TYPE
from tests.support.contract import example

SCHEMAS = event_schemas()
NOT_TEXT: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.5, 2**53 + 1),
    *([], {}, [1], ["+32470123456"] * 3, {"general": "yes"}),
)
WORDS = ("", " ", "0", "7", "yes", "en", "EN", "sms", "email", "login", "cm", "Ab12", "ä", "a\x00b", "x" * 2049)
PHONES = ("+32470123456", "32470123456", "+0470123456", "+32 470 12 34 56")
EMAILS = ("a@b.example.test", "a@b", "@b.example.test", ".a@b.example.test", "a@b.example.-x", "é@b.example.test")
LINKS = (
    *("https://example.test/ä", "https://example.test/a b", "https://example.test/%C3%A4?q=1#x"),
    *("javascript:alert(1)", "ftp://example.test/", "https://"),
)
TIMES = (
    *("1700000000", "1700000000.5", "2026-11-22", "2101-01-01", "1999-06-01"),
    *("2026-11-22T12:00:00", "2026-11-22 12:00:00Z", "2026-11-22T12:00Z", "2026-11-22T24:00:00Z"),
    *("2026-11-22T12:00:00Z", "2026-11-22t12:00:00z", "2026-11-22T13:00:00.123456789+01:00"),
    *("9999-12-31T23:59:59-14:00", "1999-06-01T00:00:00Z"),
)
MISFITS = (*NOT_TEXT, *WORDS, *PHONES, *EMAILS, *LINKS, *TIMES)
each_type = pytest.mark.parametrize("type_", DATA_OF_TYPE)


def _accepts(schema: dict[str, Any], document: dict[str, Any]) -> bool:
    return Draft202012Validator(schema).is_valid(document)


def _reads(document: dict[str, Any]) -> bool:
    try:
        read_event(document, publishing=True)
    except EventError:
        return False
    return True


def _fields(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for value in node.values() if isinstance(node, dict) else node:
        if isinstance(value, dict | list):
            yield from _fields(value)
    if isinstance(node, dict) and node.get("type") == "object":
        yield from node.get("properties", {}).items()


@each_type
def test_a_schema_is_valid_2020_12(type_: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[type_])
    assert SCHEMAS[type_]["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_every_schema_has_an_id_and_a_title_of_its_own() -> None:
    for name in ("$id", "title"):
        assert len({schema[name] for schema in SCHEMAS.values()}) == len(SCHEMAS)


@each_type
def test_every_field_of_the_data_says_what_it_is(type_: str) -> None:
    for name, field in _fields(SCHEMAS[type_]["$defs"]):
        assert re.search(r'"(description|enum|const|\$ref)": ', json.dumps(field)), name


@each_type
def test_secrets_and_nothing_else_are_marked(type_: str) -> None:
    data = DATA_OF_TYPE[type_]
    marked = {name for name, field in _fields(SCHEMAS[type_]["$defs"]) if field.get("x-secret")}
    assert marked == data.secret_fields


@each_type
def test_an_unknown_field_is_refused_to_a_publisher(type_: str) -> None:
    document = example(type_)
    document["data"]["unheard_of"] = 1
    assert not _accepts(SCHEMAS[type_], document)
    assert not _reads(document)


@each_type
def test_schema_and_reader_agree_on_every_field_left_out(type_: str) -> None:
    for field in example(type_)["data"]:
        document = example(type_)
        del document["data"][field]
        assert _accepts(SCHEMAS[type_], document) == _reads(document), field


@each_type
def test_schema_and_reader_agree_on_what_fits_no_field(type_: str) -> None:
    validator = Draft202012Validator(SCHEMAS[type_])
    for field in example(type_)["data"]:
        for misfit in MISFITS:
            document = example(type_)
            document["data"][field] = misfit
            assert validator.is_valid(document) == _reads(document), (field, misfit)


@pytest.mark.parametrize(
    "attribute", ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"]
)
def test_what_the_schema_takes_as_an_attribute_is_taken(attribute: str) -> None:
    schema = SCHEMAS["identity.password-changed.v1"]
    for misfit in MISFITS:
        document = example("identity.password-changed.v1") | {attribute: misfit}
        assert _reads(document) or not _accepts(schema, document), misfit


@pytest.mark.parametrize("name", ["traceparent", "data_base64", "traceParent", "x-y", "ä", ""])
@pytest.mark.parametrize("value", ["00-ab", 7, True, None, 1.5, [], {}, "a\x00b"])
def test_schema_and_reader_agree_on_extension_attributes(name: str, value: Any) -> None:
    document = example("identity.password-changed.v1") | {name: value}
    assert _accepts(SCHEMAS["identity.password-changed.v1"], document) == _reads(document)


@pytest.mark.parametrize(("channel", "missing"), [("sms", "phone"), ("email", "url")])
@pytest.mark.parametrize("left", ["out", "null"])
def test_a_code_names_what_its_channel_needs(channel: str, missing: str, left: str) -> None:
    document = example("identity.verification-code-issued.v1")
    document["data"] |= {"channel": channel, "phone": "+447700900123"}
    assert _accepts(SCHEMAS[document["type"]], document)
    document["data"][missing] = None
    if left == "out":
        del document["data"][missing]
    assert not _accepts(SCHEMAS[document["type"]], document)
    assert not _reads(document)
