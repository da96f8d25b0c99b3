"""Every message as it was last looked at. `pytest tests/golden --update-golden` rewrites the files; read the diff."""

from pathlib import Path

import pytest

from services.notifier.sms_text import sms_parts
from tests.support.letter_notices import FULLEST, letter_cases
from tests.support.notices import Case, cases, composer

FILES = Path(__file__).parent / "messages"
# Of a letter the example that says most: the others differ in data, not in words.
CASES = (*cases(), *(case for case in letter_cases() if FULLEST[case.notice] == case.example))


def messages(case: Case) -> dict[Path, str]:
    if case.channel == "sms":
        text = composer().sms(*case.key, case.facts)
        cost = sms_parts(text)
        return {FILES / f"{case.id}.sms": f"{cost.encoding}, parts: {cost.parts}\n\n{text}\n"}
    loaded = composer()
    email = loaded.email(*case.key, case.facts)
    shown = {}
    if case.in_app:
        in_portal = loaded.in_app(*case.key, case.facts)
        shown = {FILES / f"{case.id}.in-app": f"{in_portal.title}\n\n{in_portal.text}\n"}
    return {
        **shown,
        FILES / f"{case.id}.txt": f"Subject: {email.subject}\n\n{email.text}",
        FILES / f"{case.id}.html": email.html,
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_message_is_as_it_was_last_looked_at(case: Case, request: pytest.FixtureRequest) -> None:
    for path, now in messages(case).items():
        if request.config.getoption("--update-golden", default=False):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(now, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == now


def test_no_golden_file_is_left_over() -> None:
    assert {path for path in FILES.rglob("*.*") if path.is_file()} == {
        path for case in CASES for path in messages(case)
    }
