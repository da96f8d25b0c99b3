"""What a new JSON Schema of an event version takes away from those who built against the old one. Pure.

The promise to publishers: what validated yesterday validates tomorrow, field by field. A pattern or a condition that
changed counts as narrowed: nobody can tell in general whether the new one takes all that the old one took.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_UNCOMPARABLE = (
    "pattern", "format", "multipleOf", "uniqueItems", "not", "oneOf", "allOf", "if", "then", "else", "propertyNames",
    "patternProperties", "prefixItems", "contains", "dependentRequired", "dependentSchemas",
)  # fmt: skip
_TYPE_NAMES = {
    type(None): "null", bool: "boolean", str: "string", int: "integer", float: "number", list: "array", dict: "object",
}  # fmt: skip
_TYPES = frozenset(_TYPE_NAMES.values())


@dataclass(frozen=True, slots=True)
class Breach:
    """One promise broken: `field` as a path from the event down, `rule` as a name."""

    type: str
    field: str
    rule: str

    def __str__(self) -> str:
        version = int(self.type.rpartition(".v")[2])
        successor = f"{self.type.rpartition('.v')[0]}.v{version + 1}"
        return (
            f"{self.type}: {self.field}: {self.rule}. Publishers rely on {self.type} as it is: "
            f"leave it and add {successor} (its own data model, topic, schema and example)."
        )


def breaches(before: Mapping[str, Schema], after: Mapping[str, Schema]) -> list[Breach]:
    """All breaches between two contracts, each a mapping of event type → schema of the whole event."""
    found: list[Breach] = []
    for type_, old in before.items():
        if type_ not in after:
            found.append(Breach(type_, "$", "type-removed"))
            continue
        new = after[type_]
        if old.get("x-topic") != new.get("x-topic"):
            found.append(Breach(type_, "$", "topic-changed"))
        comparison = _Comparison(old, new)
        found += [Breach(type_, field or "$", rule) for field, rule in comparison.between(old, new, "")]
    return found


Finding = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Comparison:
    old_root: Schema
    new_root: Schema

    def between(self, old: Schema | bool, new: Schema | bool, path: str) -> Iterator[Finding]:
        old, new = _resolve(old, self.old_root), _resolve(new, self.new_root)
        if "anyOf" in old or "anyOf" in new:
            yield from self._alternatives(old, new, path)
            return
        if not _types(old) <= _types(new):
            yield path, "type-narrowed"
            return
        yield from _meaning(old, new, path)
        yield from _values(old, new, path)
        yield from _bounds(old, new, path)
        yield from self._fields(old, new, path)
        if "items" in new:
            yield from self.between(old.get("items", True), new["items"], f"{path}[]")

    def _alternatives(self, old: Schema, new: Schema, path: str) -> Iterator[Finding]:
        """Each alternative of old has to fit one of new; of several misfits the closest is the one to tell."""
        yield from _meaning(old, new, path)
        for alternative in old.get("anyOf", [old]):
            misfits = [list(self.between(alternative, candidate, path)) for candidate in new.get("anyOf", [new])]
            closest = min(misfits, key=lambda findings: (("type-narrowed" in {r for _, r in findings}), len(findings)))
            yield from closest

    def _fields(self, old: Schema, new: Schema, path: str) -> Iterator[Finding]:
        old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
        for name, field in old_fields.items():
            if name in new_fields:
                yield from self.between(field, new_fields[name], _join(path, name))
            else:
                yield _join(path, name), "field-removed"
        for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield _join(path, name), "now-required" if name in old_fields else "required-field-added"
        yield from self._unnamed_fields(old, new, path)

    def _unnamed_fields(self, old: Schema, new: Schema, path: str) -> Iterator[Finding]:
        rest = old.get("additionalProperties", True)
        if rest is False or "additionalProperties" not in new:
            return
        if any(self.between(rest, new["additionalProperties"], path)):
            yield path, "unknown-fields-narrowed"


def _meaning(old: Schema, new: Schema, path: str) -> Iterator[Finding]:
    """What validates as before and yet means something else."""
    if old.get("x-secret") and not new.get("x-secret"):
        yield path, "secret-mark-removed"
    if "default" in old and "default" in new and old["default"] != new["default"]:
        yield path, "default-changed"


def _values(old: Schema, new: Schema, path: str) -> Iterator[Finding]:
    accepted = _enumerated(new)
    if accepted is not None:
        offered = _enumerated(old)
        if offered is None or any(value not in accepted for value in offered):
            yield path, "values-narrowed"
    for keyword in _UNCOMPARABLE:
        if keyword in new and new[keyword] != old.get(keyword):
            yield path, f"{keyword}-changed" if keyword in old else f"{keyword}-added"


def _bounds(old: Schema, new: Schema, path: str) -> Iterator[Finding]:
    for keyword in _LOWER_BOUNDS:
        if new.get(keyword, float("-inf")) > old.get(keyword, float("-inf")):
            yield path, f"{keyword}-raised"
    for keyword in _UPPER_BOUNDS:
        if new.get(keyword, float("inf")) < old.get(keyword, float("inf")):
            yield path, f"{keyword}-lowered"


def _enumerated(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _types(schema: Schema) -> frozenset[str]:
    """`number` takes integers too; no `type` takes all, unless nothing can match (`False`)."""
    if schema.get("not") == {}:
        return frozenset()
    values = _enumerated(schema)
    if values is not None:
        return frozenset(_TYPE_NAMES[type(value)] for value in values)
    named = schema.get("type", _TYPES)
    types = frozenset([named] if isinstance(named, str) else named)
    return types | {"integer"} if "number" in types else types


def _resolve(schema: Schema | bool, root: Schema) -> Schema:
    """Follow `$ref` within the document; what stands beside it (a description, a mark) goes on top."""
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target: Any = root
    for part in str(reference).removeprefix("#/").split("/"):
        target = target[part]
    return {**_resolve(target, root), **{name: value for name, value in schema.items() if name != "$ref"}}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
