"""The committed examples as the world could fill them: long, foreign and hostile texts, nothing optional, every choice.

What a text, an option or a choice is, is found out by asking the contract: it takes the change, or refuses it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from schemas.envelope import Event, EventError, read_event
from schemas.members import ContactV1
from schemas.topics import DATA_OF_TYPE
from schemas.types import Data
from services.notifier.catalogue import Notice
from services.notifier.samples import MINIMAL, documents_of, sample_contact

Document: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[str | int, ...]
"""Where something is in an event's data."""

MARKER = "Qvxmarker"
"""A text from outside that no message says of itself."""
HOSTILE = "{{ 7*7 }}<script>alert(1)</script>\r\nBcc: x@y.example"
STRANGE = {
    "long word": "W" * 500,
    "long name": "Wolfeschlegelsteinhausenbergerdorff " * 13 + "the Second of all",
    "long device": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0 and more; " * 6
    + "so on 500.0",
    "Hebrew": "אברהם בן־דוד",
    "Arabic": "محمد عبد الله الأحمد",
    "Chinese": "王小明",
    "Greek and Cyrillic": "Ωραία Παπαδοπούλου-Щукина",
    "Thai": "สมชาย ใจดี",
    "emoji": "👩‍👩‍👧‍👦 🎂 🇧🇪",
    "right to left override": "Jane\u202e\u2067 eoD\u2069",
    "hostile": HOSTILE,
    "markup": "</td></table><img src=x> & &amp; \"' {% if x %}{# y #} ${z} %(n)s jinja0tag [x](y) **b** `c` <!-- -->",
    "links": "https://evil.example evil.example/login www.evil.example evil\u3002example me\uff20evil\uff0eexample",
}
LIMITS = (500, 200, 100, 64)
"""What the contract lets a text be long: the first that it takes."""
NOT_A_STRANGERS = frozenset({"prescribed", "website"})
"""Wording and addresses that go out as they are given: a regulator's, an ombudsman's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """An example, filled in some way. `strange`: with a text that is not ours to answer for."""

    example: str
    how: str
    event: Event[Data]
    contact: ContactV1
    strange: bool = False

    @property
    def name(self) -> str:
        return ", ".join(filter(None, (self.example, self.how)))


def committed(notice: Notice) -> Iterator[Filled]:
    """Every example of the notice's event as it is."""
    for example, document in documents_of(notice).items():
        contact = sample_contact(example)
        yield Filled(example=example, how="", event=read_event(document), contact=contact)


def fillings(notice: Notice) -> Iterator[Filled]:
    """Every example of the notice's event in every way, as it is committed first."""
    for example, document in documents_of(notice).items():
        contact = sample_contact(example)
        for how, changed in _ways(document, notice):
            yield Filled(example=example, how=how, event=read_event(changed), contact=contact)
        bare = read_event(_bare(document))
        yield Filled(example=example, how="nothing optional", event=bare, contact=sample_contact(MINIMAL))
        yield Filled(example=example, how="zone unknown", event=read_event(document), contact=_in_zone("Mars/Olympus"))
        for how in ("marker", *STRANGE):
            yield written(notice, example, how)


def written(notice: Notice, example: str, how: str) -> Filled:
    """With this text wherever the contract lets somebody write what they like."""
    text = STRANGE.get(how, MARKER)
    document = _copy(documents_of(notice)[example])
    for place, limit in _free_texts(notice, example):
        _at(document, place[:-1])[place[-1]] = text[:limit].strip()
    return Filled(example=example, how=how, event=read_event(document), contact=_named(text), strange=True)


@cache
def _free_texts(notice: Notice, example: str) -> tuple[tuple[Place, int], ...]:
    """Where somebody may write what they like, and how much of it."""
    document = documents_of(notice)[example]
    return tuple(
        (place, next(limit for limit in LIMITS if _takes(document, place, "=" * limit)))
        for place in _places(document["data"])
        if isinstance(_at(document, place), str) and not NOT_A_STRANGERS & set(place) and _takes(document, place, "=")
    )


def _ways(document: Document, notice: Notice) -> Iterator[tuple[str, Document]]:
    yield "", document
    for place in _places(document["data"]):
        path = ".".join(map(str, place))
        if (shorter := _without(document, place)) is not None:
            yield f"without {path}", shorter
        if notice.letter is None or place != ("letter",):
            for choice in _choices(document, place):
                yield f"{path} {choice}", _with(document, place, choice)


def _places(value: Any, here: Place = ()) -> list[Place]:
    """Every place in the data, the outer ones first."""
    if not isinstance(value, dict | list):
        return []
    inner = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [place for key in inner for place in ((*here, key), *_places(value[key], (*here, key)))]


def _without(document: Document, place: Place) -> Document | None:
    if not isinstance(place[-1], str):
        return None
    changed = _copy(document)
    del _at(changed, place[:-1])[place[-1]]
    return changed if _is_taken(changed) else None


def _bare(document: Document) -> Document:
    for place in _places(document["data"]):
        try:
            document = _without(document, place) or document
        except KeyError:  # what it was in has gone
            continue
    return document


def _choices(document: Document, place: Place) -> list[object]:
    """The other values that the contract names for this place."""
    now = _at(document, place)
    if isinstance(now, bool):
        return [not now]
    if not isinstance(now, str) or _is_taken(_with(document, place, "no-choice-at-all")):
        return []
    return [choice for choice in _named_values(document["type"]) if choice != now and _takes(document, place, choice)]


@cache
def _named_values(type_: str) -> tuple[str, ...]:
    found: dict[str, None] = {}

    def look(schema: Any) -> None:
        for name, inner in schema.items() if isinstance(schema, dict) else enumerate(schema):
            if name == "enum":
                found.update(dict.fromkeys(inner))
            elif isinstance(inner, dict | list):
                look(inner)

    look(DATA_OF_TYPE[type_].model_json_schema())
    return tuple(found)


def _takes(document: Document, place: Place, value: object) -> bool:
    return _is_taken(_with(document, place, value))


def _is_taken(document: Document) -> bool:
    try:
        read_event(document)
    except EventError:
        return False
    return True


def _with(document: Document, place: Place, value: object) -> Document:
    changed = _copy(document)
    _at(changed, place[:-1])[place[-1]] = value
    return changed


def _at(document: Document, place: Place) -> Any:
    value = document["data"]
    for key in place:
        value = value[key]
    return value


def _copy(document: Document) -> Document:
    copied: Document = json.loads(json.dumps(document))
    return copied


@cache
def _named(name: str) -> ContactV1:
    """A full contact of this name."""
    full = {**sample_contact().model_dump(), "name": name[:500].strip(), "personal_reference_number": name[:64].strip()}
    return ContactV1.model_validate(full)


@cache
def _in_zone(zone: str) -> ContactV1:
    return ContactV1.model_validate({**sample_contact().model_dump(), "time_zone": zone})
