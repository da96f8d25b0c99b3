"""A version that somebody builds against takes tomorrow what it took yesterday."""

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.compatibility import Breach, breaches
from schemas.json_schema import event_schemas
from tests.support.contract import landed

TYPE = "members.example.v1"
Schema = dict[str, Any]
BEFORE: Schema = {
    "x-topic": "members.activity.v1",
    "type": "object",
    "properties": {"type": {"const": TYPE}, "data": {"$ref": "#/$defs/ExampleV1"}},
    "required": ["type", "data"],
    "additionalProperties": {"type": ["string", "integer"]},
    "$defs": {
        "Inner": {"type": "object", "properties": {"issuer": {"type": "string"}}, "additionalProperties": False},
        "ExampleV1": {
            "type": "object",
            "properties": {
                "email": {"type": "string", "pattern": "^a$", "maxLength": 254, "minLength": 1, "x-secret": True},
                "phone": {"anyOf": [{"type": "string", "pattern": "^b$"}, {"type": "null"}], "default": None},
                "which": {"enum": ["login", "only"], "type": "string"},
                "version": {"type": "integer", "minimum": 1, "maximum": 9},
                "at": {"type": "string", "format": "date-time"},
                "identities": {"type": "array", "items": {"$ref": "#/$defs/Inner"}, "maxItems": 20, "default": []},
                "card": {"type": "boolean", "default": False},
            },
            "required": ["email"],
            "additionalProperties": False,
        },
    },
}
Change = Callable[[Schema, Schema], object]
"""Takes the data's schema and its fields."""


def _after(change: Change) -> Schema:
    schema = copy.deepcopy(BEFORE)
    data = schema["$defs"]["ExampleV1"]
    change(data, data["properties"])
    return schema


def _found(after: Schema) -> list[tuple[str, str]]:
    return [(breach.field, breach.rule) for breach in breaches({TYPE: BEFORE}, {TYPE: after})]


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        (lambda _, f: f.pop("which"), "data.which", "field-removed"),
        (lambda d, _: d["required"].append("which"), "data.which", "now-required"),
        (
            lambda d, f: (f.update(new={"type": "string"}), d["required"].append("new")),
            "data.new",
            "required-field-added",
        ),
        (lambda _, f: f["version"].update(type="string"), "data.version", "type-narrowed"),
        (lambda _, f: f.update(phone={"type": "string", "pattern": "^b$"}), "data.phone", "type-narrowed"),
        (lambda _, f: f["phone"]["anyOf"].pop(), "data.phone", "type-narrowed"),
        (lambda _, f: f["phone"]["anyOf"][0].update(pattern="^c$"), "data.phone", "pattern-changed"),
        (lambda _, f: f["email"].update(pattern="^c$"), "data.email", "pattern-changed"),
        (lambda _, f: f["which"].update(pattern="^c$"), "data.which", "pattern-added"),
        (lambda _, f: f["at"].update(format="date"), "data.at", "format-changed"),
        (lambda _, f: f["email"].update(maxLength=253), "data.email", "maxLength-lowered"),
        (lambda _, f: f["email"].update(minLength=2), "data.email", "minLength-raised"),
        (lambda _, f: f["which"].update(maxLength=9), "data.which", "maxLength-lowered"),
        (lambda _, f: f["version"].update(minimum=2), "data.version", "minimum-raised"),
        (lambda _, f: f["version"].update(maximum=8), "data.version", "maximum-lowered"),
        (lambda _, f: f["identities"].update(maxItems=2), "data.identities", "maxItems-lowered"),
        (lambda _, f: f["identities"].update(uniqueItems=True), "data.identities", "uniqueItems-added"),
        (lambda _, f: f["identities"].update(items={"type": "string"}), "data.identities[]", "type-narrowed"),
        (lambda _, f: f["which"]["enum"].remove("only"), "data.which", "values-narrowed"),
        (lambda _, f: f.update(which={"const": "login"}), "data.which", "values-narrowed"),
        (lambda _, f: f["at"].update(enum=["x"]), "data.at", "values-narrowed"),
        (lambda _, f: f["email"].pop("x-secret"), "data.email", "secret-mark-removed"),
        (lambda _, f: f["card"].update(default=True), "data.card", "default-changed"),
        (lambda d, _: d.update(allOf=[{"required": ["at"]}]), "data", "allOf-added"),
        (lambda _, f: f.update(card=False), "data.card", "type-narrowed"),
    ],
)
def test_a_breaking_change_is_told_by_field_and_rule(change: Change, field: str, rule: str) -> None:
    assert _found(_after(change)) == [(field, rule)]


