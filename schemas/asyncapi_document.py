"""AsyncAPI 3.0 over the topics: what is on each, how it is keyed and kept, who sends and who receives. Pure."""

from typing import Any

from schemas.envelope import STRUCTURED, STRUCTURED_CONTENT_TYPE
from schemas.topics import (
    ACTIVITY,
    AUTH_EVENTS_DEAD_LETTERS,
    CODES,
    COMPLAINT_SLA_DEAD_LETTERS,
    CONTACTS,
    DATA_OF_TYPE,
    DEADLINES,
    IN_APP,
    LIFECYCLE,
    LINKS,
    NOTIFIER_DEAD_LETTERS,
    OUTCOMES,
    SECURITY,
    SIGN_ONS,
    TOPIC_OF_TYPE,
    TOPICS,
    Topic,
)

Document = dict[str, Any]

CONTRACT_VERSION = "1.1.0"
"""Minor for a new type or optional field. Nothing else changes: a breaking change is a new type."""
KAFKA_BINDING = "0.5.0"
JSON_SCHEMA = "application/schema+json;version=draft-2020-12"
TOMBSTONE = "members.contact.tombstone"
DEAD_LETTER = "dead-letter"

SENDS: dict[str, tuple[Topic, ...]] = {
    "auth-events": (CODES, LINKS, SECURITY, SIGN_ONS, CONTACTS, ACTIVITY, LIFECYCLE, AUTH_EVENTS_DEAD_LETTERS),
    "complaint-sla": (DEADLINES, COMPLAINT_SLA_DEAD_LETTERS),
    "notifier": (IN_APP, OUTCOMES, NOTIFIER_DEAD_LETTERS),
}
RECEIVES: dict[str, tuple[Topic, ...]] = {
    "auth-events": (ACTIVITY,),
    "complaint-sla": (LIFECYCLE, OUTCOMES),
    "notifier": (CODES, LINKS, SECURITY, CONTACTS, ACTIVITY, DEADLINES),
}
_KEYS = {
    "member": "Opaque member id, the event's subject; never an address or a phone number.",
    "complaint": "Complaint id, the event's subject.",
    "as-it-was": "The key of the original record.",
}


def document() -> Document:
    return {
        "asyncapi": "3.0.0",
        "id": "urn:member-notices",
        "info": {
            "title": "Member Notices",
            "version": CONTRACT_VERSION,
            "description": (
                "Events of identity, membership and complaints in; "
                "e-mail, SMS and in-app messages out, each with its outcome. "
                "CloudEvents 1.0, written in structured mode, read in structured and binary mode. "
                "`source` and `id` are the idempotency key. A breaking change is a new type on a new topic."
            ),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": STRUCTURED,
        "channels": {name: _channel(topic) for name, topic in TOPICS.items()},
        "operations": {
            f"{service}.{action}.{topic.name}": _operation(service, action, topic)
            for action, table in (("send", SENDS), ("receive", RECEIVES))
            for service, topics in table.items()
            for topic in topics
        },
        "components": {
            "messages": {
                **{type_: _event_message(type_) for type_ in DATA_OF_TYPE},
                TOMBSTONE: _tombstone(),
                DEAD_LETTER: _dead_letter(),
            }
        },
    }


def _channel(topic: Topic) -> Document:
    names = [*topic.types] or [DEAD_LETTER]
    if topic.compacted:
        names.append(TOMBSTONE)
    settings: Document = {name: int(value) if value.isdecimal() else [value] for name, value in topic.configs().items()}
    return {
        "address": topic.name,
        "description": f"Key: {_KEYS[topic.key]} {_kept(topic)}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": settings,
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _kept(topic: Topic) -> str:
    if topic.retention is None:
        return "Compacted: the latest per key, until a tombstone."
    hours = int(topic.retention.total_seconds()) // 3600
    return f"Kept for {hours // 24} days." if hours > 48 else f"Kept for {hours} hours."


def _operation(service: str, action: str, topic: Topic) -> Document:
    channel = f"#/channels/{topic.name}"
    binding: Document = {"bindingVersion": KAFKA_BINDING}
    if action == "receive":
        binding["groupId"] = {"type": "string", "description": f"A consumer group of {service}, one a lane."}
    return {
        "action": action,
        "channel": {"$ref": channel},
        "summary": f"{service} {action}s {topic.name}",
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in _channel(topic)["messages"]],
        "bindings": {"kafka": binding},
    }


def _event_message(type_: str) -> Document:
    data = DATA_OF_TYPE[type_]
    return {
        "name": type_,
        "title": data.__name__,
        "summary": data.__doc__,
        "contentType": STRUCTURED_CONTENT_TYPE,
        "headers": {
            "type": "object",
            "properties": {
                "content-type": {"const": STRUCTURED_CONTENT_TYPE},
                "ce_id": {"type": "string", "description": "Copy of the event's id."},
                "ce_type": {"const": type_},
            },
        },
        "payload": {"schemaFormat": JSON_SCHEMA, "schema": {"$ref": f"../json/{type_}.json"}},
        "bindings": _keyed(TOPIC_OF_TYPE[type_].key),
    }


def _tombstone() -> Document:
    return {
        "name": TOMBSTONE,
        "title": "Tombstone of a contact",
        "summary": "A record without value: forget the contact whose member id is the key.",
        "payload": {"type": "null"},
        "bindings": _keyed("member"),
    }


def _dead_letter() -> Document:
    text = {"type": "string"}
    return {
        "name": DEAD_LETTER,
        "title": "A record that could not be accepted",
        "summary": "The original value, encrypted. What is too large is written as its SHA-256 and size instead.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "required": ["reason", "origin-topic", "origin-partition", "origin-offset", "first-seen", "key-id"],
            "properties": {
                "reason": text | {"description": "Code, field and rule; never a value."},
                "origin-topic": text,
                "origin-partition": text,
                "origin-offset": text,
                "first-seen": text | {"format": "date-time"},
                "key-id": text | {"description": "The key that the value is encrypted with."},
            },
        },
        "payload": {"type": "string", "format": "binary"},
        "bindings": _keyed("as-it-was"),
    }


def _keyed(key: str) -> Document:
    return {"kafka": {"key": {"type": "string", "description": _KEYS[key]}, "bindingVersion": KAFKA_BINDING}}
