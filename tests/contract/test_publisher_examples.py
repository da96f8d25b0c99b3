"""The Java and the TypeScript example as they lie here: what they say is the contract's, what they use is pinned."""

import json
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.envelope import STRUCTURED_CONTENT_TYPE, read_event
from schemas.json_schema import event_schemas
from schemas.topics import TOPIC_OF_TYPE, TOPICS
from tests.support.contract import ROOT

FOLDER = ROOT / "examples"
SOURCES = {
    "java": sorted(FOLDER.glob("java/src/**/*.java")),
    "typescript": sorted(FOLDER.glob("typescript/src/*.ts")),
}
PUBLISHED = {"identity.password-changed.v1", "identity.verification-code-issued.v1"}
SAMPLES: list[dict[str, Any]] = [
    json.loads(block)
    for block in re.findall(r"```json\n(.*?)```", (FOLDER / "README.md").read_text("utf-8"), re.DOTALL)
]
NAME_ON_KAFKA = re.compile(r"[\"`]((?:identity|members|complaints|notifications)\.[a-z0-9.-]+\.v[0-9]+)[\"`]")
MAVEN = {"m": "http://maven.apache.org/POM/4.0.0"}
VERSION = re.compile(r"[0-9]+(\.[0-9]+)+")


def _text(language: str) -> str:
    return "\n".join(path.read_text("utf-8") for path in SOURCES[language])


def test_the_samples_are_the_events_that_are_published() -> None:
    assert {sample["type"] for sample in SAMPLES} == PUBLISHED


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample["type"] for sample in SAMPLES])
def test_a_sample_fits_the_contract(sample: dict[str, Any]) -> None:
    assert read_event(sample, publishing=True).subject == sample["subject"]
    schema = event_schemas()[sample["type"]]
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(sample)


@pytest.mark.parametrize("language", SOURCES)
def test_types_are_named_and_topics_come_from_the_schemas(language: str) -> None:
    named = set(NAME_ON_KAFKA.findall(_text(language)))
    assert named == PUBLISHED
    assert named <= TOPIC_OF_TYPE.keys()
    assert not [topic for topic in TOPICS if topic in _text(language)], "the topic is the schema's x-topic"
    assert '"x-topic"' in _text(language)


@pytest.mark.parametrize("language", SOURCES)
def test_fields_of_the_data_and_headers_are_the_contracts(language: str) -> None:
    text = _text(language)
    expected = {"specversion", "subject", "time", *(field for sample in SAMPLES for field in sample["data"])}
    assert not [field for field in expected if not re.search(rf"\b{field}\b", text)]
    assert f'"{STRUCTURED_CONTENT_TYPE}"' in text
    assert all(header in text for header in ("content-type", "ce_id", "ce_type"))


def test_the_record_key_is_the_subject() -> None:
    assert "key: event.subject" in _text("typescript")
    assert 'new ProducerRecord<>(topic, event.get("subject")' in _text("java")


def test_npm_packages_are_pinned_by_hash_and_from_no_host() -> None:
    package = json.loads((FOLDER / "typescript/package.json").read_text("utf-8"))
    lock = json.loads((FOLDER / "typescript/package-lock.json").read_text("utf-8"))
    asked = package["dependencies"] | package["devDependencies"]
    assert all(VERSION.fullmatch(version) for version in asked.values())
    root, *installed = lock["packages"].values()
    assert root["dependencies"] | root["devDependencies"] == asked
    assert len(installed) > len(asked)
    assert all(each["integrity"].startswith("sha512-") for each in installed)
    assert not [each for each in installed if "resolved" in each]


def test_maven_artifacts_are_pinned_and_from_no_host() -> None:
    pom = ET.parse(FOLDER / "java/pom.xml").getroot()  # noqa: S314 - a file of ours
    parts = pom.findall(".//m:dependency", MAVEN) + pom.findall(".//m:plugin", MAVEN)
    assert len(parts) > 6
    assert all(VERSION.fullmatch(part.findtext("m:version", "", MAVEN)) for part in parts)
    for place in ("repositories", "pluginRepositories", "distributionManagement"):
        assert pom.find(f"m:{place}", MAVEN) is None


def test_the_page_names_the_folders_there_are() -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    assert all(f"`{language}`" in page and sources for language, sources in SOURCES.items())
