"""What each provider sends, as captured or documented, becomes the event it means, or is ignored for a named reason."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.auth_events.providers import auth0, keycloak, okta, ssf
from services.auth_events.providers.signals import Finding, Ignored, Signal, Upstream

SAMPLES = Path(__file__).parents[2] / "demo" / "samples"
NOW = datetime(2026, 11, 26, 10, 1, tzinfo=UTC)
KEYCLOAK = Upstream(kind="keycloak", name="demo", issuer="https://login.test/realms/demo", realm="demo", brand="cm")
OKTA = Upstream(kind="okta", name="org", issuer="https://example.okta.test", brand="cigna-healthcare")
AUTH0 = Upstream(kind="auth0", name="tenant", issuer="https://example.auth0.test/")
SSF = Upstream(kind="ssf", name="idp", issuer="https://idp.example.test")
ANN = "7e3016a8-2e4e-483c-b9fc-e540adfcf744"


def sample(path: str) -> Any:
    return json.loads((SAMPLES / path).read_text())


def of_keycloak(name: str, **changes: Any) -> Finding:
    return keycloak.read(sample(f"keycloak/{name}.json")["body"] | changes, KEYCLOAK, NOW)


def told(finding: Finding) -> tuple[str, str, dict[str, Any]]:
    """Type, subject and data; times in the data are left out where they are the event's own."""
    assert isinstance(finding, Signal), finding
    data = {k: v for k, v in finding.data.model_dump(exclude_unset=True).items() if v != finding.time}
    return finding.type, finding.subject, data


KEYCLOAK_SAMPLES: dict[str, tuple[str, dict[str, Any]] | str] = {
    "access_LOGIN_3": ("identity.signed-on.v1", {"network": "127.0.0.1"}),
    "access_LOGIN_ERROR": "failed",
    "access_UPDATE_CREDENTIAL": ("identity.password-changed.v1", {}),
    "access_UPDATE_PASSWORD": ("identity.password-changed.v1", {}),
    "access_UPDATE_PROFILE_2": (
        "identity.email-address-changed.v1",
        {"which": "login", "old": "ann@example.test", "new": "ann2@example.test"},
    ),
    "admin_USER-ACTION": ("identity.password-reset.v1", {"by": "administrator"}),
}


@pytest.mark.parametrize("name", KEYCLOAK_SAMPLES)
def test_a_capture_of_keycloak_means_what_it_says(name: str) -> None:
    expected = KEYCLOAK_SAMPLES[name]
    finding = of_keycloak(name)
    if isinstance(expected, str):
        assert finding == Ignored(expected)  # type: ignore[arg-type]
        return
    assert told(finding) == (expected[0], ANN, expected[1])
    assert isinstance(finding, Signal)
    assert finding.time.timestamp() * 1000 == pytest.approx(sample(f"keycloak/{name}.json")["body"]["time"])


def test_every_capture_is_looked_at() -> None:
    assert {path.stem for path in (SAMPLES / "keycloak").glob("*.json")} == set(KEYCLOAK_SAMPLES)


def test_the_two_events_of_one_password_change_are_twins() -> None:
    one, other = of_keycloak("access_UPDATE_CREDENTIAL"), of_keycloak("access_UPDATE_PASSWORD")
    assert isinstance(one, Signal)
    assert isinstance(other, Signal)
    assert one.twin
    assert other.twin
    assert one.twin.group == other.twin.group
    assert one.twin.kind != other.twin.kind


