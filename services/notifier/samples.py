"""Every notice with what it can be looked at with: each committed example of its event, in each brand and language."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import schemas
from schemas.deadlines import LetterDueV1
from schemas.envelope import Event, read_event
from schemas.members import ContactV1
from schemas.types import Data
from services.notifier.brands import Brand
from services.notifier.catalogue import CATALOGUE, OF_COMPLAINTS, Notice
from services.notifier.facts import ACTIONS, Facts, action_of, facts_of
from services.notifier.letters import alert_facts, letter_facts
from services.notifier.lifetimes import lifetimes

EXAMPLES = Path(schemas.__file__).parent / "examples"
MINIMAL = "minimal"
SUMMARY = "summary"
"""The `example` of a message that lists several actions."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One message. `example` is the part of the example's file name after the type: empty, or `minimal` …"""

    notice: str
    brand: str
    locale: str
    role: str
    example: str
    facts: dict[str, Any]
    in_app: bool = False

    @property
    def channel(self) -> str:
        return str(self.facts.get("channel", "email"))

    @property
    def key(self) -> tuple[str, str, str]:
        return self.notice, self.brand, self.locale

    @property
    def variant(self) -> str:
        """What tells it from the others of its notice, brand and language; empty: the plain one."""
        role = self.role if self.role in {"old", "new", "previous"} else ""
        return ".".join(filter(None, (role, self.example)))

    @property
    def id(self) -> str:
        return "/".join((self.brand, self.notice, ".".join(filter(None, (self.locale, self.variant)))))


def samples(brands: dict[str, Brand]) -> Iterator[Sample]:
    """In the catalogue's order."""
    return (sample for notice in CATALOGUE for sample in samples_of(notice, brands))


def samples_of(notice: Notice, brands: dict[str, Brand]) -> Iterator[Sample]:
    """Of each committed example."""
    for example, document in documents_of(notice).items():
        yield from samples_from(notice, brands, example, read_event(document), sample_contact(example))


def samples_from(
    notice: Notice, brands: dict[str, Brand], example: str, event: Event[Data], contact: ContactV1
) -> Iterator[Sample]:
    """Of one event, to a member of this contact."""
    for brand in sorted(notice.brands):
        for locale in brands[brand].languages:
            facts = facts_in(event, locale, contact)
            for role in _roles(notice):
                sample = Sample(
                    notice=notice.name,
                    brand=brand,
                    locale=locale,
                    role=role,
                    example=example,
                    facts={
                        **facts.public,
                        **_on_the_hosts_of(brands[brand], facts.secrets),
                        **lifetimes(facts.public, happened_at=event.time, now=event.time),
                        "role": role,
                    },
                    in_app=notice.in_app,
                )
                yield sample
                if notice.throttled and not example:
                    yield _summary(notice, sample, contact)


def _summary(notice: Notice, sample: Sample, contact: ContactV1) -> Sample:
    """It and what the other examples tell of, in one mail."""
    others = [read_event(document) for example, document in documents_of(notice).items() if example]
    told = [sample.facts, *(facts_in(event, sample.locale, contact).public for event in others)]
    return replace(sample, example=SUMMARY, facts={**sample.facts, ACTIONS: list(map(action_of, told))}, in_app=False)


def documents_of(notice: Notice) -> dict[str, dict[str, Any]]:
    """The committed examples of its event, under the part of their file names after the type; not to be changed."""
    return {
        file.removeprefix(document["type"]).removesuffix(".json").removeprefix("."): document
        for file, document in _documents().items()
        if document["type"] == notice.on and notice.letter in {None, document["data"].get("letter")}
    }


def sample_contact(example: str = "") -> ContactV1:
    """The committed example of a contact that is called like this example of an event; else the plain one."""
    documents, named = _documents(), MINIMAL if MINIMAL in example else example
    document = documents.get(f"members.contact.v1.{named}.json", documents["members.contact.v1.json"])
    data = read_event(document).data
    assert isinstance(data, ContactV1), "the example of a contact"
    return data


def facts_in(event: Event[Data], locale: str, contact: ContactV1) -> Facts:
    """What its messages may say; to a member, for this contact."""
    if isinstance(event.data, LetterDueV1):
        return letter_facts(event.data, event.subject, locale)
    if event.type in OF_COMPLAINTS:
        return alert_facts(event.data, event.subject)
    return facts_of(event.data, contact)


@cache
def _documents() -> dict[str, dict[str, Any]]:
    return {path.name: json.loads(path.read_text("utf-8")) for path in sorted(EXAMPLES.glob("*.json"))}


def _on_the_hosts_of(brand: Brand, secrets: dict[str, str]) -> dict[str, str]:
    """An example names one brand's link; the same event of another brand names a host of that brand."""
    if "url" not in secrets or urlsplit(secrets["url"]).hostname in brand.links.domains:
        return secrets
    return {**secrets, "url": urlsplit(secrets["url"])._replace(netloc=brand.links.domains[0]).geturl()}


def _roles(notice: Notice) -> tuple[str, ...]:
    match notice.to:
        case "old-and-new":
            return "old", "new", "previous"
        case "complainant" | "handler":
            return (notice.to,)
        case _:
            return ("login",)
