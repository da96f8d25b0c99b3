"""The operations page speaks of what the processes really export."""

from pathlib import Path

from tests.support.exported import OURS, exported, families

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
LINES_OF_THE_LOG = {"process_failed"}


def test_every_metric_on_the_page_is_exported() -> None:
    quoted = "\n".join(PAGE.split("`")[1::2])
    named = set(OURS.findall(quoted)) - LINES_OF_THE_LOG
    assert len(named) > 10
    histograms = {family.name for family in families() if family.type == "histogram"}
    assert named - exported() - histograms == set()
