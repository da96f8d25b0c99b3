"""The demo's verdict: whatever is missing, different, doubled or too much gets a line, and nothing else does."""

from dataclasses import replace
from typing import Any

import pytest

from demo.check import Arrived, DeadLetter, Expected, Found, Row, compare, summary

MAIL = Expected(
    event="e-1", notice="password-changed", channel="email", role="login", to="grace@example.test", locale="en"
)
TEXT = Expected(
    event="e-2", notice="one-time-verification-code", channel="sms", role="phone-1", to="+447700900142", locale="fr"
)
PORTAL = Expected(event="e-4", notice="pin-blocked", channel="in-app", role="inbox", to="zoe-1", locale="fr")
LATE = replace(TEXT, event="e-3", state="expired", reason="late")
EXPECTED = [MAIL, TEXT, LATE, PORTAL]


def row(expected: Expected) -> Row:
    return Row(
        event=expected.event,
        notification=f"id-of-{expected.event}",
        notice=expected.notice,
        channel=expected.channel,
        role=expected.role,
        to=expected.to,
        locale=expected.locale,
        state=expected.state,
        reason=expected.reason,
        attempts=1,
        reference="SM2" if expected is TEXT else None,
    )


ROWS = [row(each) for each in EXPECTED]
ARRIVED = [
    Arrived(channel="email", to="grace@example.test", language="en", reference="id-of-e-1", subject="Password changed"),
    Arrived(channel="sms", to="+447700900142", language="", reference="SM2", subject="123456 is your code"),
    Arrived(channel="in-app", to="zoe-1", language="fr", reference="id-of-e-4", subject="Votre code PIN est bloqué"),
]
TOLD = frozenset((each.event, each.notice, each.channel, each.role, each.state) for each in EXPECTED)


def found(**changes: Any) -> Found:
    return replace(Found(rows=ROWS, arrived=ARRIVED, told=TOLD), **changes)


def with_row(index: int, **changes: Any) -> Found:
    rows = list(ROWS)
    rows[index] = replace(rows[index], **changes)
    return found(rows=rows)


def test_nothing_to_say_when_all_is_as_expected() -> None:
    assert compare(EXPECTED, found()) == []


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (found(rows=ROWS[1:], arrived=ARRIVED[1:]), "missing: password-changed by email to grace@example.test (login,"),
        (found(arrived=ARRIVED[1:]), "did not arrive"),
        (found(arrived=ARRIVED[:2]), "missing: pin-blocked by in-app to zoe-1 (inbox, fr) of e-4: did not arrive"),
        (found(arrived=[*ARRIVED, ARRIVED[2]]), "doubled: pin-blocked by in-app"),
        (found(arrived=[*ARRIVED[:2], replace(ARRIVED[2], language="nl")]), "arrived at zoe-1 in nl"),
        (found(arrived=[*ARRIVED, ARRIVED[0]]), "doubled: password-changed by email"),
        (found(arrived=[*ARRIVED, replace(ARRIVED[1], reference="SM9")]), "unexpected: a message by sms"),
        (found(arrived=[replace(ARRIVED[0], to="post@example.test"), *ARRIVED[1:]]), "arrived at post@example.test"),
        (found(arrived=[replace(ARRIVED[0], language="fr"), *ARRIVED[1:]]), "in fr"),
        (with_row(0, state="retrying"), "state is 'retrying', not 'sent'"),
        (with_row(2, reason="late-after-attempts"), "reason is 'late-after-attempts', not 'late'"),
        (with_row(1, locale="en"), "language is 'en', not 'fr'"),
        (with_row(1, to="+447700900143"), "address is '+447700900143', not '+447700900142'"),
        (found(told=TOLD - {("e-3", LATE.notice, "sms", "phone-1", "expired")}), "no outcome says expired"),
        (found(rows=[*ROWS, replace(ROWS[1], event="e-9", notification="n-9", reference="SM9")]), "unexpected: one-"),
        (found(dead_letters=[DeadLetter("not-json", "identity.codes.v1")]), "dead letter from identity.codes.v1: not-"),
        (
            found(arrived=[*ARRIVED, replace(ARRIVED[1], reference="id-of-e-3")]),
            "doubled: one-time-verification-code by sms to +447700900142 (phone-1, fr) of e-3: arrived 1 times, not 0",
        ),
    ],
)
def test_each_difference_is_one_line(changed: Found, line: str) -> None:
    lines = compare(EXPECTED, changed)
    assert len(lines) == 1, lines
    assert line in lines[0]


def test_the_summary_counts_what_arrived_by_channel_language_and_notice() -> None:
    assert summary([*EXPECTED, replace(MAIL, event="e-5")]) == (
        "4 messages (2 email, 1 in-app, 1 sms; 2 en, 2 fr; 3 notices), 1 expired"
    )
