"""The AsyncAPI document: rules of the specification that can be checked without it, and agreement with the topics."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.topics import TOPICS, Topic
from tests.support.contract import ROOT

PATH = ROOT / "schemas/asyncapi/member-notices.json"
DOCUMENT: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
each_operation = pytest.mark.parametrize("name", DOCUMENT["operations"])


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from _references(inner)


def _target(reference: str) -> Any:
    file, _, pointer = reference.partition("#")
    node = json.loads((PATH.parent / file).read_text("utf-8")) if file else DOCUMENT
    for part in pointer.split("/")[1:]:
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def test_the_root_has_what_3_0_requires_and_nothing_it_does_not_know() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["info"].keys() >= {"title", "version"}
    assert DOCUMENT.keys() <= {"asyncapi", "id", "info", "defaultContentType", "channels", "operations", "components"}


def test_every_reference_leads_somewhere() -> None:
    references = list(_references(DOCUMENT))
    assert references
    assert all(_target(reference) for reference in references)


@pytest.mark.parametrize("section", ["channels", "operations"])
def test_names_keep_to_the_characters_of_the_specification(section: str) -> None:
    assert all(re.fullmatch(r"[\w.\-]+", name) for name in DOCUMENT[section])


@each_operation
def test_an_operation_refers_to_messages_of_its_own_channel(name: str) -> None:
    operation = DOCUMENT["operations"][name]
    assert operation["action"] in {"send", "receive"}
    channel = operation["channel"]["$ref"]
    assert channel.startswith("#/channels/")
    assert operation["messages"]
    assert all(message["$ref"].startswith(f"{channel}/messages/") for message in operation["messages"])


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_a_channel_is_a_topic_with_its_messages_and_its_settings(topic: Topic) -> None:
    channel = DOCUMENT["channels"][topic.name]
    kafka = channel["bindings"]["kafka"]
    assert channel["address"] == kafka["topic"] == topic.name
    assert kafka["partitions"] == topic.partitions
    assert kafka["bindingVersion"] == "0.5.0"
    settings = {
        name: str(value[0] if isinstance(value, list) else value) for name, value in kafka["topicConfiguration"].items()
    }
    assert settings == topic.configs()
    assert channel["messages"].keys() >= topic.types.keys()


def test_channels_are_the_topics() -> None:
    assert DOCUMENT["channels"].keys() == TOPICS.keys()


def test_every_topic_has_somebody_who_sends_to_it() -> None:
    sent = {o["channel"]["$ref"] for o in DOCUMENT["operations"].values() if o["action"] == "send"}
    assert sent == {f"#/channels/{name}" for name in TOPICS}


def test_every_message_is_on_a_channel_and_says_its_key() -> None:
    on_channels = {message["$ref"] for c in DOCUMENT["channels"].values() for message in c["messages"].values()}
    messages = DOCUMENT["components"]["messages"]
    assert on_channels == {f"#/components/messages/{name}" for name in messages}
    assert all(message["bindings"]["kafka"]["key"]["description"] for message in messages.values())


def test_an_event_s_payload_is_the_published_schema_of_its_type() -> None:
    for topic in TOPICS.values():
        for type_ in topic.types:
            payload = DOCUMENT["components"]["messages"][type_]["payload"]
            assert payload["schemaFormat"] == "application/schema+json;version=draft-2020-12"
            assert _target(payload["schema"]["$ref"])["properties"]["type"] == {"const": type_}
