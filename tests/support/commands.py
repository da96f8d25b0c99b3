"""Operators' commands on a test's own ledger: what they print, and their exit status."""

import base64
from typing import Any

from services.runtime.settings import ProcessSettings
from tests.support.ledger import KEY


class Printed:
    """Use as `say`; `text` is all that was said."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def __call__(self, line: str) -> None:
        self._lines.append(line)

    @property
    def text(self) -> str:
        return "\n".join(self._lines)


def process_settings(database: str, *, kafka: str = "127.0.0.1:1", **more: Any) -> ProcessSettings:
    """With the key of `tests.support.ledger`."""
    keys = f"first:{base64.b64encode(KEY).decode()}"
    return ProcessSettings(**{"kafka_bootstrap_servers": kafka, "database_url": database, "vault_keys": keys, **more})
