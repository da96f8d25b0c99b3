"""What the processes export, collected from their own registries; and what an expression of Prometheus asks for."""

import re

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from services.auth_events.metrics import Metrics, TimerMetrics, UpstreamMetrics
from services.complaint_sla.metrics import REGISTRY as COMPLAINTS
from services.console.metrics import Metrics as ConsoleMetrics
from services.notifier.metrics import REGISTRY as NOTIFIER
from services.probe.metrics import REGISTRY as PROBE
from services.runtime.vitals import Vitals

_INTAKE = CollectorRegistry()
Metrics(_INTAKE)
TimerMetrics(_INTAKE)
UpstreamMetrics(_INTAKE)
_CONSOLE = CollectorRegistry()
ConsoleMetrics(_CONSOLE)
Vitals(_CONSOLE)
REGISTRIES = (NOTIFIER, _INTAKE, COMPLAINTS, PROBE, _CONSOLE)
OURS = re.compile(r"\b(?:notifier|auth_events|complaint_sla|probe|console|member_notices|process)_[a-z_]+\b")
_ENDS = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


def families() -> list[Metric]:
    return [family for registry in REGISTRIES for family in registry.collect()]


def exported() -> set[str]:
    """Names as Prometheus stores them: a counter ends in `_total`, a histogram in `_bucket`, `_count`, `_sum`."""
    return {family.name + end for family in families() for end in _ENDS[family.type]}


def asked_for(expression: str) -> set[str]:
    """Our metrics that an expression names, in whatever way; what a recording rule made is none of them."""
    return set(
        OURS.findall(re.sub(r'(?:lane|because|reason|check|notice|job|code)(?:=|!=|=~|!~)"[^"]*"', "", expression))
    )
