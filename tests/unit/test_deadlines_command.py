"""`member-notices deadlines`: the page, the JSON, the calendar file, and what it refuses."""

import io
import json
import re
from datetime import UTC, datetime

import pytest
from rich.console import Console
from typer.testing import CliRunner

from services.cli import app
from services.complaint_sla.deadlines_command import instant, page, show
from services.complaint_sla.explain import explanation
from services.complaint_sla.ics import calendar_file
from services.complaint_sla.procedure import deadlines
from tests.support.complaints import owed, receipt, rulebook

EXAMPLE = ("--licence", "uk", "--calendar", "scotland", "--received", "2026-12-24T16:30Z")
PAST = ("--licence", "be", "--received", "2025-04-16T10:00:00+02:00")


def _run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["deadlines", *arguments])
    return result.exit_code, result.stdout, result.stderr


def _printed(*, terminal: bool, width: int = 80) -> str:
    out = io.StringIO()
    of = receipt("2026-12-24T16:30Z", "scotland")
    page(of, deadlines(rulebook(), of), Console(file=out, force_terminal=terminal, width=width, highlight=False))
    return out.getvalue()


def test_an_explanation_can_be_checked_with_a_wall_calendar() -> None:
    found = owed("2026-12-24T16:30Z")
    assert explanation(found["acknowledgement"]) == (
        "day 0 Thu 24 Dec 2026 (Europe/London); "
        "not counted: Fri 25 Dec Christmas Day, Sat 26 to Sun 27 Dec weekend, Mon 28 Dec Boxing Day (substitute day), "
        "Fri 1 Jan New Year's Day, Sat 2 to Sun 3 Jan weekend; "
        "until the end of business day 5, Tue 5 Jan 2027; stored as 2027-01-06T00:00:00Z (exclusive)"
    )


def test_an_explanation_says_when_the_clocks_change_and_when_weeks_end_on_a_day_off() -> None:
    assert explanation(owed("2026-10-18T09:00Z")["final-response"]) == (
        "day 0 Sun 18 Oct 2026 (Europe/London); 8 calendar weeks later; until the end of Sun 13 Dec 2026; "
        "that is no business day, so send by Fri 11 Dec 2026; "
        "the clocks change in between, from +01:00 to +00:00; stored as 2026-12-14T00:00:00Z (exclusive)"
    )


def test_a_weekend_that_spans_two_months_is_named_in_both() -> None:
    assert "Sat 31 Oct to Sun 1 Nov weekend" in explanation(owed("2026-10-29T09:00Z")["acknowledgement"])


def test_the_page_is_plain_where_it_is_no_terminal() -> None:
    status, out, _ = _run(*PAST)
    assert status == 0
    assert "\x1b" not in out
    assert out.startswith(
        "Complaint under licence be, received Wed 16 Apr 2025 10:00 (Europe/Brussels)\n"
        f"calendar belgium {rulebook().calendars.version}, rules {rulebook().rules.version}\n\nSummary resolution\n"
    )
    # Wed 16 Apr; Thu 17, Fri 18 (no holiday in Belgium), Easter Monday off, Tue 22 17:00 CEST.
    assert "  limit     Tue 22 Apr 2025 17:00 local = 2025-04-22T15:00:00Z UTC, exclusive\n" in out
    assert "  met by    resolved\n" in out


def test_a_plain_page_breaks_no_line() -> None:
    for deadline in owed("2026-12-24T16:30Z", "scotland").values():
        assert f"  why       {explanation(deadline)}\n" in _printed(terminal=False)


@pytest.mark.parametrize("width", [60, 80, 132])
def test_a_terminal_is_coloured_and_its_lines_fit(width: int) -> None:
    out = _printed(terminal=True, width=width)
    assert "\x1b[" in out
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in out.splitlines()) <= width


def test_the_uk_asks_for_an_accepted_resolution() -> None:
    assert "resolved, and accepted by the complainant" in _printed(terminal=False)


def test_json_has_every_deadline_with_both_times_and_its_explanation() -> None:
    status, out, _ = _run(*PAST, "--json")
    document = json.loads(out)
    assert status == 0
    assert document["received_at"] == "2025-04-16T08:00:00Z"
    assert [each["obligation"] for each in document["deadlines"]] == [
        *("summary-resolution", "acknowledgement", "decision-or-holding", "final-response")
    ]
    summary = document["deadlines"][0]
    assert summary["limit_at"] == "2025-04-22T15:00:00Z"
    assert summary["limit_local"] == "2025-04-22T17:00:00+02:00"
    assert {"day": "2025-04-21", "why": "Easter Monday"} in summary["not_counted"]
    assert summary["explanation"].startswith("day 0 Wed 16 Apr 2025 (Europe/Brussels); not counted: ")


