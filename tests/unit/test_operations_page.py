"""The operations page speaks of what the processes really export."""

from pathlib import Path

from tests.support.exported import OURS, exported, families

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
NO_METRICS = {"process_failed", "console_failed", "member_notices_console"}
"""Two lines of the log, and a role of the database."""


def test_every_metric_on_the_page_is_exported() -> None:
    quoted = "\n".join(PAGE.split("`")[1::2])
    named = set(OURS.findall(quoted)) - NO_METRICS
    assert len(named) > 10
    histograms = {family.name for family in families() if family.type == "histogram"}
    assert named - exported() - histograms == set()
