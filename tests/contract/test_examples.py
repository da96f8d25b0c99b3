"""One real event of every type, valid for good."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.envelope import read_event
from schemas.json_schema import event_schemas
from schemas.topics import DATA_OF_TYPE
from tests.support.contract import EXAMPLES, ROOT, landed

SCHEMAS = event_schemas()
OF_NOTICES = sorted(type_ for type_ in DATA_OF_TYPE if type_.startswith(("identity.", "members.", "complaints.")))


def _data_of(type_: str) -> list[dict[str, Any]]:
    return [document["data"] for document in EXAMPLES.values() if document["type"] == type_]


@pytest.mark.parametrize("type_", DATA_OF_TYPE)
def test_every_type_has_an_example_named_after_it(type_: str) -> None:
    assert EXAMPLES[f"{type_}.json"]["type"] == type_


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_named_after_its_type(name: str) -> None:
    assert name.startswith(f"{EXAMPLES[name]['type']}.")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_may_be_published(name: str) -> None:
    assert read_event(EXAMPLES[name], publishing=True).type == EXAMPLES[name]["type"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_validates_against_the_schema_of_its_type(name: str) -> None:
    schema = SCHEMAS[EXAMPLES[name]["type"]]
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(EXAMPLES[name])


@pytest.mark.parametrize("type_", OF_NOTICES)
def test_the_examples_of_a_type_show_every_field(type_: str) -> None:
    assert set().union(*_data_of(type_)) == set(DATA_OF_TYPE[type_].model_fields)


@pytest.mark.parametrize("type_", OF_NOTICES)
def test_every_optional_field_is_left_out_by_some_example(type_: str) -> None:
    fields = DATA_OF_TYPE[type_].model_fields
    optional = {name for name, field in fields.items() if not field.is_required()}
    assert not optional.intersection(*_data_of(type_))


def test_every_event_has_an_id_of_its_own() -> None:
    keys = {(document["source"], document["id"]) for document in EXAMPLES.values()}
    assert len(keys) == len(EXAMPLES)


def test_addresses_are_fictional() -> None:
    emails = [
        value
        for document in EXAMPLES.values()
        for value in document["data"].values()
        if isinstance(value, str) and "@" in value
    ]
    assert emails
    assert all(value.endswith(".test") for value in emails)


def test_an_example_is_never_edited_once_landed() -> None:
    before = landed("schemas/examples")
    now = {name: (ROOT / "schemas/examples" / name).read_bytes() for name in EXAMPLES}
    edited = [name for name, content in before.items() if now.get(name) != content]
    assert not edited, "landed examples stay as they are; add a file <type>.<what-it-shows>.json"


def test_an_example_is_written_as_people_read_it() -> None:
    for name, document in EXAMPLES.items():
        text = (ROOT / "schemas/examples" / name).read_text("utf-8")
        assert text == json.dumps(document, indent=2, ensure_ascii=False) + "\n", name
