"""The settings of auth_events; each has a line in `.env.example`."""

from pathlib import Path

from pydantic import Field

from services.runtime.settings import ProcessSettings


class AuthEventsSettings(ProcessSettings):
    """What auth_events reads."""

    auth_events_publishers_file: Path = Field(
        description="Set it to the TOML file that names each publisher with its token hashes, sources and types"
    )
    auth_events_providers_file: Path | None = None
    """The TOML file that names each identity provider whose webhooks, event hooks, log streams or security events are
    taken (docs/upstreams.md); without it their addresses are not there."""
    auth_events_kafka_group: str = Field(default="auth-events", min_length=1)
    """Its consumer group is named after it and the topic. Not KAFKA_GROUP: the notifier reads the same topic, and in
    one group with it each would miss what the other reads."""
    kafka_instance_id: str | None = Field(default=None, min_length=1)
    """This replica's name in its group, the same after a restart: it then gets its partitions back at once."""
