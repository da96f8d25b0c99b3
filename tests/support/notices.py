"""Every notice of the catalogue with what it is rendered from: each committed example, each role, each language."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from schemas.envelope import read_event
from schemas.members import ContactV1
from schemas.topics import DATA_OF_TYPE
from services.notifier.brands import Brand, load_brands
from services.notifier.catalogue import CATALOGUE, Notice
from services.notifier.compose import Composer
from services.notifier.facts import fact_names, facts_of
from tests.support.contract import EXAMPLES


@dataclass(frozen=True, kw_only=True)
class Case:
    """One message. `example` is the part of the example's file name after the type: empty, or `minimal` …"""

    notice: str
    brand: str
    locale: str
    role: str
    example: str
    facts: dict[str, Any]

    @property
    def channel(self) -> str:
        return str(self.facts.get("channel", "email"))

    @property
    def key(self) -> tuple[str, str, str]:
        return self.notice, self.brand, self.locale

    @property
    def id(self) -> str:
        role = self.role if self.role in {"old", "new"} else ""
        return "/".join((self.brand, self.notice, ".".join(filter(None, (self.locale, role, self.example)))))


@cache
def composer() -> Composer:
    """Loaded as the notifier loads it."""
    known = {notice.name: fact_names(DATA_OF_TYPE[notice.on]) for notice in CATALOGUE}
    return Composer.load({case.key for case in cases()}, known=known)


@cache
def cases() -> tuple[Case, ...]:
    return tuple(case for notice in CATALOGUE if notice.lane != "letters" for case in _cases(notice))


def _cases(notice: Notice) -> Iterator[Case]:
    brands = load_brands()
    for file, document in EXAMPLES.items():
        type_, _, example = file.removesuffix(".json").partition(".v1")
        if f"{type_}.v1" != notice.on:
            continue
        facts = facts_of(read_event(document).data, contact(minimal="minimal" in example))
        for brand in sorted(notice.brands):
            for locale in brands[brand].languages:
                for role in ("old", "new") if notice.to == "old-and-new" else ("login",):
                    yield Case(
                        notice=notice.name,
                        brand=brand,
                        locale=locale,
                        role=role,
                        example=example.removeprefix("."),
                        facts={**facts.public, **_on_the_hosts_of(brands[brand], facts.secrets), "role": role},
                    )


def _on_the_hosts_of(brand: Brand, secrets: dict[str, str]) -> dict[str, str]:
    """An example names one brand's link; the same event of another brand names a host of that brand."""
    if "url" not in secrets or urlsplit(secrets["url"]).hostname in brand.links.domains:
        return secrets
    return {**secrets, "url": urlsplit(secrets["url"])._replace(netloc=brand.links.domains[0]).geturl()}


def contact(*, minimal: bool = False) -> ContactV1:
    data = read_event(EXAMPLES[f"members.contact.v1{'.minimal' if minimal else ''}.json"]).data
    assert isinstance(data, ContactV1)
    return data
