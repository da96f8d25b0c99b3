"""JSON Schema 2020-12 of every event as a publisher sends it: attributes and data, nothing unknown. Pure.

What validates here is accepted by `schemas.envelope.read_event(…, publishing=True)`, but for a day the calendar does
not have and the few hours in which a year has already begun or not yet ended somewhere.
"""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from schemas.complaints import ComplaintId
from schemas.topics import DATA_OF_TYPE, TOPIC_OF_TYPE
from schemas.types import Data, MemberId, Time

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NO_NUL = r"^[^\x00]*$"
"""NUL is refused in every text; a field with a pattern of its own leaves it out already."""


class _WithoutFieldTitles(GenerateJsonSchema):
    """A title on each field makes generators of Java and TypeScript name a class for each of them."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False


def event_schemas() -> dict[str, Schema]:
    """Type → schema of the whole structured CloudEvent."""
    return {type_: event_schema(type_, data) for type_, data in sorted(DATA_OF_TYPE.items())}


def event_schema(type_: str, data: type[Data]) -> Schema:
    _, generated = models_json_schema([(data, "validation")], schema_generator=_WithoutFieldTitles)
    definitions: dict[str, Schema] = generated["$defs"]
    for definition in definitions.values():
        if definition.get("type") == "object":
            definition["additionalProperties"] = False
        for text in _plain_texts(definition):
            text["pattern"] = NO_NUL
    for name in sorted(data.secret_fields):
        definitions[data.__name__]["properties"][name]["x-secret"] = True
    return {
        "$schema": DIALECT,
        "$id": f"urn:member-notices:{type_}",
        "title": re.sub(r"(V[0-9]+)$", r"Event\1", data.__name__),
        "description": "CloudEvents 1.0, structured mode. On Kafka the record key is the subject.",
        "x-topic": TOPIC_OF_TYPE[type_].name,
        "type": "object",
        "properties": _attributes(type_) | {"data": {"$ref": f"#/$defs/{data.__name__}"}},
        "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
        "propertyNames": {"pattern": "^[a-z0-9]{1,64}$"},
        "additionalProperties": {
            "description": "CloudEvents extension attributes; nobody reads them.",
            "type": ["string", "integer", "boolean", "null"],
            "pattern": NO_NUL,
        },
        "$defs": definitions,
    }


def _attributes(type_: str) -> dict[str, Schema]:
    return {
        "specversion": {"const": "1.0"},
        "id": _ascii(128, "With `source` the idempotency key: the same on every retry, never used for another event."),
        "source": _ascii(255, "The publisher, a URI; a publisher's token is bound to it."),
        "type": {"const": type_},
        "subject": _inline(ComplaintId if TOPIC_OF_TYPE[type_].key == "complaint" else MemberId),
        "time": _inline(Time) | {"description": "When it happened by the publisher's clock; the same on every retry."},
        "datacontenttype": {
            "type": "string",
            "pattern": "^application/json *(;[ -~]*)?$",
            "default": "application/json",
        },
    }


def _ascii(limit: int, description: str) -> Schema:
    return {"type": "string", "pattern": "^[!-~]+$", "maxLength": limit, "minLength": 1, "description": description}


def _inline(annotation: Any) -> Schema:
    return TypeAdapter[Any](annotation).json_schema()


def _plain_texts(node: Any) -> Iterator[Schema]:
    """Every schema of a free text below this one; a text with values or a pattern of its own is none."""
    if isinstance(node, list):
        for inner in node:
            yield from _plain_texts(inner)
    if not isinstance(node, dict):
        return
    if node.get("type") == "string" and not node.keys() & {"pattern", "const", "enum"}:
        yield node
    for key, inner in node.items():
        if key not in {"default", "if", "then"}:
            yield from _plain_texts(inner)