@pytest.mark.parametrize(
    "change",
    [
        lambda _, f: f.update(new={"type": "string"}),
        lambda d, _: d["required"].clear(),
        lambda _, f: f["email"].update(description="An address."),
        lambda _, f: f["email"].pop("pattern"),
        lambda _, f: f["email"].update(maxLength=300),
        lambda _, f: f["which"].update(enum=["login", "only", "communication"]),
        lambda _, f: f["version"].update(type="number"),
        lambda _, f: f["version"].pop("maximum"),
        lambda _, f: f.update(email={"anyOf": [{"type": "null"}, dict(f["email"])], "x-secret": True}),
        lambda d, _: d.update(additionalProperties=True),
        lambda _, f: f.update(card=True),
        lambda _, f: f["identities"].pop("items"),
    ],
)
def test_a_wider_version_breaks_nobody(change: Change) -> None:
    assert _found(_after(change)) == []


def test_a_field_removed_from_a_nested_object_is_told_by_its_path() -> None:
    after = copy.deepcopy(BEFORE)
    after["$defs"]["Inner"]["properties"].clear()
    assert _found(after) == [("data.identities[].issuer", "field-removed")]


def test_extension_attributes_taken_away_are_told() -> None:
    assert _found(BEFORE | {"additionalProperties": False}) == [("$", "unknown-fields-narrowed")]


def test_a_type_that_disappears_is_told() -> None:
    assert breaches({TYPE: BEFORE}, {}) == [Breach(TYPE, "$", "type-removed")]


def test_a_type_that_moves_to_another_topic_is_told() -> None:
    assert _found(BEFORE | {"x-topic": "members.activity.v2"}) == [("$", "topic-changed")]


def test_a_new_type_breaks_nobody() -> None:
    assert breaches({}, {TYPE: BEFORE}) == []


def test_a_breach_names_the_way_out() -> None:
    assert str(Breach("members.contact.v9", "data.email", "field-removed")) == (
        "members.contact.v9: data.email: field-removed. Publishers rely on members.contact.v9 as it is: "
        "leave it and add members.contact.v10 (its own data model, topic, schema and example)."
    )


def test_the_models_break_nothing_that_has_landed() -> None:
    before = {name.removesuffix(".json"): json.loads(text) for name, text in landed("schemas/json").items()}
    assert not [str(breach) for breach in breaches(before, event_schemas())]


def _git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.test", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def _commit_schema(repository: Path, text: str) -> None:
    (repository / "schemas/json").mkdir(parents=True, exist_ok=True)
    (repository / "schemas/json/a.v1.json").write_text(text)
    _git(repository, "add", "-A")
    _git(repository, "commit", "-q", "-m", text)


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    repository = tmp_path / "upstream"
    repository.mkdir()
    _git(repository, "init", "-q", "-b", "main")
    _commit_schema(repository, "1")
    _commit_schema(repository, "2")
    return repository


def test_what_landed_is_where_a_branch_left_main(upstream: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    _git(tmp_path, "clone", "-q", f"file://{upstream}", str(clone))
    _git(clone, "switch", "-q", "-c", "work")
    _commit_schema(clone, "3")
    assert landed("schemas/json", clone) == {"a.v1.json": b"2"}


def test_what_landed_is_head_in_a_shallow_clone_of_a_branch(upstream: Path, tmp_path: Path) -> None:
    _git(upstream, "switch", "-q", "-c", "work")
    _commit_schema(upstream, "3")
    clone = tmp_path / "clone"
    _git(tmp_path, "clone", "-q", "--depth=1", "--branch=work", f"file://{upstream}", str(clone))
    (clone / "schemas/json/a.v1.json").write_text("4")
    assert landed("schemas/json", clone) == {"a.v1.json": b"3"}


def test_what_landed_is_what_lies_there_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "a.v1.json").write_text("5")
    assert landed(".", tmp_path) == {"a.v1.json": b"5"}


def test_nothing_landed_in_a_folder_younger_than_the_base(upstream: Path) -> None:
    assert landed("schemas/examples", upstream) == {}