def test_the_member_of_an_administrators_act_is_never_the_administrator() -> None:
    finding = of_keycloak("admin_USER-ACTION")
    assert isinstance(finding, Signal)
    assert finding.subject != sample("keycloak/admin_USER-ACTION.json")["body"]["authDetails"]["userId"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"type": "access.UPDATE_TOTP"}, ("identity.security-method-enrolled.v1", {"method": "authenticator-app"})),
        (
            {"type": "access.UPDATE_CREDENTIAL", "details": {"credential_type": "webauthn-passwordless"}},
            ("identity.security-method-enrolled.v1", {"method": "passkey"}),
        ),
        (
            {"type": "access.REMOVE_CREDENTIAL", "details": {"credential_type": "otp"}},
            ("identity.security-method-reset.v1", {"method": "authenticator-app"}),
        ),
        ({"type": "access.REMOVE_TOTP"}, ("identity.security-method-reset.v1", {"method": "authenticator-app"})),
        ({"type": "access.USER_DISABLED_BY_TEMPORARY_LOCKOUT"}, ("identity.account-locked.v1", {})),
        (
            {"type": "access.DELETE_ACCOUNT", "details": {"username": "ann@example.test"}},
            ("identity.account-deleted.v1", {"email": "ann@example.test", "brand": "cm"}),
        ),
        ({"type": "access.DELETE_ACCOUNT"}, "no-address"),
        ({"type": "access.UPDATE_CREDENTIAL", "details": {"credential_type": "recovery-authn-codes"}}, "method"),
        ({"type": "access.UPDATE_PROFILE", "details": {}}, "no-address-change"),
        ({"type": "access.UPDATE_PROFILE", "details": {"updated_email": "a@example.test"}}, "old-address"),
        ({"type": "access.LOGIN_ERROR", "error": "user_temporarily_disabled"}, "repeated"),
        ({"type": "admin.USER-ACTION", "resourcePath": "users/x/logout"}, "type"),
        ({"type": "access.CODE_TO_TOKEN"}, "type"),
        ({"realmName": "other"}, "foreign"),
        ({"authDetails": {}}, "not-a-member"),
        ({"time": "yesterday"}, "unusable"),
        ({"id": 7}, "unusable"),
        ({"type": None}, "unusable"),
        ({"time": 1795687500000 + 86_400_000}, "ahead"),
    ],
)
def test_other_events_of_keycloak(changes: dict[str, Any], expected: tuple[str, dict[str, Any]] | str) -> None:
    finding = of_keycloak("access_UPDATE_PASSWORD", **changes)
    if isinstance(expected, str):
        assert finding == Ignored(expected)  # type: ignore[arg-type]
    else:
        assert told(finding) == (expected[0], ANN, expected[1])


BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
OKTA_SAMPLES: dict[str, tuple[str, dict[str, Any]] | str] = {
    "session-start": (
        "identity.signed-on.v1",
        {
            "device_id": "541daf91d15bef64a7e08c946fd9a9d0",
            "user_agent": BROWSER + " Safari/537.36",
            "network": "198.51.100.17",
            "place": "Brussels, Belgium",
        },
    ),
    "password-changed": ("identity.password-changed.v1", {}),
    "password-by-administrator": ("identity.password-reset.v1", {"by": "administrator"}),
    "password-reset": ("identity.password-reset.v1", {"by": "administrator"}),
    "locked": ("identity.account-locked.v1", {}),
    "factors-reset": ("identity.security-method-reset.v1", {}),
    "factor-reset": ("identity.security-method-reset.v1", {"method": "sms"}),
    "factor-activated": ("identity.security-method-enrolled.v1", {"method": "authenticator-app"}),
    "email-changed": (
        "identity.email-address-changed.v1",
        {"which": "login", "old": "ann@example.test", "new": "ann2@example.test"},
    ),
    "profile-changed": "no-address-change",
    "deleted": ("identity.account-deleted.v1", {"email": "ann@example.test", "brand": "cigna-healthcare"}),
    "failed": "failed",
}


@pytest.mark.parametrize("name", [path.stem for path in (SAMPLES / "okta").glob("*.json")])
def test_a_delivery_of_okta_means_what_it_says(name: str) -> None:
    expected = OKTA_SAMPLES[name]
    (finding,) = okta.read(sample(f"okta/{name}.json"), OKTA, NOW)
    if isinstance(expected, str):
        assert finding == Ignored(expected)  # type: ignore[arg-type]
    else:
        assert told(finding) == (expected[0], "00uttidj01jqL21aM1d6", expected[1])


