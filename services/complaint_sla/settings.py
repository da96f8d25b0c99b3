"""The settings of complaint_sla; each has a line in `.env.example`."""

from pydantic import Field

from services.runtime.service_desk import ServiceDeskSettings
from services.runtime.settings import ProcessSettings


class ComplaintSlaSettings(ServiceDeskSettings, ProcessSettings):
    """What complaint_sla reads."""

    kafka_group: str = Field(default="complaint-sla", min_length=1)
    """Consumer groups are named after it and the topic."""
    kafka_instance_id: str | None = Field(default=None, min_length=1)
    """This replica's name in its groups, the same after a restart: it then gets its partitions back at once."""
