"""The dashboards show what is exported, in units, with a word on each panel and the way to what to do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.exported import asked_for, exported
from tests.support.operations import headings, rules

FOLDER = Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted((FOLDER / "dashboards").glob("*.json"))
}
PANELS = [
    pytest.param(panel, id=f"{name}-{panel['id']}") for name, each in DASHBOARDS.items() for panel in each["panels"]
]


def test_there_is_one_for_each_question() -> None:
    assert set(DASHBOARDS) == {"promise", "topics", "notifier", "complaints", "services"}
    assert len({each["uid"] for each in DASHBOARDS.values()}) == len(DASHBOARDS)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_two_panels_have_one_id_or_one_place(name: str) -> None:
    panels = DASHBOARDS[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_a_title_a_unit_and_a_description(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_leads_to_what_to_do(panel: dict[str, Any]) -> None:
    (link,) = panel["links"]
    page, _, anchor = link["url"].partition("#")
    assert page == "${runbook}"
    assert anchor in headings()


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_only_for_what_is_exported_or_recorded(panel: dict[str, Any]) -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for target in panel["targets"]:
        assert asked_for(target["expr"]) <= exported()
        assert set(re.findall(r"\blane:[a-z_:0-9]+", target["expr"])) <= recorded
        assert asked_for(target["expr"]) or ":ratio_" in target["expr"] or "up" in target["expr"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_reads_the_source_that_is_provisioned(name: str) -> None:
    (source,) = yaml.safe_load((FOLDER / "provisioning" / "datasources" / "prometheus.yaml").read_text())["datasources"]
    used = {target["datasource"]["uid"] for panel in DASHBOARDS[name]["panels"] for target in panel["targets"]}
    assert used == {source["uid"]}