def test_the_deactivations_of_one_reset_share_an_id_made_of_the_transaction() -> None:
    document = sample("okta/factors-reset.json")
    (whole,) = okta.read(document, OKTA, NOW)
    assert isinstance(whole, Signal)
    for event in document["data"]["events"]:
        (alone,) = okta.read({"data": {"events": [event]}}, OKTA, NOW)
        assert isinstance(alone, Signal)
        assert alone.id == whole.id
        assert event["transaction"]["id"] in alone.id


def test_one_bad_entry_of_okta_keeps_no_neighbour_from_being_told() -> None:
    document = sample("okta/password-changed.json")
    document["data"]["events"] += [7, {"eventType": "user.account.lock", "outcome": {"result": "SUCCESS"}}]
    findings = okta.read(document, OKTA, NOW)
    assert [finding.reason if isinstance(finding, Ignored) else finding.type for finding in findings] == [
        "identity.password-changed.v1",
        "unusable",
        "not-a-member",
    ]


def test_auth0_sends_lines_an_array_or_an_object() -> None:
    read = {
        name: auth0.read(auth0.parse((SAMPLES / "auth0" / name).read_bytes()), AUTH0, NOW)
        for name in ("lines.jsonl", "array.json", "object.json")
    }
    user = "auth0|5f7c8ec7c33c6c004bbafe82"
    assert [told(finding) for finding in read["lines.jsonl"]] == [
        (
            "identity.signed-on.v1",
            user,
            {"user_agent": "Firefox 145.0.0 / Ubuntu 0.0.0", "network": "198.51.100.17", "place": "Ghent, Belgium"},
        ),
        ("identity.security-method-enrolled.v1", user, {"method": "sms", "ending": "12"}),
        ("identity.password-changed.v1", user, {}),
    ]
    assert [told(finding)[0] for finding in read["array.json"][:2]] == [
        "identity.password-changed.v1",
        "identity.account-locked.v1",
    ]
    assert read["array.json"][2] == Ignored("failed")
    assert told(read["object.json"][0]) == ("identity.account-deleted.v1", user, {"email": "ann@example.test"})


SSF_SAMPLES: dict[str, tuple[str, dict[str, Any]] | str] = {
    "password-changed": ("identity.password-changed.v1", {}),
    "password-by-administrator": ("identity.password-reset.v1", {"by": "administrator"}),
    "security-key-created": ("identity.security-method-enrolled.v1", {"method": "security-key"}),
    "session-established": ("identity.signed-on.v1", {"device_id": "abb0b6e7da81a42233f8f2b1a8ddb1b9a4c81611"}),
    "account-disabled": "no-notice",
    "identifier-changed": (
        "identity.email-address-changed.v1",
        {"which": "login", "old": "ann@example.test", "new": "ann2@example.test"},
    ),
    "credential-compromise": "no-notice",
    "verification": "step",
}


@pytest.mark.parametrize("name", [path.stem for path in (SAMPLES / "ssf").glob("*.json")])
def test_a_security_event_token_means_what_it_says(name: str) -> None:
    expected = SSF_SAMPLES[name]
    (finding,) = ssf.read(sample(f"ssf/{name}.json"), SSF, NOW)
    if isinstance(expected, str):
        assert finding == Ignored(expected)  # type: ignore[arg-type]
        return
    assert told(finding) == (expected[0], "7e3016a8", expected[1])
    assert isinstance(finding, Signal)
    assert (finding.issuer, finding.id) == ("https://idp.example.test", f"jti-{name}")


def test_a_transmitter_does_not_speak_of_anothers_users() -> None:
    claims = sample("ssf/password-changed.json")
    claims["sub_id"]["iss"] = "https://other.example.test"
    assert ssf.read(claims, SSF, NOW) == [Ignored("foreign")]


def test_a_longer_id_than_ours_may_be_is_hashed_and_stays_the_same() -> None:
    ids = {getattr(of_keycloak("access_UPDATE_PASSWORD", id="x" * 4000), "id", "") for _ in range(2)}
    assert len(ids) == 1
    assert len(ids.pop()) <= 128
