"""The settings of each process of the demo, as its environment; and who may publish."""

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.auth_events.publishers import new_token
from services.auth_events.settings import AuthEventsSettings
from services.complaint_sla.settings import ComplaintSlaSettings
from services.notifier.settings import NotifierSettings
from services.runtime.settings import KafkaSettings

IDENTITY_PROVIDER = "https://login.example.test"
ADMINISTRATION = "urn:example:member-administration"
# Not a secret, and the same in every run: a database that was given keeps its rows from one demo to the next.
VAULT_KEYS = f"demo:{base64.b64encode(hashlib.sha256(b'member-notices demo').digest()).decode()}"
SEARCH_KEY = "only-for-the-demo-only-for-the-demo"
TEAM_MAILBOX = "complaints-team@claims.example.test"
SMTP_SEND_SECONDS = 5
"""The catcher is next door; shorter leases follow, so that the work of a killed notifier goes on sooner."""


@dataclass(frozen=True, slots=True)
class Publishers:
    """Two upstream systems: the token of each, by its CloudEvents source, and the file that knows them."""

    file: Path
    tokens: Mapping[str, str]

    @classmethod
    def write(cls, folder: Path) -> "Publishers":
        idp, administration = new_token(), new_token()
        file = folder / "publishers.toml"
        file.write_text(
            f'[[publishers]]\nname = "identity-provider"\ntoken_sha256 = ["{idp.sha256}"]\n'
            f'sources = ["{IDENTITY_PROVIDER}"]\ntypes = ["identity.*"]\n\n'
            f'[[publishers]]\nname = "member-administration"\ntoken_sha256 = ["{administration.sha256}"]\n'
            f'sources = ["{ADMINISTRATION}"]\ntypes = ["members.*", "members.contact.v1"]\n'
        )
        return cls(file, {IDENTITY_PROVIDER: idp.token, ADMINISTRATION: administration.token})


def of_auth_events(kafka: str, database: str, files: tuple[Path, Path], group: str) -> dict[str, str]:
    """`files`: who may publish, and which providers there are."""
    own = {
        "AUTH_EVENTS_PUBLISHERS_FILE": str(files[0]),
        "AUTH_EVENTS_PROVIDERS_FILE": str(files[1]),
        "AUTH_EVENTS_KAFKA_GROUP": group,
    }
    return _clean() | _shared(kafka, database) | own


def of_notifier(kafka: str, database: str, catcher: Mapping[str, Any], group: str) -> dict[str, str]:
    """`catcher`: what it announced of itself."""
    return (
        _clean()
        | _shared(kafka, database)
        | {
            "DELIVERY_MODE": "capture",
            "SMTP_HOST": catcher["smtp_host"],
            "SMTP_PORT": str(catcher["smtp_port"]),
            "SMTP_TLS": "none",
            "SMTP_SEND_SECONDS": str(SMTP_SEND_SECONDS),
            "TWILIO_ACCOUNT_SID": catcher["account_sid"],
            "TWILIO_AUTH_TOKEN": catcher["auth_token"],
            "TWILIO_SENDER": "+447700900000",
            "TWILIO_API_BASE_URL": catcher["twilio_url"],
            "LOOPBACK_LINK_ORIGIN": catcher["http_url"],
            "SEARCH_KEY": SEARCH_KEY,
            "KAFKA_GROUP": group,
            "COMPLAINTS_TEAM_MAILBOX": TEAM_MAILBOX,
        }
    )


def of_complaint_sla(kafka: str, database: str, group: str) -> dict[str, str]:
    return _clean() | _shared(kafka, database) | {"KAFKA_GROUP": group}


def of_console(kafka: str, database: str, gallery: Path) -> dict[str, str]:
    """It opens nothing that is sealed, and whoever is on this machine may look."""
    shared = {name: value for name, value in _shared(kafka, database).items() if name != "VAULT_KEYS"}
    return _clean() | shared | {
        "SEARCH_KEY": SEARCH_KEY, "CONSOLE_OPEN_ON_LOOPBACK": "true", "CONSOLE_GALLERY_DIR": str(gallery),
    }  # fmt: skip


def _shared(kafka: str, database: str) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "DATABASE_URL": database,
        "VAULT_KEYS": VAULT_KEYS,
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
    }


def _clean() -> dict[str, str]:
    """This shell without our settings: the relay of production must not reach the demo. Access to Kafka stays."""
    fields = {*NotifierSettings.model_fields, *AuthEventsSettings.model_fields, *ComplaintSlaSettings.model_fields} - {
        *KafkaSettings.model_fields
    }
    ours = {name.upper() for name in fields}
    return {name: value for name, value in os.environ.items() if name.upper() not in ours}
