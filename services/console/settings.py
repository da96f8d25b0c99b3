"""The console's settings; each has a line in `.env.example`."""

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from services.runtime.health import Tls
from services.runtime.settings import ServerSettings, is_loopback


class ConsoleSettings(ServerSettings):
    """What the console reads. It opens nothing that is sealed, so it has no VAULT_KEYS."""

    search_key: SecretStr | None = Field(default=None, min_length=32)
    """The notifier's: with it an address can be looked for by its keyed hash."""
    console_proxy_secret_sha256: str = ""
    """SHA-256 of what the proxy sends in X-Console-Proxy-Secret, several separated by commas."""
    console_tls_cert_file: Path | None = None
    """Certificate with its chain, PEM; `console_tls_key_file` its key. Where they are, CONSOLE_TLS_PORT is served."""
    console_tls_key_file: Path | None = None
    console_client_ca_file: Path | None = None
    """Whoever holds a certificate of this authority is let in: make one for the proxy alone."""
    console_tls_port: int = Field(default=8443, ge=0, le=65535)
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
        if self.open_on_loopback and (self.console_proxy_secret_sha256 or self.console_client_ca_file):
            raise ValueError(
                "CONSOLE_OPEN_ON_LOOPBACK and what a proxy proves itself by (CONSOLE_PROXY_SECRET_SHA256, "
                "CONSOLE_CLIENT_CA_FILE) exclude each other: a proxy on this machine would let in everybody; set one"
            )
        return self

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        files = (self.console_tls_cert_file, self.console_tls_key_file, self.console_client_ca_file)
        if any(files) and not all(files):
            raise ValueError(
                "CONSOLE_TLS_CERT_FILE, CONSOLE_TLS_KEY_FILE and CONSOLE_CLIENT_CA_FILE go together: "
                "TLS here is there to know the proxy by its certificate; set all three, or none"
            )
        return self

    def tls(self) -> Tls | None:
        """None: pages are served on HTTP_PORT only."""
        certificate, key, authority = self.console_tls_cert_file, self.console_tls_key_file, self.console_client_ca_file
        return Tls(certificate, key, authority) if certificate and key and authority else None

    @property
    def open_on_loopback(self) -> bool:
        return self.console_open_on_loopback == "true"

    def proxy_secrets(self) -> tuple[bytes, ...]:
        """Their hashes."""
        entries = (entry.strip() for entry in self.console_proxy_secret_sha256.split(","))
        return tuple(bytes.fromhex(entry) for entry in entries if entry)
