"""A complaint's deadlines on one line: each ends where its limit is, as a share of the whole."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.console.timeline import timeline

RECEIVED = datetime(2026, 11, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    return RECEIVED + timedelta(days=number)


def owed(obligation: str, limit: float, met: float | None = None, state: str = "open") -> dict[str, Any]:
    met_at = None if met is None else day(met)
    return {"obligation": obligation, "state": state, "limit_at": day(limit), "met_at": met_at}


def test_the_last_limit_is_the_end_and_the_others_lie_before_it() -> None:
    line = timeline(RECEIVED, [owed("acknowledgement", 14, met=7, state="met"), owed("final-response", 56)], day(28))
    assert line is not None
    assert [(each.obligation, each.limit, each.met) for each in line.stretches] == [
        ("acknowledgement", 25.0, 12.5),
        ("final-response", 100.0, None),
    ]
    assert line.now == 50.0


def test_what_is_met_after_its_limit_makes_the_line_longer() -> None:
    line = timeline(RECEIVED, [owed("acknowledgement", 10, met=20, state="missed")], day(20))
    assert line is not None
    assert [(each.limit, each.met) for each in line.stretches] == [(50.0, 100.0)]


@pytest.mark.parametrize("now", [day(-1), day(11)])
def test_a_moment_beyond_the_line_is_not_on_it(now: datetime) -> None:
    line = timeline(RECEIVED, [owed("acknowledgement", 10)], now)
    assert line is not None
    assert line.now is None


@pytest.mark.parametrize(("received", "obligations"), [(None, [owed("acknowledgement", 10)]), (RECEIVED, [])])
def test_without_a_receipt_or_an_obligation_there_is_no_line(
    received: datetime | None, obligations: list[dict[str, Any]]
) -> None:
    assert timeline(received, obligations, RECEIVED) is None


def test_a_limit_at_the_receipt_itself_can_be_drawn() -> None:
    line = timeline(RECEIVED, [owed("acknowledgement", 0)], RECEIVED)
    assert line is not None
    assert line.stretches[0].limit == 0.0
