"""A complaint told: as a document, in ten lines, as a picture. Nothing private is in any of them."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from xml.etree import ElementTree as ET

import pytest

from schemas.envelope import new_event, read_event
from schemas.topics import DEADLINES, LIFECYCLE, OUTCOMES
from services.complaint_sla import why, words
from services.complaint_sla.case import How, OwedState, Request, RequestState
from services.complaint_sla.dossier import Dossier, Due, Told
from services.complaint_sla.picture import _SHAPES, ENVELOPE, picture
from services.complaint_sla.reasons import Reasons
from services.complaint_sla.rulebook import load_rulebook
from services.complaint_sla.service_desk import axis_of
from services.complaint_sla.timeline import document, due, upcoming, waits
from tests.support.complaint_story import AMARA, DESK, HANDLER, TEXT, Complaint, at
from tests.support.contract import EXAMPLES

PHONE, ADDRESS, LETTER = "+32 470 11 12 22", "Rue Plantée 7, 1000 Bruxelles", "Planted words of a letter"
PLANTED = {
    **AMARA,
    "name": "Planted Peeters",
    "email": "planted.anna@example.test",
    "address": f"{ADDRESS}\n{PHONE}",
}
PRIVATE = (PHONE, PHONE.replace(" ", ""), "Plantée", LETTER, "planted.anna", "Planted Peeters", "robin@", "Lindqvist")


def dossier_of(complaint: Complaint, **more: Any) -> Dossier:
    """As it is read from the database: what was heard, what was said."""
    heard = [Told(event.time, heard=True, event=event) for event in complaint.events]
    return Dossier(complaint.now, tuple(heard), frozenset(), **more)


def told_of(complaint: Complaint, now: str) -> dict[str, Any]:
    zone_name = complaint.rulebook.zone_of(complaint.now.licence)
    return json.loads(json.dumps(document(dossier_of(complaint), zone_name, at(now))))  # type: ignore[no-any-return]


def drawn(complaint: Complaint, now: str) -> str:
    case = complaint.now
    zone_name = complaint.rulebook.zone_of(case.licence)
    return picture(case, axis_of(complaint.rulebook, case), zone_name, at(now))


def lines_of(complaint: Complaint, now: str, **more: Any) -> list[str]:
    zone_name = complaint.rulebook.zone_of(complaint.now.licence)
    return list(why.lines(dossier_of(complaint, **more), zone_name, at(now)))


def acknowledged() -> Complaint:
    complaint = Complaint()
    complaint.receive("2026-12-24 16:30", licence="be")
    complaint.run("2026-12-24 17:00")
    return complaint


def missed() -> Complaint:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00")
    complaint.run("2027-02-10 00:00", letters_leave=False)
    return complaint


def resolved_early() -> Complaint:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00")
    complaint.run("2026-12-02 00:00")
    when = at("2026-12-02 09:00")
    complaint.say("resolved", "2026-12-02 09:00", resolved_at=when, accepted=True, delivery="send", **TEXT)
    return complaint


def not_covered() -> Complaint:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00", licence="other")
    return complaint


def unregistered() -> Complaint:
    complaint = Complaint()
    complaint.say("withdrawn", "2026-12-01 10:00", withdrawn_at=at("2026-12-01 10:00"))
    return complaint


STORIES = (acknowledged, missed, resolved_early, not_covered, unregistered)


# --- the document -----------------------------------------------------------------------------------------------------


def test_each_obligation_is_told_with_its_limit_there_and_its_explanation() -> None:
    told = told_of(acknowledged(), "2026-12-28 12:00")
    owed = next(each for each in told["obligations"] if each["obligation"] == "acknowledgement")
    assert (owed["limit_at"], owed["limit_local"]) == ("2027-01-04T23:00:00Z", "2027-01-05T00:00:00+01:00")
    assert owed["limit_in_words"] == "until the end of Mon 4 Jan 2027"
    assert owed["explanation"].startswith("day 0 Thu 24 Dec 2026 (Europe/Brussels); not counted: Fri 25 Dec")
    assert (owed["state"], owed["met_at"], owed["met_with"]) == (
        "met", "2026-12-24T16:45:05Z", "c-1/acknowledgement/letter/1",
    )  # fmt: skip
    assert owed["rules_version"]
    assert owed["calendar_version"]
    assert owed["reference"] == "the published procedure"


def test_letters_and_the_story_are_in_it_in_their_order() -> None:
    told = told_of(acknowledged(), "2026-12-28 12:00")
    (letter,) = told["letters"]
    assert (letter["letter"], letter["attempt"], letter["way"], letter["state"], letter["sent_at"]) == (
        "acknowledgement", 1, "notifier", "sent", "2026-12-24T16:45:05Z",
    )  # fmt: skip
    assert [step["in_words"] for step in told["story"]] == [
        "received 2026-12-24T16:30:00Z under licence be, category complaint",
        "outcome of acknowledgement letter, attempt 1 to the complainant: sent 2026-12-24T16:45:05Z",
    ]


@pytest.mark.parametrize("story", STORIES)
def test_what_comes_next_is_what_the_sweep_looks_for(story: Any) -> None:
    complaint = story()
    coming = upcoming(complaint.now)
    assert (coming.at if coming else None) == complaint.now.next_at


def test_what_comes_next_is_so_at_every_step_of_a_whole_complaint() -> None:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00")
    said = []
    while (coming := upcoming(complaint.now)) is not None:
        assert coming.at == complaint.now.next_at
        said.append(coming.what)
        complaint.sweep(coming.at)
    assert said[0] == "the acknowledgement letter is asked for"
    assert "acknowledgement is missed if nothing is sent" in said
    assert "the handler is told that nobody has explained the delay" in said


def test_addresses_are_masked_and_a_complaint_nobody_registered_has_none() -> None:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00", complainant=PLANTED)
    told = told_of(complaint, "2026-12-01 10:00")
    assert told["complainant"]["email"] == "p•••@example.test"
    assert told["handler"] == "r•••@claims.example.test"
    told = told_of(unregistered(), "2026-12-01 10:00")
    assert (told["state"], told["licence"], "complainant" in told) == ("unregistered", None, False)


def test_what_is_due_is_said_there_and_in_words() -> None:
    line = Due("c-1", "acknowledgement", "be", at("2027-01-04 23:00"), "open")
    told = due(line, "Europe/Brussels", at("2027-01-03 20:00"))
    assert told["limit_local"] == "2027-01-05T00:00:00+01:00"
    assert told["in_words"] == "acknowledgement until the end of Mon 4 Jan 2027 (Europe/Brussels), 1 d 3 h left"
    held = Due("c-1", "final-response", "be", at("2027-01-04 23:00"), "held")
    assert due(held, "Europe/Brussels", at("2027-01-05 00:10"))["in_words"].endswith(
        "over since 1 h 10 min; held until the summary letter is sent"
    )


# --- what waits for a person ------------------------------------------------------------------------------------------


def test_a_letter_without_an_outcome_names_the_command_that_says_more() -> None:
    (first, *_) = waits(dossier_of(missed()))
    assert first == "the acknowledgement letter has no outcome: member-notices why 'c-1/acknowledgement/letter/1'"


def test_letters_of_a_complaint_heard_of_late_wait_for_a_release() -> None:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00", now="2026-12-11 10:00")
    (waiting,) = waits(dossier_of(complaint))
    assert waiting.endswith("letters-released for acknowledgement, holding, explanation")
    complaint.say("letters-released", "2026-12-11 11:00", letters=["acknowledgement", "holding", "explanation"],
                  released_by="Robin", released_at=at("2026-12-11 11:00"))  # fmt: skip
    assert list(waits(dossier_of(complaint))) == []


def test_a_letter_by_post_waits_for_the_handler() -> None:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00", complainant={**PLANTED, "channel": "post"})
    complaint.run("2026-12-01 11:00")
    assert list(waits(dossier_of(complaint))) == [
        "the acknowledgement letter is the handler's to post: complaints.letter-sent.v1 when it has gone"
    ]


def test_a_letter_that_came_back_wants_another_address() -> None:
    complaint = acknowledged()
    complaint.letter("c-1/acknowledgement/letter/1", "bounced", "2026-12-24 18:00")
    assert list(waits(dossier_of(complaint))) == [
        "the acknowledgement letter came back: another address, or letters-released"
    ]


def test_a_week_8_letter_without_a_reason_waits_for_one() -> None:
    complaint = Complaint(rulebook=replace(load_rulebook(), reasons=Reasons()))
    complaint.receive("2026-12-01 10:00")
    complaint.run("2027-01-26 10:00")
    assert list(waits(dossier_of(complaint))) == [
        "the week 8 letter has no reason: the desk sends complaints.delay-explained.v1"
    ]


def test_a_letter_that_went_under_another_licence_waits_for_a_release() -> None:
    complaint = acknowledged()
    complaint.say("corrected", "2026-12-28 09:00", licence="uk")
    assert "the acknowledgement letter went under licence be: letters-released sends it anew" in (
        list(waits(dossier_of(complaint)))
    )


def test_a_stuck_and_an_unregistered_complaint_say_so() -> None:
    told = list(waits(dossier_of(unregistered(), stuck_at=at("2026-12-01 11:00"))))
    assert told == [
        "it cannot be decided: case_undecided in the log says why",
        "nobody has registered it: the complaint desk sends complaints.received.v1",
    ]


# --- in words ---------------------------------------------------------------------------------------------------------


def test_every_state_way_and_end_has_its_words() -> None:
    assert words.OF_STATE.keys() == set(get_args(OwedState)) == _SHAPES.keys()
    assert words.OF_REQUEST.keys() == set(get_args(RequestState))
    assert words.WAYS.keys() == set(get_args(Request.model_fields["by"].annotation))
    assert words.ENDED.keys() == set(get_args(How))


def test_every_event_of_a_complaint_has_its_words() -> None:
    types = {*LIFECYCLE.types, *DEADLINES.types, *OUTCOMES.types}
    seen = set()
    for event in map(read_event, EXAMPLES.values()):
        if event.type in types:
            seen.add(event.type)
            assert words.of_event(event.data, missed().now)
    assert seen == types


@pytest.mark.parametrize(
    ("between", "said"),
    [(timedelta(minutes=5), "5 min"), (timedelta(hours=-4, minutes=-10), "4 h 10 min"), (timedelta(days=3), "3 d 0 h")],
)
def test_a_span_is_said_in_two_units(between: timedelta, said: str) -> None:
    assert words.span(between) == said


def test_a_complaint_is_told_in_about_ten_lines_with_the_rule_behind_each() -> None:
    lines = lines_of(acknowledged(), "2026-12-28 12:00")
    assert 8 <= len(lines) <= 12
    assert lines[0] == "complaint   c-1  OPEN"
    owed = next(line for line in lines if line.startswith("owed        acknowledgement"))
    assert owed == (
        "owed        acknowledgement before 2027-01-04T23:00:00Z: MET 2026-12-24T16:45:05Z, because until the end of "
        "business day 5, Mon 4 Jan 2027 (own procedure: the published procedure)"
    )
    assert any(line.startswith("next        2026-12-30T16:00:05Z: the window for summary") for line in lines)


def test_what_is_overdue_says_where_to_look_and_what_is_untold_too() -> None:
    complaint = acknowledged()
    (line,) = [each for each in lines_of(complaint, "2027-01-30 12:00") if each.startswith("next")]
    assert "overdue: is the watermark behind, or no complaint-sla running?" in line
    zone_name = complaint.rulebook.zone_of("be")
    dossier = Dossier(complaint.now, (), frozenset({"c-1/closed/1"}))
    assert list(why.lines(dossier, zone_name, at("2026-12-28 12:00")))[-1].startswith("not told    1 events")


# --- the picture ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("story", STORIES)
def test_a_picture_is_one_file_of_svg_with_a_title_and_a_description(story: Any) -> None:
    complaint = story()
    svg = drawn(complaint, "2026-12-28 12:00")
    root = ET.fromstring(svg)  # noqa: S314 (of our own making)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("role") == "img"
    assert [child.tag.rpartition("}")[2] for child in root][:2] == ["title", "desc"]
    assert "prefers-color-scheme: dark" in svg
    assert "url(" not in svg
    assert "href" not in svg
    assert re.findall(r"https?://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]


def test_a_state_is_a_shape_and_a_word_and_never_a_colour_alone() -> None:
    for complaint, state, word in (
        (acknowledged(), "met", "met"), (missed(), "missed", "missed"), (resolved_early(), "held", "held"),
    ):  # fmt: skip
        svg = drawn(complaint, "2026-12-28 12:00")
        assert f'd="{_SHAPES[state]}"' in svg
        assert f">{word}</text>" in svg


def test_weekends_and_holidays_of_the_first_days_are_shaded_and_named() -> None:
    svg = drawn(acknowledged(), "2026-12-28 12:00")
    assert "Fri 25 Dec: Christmas Day" in svg
    assert "Sat 26 Dec: weekend" in svg
    assert svg.count('class="off"') == 6


def test_limits_are_named_as_people_count_them() -> None:
    svg = drawn(acknowledged(), "2026-12-28 12:00")
    for label in ("business day 3: before 17:00 on Wed 30 Dec 2026", "business day 5: end of Mon 4 Jan 2027",
                  "week 4: end of Thu 21 Jan 2027", "week 8: end of Thu 18 Feb 2027"):  # fmt: skip
        assert label in svg


def test_marks_stand_in_the_order_of_their_instants() -> None:
    complaint = acknowledged()
    axis = axis_of(complaint.rulebook, complaint.now)
    assert axis is not None
    instants = [axis.first, *(owed.last_day for owed in complaint.now.owed)]
    places = [axis.x(datetime(day.year, day.month, day.day, 12, tzinfo=UTC)) for day in instants]
    assert places == sorted(places)
    assert axis.left <= places[0]
    assert places[-1] <= axis.right
    assert axis.x(at("2020-01-01 00:00")) == axis.left
    assert axis.x(at("2030-01-01 00:00")) == axis.right


def test_letters_of_one_minute_stand_side_by_side() -> None:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00", complainant=PLANTED)
    complaint.run("2026-12-01 10:16")
    complaint.letter("c-1/acknowledgement/letter/1", "bounced", "2026-12-01 10:16")
    marks = re.findall(r'translate\(([0-9.]+) [0-9.]+\)"><path class="envelope', drawn(complaint, "2026-12-01 12:00"))
    places = [float(each) for each in marks[:2]]
    assert places[1] - places[0] >= ENVELOPE


def test_what_is_overdue_is_not_called_next() -> None:
    assert "Next, Wed 30 Dec 2026 17:00: the window" in drawn(acknowledged(), "2026-12-28 12:00")
    assert "Due since Wed 30 Dec 2026 17:00: the window" in drawn(acknowledged(), "2026-12-31 12:00")


def test_an_id_with_marks_of_xml_stays_text() -> None:
    complaint = acknowledged()
    case = complaint.now.model_copy(update={"id": "<&'\">"})
    svg = picture(case, axis_of(complaint.rulebook, case), "Europe/Brussels", at("2026-12-28 12:00"))
    ET.fromstring(svg)  # noqa: S314 (of our own making)
    assert "Complaint &lt;&amp;" in svg


# --- privacy ----------------------------------------------------------------------------------------------------------


def everything_said() -> Iterator[Complaint]:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00", complainant=PLANTED, handler=HANDLER, reference=PHONE)
    complaint.run("2026-12-01 11:00")
    text = {"text": {"en": f"{LETTER} {PHONE}"}}
    when = at("2026-12-02 09:00")
    firm = {"name": f"Planted Peeters {PHONE}", "address": ADDRESS, "email": "planted.anna@example.test"}
    complaint.say("assigned", "2026-12-02 09:00", handler=HANDLER)
    complaint.say("updated", "2026-12-02 09:00", complainant=PLANTED, reference=PHONE)
    complaint.say("information-requested", "2026-12-02 09:00", missing=["summary"], requested_at=when, **text)
    complaint.say("delay-explained", "2026-12-02 09:00", reason=text["text"], expected_by="2027-02-01",
                  approved_by="Planted Peeters")  # fmt: skip
    complaint.say("letter-sent", "2026-12-02 09:00", letter="holding", sent_at=when, by="post", reference=PHONE)
    complaint.say("letters-released", "2026-12-02 09:00", letters=["holding"], released_by="Planted Peeters",
                  released_at=when)  # fmt: skip
    complaint.say("forwarded", "2026-12-02 09:00", extent="partly", firm=firm, reason=text["text"], forwarded_at=when)
    complaint.say("final-response-issued", "2026-12-02 09:00", issued_at=when, delivery="send", **text)
    complaint.letters_leave("2026-12-02 10:00")
    yield complaint


def test_nothing_private_is_told_in_any_form() -> None:
    for complaint in everything_said():
        said = [Told(when, heard=False, event=_as_event(output, when)) for when, output in complaint.told]
        dossier = dossier_of(complaint)
        dossier = Dossier(dossier.case, (*dossier.told, *said), frozenset())
        now = at("2026-12-03 12:00")
        texts = (
            json.dumps(document(dossier, "Europe/London", now), ensure_ascii=False),
            why.as_text(dossier, "Europe/London", now),
            drawn(complaint, "2026-12-03 12:00"),
        )
        for text in texts:
            for private in PRIVATE:
                assert private not in text


def _as_event(output: Any, when: datetime) -> Any:
    return new_event(source=DESK, id=output.id, type=output.type, subject="c-1", time=when, data=output.data)
