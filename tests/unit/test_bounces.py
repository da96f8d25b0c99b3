"""What a delivery report says, whoever wrote it, and what is no such report."""

import uuid
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.bounces import MAX_BYTES, ReportError, read_report
from services.notifier.words import because
from tests.support.reports import MAILBOX, block, report

ID, OTHER = uuid.uuid5(uuid.NAMESPACE_URL, "a"), uuid.uuid5(uuid.NAMESPACE_URL, "b")


@pytest.mark.parametrize("returned", ["text/rfc822-headers", "message/rfc822", "message/rfc822-headers"])
def test_the_returned_message_id_names_the_notification(returned: str) -> None:
    found = read_report(report(ID, returned=returned))
    assert (found.named, found.action, found.status, found.is_bounce) == ((ID,), "failed", "5.1.1", True)


@pytest.mark.parametrize("header", ["Delivered-To", "X-Original-To", "Envelope-To", "To"])
def test_the_address_it_came_back_to_names_it_before_the_returned_headers_do(header: str) -> None:
    raw = report(OTHER).replace(
        b"Delivered-To: no-reply@cignahealthcare.com", f"{header}: <bounces+{ID}@x.test>".encode()
    )
    assert read_report(raw).named == (ID, OTHER)


def test_the_returned_envelope_sender_names_it_where_the_message_id_was_rewritten() -> None:
    headers = f"Return-Path: <bounces+{ID}@x.test>\nMessage-ID: <20261122.1@relay.example.test>\n"
    assert read_report(report(ID, headers=headers)).named == (ID,)


@pytest.mark.parametrize("action", ["delayed", "relayed", "expanded", "delivered"])
def test_what_is_not_given_up_is_no_bounce(action: str) -> None:
    found = read_report(report(ID, block(action, "4.4.1" if action == "delayed" else "2.0.0")))
    assert (found.action, found.is_bounce) == (action, False)


def test_what_was_given_up_because_it_was_late_is_a_bounce_too() -> None:
    """RFC 3464: nobody tries again after `failed`."""
    found = read_report(report(ID, block("failed", "4.4.7")))
    assert (found.status, found.is_bounce) == ("4.4.7", True)


def test_of_several_recipients_the_worst_counts() -> None:
    found = read_report(report(ID, block("relayed", "2.0.0"), block("failed", "5.2.1"), block("delayed", "4.4.1")))
    assert (found.action, found.status) == ("failed", "5.2.1")


def test_case_comments_and_line_ends_do_not_matter() -> None:
    raw = report(ID, block("Failed (final)", "5.1.1 (no such user)")).replace(b"\n", b"\r\n")
    assert read_report(raw.replace(str(ID).encode(), str(ID).upper().encode())).named == (ID,)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"Subject: Out of office\n\nI am away.", "no part message/delivery-status"),
        (report(ID, block("exploded", "5.1.1")), "no part message/delivery-status"),
        (report(ID, block("failed", "?")), "no part message/delivery-status"),
        (report(ID, headers=f"To: {MAILBOX}\nMessage-ID: <other@x.test>\n"), "name a notification"),
        (b"x" * (MAX_BYTES + 1), "longer than"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason_and_without_an_address(raw: bytes, why: str) -> None:
    with pytest.raises(ReportError, match=why) as refused:
        read_report(raw)
    assert "@" not in str(refused.value)


@given(st.binary(max_size=200), st.integers(0, 1200))
def test_rubbish_anywhere_is_refused_and_breaks_nothing(rubbish: bytes, at: int) -> None:
    whole = report(ID)
    for raw in (rubbish, whole[:at] + rubbish + whole[at:], whole[:at]):
        with suppress(ReportError):
            assert read_report(raw).named


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("dsn:5.1.1", "the delivery report says 5.1.1, there is no such mailbox"),
        ("dsn:5.9.9", "the delivery report says 5.9.9"),
    ],
)
def test_a_reports_status_is_in_words(reason: str, words: str) -> None:
    assert because(reason) == words
