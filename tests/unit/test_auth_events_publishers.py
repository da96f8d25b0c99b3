"""Who may publish what, and what a file of publishers may say."""

import hashlib
from pathlib import Path

import pytest

from services.auth_events.publishers import PUBLISHABLE, Publisher, Publishers, new_token
from services.runtime.settings import SettingsError

A, B = "a" * 64, "b" * 64


def entry(
    name: str = "login", tokens: str = f'["{A}"]', sources: str = '["urn:login"]', types: str = '["identity.*"]'
) -> str:
    return f'[[publishers]]\nname = "{name}"\ntoken_sha256 = {tokens}\nsources = {sources}\ntypes = {types}\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "publishers.toml"


def refusal(file: Path, text: str) -> str:
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        Publishers.read(file)
    return str(caught.value)


def test_every_token_of_a_publisher_finds_it_so_that_tokens_can_be_rotated(file: Path) -> None:
    old, new = new_token(), new_token()
    file.write_text(entry(tokens=f'["{old.sha256}", "{new.sha256}"]'))
    publishers = Publishers.read(file)
    for token in (old.token, new.token):
        found = publishers.of_token(token)
        assert found is not None
        assert found.name == "login"


@pytest.mark.parametrize("token", ["", "mn_", A, "mn_\udcff", "ключ", "x" * 10_000])
def test_any_other_token_finds_nobody(file: Path, token: str) -> None:
    file.write_text(entry())
    assert Publishers.read(file).of_token(token) is None


def test_a_new_token_is_long_and_its_hash_is_of_it() -> None:
    made = new_token()
    assert hashlib.sha256(made.token.encode()).hexdigest() == made.sha256
    assert len(made.token) >= 43
    assert new_token().token != made.token


def test_sources_match_exactly_or_by_prefix() -> None:
    publisher = Publisher("login", sources=("urn:login", "https://a.example/*"), types=("identity.*",))
    assert publisher.may_use_source("urn:login")
    assert publisher.may_use_source("https://a.example/tenant/1")
    assert not publisher.may_use_source("urn:login2")
    assert not publisher.may_use_source("https://a.example.evil/")
    assert not publisher.may_use_source("URN:login")


def test_no_entry_grants_a_source_of_our_own_services() -> None:
    publisher = Publisher("login", sources=("urn:*", "urn:member-notices:auth-events"), types=("members.*",))
    assert publisher.may_use_source("urn:members")
    assert not publisher.may_use_source("urn:member-notices:auth-events")


def test_no_wildcard_grants_contacts() -> None:
    wide = Publisher("all", sources=("urn:a",), types=("members.*", "members.contact*"))
    assert wide.may_publish("members.welcomed.v1")
    assert not wide.may_publish("members.contact.v1")
    assert Publisher("all", sources=("urn:a",), types=("members.contact.v1",)).may_publish("members.contact.v1")


@pytest.mark.parametrize(
    "type_",
    [
        "notifications.sent.v1",
        "notifications.in-app-message.v1",
        "complaints.letter-due.v1",
        "members.portal-access-ending.v1",
    ],
)
def test_what_our_own_services_decide_nobody_else_may_say(type_: str) -> None:
    assert type_ not in PUBLISHABLE
    wide = Publisher("all", sources=("urn:a",), types=(type_, "notifications.*", "complaints.*", "members.*"))
    assert not wide.may_publish(type_)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "publishers: Field required"),
        ("publishers = []", "publishers: List should have at least 1 item"),
        ("[[publishers", "is not TOML (at end of document)"),
        (entry(name="Lo gin"), "publishers.0.name: String should match pattern"),
        (entry(tokens="[]"), "publishers.0.token_sha256: List should have at least 1 item"),
        (entry(tokens='["mn_token-in-clear"]'), "publishers.0.token_sha256.0: String should match pattern"),
        (entry(sources="[]"), "publishers.0.sources: Tuple should have at least 1 item"),
        (entry(sources='["*"]'), "publishers.0.sources.0: String should match pattern"),
        (entry(sources='["a*b"]'), "publishers.0.sources.0: String should match pattern"),
        (
            entry(types='["identity.*", "identity.typo.v1"]'),
            "publishers.0.types: no type that can be published matches number 1",
        ),
        (entry(types='["notifications.*"]'), "publishers.0.types: no type that can be published matches number 0"),
        (entry() + 'token = "in-clear"\n', "publishers.0.token: Extra inputs are not permitted"),
        (entry() + entry(tokens=f'["{B}"]', sources='["urn:b"]'), "publishers.0 and publishers.1 have the same name"),
        (entry() + entry(name="b", sources='["urn:b"]'), "have a token in common"),
        (entry() + entry(name="b", tokens=f'["{B}"]', sources='["urn:*"]'), "have sources that overlap"),
        (
            entry(sources='["urn:a*"]') + entry(name="b", tokens=f'["{B}"]', sources='["urn:ab*"]'),
            "have sources that overlap",
        ),
    ],
)
def test_a_bad_file_is_refused_with_field_and_rule(file: Path, text: str, told: str) -> None:
    sentence = refusal(file, text)
    assert f"AUTH_EVENTS_PUBLISHERS_FILE: {told}" in sentence or told in sentence
    assert "clear" not in sentence


def test_a_file_that_is_not_there_is_refused(file: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read \\(No such file or directory\\)"):
        Publishers.read(file)


def test_a_file_that_is_not_text_is_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="is not UTF-8"):
        Publishers.read(file)
