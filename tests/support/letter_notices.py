"""Every letter of a complaint, and every mail to its handler, with what it is rendered from: each committed example of
its event, in each language of the brand."""

from functools import cache

from services.notifier.brands import load_brands
from services.notifier.catalogue import CATALOGUE
from services.notifier.letters import NOTICE_OF_LETTER, TO_POST
from services.notifier.samples import samples_of
from tests.support.notices import Case

BRAND = "cigna-healthcare"
LETTER_DUE = "complaints.letter-due.v1"
ALERTS = ("deadline-approaching", "deadline-missed", "letter-bounced", TO_POST)
TYPE_OF_NOTICE = {
    **dict.fromkeys(NOTICE_OF_LETTER.values(), LETTER_DUE),
    **{name: f"complaints.{name}.v1" for name in ALERTS},
}
FULLEST = {
    "complaint-acknowledged": "acknowledgement",
    "complaint-information-requested": "information-request",
    "complaint-resolved-early": "summary",
    "complaint-still-investigating": "holding",
    "complaint-final-decision": "final",
    "complaint-no-decision-yet": "explanation",
    "complaint-not-covered": "not-covered",
    "complaint-forwarded": "forwarded",
    "deadline-approaching": "",
    "deadline-missed": "",
    "letter-bounced": "",
    "letter-to-post": "final",
}
"""The example that says most of each."""


@cache
def letter_cases() -> tuple[Case, ...]:
    brands = load_brands()
    return tuple(sample for notice in CATALOGUE if notice.lane == "letters" for sample in samples_of(notice, brands))


def fullest(notice: str, locale: str) -> Case:
    return letter_case(notice, locale, FULLEST[notice])


def letter_case(notice: str, locale: str, example: str) -> Case:
    (found,) = (
        case for case in letter_cases() if (case.notice, case.locale, case.example) == (notice, locale, example)
    )
    return found
