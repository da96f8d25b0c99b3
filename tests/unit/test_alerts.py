"""Alert rules hold together: each is whole, leads somewhere, asks for what is exported. promtool proves the rest."""

import re
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.notifier import metrics
from tests.support.exported import asked_for, exported
from tests.support.operations import headings, rules

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RULES = rules()
ALERTS = [rule for rule in RULES if "alert" in rule]
TESTS = "".join((FOLDER / name).read_text("utf-8") for name in ("rules_test.yml", "burn_rate_test.yml"))
JOBS = {job["job_name"] for job in yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))["scrape_configs"]}
PERSONAL = ("member", "address", "phone", "complaint_id", "subject", "event_id")


def title(alert: dict[str, Any]) -> str:
    return "-".join(str(each) for each in (alert["alert"], *alert["labels"].values()))


each_alert = pytest.mark.parametrize("alert", ALERTS, ids=title)


def test_there_are_alerts_and_no_two_are_the_same() -> None:
    assert len(ALERTS) > 40
    assert len({title(alert) for alert in ALERTS}) == len(ALERTS)


@each_alert
def test_an_alert_says_how_bad_what_and_where_to_look(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "warning"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert page == "docs/operations.md"
    assert anchor in headings()


@each_alert
def test_no_label_and_no_text_of_an_alert_can_name_a_person(alert: dict[str, Any]) -> None:
    shown = " ".join((*alert["labels"].values(), *alert["annotations"].values()))
    assert not [label for label in PERSONAL if f"$labels.{label}" in shown]
    assert set(re.findall(r"\$labels\.(\w+)", shown)) <= {"lane", "notice", "topic", "code", "job", "instance", "check"}


@pytest.mark.parametrize("rule", RULES, ids=[rule.get("alert") or rule["record"] for rule in RULES])
def test_a_rule_asks_only_for_what_is_exported_or_recorded(rule: dict[str, Any]) -> None:
    recorded = {each["record"] for each in RULES if "record" in each}
    assert asked_for(rule["expr"]) <= exported()
    assert set(re.findall(r"\blane:[a-z_:0-9]+", rule["expr"])) <= recorded


@each_alert
def test_promtool_sees_the_alert_fire(alert: dict[str, Any]) -> None:
    fires = f'exp_samples: [{{labels: \'{{alertname="{alert["alert"]}", severity="{alert["labels"]["severity"]}"}}\''
    assert fires in TESTS


def test_the_rules_know_the_jobs_that_are_scraped() -> None:
    named = chain.from_iterable(re.findall(r'up{job=~?"([^"]+)"}', rule["expr"]) for rule in RULES)
    assert {job for names in named for job in names.split("|")} == JOBS


def test_the_promise_has_buckets_exactly_at_its_limits() -> None:
    limits = {limit for rule in RULES for limit in re.findall(r'le="([0-9.]+)"', rule["expr"])}
    assert limits == {"10.0", "60.0"}
    metrics.record_sent("codes", "email", owed_from=datetime.now(UTC), now=datetime.now(UTC))
    family = next(each for each in metrics.REGISTRY.collect() if each.name == "notifier_sent_after_seconds")
    assert limits <= {sample.labels["le"] for sample in family.samples if "le" in sample.labels}
