"""The service desk's tokens are known by their hashes, the same at every service that it asks."""

import hashlib
from typing import Any

import pytest

from services.complaint_sla.settings import ComplaintSlaSettings
from services.notifier.settings import NotifierSettings
from services.runtime.service_desk import ServiceDeskSettings
from services.runtime.settings import SettingsError, load

TOKEN = "Zq7MARKER" + "0" * 55
HASHES = tuple(hashlib.sha256(each.encode()).hexdigest() for each in ("old", "new"))
EVERY: dict[str, Any] = {
    "kafka_bootstrap_servers": "127.0.0.1:9092",
    "database_url": "postgresql://me@127.0.0.1/x",
    "vault_keys": "test:" + "Q" * 42 + "A=",
}
NOTIFIER: dict[str, Any] = EVERY | {
    "delivery_mode": "capture", "smtp_host": "127.0.0.1", "smtp_port": 25, "twilio_account_sid": "AC0",
    "twilio_auth_token": "t", "twilio_sender": "+32460000000", "twilio_api_base_url": "http://127.0.0.1:1",
    "search_key": "s" * 32,
}  # fmt: skip
SERVICES: list[Any] = [
    pytest.param(NotifierSettings, NOTIFIER, id="notifier"),
    pytest.param(ComplaintSlaSettings, EVERY, id="complaint-sla"),
]


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERVICE_DESK_TOKEN_SHA256", raising=False)


@pytest.mark.parametrize(("model", "values"), SERVICES)
def test_several_hashes_may_stand_beside_each_other(model: type[ServiceDeskSettings], values: dict[str, Any]) -> None:
    settings = load(model, "x", **values, service_desk_token_sha256=f"{HASHES[0]}, {HASHES[1]}")
    assert settings.service_desk_tokens() == HASHES


@pytest.mark.parametrize(("model", "values"), SERVICES)
def test_without_one_there_are_none(model: type[ServiceDeskSettings], values: dict[str, Any]) -> None:
    assert load(model, "x", **values).service_desk_tokens() == ()


@pytest.mark.parametrize("given", [TOKEN, HASHES[0].upper(), f"{HASHES[0]},", HASHES[0][:-1]])
@pytest.mark.parametrize(("model", "values"), SERVICES)
def test_a_token_in_place_of_its_hash_is_refused_and_not_repeated(
    model: type[ServiceDeskSettings], values: dict[str, Any], given: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(model, "x", **values, service_desk_token_sha256=given)
    assert "SERVICE_DESK_TOKEN_SHA256 is not usable: each entry is the SHA-256 of a token" in str(caught.value)
    assert given not in str(caught.value)
