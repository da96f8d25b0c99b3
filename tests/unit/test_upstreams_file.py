"""The providers' file: what is wrong in it is said by field and rule, never by value, before anything starts."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.auth_events.metrics import UpstreamMetrics
from services.auth_events.trust import Rates
from services.auth_events.upstreams import Upstreams
from services.runtime.settings import SettingsError

ROOT = Path(__file__).parents[2]
MARKER = "Zq7MARKER"
KEYCLOAK = '[[keycloak]]\nname = "a"\nrealm = "r"\nissuer = "https://a.test"\nsecrets = ["env:A_SECRET"]\n'
OKTA = f'[[okta]]\nname = "a"\nissuer = "https://a.test"\ntoken_sha256 = ["{"0" * 64}"]\n'
SSF = '[[ssf]]\nname = "a"\nissuer = "https://a.test"\naudience = "https://b.test"\njwks_uri = "https://a.test/jwks"\n'
SECRETS = {"A_SECRET": "x", "KEYCLOAK_WEBHOOK_SECRET": "y"}


def read(tmp_path: Path, text: str) -> Upstreams:
    file = tmp_path / "providers.toml"
    file.write_text(text)
    return Upstreams.read(file, SECRETS)


def test_the_example_can_be_read() -> None:
    upstreams = Upstreams.read(ROOT / "deploy" / "providers.example.toml", SECRETS)
    assert upstreams.names() == ["keycloak:login", "okta:workforce", "auth0:portal", "ssf:shared-signals"]


def test_without_a_file_there_is_no_provider() -> None:
    assert Upstreams.read(None).names() == []


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{MARKER}\n")
    (source,) = read(tmp_path, KEYCLOAK.replace("env:A_SECRET", f"file:{tmp_path / 'secret'}")).of("keycloak")
    assert source.secrets == (MARKER.encode(),)
    assert MARKER not in repr(source)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            KEYCLOAK.replace("env:A_SECRET", "env:OTHER"),
            r"keycloak\.0\.secrets\.0: there is nothing where it points to",
        ),
        (KEYCLOAK.replace("env:A_SECRET", f"file:/nowhere/{MARKER}"), r"keycloak\.0\.secrets\.0: its file cannot be"),
        (KEYCLOAK.replace("env:A_SECRET", MARKER), r"keycloak\.0\.secrets\.0: "),
        (KEYCLOAK + KEYCLOAK, "two entries of keycloak have the same name"),
        (OKTA + OKTA.replace('"a"', '"b"'), "two entries of okta have the same token"),
        (OKTA.replace("0" * 64, MARKER), r"okta\.0\.token_sha256\.0: "),
        (SSF.replace("https://a.test/jwks", f"http://{MARKER}.test/jwks"), r"ssf\.0\.jwks_uri: an https address"),
        (SSF + f'{MARKER.lower()} = "x"\n', r"ssf\.0\..*: Extra inputs"),
        (f'{MARKER}"', r"is not TOML \(at line 1"),
    ],
)
def test_what_is_wrong_is_said_without_the_value(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match="AUTH_EVENTS_PROVIDERS_FILE: " + said) as caught:
        read(tmp_path, text)
    assert MARKER not in str(caught.value)


def test_rates_refill_and_forget_whom_they_have_not_heard_of_for_longest() -> None:
    seconds = 0.0
    rates = Rates(lambda: seconds, kept=2)

    def allow(key: str) -> bool:
        return rates.allow(key, per_second=1, at_once=2)

    assert [allow("a"), allow("a"), allow("a")] == [True, True, False]
    seconds = 1.0
    assert [allow("a"), allow("a")] == [True, False]
    for key in ("b", "c"):
        allow(key)
    assert len(rates._buckets) == 2
    assert allow("a")


def test_the_page_names_every_metric_as_it_is_exported() -> None:
    registry = CollectorRegistry()
    UpstreamMetrics(registry)
    exported = {name for family in registry.collect() for name in (family.name, family.name + "_total")}
    named = set(re.findall(r"`(auth_events_[a-z_]+)", (ROOT / "docs" / "upstreams.md").read_text("utf-8")))
    assert named
    assert named <= exported
