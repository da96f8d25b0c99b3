"""Letters that the engine asks for, as the notifier writes them: each says its own time, and nothing that is not so."""

import pytest

from schemas.deadlines import LetterDueV1
from services.notifier.letters import NOTICE_OF_LETTER, letter_facts
from tests.support.complaint_story import TEXT, Complaint, at
from tests.support.notices import composer


def written(complaint: Complaint, letter: str, locale: str = "en") -> str:
    """The text part of the last such letter that was asked for."""
    data = [
        output.data
        for _, output in complaint.told
        if isinstance(output.data, LetterDueV1) and output.data.letter == letter
    ][-1]
    key = NOTICE_OF_LETTER[data.letter], "cigna-healthcare", locale
    facts = {**letter_facts(data, complaint.id, locale).public, "role": "complainant", "again": False}
    return " ".join(composer().email(*key, facts).text.split())


@pytest.fixture
def uk() -> Complaint:
    complaint = Complaint()
    complaint.receive("2026-12-01 10:00")
    return complaint


def test_the_letter_after_four_weeks_says_that_they_come_to_an_end(uk: Complaint) -> None:
    uk.run("2026-12-31 00:00")
    assert "The four weeks that we allow ourselves for a decision are coming to an end." in written(uk, "holding")


def test_the_letter_after_eight_weeks_says_so_and_names_the_ombudsman(uk: Complaint) -> None:
    uk.run("2026-12-31 00:00")
    uk.say(
        "delay-explained", "2027-01-11 09:00", reason={"en": "We wait for the hospital."},
        expected_by="2027-02-15", approved_by="Robin",
    )  # fmt: skip
    uk.run("2027-01-27 00:00")
    text = written(uk, "explanation")
    assert "The eight weeks that we have for our final response are coming to an end" in text
    assert "Financial Ombudsman Service" in text


def test_the_letter_on_an_early_resolution_says_within_what_time_and_lets_nobody_wait(uk: Complaint) -> None:
    resolved = at("2026-12-03 11:00")
    uk.say("resolved", "2026-12-03 11:00", resolved_at=resolved, accepted=True, delivery="send", **TEXT)
    text = written(uk, "summary")
    assert "within three business days of the day we received it" in text
    assert "Financial Ombudsman Service" in text
    assert "can take up your complaint once" not in text
