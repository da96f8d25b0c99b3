"""A complaint's events as facts: complete, JSON, cleaned, and in one language."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from schemas.complaints import Letter
from schemas.deadlines import DeadlineMissedV1, LetterDueV1, LetterToPostV1
from schemas.envelope import read_event
from schemas.topics import DATA_OF_TYPE
from services.notifier.brands import load_brands
from services.notifier.facts import Fact, clean_paragraphs, verbatim_paragraphs
from services.notifier.letters import (
    NOTICE_OF_LETTER,
    alert_facts,
    letter_fact_names,
    letter_facts,
    letter_locale,
)
from services.notifier.samples import facts_in, sample_contact
from services.notifier.sources import TEMPLATES
from tests.support.contract import EXAMPLES
from tests.support.letter_notices import TYPE_OF_NOTICE

CIGNA = load_brands()["cigna-healthcare"]


def due(letter: Letter = "final", **changes: Any) -> LetterDueV1:
    given = {
        "brand": "cigna-healthcare",
        "licence": "uk",
        "letter": letter,
        "attempt": 1,
        "complainant": {"name": "Amara Okafor", "locale": "fr", "channel": "email", "email": "a@example.test"},
        "received_on": "2026-12-01",
        **changes,
    }
    return LetterDueV1.model_validate(given)


def facts(**changes: Any) -> dict[str, Fact]:
    return letter_facts(due(**changes), "c-1", "en").public


def test_each_letter_is_a_notice_with_templates() -> None:
    assert len(set(NOTICE_OF_LETTER.values())) == len(NOTICE_OF_LETTER) == 8
    for notice in TYPE_OF_NOTICE:
        assert {path.stem for path in (TEMPLATES / notice).glob("*.md")} == set(CIGNA.languages)


@pytest.mark.parametrize("file", [file for file, event in EXAMPLES.items() if event["type"] in TYPE_OF_NOTICE.values()])
def test_every_example_gives_all_names_that_are_known_and_no_other(file: str) -> None:
    event = read_event(EXAMPLES[file])
    made = facts_in(event, "en", sample_contact())
    assert made.public.keys() == letter_fact_names(DATA_OF_TYPE[event.type])
    assert json.loads(json.dumps(made.public)) == made.public
    assert made.secrets == {}
    assert "email" not in made.public


def test_an_event_of_no_complaint_keeps_its_own_names() -> None:
    assert "changed_at" in letter_fact_names(DATA_OF_TYPE["identity.password-changed.v1"])


def test_a_letter_is_not_an_alert_and_other_events_are_neither() -> None:
    with pytest.raises(TypeError, match="no handler is told"):
        alert_facts(due(), "c-1")


def test_what_the_event_does_not_say_is_none() -> None:
    said = {name for name, fact in facts().items() if fact is not None}
    assert said == {
        "again", "complaint", "encloses_procedure", "letter", "letter_locale", "licence", "name", "received_on",
        "time_zone",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("licence", "zone"),
    [("uk", "Europe/London"), ("be", "Europe/Brussels"), ("je", "Europe/Jersey"), ("gg", "Europe/Guernsey"),
     ("other", "UTC"), ("ie", "UTC")],
)  # fmt: skip
def test_times_are_told_in_the_licences_zone(licence: str, zone: str) -> None:
    assert facts(licence=licence)["time_zone"] == zone


@pytest.mark.parametrize(
    ("licence", "limit_at", "last_day"),
    [
        ("uk", "2026-12-09T00:00:00Z", "2026-12-08"),
        ("be", "2027-01-04T23:00:00Z", "2027-01-04"),
        ("uk", "2026-09-09T23:00:00Z", "2026-09-09"),
        ("uk", "2026-12-04T17:00:00Z", "2026-12-04"),
    ],
)
def test_the_last_day_in_time_is_the_one_that_ends_at_the_limit(licence: str, limit_at: str, last_day: str) -> None:
    made = facts(licence=licence, limit_at=limit_at)
    assert (made["limit_at"], made["last_day"]) == (limit_at, last_day)


@pytest.mark.parametrize(
    ("locale", "text", "chosen"),
    [
        ("fr", None, "fr"),
        ("it", None, "en"),
        ("fr", ["en", "fr"], "fr"),
        ("fr", ["en", "nl"], "en"),
        ("fr", ["nl", "de"], "nl"),
        ("it", ["it", "de"], "de"),
        ("it", ["it"], "en"),
    ],
)
def test_a_letter_is_in_one_language(locale: str, text: list[str] | None, chosen: str) -> None:
    data = due(
        complainant={"name": "A", "locale": locale, "channel": "post"},
        text=dict.fromkeys(text, "words") if text else None,
    )
    assert letter_locale(data, CIGNA) == chosen


def test_approved_text_is_cleaned_in_paragraphs_and_not_cut() -> None:
    long = "word " * 400
    made = facts(text={"en": f"{long}\r\n \r\nSee https://evil.example\u202e now\nand then.\n\n\n\n"})
    assert made["text"] == [long.strip(), "See https: //evil. example now and then."]


def test_prescribed_wording_is_verbatim_but_for_what_cannot_be_seen() -> None:
    made = facts(prescribed={"en": "More at www.financial-ombudsman.org.uk.\n\nNow\u202e."})
    assert made["prescribed"] == ["More at www.financial-ombudsman.org.uk.", "Now."]


def test_words_in_another_language_are_not_lost() -> None:
    assert facts(text={"nl": "Woorden"})["text"] == ["Woorden"]
    assert facts(prescribed={"nl": "Woorden", "en": "Words"})["prescribed"] == ["Words"]
    assert letter_facts(due(prescribed={"nl": "Woorden", "en": "Words"}), "c", "fr").public["prescribed"] == ["Words"]


@pytest.mark.parametrize("text", ["", " \n\n \r\n\t\r\n", "\u200b"])
def test_empty_text_has_no_paragraph(text: str) -> None:
    assert clean_paragraphs(text) == verbatim_paragraphs(text) == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_blank_line_parts_paragraphs_whatever_ends_a_line(end: str) -> None:
    assert clean_paragraphs(f"a{end}b{end} {end}c") == ["a b", "c"]


def promise(obligation: str, last_day: str) -> dict[str, str]:
    return {"obligation": obligation, "last_day": last_day}


def test_promises_are_what_is_still_owed_after_this_letter() -> None:
    made = facts(
        letter="acknowledgement",
        obligation="acknowledgement",
        promises=[
            promise("acknowledgement", "2026-12-08"),
            promise("decision-or-holding", "2026-12-29"),
            promise("final-response", "2027-01-26"),
            promise("payment-answer", "2027-01-05"),
        ],
    )
    assert (made["decision_by"], made["final_response_by"], made["heard_by"]) == (
        "2026-12-29",
        "2027-01-26",
        ["2027-01-05"],
    )
    assert (made["decision_within"], made["final_response_within"]) == ("P4W", "P8W")


def test_a_promise_that_is_not_whole_weeks_away_is_a_day_only() -> None:
    made = facts(promises=[promise("final-response", "2026-12-22"), promise("decision-or-holding", "2026-12-01")])
    assert (made["final_response_within"], made["decision_within"]) == ("P3W", None)
    assert facts(promises=[promise("final-response", "2026-12-23")])["final_response_within"] is None


def test_the_letter_that_meets_an_obligation_promises_it_no_more() -> None:
    made = facts(
        letter="holding", obligation="decision-or-holding", promises=[promise("decision-or-holding", "2026-12-29")]
    )
    assert (made["decision_by"], made["heard_by"]) == (None, None)


def test_steps_of_the_procedure_are_business_days_or_weeks() -> None:
    made = facts(
        limits=[
            {"obligation": "summary-resolution", "business_days": 3},
            {"obligation": "acknowledgement", "business_days": 5},
            {"obligation": "decision-or-holding", "weeks": 4},
            {"obligation": "final-response"},
        ]
    )
    names = ("resolution_within", "acknowledgement_within", "decision_within", "final_response_within")
    assert [made[name] for name in names] == ["P3D", "P5D", "P4W", None]


def test_phones_are_sorted_by_from_where_they_are_dialled() -> None:
    made = facts(ombudsman={"name": "O", "phones": [
        {"number": "+44 20 1", "where": "from-abroad"}, {"number": "0800 1", "where": "at-home"},
        {"number": "0300 1", "where": "at-home"}, {"number": "+32 2 1"},
    ]})  # fmt: skip
    assert made["ombudsman_phones"] == ["+32 2 1"]
    assert made["ombudsman_phones_at_home"] == ["0800 1", "0300 1"]
    assert made["ombudsman_phones_from_abroad"] == ["+44 20 1"]


@pytest.mark.parametrize(
    ("website", "shown"),
    [
        ("https://travel.example.test/complaints", "travel.example.test/complaints"),
        ("https://travel.example.test/", "travel.example.test"),
        ("http://me@evil.example/x", "me @ evil. example/x"),
        ("https://10.0.0.1/x", "10. 0. 0. 1/x"),
    ],
)
def test_a_firms_website_is_whole_if_it_is_a_host_and_broken_up_if_not(website: str, shown: str) -> None:
    assert facts(firm={"name": "F", "website": website})["firm_website"] == shown


def test_an_address_on_an_envelope_is_a_line_each_and_cleaned() -> None:
    whose = {"name": "A\u202e B", "locale": "en", "channel": "post", "address": "Road 1\r\n\r\nwww.evil.example\nTown"}
    data = LetterToPostV1.model_validate({**due().model_dump(mode="json"), "complainant": whose})
    made = letter_facts(data, "c-1", "en").public
    assert (made["name"], made["postal_address"]) == ("A B", ["Road 1", "www. evil. example", "Town"])


def test_a_name_of_control_characters_is_none() -> None:
    assert facts(complainant={"name": "\u202e", "locale": "en", "channel": "post"})["name"] is None


def test_a_handler_is_named_and_not_addressed() -> None:
    data = DeadlineMissedV1(
        brand="b",
        licence="uk",
        obligation="acknowledgement",
        limit_at=datetime(2026, 12, 9, tzinfo=UTC),
        detected_at=datetime(2026, 12, 9, 0, 0, 4, tzinfo=UTC),
        handler={"email": "h@example.test", "name": "Robin"},
    )
    made = alert_facts(data, "c-1").public
    assert made["name"] == "Robin"
    assert "h@example.test" not in json.dumps(made)


def test_a_day_is_a_date_of_the_event() -> None:
    assert facts(expected_by=date(2027, 2, 12))["expected_by"] == "2027-02-12"
