"""What a complaint's events have to say before anybody relies on them; reader and schema are of one mind."""

from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from schemas.complaints import Letter
from schemas.deadlines import LETTER_RANKS
from schemas.envelope import EventError, read_event
from schemas.json_schema import event_schemas
from schemas.topics import DATA_OF_TYPE, DEADLINES, LIFECYCLE
from tests.support.contract import EXAMPLES, example, refusal

SCHEMAS = event_schemas()
each_answer = pytest.mark.parametrize("type_", ["complaints.resolved.v1", "complaints.final-response-issued.v1"])
SENT_AT = "2026-12-03T15:00:00Z"
TEXT = {"en": "We have paid.", "nl": "Wij hebben betaald."}


def _with(type_: str, **changes: Any) -> dict[str, Any]:
    """The example with these fields; one that is `...` is left out."""
    document = example(type_)
    document["data"] |= changes
    document["data"] = {name: value for name, value in document["data"].items() if value is not ...}
    return document


def _taken(document: dict[str, Any]) -> bool:
    by_schema = Draft202012Validator(SCHEMAS[document["type"]]).is_valid(document)
    try:
        read_event(document, publishing=True)
    except EventError:
        assert not by_schema
        return False
    assert by_schema
    return True


def test_the_contract_s_events_are_all_there() -> None:
    assert {type_.split(".")[1] for type_ in LIFECYCLE.types} == {
        *("received", "updated", "corrected", "assigned", "information-requested", "information-received"),
        *("delay-explained", "resolved", "final-response-issued", "written-acceptance", "letter-sent"),
        *("letters-released", "withdrawn", "reopened", "forwarded", "merged"),
    }
    assert {type_.split(".")[1] for type_ in DEADLINES.types} == {
        *("letter-due", "letter-cancelled", "letter-to-post", "letter-bounced", "deadline-approaching"),
        *("deadline-missed", "deadline-changed", "miss-retracted", "closed"),
    }


@each_answer
@pytest.mark.parametrize(
    ("delivery", "sent_at", "text", "taken"),
    [
        ("send", ..., TEXT, True),
        ("send", None, TEXT, True),
        ("send", ..., ..., False),
        ("send", ..., None, False),
        ("send", ..., {}, False),
        ("send", SENT_AT, TEXT, False),
        ("already-sent", SENT_AT, ..., True),
        ("already-sent", SENT_AT, TEXT, True),
        ("already-sent", ..., TEXT, False),
        ("already-sent", None, ..., False),
        ("later", ..., TEXT, False),
        (..., ..., TEXT, False),
    ],
)
def test_an_answer_is_sent_with_its_text_or_has_been_sent_at_a_time(
    type_: str, delivery: Any, sent_at: Any, text: Any, *, taken: bool
) -> None:
    assert _taken(_with(type_, delivery=delivery, sent_at=sent_at, text=text)) is taken


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ({"en": "a"}, True),
        ({"EN": "a"}, False),
        ({"english": "a"}, False),
        ({"en": ""}, False),
        ({"en": None}, False),
        ({"en": "a\x00b"}, False),
        ({"en": "a" * 20_000}, True),
        ({"en": "a" * 20_001}, False),
    ],
)
def test_texts_are_named_by_their_language(text: Any, *, taken: bool) -> None:
    assert _taken(_with("complaints.resolved.v1", text=text)) is taken


@pytest.mark.parametrize("type_", ["complaints.corrected.v1", "complaints.updated.v1"])
def test_a_change_names_what_it_changes(type_: str) -> None:
    whole = example(type_)["data"]
    assert not _taken(_with(type_, **dict.fromkeys(whole, ...)))
    assert not _taken(_with(type_, **dict.fromkeys(whole)))
    for name, value in whole.items():
        assert _taken(_with(type_, **{**dict.fromkeys(whole, ...), name: value})), name


def test_a_refused_change_says_which_rule_it_broke() -> None:
    document = _with("complaints.corrected.v1", **dict.fromkeys(example("complaints.corrected.v1")["data"]))
    assert refusal(lambda: read_event(document)).reason == "data-invalid: data (change_required)"


def test_a_complainant_needs_no_address_and_no_membership() -> None:
    stranger = {"name": "Jef Peeters", "locale": "nl", "channel": "email"}
    assert _taken(_with("complaints.received.v1", complainant=stranger))


@pytest.mark.parametrize("received_at", ["2026-12-01T10:00:00", "2026-12-01", "1764583200", "2126-12-01T10:00:00Z"])
def test_a_receipt_without_zone_or_outside_the_century_is_refused(received_at: str) -> None:
    assert not _taken(_with("complaints.received.v1", received_at=received_at))


def test_a_licence_that_nobody_knows_is_for_the_service_to_refuse() -> None:
    assert _taken(_with("complaints.received.v1", licence="atlantis"))


def test_summary_and_final_letters_rank_above_all_and_alike() -> None:
    letters = set(get_args(get_args(Letter)[0]))
    assert letters - LETTER_RANKS.keys() == {"information-request", "not-covered", "forwarded"}
    ranks = LETTER_RANKS
    assert ranks["acknowledgement"] < ranks["holding"] < ranks["explanation"] < ranks["summary"] == ranks["final"]


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.startswith("complaints.")])
def test_an_id_of_ours_fits_the_envelope_and_starts_with_the_complaint(name: str) -> None:
    event = EXAMPLES[name]
    assert event["subject"] in event["id"]


def test_no_complaint_event_holds_a_secret() -> None:
    assert not [type_ for type_ in {**LIFECYCLE.types, **DEADLINES.types} if DATA_OF_TYPE[type_].secret_fields]
