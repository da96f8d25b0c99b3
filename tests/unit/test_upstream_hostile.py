"""Whatever an address of providers is sent, and whatever a provider sends: a sound event, or a refusal of ours that
repeats nothing; never another exception.
"""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import EventError, new_event
from services.auth_events.providers import auth0, keycloak, okta, ssf
from services.auth_events.providers.signals import REASONS, Finding, Ignored, Upstream
from services.auth_events.sets import SetRefusedError, presented
from services.auth_events.trust import of_token, signed
from services.auth_events.upstreams import Source
from tests.support.upstreams import SAMPLES, sample

NOW = datetime(2026, 11, 26, 10, 1, tzinfo=UTC)
KEYCLOAK = Upstream(kind="keycloak", name="demo", issuer="https://login.test/realms/demo", realm="demo", brand="cm")
OKTA = Upstream(kind="okta", name="org", issuer="https://example.okta.test", brand="cigna-healthcare")
AUTH0 = Upstream(kind="auth0", name="tenant", issuer="https://example.auth0.test/")
MARKER = "Zq7MARKER"
SOURCES = [Source(upstream=KEYCLOAK, per_second=1, secrets=(b"s3cr3t",), token_sha256=(bytes(32),))]
SSF = Upstream(kind="ssf", name="idp", issuer="https://idp.example.test")

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.just("\x00")
    | st.just("\ud800")
    | st.just(MARKER)
)


def _names(document: Any) -> set[str]:
    if isinstance(document, dict):
        return set(document).union(*map(_names, document.values()))
    return set().union(*map(_names, document)) if isinstance(document, list) else set()


names = st.sampled_from(sorted(_names([json.loads(path.read_text()) for path in SAMPLES.rglob("*.json")])))
anything = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6))


@st.composite
def broken(draw: st.DrawFn, whole: Any) -> Any:
    """A payload with some of its values, somewhere inside, replaced by anything."""
    if draw(st.integers(0, 9)) == 0:
        return draw(anything)
    if isinstance(whole, dict):
        return {name: draw(broken(value)) for name, value in whole.items()}
    if isinstance(whole, list):
        return [draw(broken(value)) for value in whole]
    return whole


def _sound(findings: list[Finding]) -> None:
    for finding in findings:
        if isinstance(finding, Ignored):
            assert finding.reason in REASONS
        else:
            assert finding.time <= NOW + timedelta(minutes=5)
            written = new_event(
                source=finding.source,
                id=finding.id,
                type=finding.type,
                subject="m-1",
                time=finding.time,
                data=finding.data,
            )
            assert written.data == finding.data


def _silent(*said: object) -> None:
    assert not any(MARKER in str(each) for each in said)


def of(provider: str) -> st.SearchStrategy[Any]:
    """A sample of its own with anything in it, or anything at all."""
    files = sorted((SAMPLES / provider).glob("*.json"))
    wholes = [sample(f"{provider}/{file.name}") for file in files]
    return anything | st.sampled_from(wholes).flatmap(
        lambda whole: broken(whole.get("body", whole) if provider == "keycloak" else whole)
    )


@given(of("keycloak"))
def test_whatever_keycloak_sends_is_a_sound_event_or_ignored(payload: Any) -> None:
    if isinstance(payload, dict):
        _sound([keycloak.read(payload, KEYCLOAK, NOW)])
        keycloak.happened_at(payload)


@given(of("okta"))
def test_whatever_okta_sends_is_a_sound_event_or_ignored(payload: Any) -> None:
    if isinstance(payload, dict):
        _sound(okta.read(payload, OKTA, NOW))


@given(of("auth0"))
def test_whatever_auth0_sends_is_a_sound_event_or_ignored(payload: Any) -> None:
    _sound(auth0.read(payload if isinstance(payload, list) else [payload], AUTH0, NOW))


@given(of("ssf"))
def test_whatever_a_transmitter_claims_is_a_sound_event_or_ignored(payload: Any) -> None:
    if isinstance(payload, dict):
        _sound(ssf.read(payload, SSF, NOW))


lines = st.lists(st.binary(max_size=20) | anything.map(lambda value: json.dumps(value).encode()), max_size=4)


@given(lines.map(b"\n".join))
def test_whatever_bytes_come_as_a_log_stream_are_entries_or_refused(body: bytes) -> None:
    try:
        entries = auth0.parse(body)
    except EventError as refused:
        entries = []
        _silent(refused)
    _sound(auth0.read(entries, AUTH0, NOW))


parts = st.binary(max_size=30) | anything.map(lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()))
headers = st.fixed_dictionaries(
    {}, optional={"typ": st.just("secevent+jwt"), "alg": leaves, "kid": leaves, "crit": leaves}
)


@given(st.lists(parts, min_size=1, max_size=4), headers)
def test_whatever_bytes_come_as_a_token_are_presented_or_refused_in_the_rfcs_words(
    rest: list[bytes], header: Any
) -> None:
    token = b".".join([base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"="), *rest])
    try:
        said = presented(token)
    except SetRefusedError as refused:
        _silent(refused, refused.description)
    else:
        assert said.kid
        assert said.issuer


@given(st.text(max_size=80), st.binary(max_size=80))
def test_whatever_stands_where_a_proof_belongs_proves_nothing(header: str, body: bytes) -> None:
    assert signed(SOURCES, body, header) == []
    assert of_token(SOURCES, header) is None
