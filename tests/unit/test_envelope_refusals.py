"""A refusal names the field and the rule, and never what stood there; and nothing but a refusal is raised."""

import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import (
    Event,
    EventError,
    Headers,
    parse_json,
    read_event,
    read_record,
)
from schemas.identity import VerificationCodeIssuedV1
from tests.support.contract import EXAMPLES, as_binary, as_bytes, example, refusal

TYPE = "identity.new-sign-on-detected.v1"
MARKER = "Qx7-4810-Zw"
"""Stands for a value that must not be seen again. Not like a field's name: those a refusal does tell."""


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for part, inner in items:
        yield from _places(inner, (*path, part))


PLACES = [(name, path) for name, document in EXAMPLES.items() for path in _places(document)]


def _planted(name: str, path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(EXAMPLES[name]))
    target: Any = document
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    return document


def _assert_tells_nothing(error: EventError) -> None:
    told = [str(error), repr(error), *map(str, error.args), "".join(traceback.format_exception(error))]
    assert not [text for text in told if MARKER in text]


misfits = st.one_of(
    st.just(MARKER),
    st.text(max_size=8).map(lambda text: f"{text}{MARKER}\x00"),
    st.sampled_from([f"{MARKER}\ud800", f"https://example.test/{MARKER} x", f"+{MARKER}", f"{MARKER}@", MARKER * 500]),
    st.sampled_from([[MARKER], {MARKER: MARKER}, {"a": {MARKER: "\x00"}}, [[{"b": MARKER}]], {"url": MARKER}]),
)


@given(place=st.sampled_from(PLACES), value=misfits, publishing=st.booleans())
@settings(deadline=None, max_examples=400)
def test_no_refusal_of_an_event_tells_a_value(place: tuple[str, tuple[Any, ...]], value: Any, publishing: bool) -> None:
    document = _planted(*place, value)
    headers, data = as_binary(_planted(*place, value)) if "data" in document else ([], b"")
    reads: tuple[Callable[[], object], ...] = (
        lambda: read_event(document, publishing=publishing),
        lambda: read_record([], as_bytes(document)),
        lambda: read_record(headers, data),
    )
    for read in reads:
        try:
            read()
        except EventError as error:
            _assert_tells_nothing(error)


@pytest.mark.parametrize(("name", "path"), PLACES)
def test_a_marker_in_any_field_is_refused_without_being_told(name: str, path: tuple[Any, ...]) -> None:
    _assert_tells_nothing(refusal(lambda: read_event(_planted(name, path, [MARKER, "\x00"]))))


@pytest.mark.parametrize("name", [MARKER, f"ce_{MARKER}", "content-type", "ce_id", "ce_specversion"])
@pytest.mark.parametrize("value", [MARKER.encode(), MARKER.encode() + b"\xff", None])
def test_no_refusal_of_a_header_tells_a_value_or_a_name_from_outside(name: str, value: bytes | None) -> None:
    try:
        read_record([(name, value)], as_bytes(example(TYPE)))
    except EventError as error:
        _assert_tells_nothing(error)


@pytest.mark.parametrize("value", [MARKER.encode(), f'{{"{MARKER}": '.encode(), f'"{MARKER}'.encode() + b'\xff"'])
def test_no_refusal_of_bytes_tells_them(value: bytes) -> None:
    _assert_tells_nothing(refusal(lambda: parse_json(value)))


def test_the_representation_of_an_event_hides_its_secrets() -> None:
    event = read_event(example("identity.verification-code-issued.v1"))
    assert isinstance(event.data, VerificationCodeIssuedV1)
    for text in (repr(event), str(event.data), f"{event.data!r}"):
        assert event.data.code not in text
        assert str(event.data.url) not in text


@given(
    headers=st.lists(
        st.tuples(
            st.one_of(st.sampled_from(["content-type", "ce_specversion", "ce_type", "ce_id", "ce_time"]), st.text()),
            st.one_of(st.none(), st.binary(max_size=20), st.sampled_from([b"1.0", TYPE.encode(), b"application/json"])),
        ),
        max_size=6,
    ),
    value=st.one_of(
        st.none(),
        st.binary(max_size=60),
        st.recursive(st.one_of(st.none(), st.integers(), st.floats(), st.text()), st.lists, max_leaves=5).map(as_bytes),
        st.fixed_dictionaries(
            {"specversion": st.just("1.0"), "type": st.just(TYPE), "id": st.text(), "source": st.text()},
            optional={"subject": st.text(), "time": st.text(), "data": st.dictionaries(st.text(), st.text())},
        ).map(as_bytes),
    ),
)
@settings(deadline=None)
def test_whatever_comes_is_an_event_or_a_refusal(headers: Headers, value: bytes | None) -> None:
    with suppress(EventError):
        assert isinstance(read_record(headers, value), Event)
