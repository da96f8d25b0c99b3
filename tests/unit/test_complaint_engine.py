"""What a complaint is owed and gets, told as timelines: by events, outcomes, and sweeps behind the watermark."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas.deadlines import LetterDueV1, LetterToPostV1
from services.complaint_sla.case import Case
from services.complaint_sla.procedure import ProcedureError
from services.complaint_sla.reasons import Reasons
from tests.support.complaint_story import AMARA, TEXT, Complaint, at, cancelled, kinds, letters
from tests.support.complaints import rulebook, with_holiday

TICK = timedelta(microseconds=1)
AT_HOME = "14 Example Street\nLeeds LS1 1AA"
POSTED = {"sent_at": "2026-12-03T15:00:00Z", "by": "post", "reference": "RR 1"}
ACK = "c-1/acknowledgement/letter/1"


@pytest.fixture
def uk() -> Complaint:
    """Received on Tue 1 Dec 2026: acknowledgement until Tue 8, weeks until Tue 29 Dec and Tue 26 Jan."""
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00")
    return complaint


def resolve(complaint: Complaint, when: str, *, accepted: bool = True, **data: Any) -> list[str]:
    given = {"delivery": "send", **TEXT} if "delivery" not in data else data
    return kinds(complaint.say("resolved", when, resolved_at=at(when), accepted=accepted, **given))


def decide(complaint: Complaint, when: str) -> list[str]:
    return kinds(complaint.say("final-response-issued", when, delivery="send", issued_at=at(when), **TEXT))


# --- nobody does anything -------------------------------------------------------------------------------------------


def test_a_silent_complaint_gets_its_letters_and_its_handler_is_told_before(uk: Complaint) -> None:
    told = uk.run("2027-03-01 00:00")
    assert [(when.isoformat()[:16], *kinds([output])) for when, output in uk.told] == [
        ("2026-12-01T10:15", "letter-due acknowledgement"),
        ("2026-12-18T09:00", "deadline-approaching decision-or-holding"),
        ("2026-12-29T09:00", "letter-due decision-or-holding"),
        ("2027-01-12T09:00", "deadline-approaching final-response"),
        ("2027-01-19T09:00", "deadline-approaching final-response"),
        ("2027-01-26T09:00", "letter-due final-response"),
    ]
    assert uk.states() == {
        "summary-resolution": "lapsed",
        "acknowledgement": "met",
        "decision-or-holding": "met",
        "final-response": "met",
    }
    assert uk.now.closed_at is None, "an explanation meets the limit and does not close the complaint"
    explanation = told[-1].data
    assert isinstance(explanation, LetterDueV1)
    assert explanation.generic_reason


def test_a_letter_is_never_asked_for_before_the_watermark_is_there(uk: Complaint) -> None:
    assert uk.sweep(at("2026-12-01 10:15") - TICK, now="2027-06-01 00:00") == []
    assert letters(uk.sweep("2026-12-01 10:15", now="2027-06-01 00:00")) == ["acknowledgement"]


def test_a_limit_that_passes_is_missed_once_with_its_instant_and_when_that_came_to_light(uk: Complaint) -> None:
    told = uk.run("2026-12-09 01:00", letters_leave=False)
    (missed,) = [output for output in told if output.type == "complaints.deadline-missed.v1"]
    assert missed.id == "c-1/acknowledgement/missed/1"
    assert missed.data.model_dump(include={"limit_at", "detected_at", "tell_at"}) == {
        "limit_at": at("2026-12-09 00:00"),
        "detected_at": at("2026-12-09 00:00") + timedelta(seconds=5),
        "tell_at": at("2026-12-09 09:00"),
    }
    assert uk.sweep("2027-06-01 00:00", now="2027-06-01 00:00") != []
    assert [output.id for _, output in uk.told].count(missed.id) == 1


@pytest.mark.parametrize(("sent", "state"), [(-TICK, "met"), (timedelta(0), "missed")])
def test_a_microsecond_before_the_instant_is_met_and_at_it_is_missed(
    uk: Complaint, sent: timedelta, state: str
) -> None:
    uk.sweep("2026-12-01 10:15")
    uk.letter(ACK, "sent", at("2026-12-09 00:00") + sent)
    assert uk.states()["acknowledgement"] == state


def test_a_letter_sent_late_is_not_sent_again(uk: Complaint) -> None:
    uk.run("2026-12-10 00:00", letters_leave=False)
    assert kinds(uk.letter(ACK, "sent", "2026-12-10 08:00")) == []
    assert letters(uk.run("2026-12-20 00:00", letters_leave=False)) == []


def test_an_outcome_that_comes_late_takes_the_miss_back_once(uk: Complaint) -> None:
    uk.run("2026-12-10 00:00", letters_leave=False)
    told = uk.letter(ACK, "sent", "2026-12-08 23:59")
    assert kinds(told) == ["miss-retracted acknowledgement"]
    assert uk.states()["acknowledgement"] == "met"
    assert uk.letter(ACK, "sent", "2026-12-08 23:59") == []


def test_an_outcome_of_something_else_meets_nothing(uk: Complaint) -> None:
    uk.sweep("2026-12-01 10:15")
    uk.letter("c-1/acknowledgement/approaching/1", "sent", "2026-12-02 09:00")
    assert uk.states()["acknowledgement"] == "open"


def test_a_letter_without_an_outcome_for_an_hour_is_pointed_out(uk: Complaint) -> None:
    uk.sweep("2026-12-01 10:15")
    uk.sweep("2026-12-01 11:15")
    assert uk.request("acknowledgement").unconfirmed


# --- downtime -------------------------------------------------------------------------------------------------------


def test_after_two_days_away_over_a_limit_there_is_one_letter_and_one_miss(uk: Complaint) -> None:
    uk.run("2026-12-28 00:00")
    told = uk.sweep("2026-12-30 12:00", now="2026-12-30 12:00")
    assert kinds(told) == ["letter-due decision-or-holding", "deadline-missed decision-or-holding"]
    assert uk.sweep("2026-12-30 12:00", now="2026-12-30 12:01") == []


def test_alerts_that_passed_while_we_were_away_are_one(uk: Complaint) -> None:
    uk.run("2027-01-10 00:00")
    assert kinds(uk.sweep("2027-01-20 00:00")) == ["deadline-approaching final-response"]


def test_an_alert_never_comes_after_its_limit(uk: Complaint) -> None:
    uk.run("2026-12-10 00:00")
    told = uk.sweep("2027-02-20 00:00")
    assert "deadline-approaching" not in " ".join(kinds(told))


def test_a_complaint_heard_of_late_has_its_misses_recorded_and_its_letters_wait() -> None:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00", now="2026-12-10 09:00")
    assert kinds(complaint.sweep("2026-12-10 09:00")) == ["deadline-missed acknowledgement"]
    told = complaint.say(
        "letters-released", "2026-12-10 10:00", letters=["acknowledgement"], released_by="Robin",
        released_at=at("2026-12-10 10:00"),
    )  # fmt: skip
    assert told == []
    assert letters(complaint.sweep("2026-12-10 10:01")) == ["acknowledgement"]
    assert letters(complaint.run("2027-03-01 00:00")) == [], "the others still wait"


def test_three_business_days_late_is_not_late_yet() -> None:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00", now="2026-12-04 23:00")
    assert letters(complaint.sweep("2026-12-04 23:00")) == ["acknowledgement"]


# --- early resolution -----------------------------------------------------------------------------------------------


def test_resolved_in_time_and_accepted_the_summary_letter_is_the_only_one(uk: Complaint) -> None:
    assert resolve(uk, "2026-12-01 10:10") == ["letter-due summary-letter"]
    assert uk.states() == {
        "summary-resolution": "met",
        "acknowledgement": "held",
        "decision-or-holding": "held",
        "final-response": "held",
        "summary-letter": "open",
    }
    uk.letters_leave("2026-12-01 10:11")
    assert (uk.now.how, set(uk.states().values())) == ("summary-resolution", {"met", "cancelled"})
    assert letters(uk.run("2027-06-01 00:00")) == []


def test_resolved_after_the_acknowledgement_left_the_summary_letter_comes_in_addition(uk: Complaint) -> None:
    uk.run("2026-12-02 00:00")
    resolve(uk, "2026-12-03 12:00")
    uk.letters_leave("2026-12-03 12:01")
    assert uk.states()["acknowledgement"] == "met"
    assert uk.now.how == "summary-resolution"


def test_a_summary_letter_that_does_not_leave_in_a_day_is_missed(uk: Complaint) -> None:
    resolve(uk, "2026-12-01 10:10")
    assert kinds(uk.run("2027-06-01 00:00", letters_leave=False)) == ["deadline-missed summary-letter"]


def test_in_the_uk_a_resolution_counts_once_it_is_accepted(uk: Complaint) -> None:
    assert resolve(uk, "2026-12-01 10:10", accepted=False) == []
    assert letters(uk.sweep("2026-12-01 10:15")) == ["acknowledgement"]
    assert kinds(uk.say("corrected", "2026-12-02 09:00", accepted=True)) == ["letter-due summary-letter"]
    assert uk.states()["summary-resolution"] == "met"


def test_elsewhere_it_counts_at_once() -> None:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00", licence="be")
    assert resolve(complaint, "2026-12-01 10:10", accepted=False) == ["letter-due summary-letter"]
    assert complaint.say("corrected", "2026-12-02 09:00", accepted=False) == []
    assert complaint.states()["summary-resolution"] == "met"


def test_an_acceptance_withdrawn_brings_the_clocks_back_at_their_instants(uk: Complaint) -> None:
    limits = {owed.obligation: owed.limit_at for owed in uk.now.owed}
    resolve(uk, "2026-12-01 10:10")
    assert cancelled(uk.say("corrected", "2026-12-02 09:00", accepted=False)) == ["summary"]
    assert uk.states()["acknowledgement"] == "open"
    assert {name: uk.owed(name).limit_at for name in limits} == limits
    assert letters(uk.sweep("2026-12-02 09:00")) == ["acknowledgement"]


def test_after_the_window_a_resolution_is_an_ordinary_answer(uk: Complaint) -> None:
    uk.run("2026-12-05 00:00")
    assert resolve(uk, "2026-12-07 12:00") == ["letter-due final-response"]
    uk.letters_leave("2026-12-07 12:01")
    assert uk.now.how == "final-response"


def test_a_resolution_in_its_window_that_is_heard_of_after_it_counts(uk: Complaint) -> None:
    uk.run("2026-12-05 00:00")
    sent = {"delivery": "already-sent", "sent_at": at("2026-12-04 12:00")}
    uk.say("resolved", "2026-12-05 09:00", resolved_at=at("2026-12-04 11:00"), accepted=True, **sent)
    assert uk.now.how == "summary-resolution"


# --- the decision ---------------------------------------------------------------------------------------------------


def test_a_decision_before_the_acknowledgement_serves_as_one_and_encloses_the_procedure(uk: Complaint) -> None:
    uk.say("final-response-issued", "2026-12-01 10:05", delivery="send", issued_at=at("2026-12-01 10:05"), **TEXT)
    final = uk.told[-1][1].data
    assert isinstance(final, LetterDueV1)
    assert final.encloses_procedure
    assert letters(uk.sweep("2026-12-01 10:15")) == [], "something better was asked for"
    uk.letters_leave("2026-12-01 10:16")
    assert {uk.states()[name] for name in ("acknowledgement", "decision-or-holding", "final-response")} == {"met"}
    assert uk.now.how == "final-response"


def test_a_decision_that_was_sent_already_counts_by_its_own_time(uk: Complaint) -> None:
    sent = {"delivery": "already-sent", "issued_at": at("2026-12-03 10:00"), "sent_at": at("2026-12-03 11:00")}
    told = uk.say("final-response-issued", "2026-12-12 10:00", **sent)
    assert uk.owed("acknowledgement").met_at == at("2026-12-03 11:00")
    assert kinds(told)[-1] == "closed closed"


def test_a_decision_that_is_refused_leaves_everything_open(uk: Complaint) -> None:
    decide(uk, "2026-12-01 10:05")
    told = uk.letter("c-1/final-response/letter/1", "failed", "2026-12-01 10:06", reason="smtp:550")
    assert kinds(told) == ["letter-bounced acknowledgement"]
    assert uk.states()["final-response"] == "open"


def test_a_decision_after_the_week_8_letter_has_an_id_of_its_own(uk: Complaint) -> None:
    uk.run("2027-02-01 00:00")
    assert decide(uk, "2027-02-02 10:00") == ["letter-due final-response"]
    uk.letters_leave("2027-02-02 10:01")
    assert uk.now.how == "final-response"


def test_a_decision_stopped_by_another_licence_is_asked_for_anew(uk: Complaint) -> None:
    decide(uk, "2026-12-01 10:05")
    assert letters(uk.say("corrected", "2026-12-01 10:06", licence="be")) == ["final"]


def test_written_acceptance_meets_the_eight_weeks_and_closes(uk: Complaint) -> None:
    uk.run("2027-01-05 00:00")
    uk.say("written-acceptance", "2027-01-05 09:00", received_at=at("2027-01-05 08:00"))
    assert (uk.states()["final-response"], uk.now.how) == ("met", "accepted")


def test_an_explained_delay_is_what_the_letter_says(uk: Complaint) -> None:
    uk.run("2027-01-11 00:00")
    uk.say(
        "delay-explained", "2027-01-11 09:00", reason={"en": "We wait for the hospital."},
        expected_by="2027-02-15", approved_by="Robin",
    )  # fmt: skip
    told = uk.run("2027-03-01 00:00")
    assert kinds(told) == ["deadline-approaching final-response", "letter-due final-response"]
    letter = told[-1].data
    assert isinstance(letter, LetterDueV1)
    assert (letter.text, letter.generic_reason) == ({"en": "We wait for the hospital."}, False)


def test_without_an_approved_general_reason_the_letter_waits_for_the_handler() -> None:
    complaint = Complaint(rulebook=replace(rulebook(), reasons=Reasons()))
    complaint.receive("2026-12-01 10:00")
    told = complaint.run("2027-01-26 23:00")
    assert letters(told) == ["acknowledgement", "holding"]
    assert kinds(told)[-1] == "deadline-approaching final-response"
    complaint.say(
        "delay-explained", "2027-01-26 23:10", reason={"en": "We wait."}, expected_by="2027-02-15", approved_by="Robin"
    )
    assert letters(complaint.sweep("2027-01-26 23:10")) == ["explanation"]


# --- post, and letters that come back -------------------------------------------------------------------------------


def test_by_post_the_handler_gets_the_letter_and_only_letter_sent_meets_it() -> None:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00", complainant={**AMARA, "channel": "post", "address": AT_HOME})
    (asked,) = complaint.sweep("2026-12-01 10:15")
    assert (asked.id, type(asked.data)) == ("c-1/acknowledgement/letter-to-post/1", LetterToPostV1)
    complaint.letter(asked.id, "sent", "2026-12-01 10:16")
    assert complaint.states()["acknowledgement"] == "open"
    complaint.say("letter-sent", "2026-12-03 16:00", letter="acknowledgement", **POSTED)
    assert complaint.owed("acknowledgement").met_at == at("2026-12-03 15:00")


def test_without_an_e_mail_address_it_goes_by_post() -> None:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00", complainant={"name": "Jef", "locale": "nl", "channel": "email"})
    assert kinds(complaint.sweep("2026-12-01 10:15")) == ["letter-to-post acknowledgement"]


def test_a_bounce_before_the_limit_opens_the_obligation_and_goes_by_post_where_it_can() -> None:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00", complainant={**AMARA, "address": AT_HOME})
    complaint.run("2026-12-02 00:00")
    told = complaint.letter(ACK, "bounced", "2026-12-02 08:00", reason="dsn:5.1.1")
    assert kinds(told) == ["letter-bounced acknowledgement", "letter-to-post acknowledgement"]
    assert complaint.states()["acknowledgement"] == "open"


def test_a_bounce_without_another_way_waits_for_an_address(uk: Complaint) -> None:
    uk.run("2026-12-02 00:00")
    assert kinds(uk.letter(ACK, "bounced", "2026-12-02 08:00")) == ["letter-bounced acknowledgement"]
    assert letters(uk.sweep("2026-12-03 00:00")) == [], "not to the same address again"
    told = uk.say("updated", "2026-12-03 09:00", complainant={**AMARA, "email": "amara@new.example.test"})
    assert [output.id for output in told] == ["c-1/acknowledgement/letter/2"]
    uk.letters_leave("2026-12-03 09:01")
    assert uk.owed("acknowledgement").met_at == at("2026-12-03 09:01")


def test_a_bounce_after_the_limit_leaves_it_met_and_not_delivered(uk: Complaint) -> None:
    uk.run("2026-12-02 00:00")
    told = uk.letter(ACK, "bounced", "2026-12-10 08:00")
    assert [(output.id, output.data.model_dump()["open_again"]) for output in told] == [
        ("c-1/acknowledgement/bounced/1", False)
    ]
    assert uk.states()["acknowledgement"] == "met-not-delivered"


def test_a_decision_that_bounces_reopens_the_complaint(uk: Complaint) -> None:
    decide(uk, "2026-12-14 09:00")
    uk.letters_leave("2026-12-14 09:01")
    uk.letter("c-1/final-response/letter/1", "bounced", "2026-12-14 10:00")
    assert uk.now.closed_at is None
    assert uk.states()["final-response"] == "open"
    uk.say("updated", "2026-12-15 09:00", complainant={**AMARA, "email": "amara@new.example.test"})
    told = uk.letter("c-1/final-response/letter/2", "sent", "2026-12-15 09:01")
    assert [output.id for output in told] == ["c-1/closed/2"]


def test_a_letter_sent_another_way_stops_the_one_that_has_not_left(uk: Complaint) -> None:
    uk.sweep("2026-12-01 10:15")
    told = uk.say("letter-sent", "2026-12-03 16:00", letter="acknowledgement", **POSTED)
    assert cancelled(told) == ["acknowledgement"]


# --- corrections ----------------------------------------------------------------------------------------------------


def test_a_corrected_receipt_moves_what_is_open_and_says_from_where_to_where(uk: Complaint) -> None:
    uk.run("2026-12-02 00:00")
    told = uk.say("corrected", "2026-12-02 09:00", received_at="2026-11-30T10:00:00Z")
    assert kinds(told) == [
        "deadline-changed summary-resolution",
        "deadline-changed decision-or-holding",
        "deadline-changed final-response",
    ]
    assert told[1].data.model_dump(include={"old_limit_at", "new_limit_at", "reason"}) == {
        "old_limit_at": at("2026-12-30 00:00"),
        "new_limit_at": at("2026-12-29 00:00"),
        "reason": "receipt",
    }
    assert uk.owed("acknowledgement").limit_at == at("2026-12-09 00:00"), "closed ones never move"


def test_the_same_correction_twice_says_nothing(uk: Complaint) -> None:
    uk.say("corrected", "2026-12-02 09:00", received_at="2026-11-30T10:00:00Z")
    assert uk.say("corrected", "2026-12-02 09:05", received_at="2026-11-30T10:00:00Z") == []


def test_another_licence_counts_by_its_own_zone_and_calendar(uk: Complaint) -> None:
    uk.run("2026-12-02 00:00")
    told = uk.say("corrected", "2026-12-02 09:00", licence="be")
    assert "deadline-approaching acknowledgement" in kinds(told), "the acknowledgement went under the wrong licence"
    assert uk.owed("final-response").limit_at == at("2027-01-26 23:00")
    again = uk.say(
        "letters-released", "2026-12-02 10:00", letters=["acknowledgement"], released_by="Robin",
        released_at=at("2026-12-02 10:00"),
    )  # fmt: skip
    (letter,) = again
    assert isinstance(letter.data, LetterDueV1)
    assert (letter.id, letter.data.licence) == ("c-1/acknowledgement/letter/2", "be")


def test_a_letter_under_the_wrong_licence_that_has_not_left_is_replaced(uk: Complaint) -> None:
    uk.sweep("2026-12-01 10:15")
    assert cancelled(uk.say("corrected", "2026-12-01 10:20", licence="be")) == ["acknowledgement"]
    assert letters(uk.sweep("2026-12-01 10:20")) == ["acknowledgement"]


def test_a_proclaimed_holiday_moves_open_business_days_and_no_weeks(uk: Complaint) -> None:
    newer = with_holiday(rulebook(), "england", at("2026-12-04 00:00").date())
    newer = replace(newer, calendars=newer.calendars.model_copy(update={"version": "2026-12-02"}))
    told = uk.newer(newer, "2026-12-02 09:00")
    assert kinds(told) == ["deadline-changed summary-resolution", "deadline-changed acknowledgement"]
    assert told[0].data.model_dump()["reason"] == "calendar-version"
    assert uk.newer(newer, "2026-12-02 09:01") == []


def test_a_licence_nobody_knows_is_refused_and_changes_nothing(uk: Complaint) -> None:
    before = uk.now.model_copy(deep=True)
    with pytest.raises(ProcedureError, match="no licence fr"):
        uk.say("corrected", "2026-12-02 09:00", licence="fr")
    assert uk.now == before


# --- the other ends -------------------------------------------------------------------------------------------------


def test_withdrawn_nothing_more_is_sent(uk: Complaint) -> None:
    uk.sweep("2026-12-01 10:15")
    told = uk.say("withdrawn", "2026-12-01 10:16", withdrawn_at=at("2026-12-01 10:16"))
    assert kinds(told) == ["letter-cancelled acknowledgement", "closed closed"]
    assert uk.run("2027-06-01 00:00", letters_leave=False) == []


def test_a_letter_that_left_though_it_was_stopped_counts(uk: Complaint) -> None:
    uk.sweep("2026-12-01 10:15")
    uk.say("letter-sent", "2026-12-03 16:00", letter="acknowledgement", **POSTED)
    uk.letter(ACK, "sent", "2026-12-01 10:15")
    assert uk.owed("acknowledgement").met_at == at("2026-12-01 10:15")


def test_forwarded_wholly_ends_it_with_a_letter_and_partly_only_writes() -> None:
    firm = {"extent": "wholly", "firm": {"name": "Example Pensions SA"}, "reason": {"en": "It is theirs."}}
    for extent, how in (("wholly", "forwarded"), ("partly", None)):
        complaint = Complaint()
        complaint.receive("2026-12-01 10:00")
        told = complaint.say(
            "forwarded", "2026-12-02 09:00", **{**firm, "extent": extent}, forwarded_at=at("2026-12-02 09:00")
        )
        assert letters(told) == ["forwarded"]
        assert complaint.now.how == how


def test_merged_it_ends_and_its_letters_stop(uk: Complaint) -> None:
    uk.sweep("2026-12-01 10:15")
    told = uk.say("merged", "2026-12-01 10:16", into="c-2", merged_at=at("2026-12-01 10:16"))
    assert kinds(told) == ["letter-cancelled acknowledgement", "closed closed"]


def test_a_complaint_no_licence_covers_is_told_so_and_has_no_deadlines() -> None:
    complaint = Complaint()
    told = complaint.receive("2026-12-01 10:00", licence="other")
    assert (letters(told), complaint.now.owed, complaint.now.next_at) == (
        ["not-covered"],
        [],
        at("2026-12-01 11:00"),
    )


def test_a_request_for_information_stops_no_clock(uk: Complaint) -> None:
    limits = [owed.limit_at for owed in uk.now.owed]
    asked = {"missing": ["contract-details"], "requested_at": at("2026-12-02 09:00")}
    assert letters(uk.say("information-requested", "2026-12-02 09:00", **asked)) == ["information-request"]
    uk.say("information-received", "2026-12-20 09:00", received_at=at("2026-12-20 09:00"))
    uk.say("reopened", "2026-12-20 09:00", reopened_at=at("2026-12-20 09:00"))
    assert [owed.limit_at for owed in uk.now.owed] == limits


# --- order ----------------------------------------------------------------------------------------------------------


def test_what_comes_before_its_complaint_waits_for_it() -> None:
    complaint = Complaint()
    complaint.say("withdrawn", "2026-12-01 12:00", withdrawn_at=at("2026-12-01 12:00"))
    assert complaint.now.next_at == at("2026-12-01 13:00")
    complaint.sweep("2026-12-01 13:00")
    assert complaint.now.unregistered
    assert kinds(complaint.receive("2026-12-01 10:00", now="2026-12-01 14:00")) == ["closed closed"]


def test_an_early_event_that_makes_no_sense_is_kept_and_does_not_stop_the_registration() -> None:
    complaint = Complaint()
    complaint.hear_early_licence("fr")
    complaint.receive("2026-12-01 10:00", now="2026-12-01 12:00")
    assert complaint.now.refused == ("early-1: licence-unknown",)
    assert complaint.states()["acknowledgement"] == "open"


def test_registered_twice_the_first_stands(uk: Complaint) -> None:
    before = uk.now.model_copy(deep=True)
    assert uk.receive("2026-12-02 10:00", licence="be") == []
    assert uk.now == before


def test_every_instant_the_case_names_is_one_the_sweep_acts_on(uk: Complaint) -> None:
    """Else the sweep would find the case due for ever."""
    while (next_at := uk.now.next_at) is not None:
        uk.sweep(next_at)
        assert uk.now.next_at is None or uk.now.next_at > next_at
    assert isinstance(uk.now, Case)
