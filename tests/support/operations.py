"""What operators read: the headings of their page, and the rules of Prometheus."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def headings() -> set[str]:
    """Of docs/operations.md, as the anchors that a link to one ends in."""
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    found = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in found}


def rules() -> list[dict[str, Any]]:
    """Alerts and recorded series, in their order."""
    document = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yml").read_text("utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]
