"""The notifier's settings; each has a line in `.env.example`."""

from typing import Literal, Self

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator

from schemas.types import Email
from services.notifier.catalogue import LANES, Lane
from services.notifier.recipients import IN_APP
from services.runtime.service_desk import ServiceDeskSettings
from services.runtime.settings import CanarySettings, ProcessSettings, is_loopback

EXAMPLE_KEY = "A" * 43 + "="


class NotifierSettings(ServiceDeskSettings, CanarySettings, ProcessSettings):
    """What the notifier reads."""

    delivery_mode: Literal["live", "allow-list", "capture"] = Field(
        description="Set it to capture (loopback or CAPTURE_HOSTS only), allow-list (only ALLOW_LIST is sent) or live"
    )
    allow_list: str = ""
    """Addresses, `@domains` and phone numbers, separated by commas; read in mode allow-list."""
    capture_hosts: str = ""
    """Hosts besides loopback that mode capture may hand over to, separated by commas."""

    smtp_host: str = Field(min_length=1, description="Set it to the host name of the mail relay")
    smtp_port: int = Field(ge=1, le=65535, description="Set it to the relay's port, usually 587")
    smtp_tls: Literal["starttls", "implicit", "none"] = "starttls"
    """none is refused outside mode capture: opportunistic TLS can be stripped."""
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_connections: int = Field(default=16, ge=1, le=256)
    """Connections per lane to the relay; their right number follows from its round-trip time."""
    smtp_send_seconds: float = Field(default=20.0, ge=1, le=300)
    """The whole of one hand-over. Leases are longer; above 20 a graceful stop may leave a slow one `unknown`."""
    smtp_bounce_address: Email | None = None
    """Envelope sender: reports come back to `local+<notification>@domain`; without it to the brand's own sender."""

    twilio_account_sid: str = Field(min_length=1, description="Set it to the account's SID (AC…)")
    twilio_auth_token: SecretStr = Field(min_length=1, description="Set it to the account's auth token")
    twilio_sender: str = Field(min_length=1, description="Set it to the sending number or messaging service SID (MG…)")
    twilio_api_base_url: HttpUrl = HttpUrl("https://api.twilio.com")

    search_key: SecretStr = Field(
        min_length=32, description="Set it to 32 or more random characters; it hashes addresses for search"
    )
    loopback_link_origin: str | None = None
    """One http://127.0.0.1:port that links may name besides the brand's domains; refused in mode live."""
    kafka_group: str = Field(default="notifier", min_length=1)
    """Consumer groups are named after it and the topic."""
    kafka_instance_id: str | None = Field(default=None, min_length=1)
    """This replica's name in its groups, the same after a restart: it then gets its partitions back at once. Without
    one, a replica that was killed keeps its groups from reading until the broker misses it (30 s)."""
    complaints_team_mailbox: Email | None = None
    """Who is told of a complaint that has no handler; without it that ends `failed: no-handler`."""
    sample_brands: Literal["refused", "allowed"] = "refused"
    """Whether a brand marked as sample data may be sent in mode live."""
    throttle_seconds: float = Field(default=600.0, ge=0, le=3600)
    """How long after the first e-mail of a notice that may be throttled the next ones wait to leave as one summary.
    0: none waits."""
    lanes: str = ",".join(LANES)
    """Which lanes this process works; in the default deployment codes have a process of their own."""

    @field_validator("lanes")
    @classmethod
    def _known_lanes(cls, value: str) -> str:
        unknown = set(value.split(",")) - set(LANES)
        if unknown:
            raise ValueError(f"lanes are {', '.join(LANES)}")
        return value

    @field_validator("smtp_bounce_address")
    @classmethod
    def _has_room_for_a_name(cls, value: str | None) -> str | None:
        """The part before the @ holds 64 characters, and `+` and a UUID are 37."""
        if value is not None and ("+" in value or len(value.rpartition("@")[0]) > 27):
            raise ValueError("its part before the @ has at most 27 characters, and no +")
        return value

    @field_validator("loopback_link_origin")
    @classmethod
    def _one_loopback_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        scheme, _, authority = value.partition("://")
        host, _, port = authority.rpartition(":")
        if scheme != "http" or not is_loopback(host) or not port.isdigit():
            raise ValueError("write http://127.0.0.1:port, nothing after the port")
        return value

    @model_validator(mode="after")
    def _credentials_come_in_pairs(self) -> Self:
        if bool(self.smtp_username) != bool(self.smtp_password):
            raise ValueError("SMTP_USERNAME and SMTP_PASSWORD go together; set both, or neither")
        return self

    @model_validator(mode="after")
    def _modes_keep_their_promise(self) -> Self:
        if self.delivery_mode == "capture":
            for name, host in (("SMTP_HOST", self.smtp_host), ("TWILIO_API_BASE_URL", self.twilio_api_base_url.host)):
                if not self._may_capture(host or ""):
                    raise ValueError(
                        f"DELIVERY_MODE=capture, but {name} is neither loopback nor named in CAPTURE_HOSTS; "
                        "name it there, or choose another mode"
                    )
        elif self.smtp_tls == "none":
            raise ValueError("SMTP_TLS=none is for DELIVERY_MODE=capture only; set SMTP_TLS=starttls or implicit")
        if self.delivery_mode == "live" and self.loopback_link_origin:
            raise ValueError("LOOPBACK_LINK_ORIGIN is refused in DELIVERY_MODE=live; remove it")
        return self

    @model_validator(mode="after")
    def _nothing_is_left_as_the_example_has_it(self) -> Self:
        if self.delivery_mode == "capture":
            return self
        if EXAMPLE_KEY in self.vault_keys.get_secret_value():
            raise ValueError("VAULT_KEYS still holds the key of .env.example; make one: openssl rand -base64 32")
        if self.search_key.get_secret_value().startswith("change-me"):
            raise ValueError("SEARCH_KEY is still the one of .env.example; make one: openssl rand -base64 32")
        if self.delivery_mode == "allow-list" and not self.allow_list.strip(" ,"):
            raise ValueError("DELIVERY_MODE=allow-list sends to nobody while ALLOW_LIST is empty; name somebody there")
        return self

    def lanes_here(self) -> tuple[Lane, ...]:
        return tuple(lane for lane in LANES if lane in self.lanes.split(","))

    def deliverable(self, channel: str, address: str) -> bool:
        """Does the delivery mode let this address be sent to? The portal is our own, whoever reads it."""
        if channel == IN_APP or self.delivery_mode != "allow-list":
            return True
        allowed = {entry.strip().lower() for entry in self.allow_list.split(",") if entry.strip()}
        lowered = address.lower()
        return lowered in allowed or ("@" in lowered and f"@{lowered.rpartition('@')[2]}" in allowed)

    def envelope_sender(self, id_: str, sender: str) -> str:
        """Where reports on the message of this id come back to: an address of its own, or the brand's sender."""
        if self.smtp_bounce_address is None:
            return sender
        local, _, domain = self.smtp_bounce_address.rpartition("@")
        return f"{local}+{id_}@{domain}"

    def _may_capture(self, host: str) -> bool:
        return host in {entry.strip() for entry in self.capture_hosts.split(",")} or is_loopback(host)