AHEAD = "This receipt lies ahead: computed all the same. An event that says so would be refused.\n"
ENDS = "The calendars end on 2030-12-31: approve the holidays of another year.\n"


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ("2030-03-01T12:00Z", AHEAD),
        ("2030-06-03T16:24:59Z", AHEAD + ENDS),
        ("2030-06-03T16:25Z", ENDS),
        ("2030-06-03T16:30Z", ENDS),
    ],
)
def test_a_receipt_ahead_of_now_is_computed_and_said_to_be_ahead(
    now: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[str] = []
    show(receipt("2030-06-03T16:30Z"), "json", datetime.fromisoformat(now), written.append)
    assert json.loads("".join(written))["day_0"] == "2030-06-03"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("--licence", "xx", "--received", "2026-12-24T16:30Z"),
            "there is no licence xx, only be, gg, je, uk and other",
        ),
        (("--licence", "other", "--received", "2026-12-24T16:30Z"), "is covered by no procedure"),
        (("--licence", "uk", "--received", "2026-12-24T16:30"), "2026-12-24T16:30 has no zone"),
        (("--licence", "uk", "--received", "2026-12-24"), "is no time such as 2026-12-24T16:30Z"),
        (("--licence", "uk", "--received", "2026-13-24T16:30Z"), "is no time such as 2026-12-24T16:30Z"),
        (("--licence", "uk", "--received", "9999-12-31T23:59-14:00"), "is no time such as 2026-12-24T16:30Z"),
        (("--licence", "uk", "--received", "2030-12-24T16:30Z"), "approved from 2024-01-01 to 2030-12-31"),
        (("--licence", "uk", "--received", "2019-12-24T16:30Z"), "approved from 2024-01-01 to 2030-12-31"),
        (("--licence", "be", "--calendar", "scotland", "--received", "2026-12-24T16:30Z"), "counts by belgium"),
        (("--licence", "uk", "--category", "cards", "--received", "2026-12-24T16:30Z"), "no rules for category cards"),
        ((*EXAMPLE, "--json", "--ics"), "Either --json or --ics"),
    ],
)
def test_what_cannot_be_computed_is_refused_in_one_sentence(arguments: tuple[str, ...], told: str) -> None:
    status, out, err = _run(*arguments)
    assert status == 1
    assert told in out + err  # typer's runner prints the reason of an exit on either
    assert (out + err).count("\n") == 1


@pytest.mark.parametrize("text", ["2026-12-24T16:30Z", "2026-12-24t16:30z", "2026-12-24T17:30:00+01:00"])
def test_an_instant_may_be_written_to_the_minute_and_with_any_offset(text: str) -> None:
    assert instant(text) == datetime(2026, 12, 24, 16, 30, tzinfo=UTC)


def _ics(received_at: str, calendar: str = "scotland") -> tuple[str, list[str]]:
    """The file, and its content lines unfolded."""
    of = receipt(received_at, calendar)
    text = calendar_file(deadlines(rulebook(), of), datetime(2026, 12, 24, 16, 45, 1, 7, tzinfo=UTC))
    return text, text.replace("\r\n ", "").split("\r\n")


@pytest.mark.parametrize("received_at", ["2026-12-24T16:30Z", "2027-12-24T10:00Z", "2028-04-13T10:00Z"])
def test_a_calendar_file_keeps_to_the_line_rules_of_rfc_5545(received_at: str) -> None:
    text, lines = _ics(received_at)
    assert text.endswith("END:VCALENDAR\r\n")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert not re.search(r"[^\r]\n|\r[^\n]", text)
    assert all(re.fullmatch(r"[A-Z-]+(;[A-Z-]+=[A-Z-]+)*:.+", line) for line in lines[:-1])
    assert not any(re.search(r"(?<!\\)[,;]", line.partition(":")[2]) for line in lines if line.startswith("DESC"))


def test_a_calendar_file_has_an_event_for_every_deadline() -> None:
    _, lines = _ics("2026-12-24T16:30Z")
    assert lines[:3] == ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//member-notices//complaint deadlines//EN"]
    assert lines.count("BEGIN:VEVENT") == lines.count("END:VEVENT") == 4
    assert lines.count("DTSTAMP:20261224T164501Z") == 4
    uids = [line for line in lines if line.startswith("UID:")]
    assert len(set(uids)) == 4
    assert uids == [line for line in _ics("2026-12-24T16:30Z")[1] if line.startswith("UID:")]


def test_the_end_of_a_day_is_an_all_day_event_on_that_day_and_a_time_of_day_is_an_instant() -> None:
    _, lines = _ics("2026-12-24T16:30Z")
    assert [line for line in lines if line.startswith("DTSTART")] == [
        "DTSTART:20261231T170000Z",
        "DTSTART;VALUE=DATE:20270106",
        "DTSTART;VALUE=DATE:20270121",
        "DTSTART;VALUE=DATE:20270218",
    ]
    assert "DTEND;VALUE=DATE:20270107" in lines
    assert [line for line in lines if line.startswith("TRIGGER")] == [
        "TRIGGER;VALUE=DATE-TIME:20270105T090000Z",
        "TRIGGER;VALUE=DATE-TIME:20270114T090000Z",
        "TRIGGER;VALUE=DATE-TIME:20270211T090000Z",
    ]


def test_a_description_is_the_explanation_escaped() -> None:
    _, lines = _ics("2026-12-24T16:30Z")
    (description, *_) = [line for line in lines if line.startswith("DESCRIPTION:day 0")]
    text = description.removeprefix("DESCRIPTION:").replace("\\,", ",").replace("\\;", ";")
    assert text == explanation(owed("2026-12-24T16:30Z", "scotland")["summary-resolution"])


def test_the_calendar_file_is_a_form_of_the_command() -> None:
    status, out, _ = _run(*PAST, "--ics")
    assert status == 0
    assert out.startswith("BEGIN:VCALENDAR")
