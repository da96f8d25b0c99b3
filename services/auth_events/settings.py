"""The settings of auth_events; each has a line in `.env.example`."""

from pathlib import Path

from pydantic import Field

from services.runtime.settings import ProcessSettings


class AuthEventsSettings(ProcessSettings):
    """What auth_events reads."""

    auth_events_publishers_file: Path = Field(
        description="Set it to the TOML file that names each publisher with its token hashes, sources and types"
    )
