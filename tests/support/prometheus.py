"""A real Prometheus that scrapes processes of a test, under our own rules made faster."""

import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from demo.embedded.server import Server, free_ports
from tests.support.waiting import wait_for

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yml"
SCRAPE = "1s"
SCALE = {"m": "{0}s", "h": "{0}m", "d": "{0}h"}
"""A drill has no hours: what is a minute in the rules is a second here, an hour a minute, a day an hour."""
SHORTER = {
    '{lane="codes"}) > 60': '{lane="codes"}) > 6',
    'complaint_sla_unaccepted_seconds"}) > 60': 'complaint_sla_unaccepted_seconds"}) > 6',
}
"""Ages that a rule waits for, a tenth as old. Each must be in the rules as it is here."""


def hurried(rules: str) -> str:
    """The same rules with shorter windows, shorter `for` and two shorter ages: they prove the path, not the times."""
    for there, here in SHORTER.items():
        assert there in rules, f"{there} is no longer in the rules: mend the drill"
        rules = rules.replace(there, here)
    rules = re.sub(r"(\[|for: |offset )(\d+)([mhd])\b", lambda m: m[1] + SCALE[m[3]].format(m[2]), rules)
    return re.sub(r"\[([1-9])s\]", "[10s]", rules)  # a window needs a few scrapes


class Prometheus:
    """`job` → `host:port` of what it scrapes."""

    def __init__(self, folder: Path, jobs: Mapping[str, list[str]]) -> None:
        (port,) = free_ports(1)
        self._url = f"http://127.0.0.1:{port}"
        self._server = Server("prometheus", folder / "prometheus.log", stop_signal=signal.SIGTERM, grace_seconds=10)
        (folder / "rules.yml").write_text(hurried(RULES.read_text("utf-8")))
        scraped = "".join(
            f"  - job_name: {job}\n    static_configs: [{{targets: {targets!r}}}]\n" for job, targets in jobs.items()
        )
        (folder / "prometheus.yml").write_text(
            f"global: {{scrape_interval: {SCRAPE}, evaluation_interval: {SCRAPE}}}\n"
            f"rule_files: [rules.yml]\nscrape_configs:\n{scraped}"
        )
        self._command = (
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        )

    def start(self) -> None:
        self._server.start(self._command, ready=self._ready, within_seconds=60)

    def stop(self) -> None:
        self._server.stop()

    async def firing(self, **labels: str) -> list[dict[str, Any]]:
        """Alerts that fire now and have all of these labels; `alertname` is one."""
        async with httpx.AsyncClient(timeout=30) as http:
            answer = (await http.get(f"{self._url}/api/v1/alerts")).json()
        alerts: list[dict[str, Any]] = answer["data"]["alerts"]
        return [each for each in alerts if each["state"] == "firing" and labels.items() <= each["labels"].items()]

    async def fires(self, *, within_seconds: float = 180, **labels: str) -> dict[str, Any]:
        alerts = await wait_for(lambda: self.firing(**labels), f"alert {labels}", within_seconds=within_seconds)
        first: dict[str, Any] = alerts[0]
        return first

    async def is_over(self, *, within_seconds: float = 180, **labels: str) -> None:
        async def silent() -> bool:
            return not await self.firing(**labels)

        await wait_for(silent, f"end of the alert {labels}", within_seconds=within_seconds)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self._url}/-/ready", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False
