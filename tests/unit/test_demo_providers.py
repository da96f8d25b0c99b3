"""What the demo's providers post is proven, and means what the journey says of it."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from demo.journey import PEOPLE, POSTED, SIGNS_ON_AT, Posted
from demo.providers import AUDIENCE, ISSUERS, SOURCE_OF, Delivery, Person, Providers, identities
from schemas.members import ContactV1
from services.auth_events import trust
from services.auth_events.providers import auth0, keycloak, okta, ssf
from services.auth_events.providers.signals import Finding, Signal
from services.auth_events.sets import presented, verified
from services.auth_events.upstreams import Source, Upstreams
from services.notifier.catalogue import NOTICES_OF_TYPE

NOW = datetime(2026, 11, 26, 10, 1, tzinfo=UTC)
KINDS = ("keycloak", "okta", "auth0", "ssf")
LOTTE = Person("lotte-1", "lotte.peeters@example.test")


@pytest.fixture
async def providers(tmp_path: Path) -> AsyncIterator[Providers]:
    async with Providers(tmp_path) as running:
        yield running


def read(providers: Providers, delivery: Delivery, kind: Any) -> list[Finding]:
    """As auth-events does; an assertion where nothing proves the request."""
    (source,) = Upstreams.read(providers.file).of(kind)
    body, header = delivery.body, delivery.headers.get("Authorization", "")
    match kind:
        case "keycloak":
            assert trust.signed([source], body, delivery.headers["X-Keycloak-Signature"])
            return [keycloak.read(json.loads(body), source.upstream, NOW)]
        case "okta":
            assert trust.of_token([source], header)
            return okta.read(json.loads(body), source.upstream, NOW)
        case "auth0":
            assert trust.of_token([source], header)
            return auth0.read(auth0.parse(body), source.upstream, NOW)
        case _:
            return ssf.read(claims_of(providers, delivery, source), source.upstream, NOW)


def claims_of(providers: Providers, delivery: Delivery, source: Source) -> Any:
    assert source.audience == AUDIENCE
    return verified(delivery.body, providers._key, presented(delivery.body), AUDIENCE, NOW)


@pytest.mark.parametrize("posted", POSTED, ids=lambda posted: f"{posted.who}-{posted.sample}")
def test_each_payload_is_proven_and_causes_what_stands_beside_it(providers: Providers, posted: Posted) -> None:
    person = Person(posted.who, str(PEOPLE[posted.who]["login_email"]))
    delivery = providers.delivery(posted.provider, posted.sample, person, NOW, posted.instead)
    findings = read(providers, delivery, posted.provider)
    told = [finding for finding in findings if isinstance(finding, Signal)]
    assert len(posted.notices) == len(findings)
    assert {signal.subject for signal in told} <= {person.at(posted.provider)}
    assert {signal.source for signal in told} <= {SOURCE_OF[posted.provider]}
    assert {signal.issuer for signal in told} <= {ISSUERS[posted.provider]}
    for id_, notice, finding in zip(delivery.ids, posted.notices, findings, strict=True):
        if notice:
            assert isinstance(finding, Signal)
            assert finding.id == id_
            type_ = finding.type.replace("signed-on", "new-sign-on-detected")
            assert notice in {each.name for each in NOTICES_OF_TYPE[type_]}


def test_the_story_has_payloads_of_all_four_and_each_member_has_an_identity_there() -> None:
    assert {posted.provider for posted in POSTED} == set(KINDS)
    for posted in POSTED:
        assert posted.provider in SIGNS_ON_AT[PEOPLE[posted.who]["brand"]]


def test_identities_are_what_a_contact_may_say() -> None:
    named = identities(LOTTE, KINDS)
    contact = ContactV1.model_validate(
        {"version": 1, "brand": "cm", "language": "nl", "login_email": LOTTE.email, "identities": named}
    )
    assert [identity.subject for identity in contact.identities] == [LOTTE.at(kind) for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_ann_is_sent_of_somebody_else(providers: Providers, kind: str) -> None:
    for sample in sorted((Path(__file__).parents[2] / "demo" / "samples" / kind).iterdir()):
        delivery = providers.delivery(kind, sample.stem, LOTTE, NOW)
        assert b"ann@example.test" not in delivery.body
        assert len(set(delivery.ids)) == len(delivery.ids) > 0
