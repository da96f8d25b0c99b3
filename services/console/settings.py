"""The console's settings; each has a line in `.env.example`."""

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from services.runtime.settings import ServerSettings, is_loopback


class ConsoleSettings(ServerSettings):
    """What the console reads. It opens nothing that is sealed, so it has no VAULT_KEYS."""

    search_key: SecretStr | None = Field(default=None, min_length=32)
    """The notifier's: with it an address can be looked for by its keyed hash."""
    console_proxy_secret_sha256: str = ""
    """SHA-256 of what the proxy sends in X-Console-Proxy-Secret, several separated by commas."""
    console_open_on_loopback: Literal["false", "true"] = "false"
    """Let in everybody on this machine: for a demo, and for who is logged in there anyway."""
    console_gallery_dir: Path | None = None
    """What `member-notices preview --out` wrote: every notice, shown as it is sent."""

    @field_validator("console_proxy_secret_sha256")
    @classmethod
    def _hashes_not_secrets(cls, value: str) -> str:
        if value and not all(re.fullmatch(r"[0-9a-f]{64}", entry.strip()) for entry in value.split(",")):
            raise ValueError(
                "each entry is the SHA-256 of a secret, 64 hex digits in lower case, never the secret itself"
            )
        return value

    @model_validator(mode="after")
    def _open_means_this_machine(self) -> Self:
        if self.open_on_loopback and not is_loopback(self.http_host):
            raise ValueError("CONSOLE_OPEN_ON_LOOPBACK=true is for HTTP_HOST on loopback; set HTTP_HOST=127.0.0.1")
        if self.open_on_loopback and self.console_proxy_secret_sha256:
            raise ValueError(
                "CONSOLE_OPEN_ON_LOOPBACK and CONSOLE_PROXY_SECRET_SHA256 exclude each other: "
                "a proxy on this machine would let in everybody; set one of them"
            )
        return self

    @property
    def open_on_loopback(self) -> bool:
        return self.console_open_on_loopback == "true"

    def proxy_secrets(self) -> tuple[bytes, ...]:
        """Their hashes."""
        entries = (entry.strip() for entry in self.console_proxy_secret_sha256.split(","))
        return tuple(bytes.fromhex(entry) for entry in entries if entry)
