"""The demo's table shows what happened, and nobody's address."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from demo.stage import Published
from demo.table import latency, masked, table_of
from demo.watch import Seen

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ROW = Seen(
    event="e-1",
    event_type="identity.password-changed.v1",
    event_time=AT,
    notification="n-1",
    notice="password-changed",
    channel="email",
    role="login",
    to="grace.hartley@example.test",
    brand="cigna-healthcare",
    locale="en",
    state="sent",
    reason=None,
    attempts=2,
    reference=None,
    sent_at=AT + timedelta(milliseconds=83),
)


CODE = replace(ROW, notice="one-time-verification-code", state="handing-over", reason="phone-not-registered")
NEVER_CUT = ("email", " en ", "sent", "attempt 2", "83 ms", "handing-over")


def shown(width: int, *rows: Seen, newest: int | None = None) -> str:
    console = Console(width=width, file=StringIO())
    published = {"e-1": Published("identity.password-changed.v1", 3)}
    console.print(table_of(rows or [ROW], published, width=width, newest=newest))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_wide_terminal_shows_all_columns_and_how_often_the_event_came() -> None:
    text = shown(160, ROW, CODE)
    assert all(part in text for part in (*NEVER_CUT, "password-changed 3x", "gr…@example.test", CODE.notice))
    assert ROW.brand in text


def test_a_language_that_was_asked_for_and_is_not_the_reader_s_is_remarked() -> None:
    published = {"e-1": Published("identity.password-changed.v1", 1, "the event says fr")}
    console = Console(width=160, file=StringIO())
    console.print(table_of([replace(ROW, attempts=1)], published, width=160))
    assert isinstance(console.file, StringIO)
    assert "the event says fr" in console.file.getvalue()


@pytest.mark.parametrize(
    ("width", "full_notice", "to", "event", "brand"),
    [
        (144, True, True, True, True),
        (126, False, True, True, True),
        (106, False, False, True, True),
        (84, False, False, False, True),
        (80, False, False, False, False),
    ],
)
def test_a_narrower_one_shortens_the_names_then_drops_whom_then_the_event_then_the_brand(
    width: int, full_notice: bool, to: bool, event: bool, brand: bool
) -> None:
    text = shown(width, ROW, CODE)
    assert all(part in text for part in (*NEVER_CUT, "phone-not-registered"))
    assert (CODE.notice in text, "@example.test" in text, " 3x" in text) == (full_notice, to, event)
    assert ("cigna" in text) == brand
    assert full_notice or "one-time-code" in text


@pytest.mark.parametrize("width", [60, 80])
def test_a_long_reason_takes_more_lines_and_nothing_is_cut(width: int) -> None:
    reason = "the-relay-said-" + "very-" * 8 + "much"
    text = shown(width, ROW, replace(CODE, reason=reason))
    assert all(part in text for part in NEVER_CUT)
    assert max(len(line) for line in text.splitlines()) <= width
    words = "".join(text.split())
    assert words.count("very-") + words.count("ver") >= 8
    assert text.count("…") == 0


def test_the_newest_rows_are_kept_and_what_is_left_out_is_said() -> None:
    text = shown(160, *[ROW] * 7, CODE, newest=1)
    assert "7 earlier ones are not shown" in text
    assert "handing-over" in text
    assert "83 ms" in text
    assert "sent" not in text


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("grace.hartley@example.test", "gr…@example.test"),
        ("+447700900142", "+44…42"),
        ("lotte-1a2b3c", "lotte-1a2b3c"),
        (None, "-"),
    ],
)
def test_an_address_is_masked(address: str | None, text: str) -> None:
    assert masked(address) == text


@pytest.mark.parametrize(
    ("took", "text"),
    [(timedelta(milliseconds=999), "999 ms"), (timedelta(seconds=1), "1.0 s"), (None, "")],
)
def test_latency_is_told_in_a_unit_that_reads_well(took: timedelta | None, text: str) -> None:
    sent_at = None if took is None else AT + took
    assert latency(replace(ROW, sent_at=sent_at)) == text
