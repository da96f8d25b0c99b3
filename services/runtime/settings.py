"""Settings from the environment, and the one sentence an operator gets when they are wrong."""

from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import AnyHttpUrl, Field, PostgresDsn, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.runtime.clock import Clock, DemoClock, SystemClock
from services.runtime.vault import Vault

S = TypeVar("S", bound=BaseSettings)


class SettingsError(SystemExit):
    """Refuses to start (exit status 1): each wrong setting on a line of its own. Never holds a value."""

    def __init__(self, service: str, problems: list[str]) -> None:
        self.problems = problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        hint = "\nSettings come from the environment; .env.example names every setting with an example."
        about_settings = any(problem[:3].isupper() for problem in problems)
        super().__init__(f"member-notices {service} cannot start:\n{lines}{hint if about_settings else ''}")


class KafkaSettings(BaseSettings):
    """How to reach the broker."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True)

    kafka_bootstrap_servers: str = Field(
        min_length=1, description="Set it to host:port of the Kafka brokers, several separated by commas"
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT"] = "PLAINTEXT"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        for server in value.split(","):
            host, _, port = server.strip().rpartition(":")
            if not host or not port.isdigit():
                raise ValueError("each server is host:port")
        return value

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> Self:
        if bool(self.kafka_sasl_username) != bool(self.kafka_sasl_password):
            raise ValueError("KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD go together; set both, or neither")
        if self.kafka_security_protocol.startswith("SASL") and not self.kafka_sasl_username:
            raise ValueError("KAFKA_SECURITY_PROTOCOL asks for SASL; set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD")
        return self


class DatabaseSettings(BaseSettings):
    """How to reach PostgreSQL."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True)

    database_url: PostgresDsn = Field(description="Set it to postgresql://user:password@host:port/database")


class CanarySettings(BaseSettings):
    """Who the canary is: the probe sends to it, the notifier keeps it out of what is promised to members."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True)

    probe_member: str = Field(default="member-notices-canary", pattern=r"^[!-~]{1,128}$")
    """A member id that the member administration never gives to anybody."""


class TraceSettings(BaseSettings):
    """Where traces go; the names are OpenTelemetry's own."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True)

    otel_exporter_otlp_endpoint: AnyHttpUrl | None = Field(
        default=None, description="Set it to the collector's OTLP/HTTP address, as http://collector:4318, or unset it"
    )
    otel_traces_sampler_arg: float = Field(default=1.0, ge=0, le=1)
    """The share of events that are traced."""


class ServingSettings(BaseSettings):
    """Where a process answers, and how much it says."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True)

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=0, ge=0, le=65535)
    """0: any free port; the start-up line says which."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class ServerSettings(ServingSettings, TraceSettings, KafkaSettings, DatabaseSettings):
    """What every process reads that serves something and keeps a clock."""

    demo_clock_file: Path | None = None
    """The clock of a demo, shared by its processes. Refused wherever broker and database are not on this machine."""

    @model_validator(mode="after")
    def _a_demo_stays_at_home(self) -> Self:
        if self.demo_clock_file is not None:
            brokers = {server.rpartition(":")[0] for server in self.kafka_bootstrap_servers.split(",")}
            databases = {host["host"] for host in self.database_url.hosts()} - {None, ""}
            if not all(map(is_loopback, {*brokers, *filter(None, databases)})):
                raise ValueError(
                    "DEMO_CLOCK_FILE is for a demo whose broker and database are on this machine; unset it"
                )
        return self

    def clock(self) -> Clock:
        """What expiry, horizon and deadlines follow."""
        return SystemClock() if self.demo_clock_file is None else DemoClock(self.demo_clock_file)


class ProcessSettings(ServerSettings):
    """What every process reads that opens what is private. Subclasses add their own."""

    vault_keys: SecretStr = Field(
        description="Set it to id:base64 of 32 random bytes, several separated by commas: the first one encrypts, all "
        "decrypt. A new key: openssl rand -base64 32"
    )

    @field_validator("vault_keys")
    @classmethod
    def _keys_can_be_read(cls, value: SecretStr) -> SecretStr:
        Vault.parse(value.get_secret_value())
        return value


def is_loopback(host: str) -> bool:
    """Also a Unix socket's folder."""
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def load(cls: type[S], service: str, **overrides: Any) -> S:
    """Read the environment, or raise `SettingsError` that lists everything missing or wrong at once."""
    try:
        return cls(**overrides)
    except ValidationError as error:
        raise SettingsError(service, [_sentence(cls, dict(problem)) for problem in error.errors()]) from None


def _sentence(cls: type[BaseSettings], problem: dict[str, Any]) -> str:
    location = problem["loc"]
    name = str(location[0]) if location else ""
    variable = name.upper()
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "missing":
        sentence = f"{variable} is missing"
    else:
        sentence = f"{variable} is not usable: {message}" if variable else message
    field = cls.model_fields.get(name)
    return f"{sentence}. {field.description}" if field is not None and field.description else f"{sentence}."
