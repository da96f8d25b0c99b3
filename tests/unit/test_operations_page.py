"""The operations page speaks of what the processes really export."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from services.auth_events.metrics import Metrics, TimerMetrics, UpstreamMetrics
from services.complaint_sla.metrics import REGISTRY as COMPLAINTS
from services.notifier.metrics import REGISTRY

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
SUFFIXES = ("_total", "_bucket", "_count", "_sum")


def exported(registry: CollectorRegistry) -> set[str]:
    return {name for family in registry.collect() for name in (family.name, *(family.name + end for end in SUFFIXES))}


def test_every_metric_on_the_page_is_exported() -> None:
    intake = CollectorRegistry()
    Metrics(intake)
    TimerMetrics(intake)
    UpstreamMetrics(intake)
    named = set(re.findall(r"`((?:notifier|auth_events|complaint_sla)_[a-z_]+)", PAGE))
    assert len(named) > 10
    assert named - exported(REGISTRY) - exported(intake) - exported(COMPLAINTS) == set()
