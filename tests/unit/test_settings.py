"""Every process says at once what is missing or wrong in its settings, how to mend it, and never what was written."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from services.auth_events.settings import AuthEventsSettings
from services.console.settings import ConsoleSettings
from services.notifier.settings import NotifierSettings
from services.probe.settings import ProbeSettings
from services.runtime.settings import DatabaseSettings, KafkaSettings, SettingsError, load

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / ".env.example").read_text("utf-8")
MODELS: tuple[type[BaseSettings], ...] = (AuthEventsSettings, NotifierSettings, ConsoleSettings, ProbeSettings)
LINE = re.compile(r"^(# )?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
SHOWN = {name: value for _, name, value in LINE.findall(EXAMPLE)}
MARKER = "Zq7MARKER"
TOGETHER = (
    ("SMTP_USERNAME", "SMTP_PASSWORD"),
    ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"),
    ("AUTH_EVENTS_URL", "AUTH_EVENTS_TOKEN"),
    ("CONSOLE_TLS_CERT_FILE", "CONSOLE_TLS_KEY_FILE", "CONSOLE_CLIENT_CA_FILE"),
)


def fields() -> set[str]:
    return {name.upper() for model in MODELS for name in model.model_fields}


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in fields():
        monkeypatch.delenv(name, raising=False)


OWN = {"VAULT_KEYS": "own:" + "Q" * 42 + "A=", "SEARCH_KEY": "q" * 32, "ALLOW_LIST": "@example.test"}
"""What nobody may leave as the example has it, where anything but capture is meant."""


def as_in_the_example(monkeypatch: pytest.MonkeyPatch, **changed: str | None) -> None:
    values: dict[str, str | None] = {name: value for comment, name, value in LINE.findall(EXAMPLE) if not comment}
    if changed.get("DELIVERY_MODE", "capture") != "capture":
        values |= OWN
    for name, value in (values | changed).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


def refused(model: type[BaseSettings] = NotifierSettings) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(model, "notifier")
    assert MARKER not in str(caught.value)
    return caught.value


def test_every_setting_has_one_line_in_the_example_and_every_line_a_reader() -> None:
    lines = [name for _, name, _ in LINE.findall(EXAMPLE)]
    assert len(lines) == len(set(lines))
    assert set(lines) == fields()


@pytest.mark.parametrize("model", MODELS, ids=[model.__name__ for model in MODELS])
def test_the_example_starts_the_process(model: type[BaseSettings], monkeypatch: pytest.MonkeyPatch) -> None:
    as_in_the_example(monkeypatch)
    load(model, "notifier")


def test_a_line_that_is_commented_out_shows_the_default_or_an_example_that_is_valid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_in_the_example(monkeypatch)
    for comment, name, value in LINE.findall(EXAMPLE):
        if comment:
            monkeypatch.setenv(name, value)
            for each in (each for group in TOGETHER if name in group for each in group):
                monkeypatch.setenv(each, SHOWN[each])
            for model in MODELS:
                load(model, "notifier")
                default = model.model_fields.get(name.lower())
                if default is not None and default.default not in (None, ""):
                    assert str(default.default) in {value, f"{value}.0"}, name
            for each in (name, *(each for group in TOGETHER for each in group)):
                monkeypatch.delenv(each, raising=False)


@pytest.mark.parametrize("model", MODELS, ids=[model.__name__ for model in MODELS])
def test_all_that_is_missing_is_said_at_once_with_the_mend(model: type[BaseSettings]) -> None:
    required = {name.upper(): field for name, field in model.model_fields.items() if field.is_required()}
    error = refused(model)
    assert len(error.problems) == len(required)
    for name, field in required.items():
        (problem,) = [problem for problem in error.problems if problem.startswith(f"{name} ")]
        assert problem.startswith(f"{name} is missing. Set it to ")
        assert str(field.description) in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", MARKER),
        ("KAFKA_BOOTSTRAP_SERVERS", f"{MARKER}:9092,"),
        ("KAFKA_BOOTSTRAP_SERVERS", ""),
        ("KAFKA_SECURITY_PROTOCOL", MARKER),
        ("DATABASE_URL", f"mysql://{MARKER}@host/x"),
        ("DATABASE_URL", MARKER),
        ("VAULT_KEYS", f"first:{MARKER}"),
        ("VAULT_KEYS", ""),
        ("HTTP_PORT", MARKER),
        ("HTTP_PORT", "65536"),
        ("LOG_LEVEL", MARKER),
        ("DELIVERY_MODE", MARKER),
        ("DELIVERY_MODE", ""),
        ("SMTP_HOST", ""),
        ("SMTP_PORT", "0"),
        ("SMTP_PORT", MARKER),
        ("SMTP_TLS", MARKER),
        ("SMTP_CONNECTIONS", "0"),
        ("SMTP_SEND_SECONDS", "-1"),
        ("SMTP_SEND_SECONDS", "nan"),
        ("SMTP_BOUNCE_ADDRESS", MARKER),
        ("SMTP_BOUNCE_ADDRESS", f"bounces+{MARKER}@notices.example.test".lower()),
        ("SMTP_BOUNCE_ADDRESS", f"{'b' * 28}@notices.example.test"),
        ("COMPLAINTS_TEAM_MAILBOX", MARKER),
        ("TWILIO_ACCOUNT_SID", ""),
        ("TWILIO_AUTH_TOKEN", ""),
        ("TWILIO_SENDER", ""),
        ("TWILIO_API_BASE_URL", MARKER),
        ("SEARCH_KEY", ""),
        ("SEARCH_KEY", MARKER),
        ("SAMPLE_BRANDS", MARKER),
        ("LANES", MARKER),
        ("LANES", ""),
        ("LANES", "codes,,security"),
        ("KAFKA_GROUP", ""),
        ("LOOPBACK_LINK_ORIGIN", f"http://{MARKER}.example"),
        ("LOOPBACK_LINK_ORIGIN", "https://evil.example"),
        ("LOOPBACK_LINK_ORIGIN", "https://127.0.0.1:8025"),
        ("LOOPBACK_LINK_ORIGIN", "http://127.0.0.1:8025/"),
        ("LOOPBACK_LINK_ORIGIN", "http://127.0.0.1"),
        ("LOOPBACK_LINK_ORIGIN", "http://user@127.0.0.1:8025"),
        ("LOOPBACK_LINK_ORIGIN", "http://192.0.2.1:8025"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_never_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    as_in_the_example(monkeypatch, **{name: value})
    (problem,) = refused().problems
    assert problem.startswith(f"{name} is not usable: ")


def test_credentials_come_in_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    as_in_the_example(monkeypatch, SMTP_USERNAME=MARKER)
    (problem,) = refused().problems
    assert "SMTP_USERNAME" in problem
    assert "SMTP_PASSWORD" in problem
    as_in_the_example(monkeypatch, SMTP_USERNAME=None, KAFKA_SASL_PASSWORD=MARKER)
    (problem,) = refused().problems
    assert "KAFKA_SASL_USERNAME" in problem
    as_in_the_example(monkeypatch, KAFKA_SASL_PASSWORD=None, KAFKA_SECURITY_PROTOCOL="SASL_SSL")
    (problem,) = refused().problems
    assert "KAFKA_SASL_USERNAME" in problem


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "::1", "mailpit", "relay.test"])
def test_capture_hands_over_to_loopback_and_named_hosts(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    as_in_the_example(monkeypatch, SMTP_HOST=host, CAPTURE_HOSTS="mailpit, relay.test")
    assert load(NotifierSettings, "notifier").smtp_host == host


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_HOST", "smtp.example.com"),
        ("SMTP_HOST", "127.0.0.1.example.com"),
        ("SMTP_HOST", "localhost.example.com"),
        ("SMTP_HOST", "0.0.0.0"),  # noqa: S104 (refused here)
        ("SMTP_HOST", "192.168.1.1"),
        ("TWILIO_API_BASE_URL", "https://api.twilio.com"),
        ("TWILIO_API_BASE_URL", "http://127.0.0.1@api.twilio.com"),
        ("TWILIO_API_BASE_URL", None),
    ],
)
def test_capture_refuses_to_start_towards_anything_else(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    as_in_the_example(monkeypatch, CAPTURE_HOSTS="mailpit", **{name: value})
    (problem,) = refused().problems
    assert f"{name} is neither loopback nor named in CAPTURE_HOSTS" in problem


@pytest.mark.parametrize("mode", ["live", "allow-list"])
def test_without_tls_only_capture_sends(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    as_in_the_example(monkeypatch, DELIVERY_MODE=mode, SMTP_TLS="none")
    (problem,) = refused().problems
    assert "SMTP_TLS=none is for DELIVERY_MODE=capture only; set SMTP_TLS=starttls or implicit" in problem
    as_in_the_example(monkeypatch, DELIVERY_MODE=mode, SMTP_TLS="starttls")
    assert load(NotifierSettings, "notifier").smtp_tls == "starttls"


def test_live_takes_no_loopback_links(monkeypatch: pytest.MonkeyPatch) -> None:
    live = {"DELIVERY_MODE": "live", "SMTP_TLS": "starttls", "LOOPBACK_LINK_ORIGIN": "http://127.0.0.1:8025"}
    as_in_the_example(monkeypatch, **live)
    (problem,) = refused().problems
    assert "LOOPBACK_LINK_ORIGIN is refused in DELIVERY_MODE=live; remove it" in problem
    as_in_the_example(monkeypatch, **{**live, "DELIVERY_MODE": "allow-list"})
    assert load(NotifierSettings, "notifier").loopback_link_origin == "http://127.0.0.1:8025"


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("anna@example.test", True),
        ("ANNA@EXAMPLE.TEST", True),
        ("anna@sub.example.test", False),
        ("anna@evil-example.test", False),
        ("one@elsewhere.test", True),
        ("two@elsewhere.test", False),
        ("+32470000000", True),
        ("+324700000001", False),
        ("example.test", False),
    ],
)
def test_the_allow_list_holds_addresses_domains_and_numbers(
    monkeypatch: pytest.MonkeyPatch, address: str, *, allowed: bool
) -> None:
    listed = "@example.test, one@Elsewhere.test ,+32470000000,"
    as_in_the_example(monkeypatch, DELIVERY_MODE="allow-list", SMTP_TLS="starttls", ALLOW_LIST=listed)
    assert load(NotifierSettings, "notifier").deliverable("email", address) is allowed


@pytest.mark.parametrize("mode", ["live", "capture"])
def test_other_modes_send_to_everybody(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    as_in_the_example(monkeypatch, DELIVERY_MODE=mode, **({"SMTP_TLS": "starttls"} if mode == "live" else {}))
    assert load(NotifierSettings, "notifier").deliverable("email", "anybody@anywhere.test")


def test_settings_never_print_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"SEARCH_KEY": MARKER * 5, "TWILIO_AUTH_TOKEN": MARKER}
    as_in_the_example(monkeypatch, SMTP_USERNAME="user", SMTP_PASSWORD=MARKER, **secrets)
    settings = load(NotifierSettings, "notifier")
    assert MARKER not in f"{settings!r} {settings} {settings.model_dump()}"
    assert "AAAAAAAA" not in repr(settings)


@pytest.mark.parametrize(("model", "names"), [(KafkaSettings, 1), (DatabaseSettings, 1)])
def test_a_command_asks_only_for_what_it_reads(model: type[BaseSettings], names: int) -> None:
    assert len(refused(model).problems) == names


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def from_example(**changed: Any) -> dict[str, str]:
    return {name: value for comment, name, value in LINE.findall(EXAMPLE) if not comment} | changed


def test_the_program_ends_with_the_sentence_and_no_traceback() -> None:
    done = run("notifier", **from_example(SMTP_PORT=MARKER))
    assert done.returncode != 0
    assert "member-notices notifier cannot start:\n  SMTP_PORT is not usable: " in done.stderr
    assert ".env.example names every setting" in done.stderr
    assert "Traceback" not in done.stderr
    assert MARKER not in done.stderr + done.stdout


def test_sample_brands_are_refused_in_live_until_a_setting_allows_them() -> None:
    live = from_example(
        DELIVERY_MODE="live", SMTP_TLS="starttls", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1",
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", **OWN,
    )  # fmt: skip
    refused_ = run("notifier", **live)
    assert refused_.returncode != 0
    assert "brand cigna-healthcare is sample data; take it out (its folder, its name in " in refused_.stderr
    assert "or set SAMPLE_BRANDS=allowed" in refused_.stderr
    allowed = run("notifier", **live, SAMPLE_BRANDS="allowed")
    assert allowed.returncode == 1
    assert "sample data" not in allowed.stderr
    assert "KAFKA_BOOTSTRAP_SERVERS" in allowed.stderr


@pytest.mark.parametrize(
    ("left", "sentence"),
    [
        ("VAULT_KEYS", "VAULT_KEYS still holds the key of .env.example"),
        ("SEARCH_KEY", "SEARCH_KEY is still the one of .env.example"),
        ("ALLOW_LIST", "sends to nobody while ALLOW_LIST is empty"),
    ],
)
def test_only_capture_starts_with_what_the_example_has(
    monkeypatch: pytest.MonkeyPatch, left: str, sentence: str
) -> None:
    example = {name: value for _, name, value in LINE.findall(EXAMPLE)}
    unchanged = "" if left == "ALLOW_LIST" else example[left]
    as_in_the_example(monkeypatch, DELIVERY_MODE="allow-list", SMTP_TLS="starttls", **{left: unchanged})
    (problem,) = refused().problems
    assert sentence in problem
