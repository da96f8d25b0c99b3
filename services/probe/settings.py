"""The settings of the probe; each has a line in `.env.example`."""

from typing import Self

from pydantic import Field, HttpUrl, SecretStr, model_validator

from schemas.types import Email, Url
from services.runtime.settings import CanarySettings, KafkaSettings, ServingSettings


class ProbeSettings(CanarySettings, ServingSettings, KafkaSettings):
    """What the probe reads. It has no database, and no key of anybody's data."""

    probe_url: Url = Field(
        description="Set it to a page of the brand, https and on its domains: the canary's mail links to it"
    )
    probe_address: Email | None = None
    """Where the canary's mail goes. With it the probe publishes the canary's contact at its start, straight onto the
    topic, as the member administration would; without it somebody else has."""
    probe_brand: str = Field(default="cigna-healthcare", min_length=1)
    probe_source: str = Field(default="urn:member-notices:probe", min_length=1, max_length=255)
    """CloudEvents source of the canary; its publisher at auth-events must be allowed it."""
    probe_interval_seconds: float = Field(default=60.0, ge=1, le=3600)
    probe_late_seconds: float = Field(default=10.0, gt=0, le=60)
    """A canary handed over later than this is a failure, `late`."""
    probe_give_up_seconds: float = Field(default=50.0, gt=0, le=600)
    """A canary without an outcome by then is a failure, `no-outcome`."""
    auth_events_url: HttpUrl | None = None
    """Where auth-events answers: the canary then goes in at POST /v1/events. Without it, straight onto its topic."""
    auth_events_token: SecretStr | None = None

    @model_validator(mode="after")
    def _a_door_has_its_key(self) -> Self:
        if (self.auth_events_url is None) != (self.auth_events_token is None):
            raise ValueError("AUTH_EVENTS_URL and AUTH_EVENTS_TOKEN go together; set both, or neither")
        return self
