"""From each payload in `demo/samples` to the mailbox: the right mail, once, in its member's language, however often it
is posted. The subjects are written by hand.
"""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo.catcher import Catcher, Mail
from demo.providers import SAMPLES, Delivery, Person, Providers, deliver, identities
from tests.support.auth_events import SOURCE, AuthEvents
from tests.support.house import House
from tests.support.notifier import fresh_group, upstream
from tests.support.upstreams import rows
from tests.support.waiting import wait_for

KINDS = ("keycloak", "okta", "auth0", "ssf")
ONE_SIGN_ON = {"lines"}
TWO_SIGN_ONS = {
    "access_LOGIN_3": {"127.0.0.1": "203.0.113.9"},
    "session-start": {"541daf91d15bef64a7e08c946fd9a9d0": "another"},
    "session-established": {"abb0b6e7da81a42233f8f2b1a8ddb1b9a4c81611": "another"},
}
"""A first sign-on is silent: these are posted from a second browser too."""
MARKER = "identity.account-locked.v1"
"""Told last to every member: whatever was on its way to them has arrived before it."""


@dataclass(frozen=True, slots=True)
class Case:
    """`mails`: of each its subject, and words of its text."""

    sample: str
    brand: str
    language: str
    mails: tuple[tuple[str, ...], ...] = ()
    to: tuple[str, ...] = ()
    """Where they go, if not to the login address."""
    id: str = field(default_factory=lambda: f"m-{uuid.uuid4().hex[:12]}")

    @property
    def provider(self) -> str:
        return self.sample.partition("/")[0]

    @property
    def name(self) -> str:
        return self.sample.partition("/")[2]

    @property
    def person(self) -> Person:
        return Person(self.id, f"{self.id}@example.test")

    def expected(self) -> list[tuple[str, str, str]]:
        """(address, language, subject) of each mail, by subject and address."""
        to = [f"{self.id}{suffix}@example.test" for suffix in self.to or ("",) * len(self.mails)]
        subjects = [mail[0] for mail in self.mails]
        return sorted(
            ((address, self.language, subject) for address, subject in zip(to, subjects, strict=True)),
            key=lambda mail: (mail[2], mail[0]),
        )

    def deliveries(self, providers: Providers) -> list[Delivery]:
        moved = {"ann2@example.test": f"{self.id}-new@example.test"}
        variants = [moved, moved | TWO_SIGN_ONS[self.name]] if self.name in TWO_SIGN_ONS else [moved]
        now = datetime.now(UTC)
        return [providers.delivery(self.provider, self.name, self.person, now, each) for each in variants]


CIGNA, CM = "cigna-healthcare", "cm"


def cases() -> list[Case]:
    """Members of their own each time."""
    return [
        Case("keycloak/access_UPDATE_PASSWORD", CM, "nl", (("Uw wachtwoord is gewijzigd",),)),
        Case("keycloak/access_UPDATE_CREDENTIAL", CM, "fr", (("Votre mot de passe a été modifié",),)),
        Case(
            "keycloak/access_UPDATE_PROFILE_2", CM, "de", (("Ihre E-Mail-Adresse wurde geändert",),) * 2, ("", "-new")
        ),
        Case("keycloak/admin_USER-ACTION", CM, "en", (("Your password was reset", "administrator"),)),
        Case("keycloak/access_LOGIN_3", CM, "nl", (("Er is ingelogd op uw account",),)),
        Case("keycloak/access_LOGIN_ERROR", CM, "nl"),
        Case("okta/session-start", CIGNA, "de", (("Neue Anmeldung bei Ihrem Konto", "Chrome", "Brussels, Belgium"),)),
        Case("okta/password-changed", CIGNA, "fr", (("Votre mot de passe a été modifié",),)),
        Case("okta/password-by-administrator", CIGNA, "nl", (("Uw wachtwoord is opnieuw ingesteld",),)),
        Case("okta/password-reset", CIGNA, "de", (("Ihr Passwort wurde zurückgesetzt",),)),
        Case("okta/locked", CIGNA, "en", (("Your account is locked",),)),
        Case("okta/factor-activated", CIGNA, "fr", (("Nouvelle méthode de sécurité sur votre compte",),)),
        Case("okta/factor-reset", CIGNA, "de", (("Eine Sicherheitsmethode wurde zurückgesetzt", "SMS"),)),
        Case("okta/factors-reset", CIGNA, "nl", (("Uw beveiligingsmethoden zijn gereset",),)),
        Case("okta/email-changed", CIGNA, "en", (("Your e-mail address was changed",),) * 2, ("", "-new")),
        Case("okta/deleted", CIGNA, "en"),  # no notice of this brand
        Case("okta/profile-changed", CIGNA, "en"),
        Case("okta/failed", CIGNA, "en"),
        Case(
            "auth0/lines",
            CM,
            "fr",
            (("Nouvelle méthode de sécurité sur votre compte", "12"), ("Votre mot de passe a été modifié",)),
        ),
        Case("auth0/array", CM, "de", (("Ihr Passwort wurde geändert",), ("Ihr Konto ist gesperrt",))),
        Case("auth0/object", CM, "nl", (("Uw account is verwijderd",),)),
        Case("ssf/password-changed", CM, "en", (("Your password was changed",),)),
        Case("ssf/password-by-administrator", CIGNA, "fr", (("Votre mot de passe a été réinitialisé",),)),
        Case("ssf/security-key-created", CIGNA, "de", (("Neue Sicherheitsmethode für Ihr Konto",),)),
        Case("ssf/session-established", CIGNA, "nl", (("Er is ingelogd op uw account",),)),
        Case("ssf/identifier-changed", CIGNA, "fr", (("Votre adresse e-mail a été modifiée",),) * 2, ("", "-new")),
        Case("ssf/account-disabled", CIGNA, "en"),
        Case("ssf/credential-compromise", CIGNA, "en"),
        Case("ssf/verification", CIGNA, "en"),
    ]


class Way:
    """The whole way: auth-events and the notifier on one broker and database, a catcher behind them."""

    def __init__(self, house: House, auth_events: AuthEvents, providers: Providers) -> None:
        self.house = house
        self.auth_events = auth_events
        self.providers = providers

    async def introduce(self, members: Sequence[Case]) -> None:
        for each in members:
            named = identities(each.person, KINDS)
            await self.house.upstream.contact(each.id, brand=each.brand, language=each.language, identities=named)
        await wait_for(lambda: self._known(members), "the identities of all members")

    async def post(self, deliveries: Sequence[Delivery]) -> None:
        """Each twice, as a provider does that missed an answer."""
        for delivery in [*deliveries, *deliveries]:
            await deliver(str(self.auth_events.http.base_url).rstrip("/"), delivery)

    async def sign_ons_seen(self, count: int) -> None:
        async def seen() -> bool:
            metrics = (await self.auth_events.http.get("/metrics")).text
            lines = [line for line in metrics.splitlines() if line.startswith("auth_events_sign_ons_total{")]
            return sum(float(line.rpartition(" ")[2]) for line in lines) == count

        await wait_for(seen, f"{count} sign-ons that were looked at")

    async def mark(self, members: Sequence[Case]) -> None:
        for each in members:
            at = datetime.now(UTC).isoformat()
            document = {
                "specversion": "1.0", "type": MARKER, "source": f"{SOURCE}marker", "id": f"marker-{each.id}",
                "subject": each.id, "time": at, "data": {"locked_at": at},
            }  # fmt: skip
            assert (await self.auth_events.post(document)).status_code == 202
        for each in members:
            await wait_for(lambda each=each: self._marked(each), f"marker of {each.sample}")  # type: ignore[misc]

    async def _known(self, members: Sequence[Case]) -> bool:
        found = await rows(self.house.database, "SELECT DISTINCT member_id FROM auth_events.identities")
        return {each.id for each in members} <= {row["member_id"] for row in found}

    async def _marked(self, case: Case) -> bool:
        found = await self.house.rows(case.id)
        return any(row["event_id"] == f"marker-{case.id}" for row in found) and not any(row["due_at"] for row in found)


@pytest.fixture
async def way(kafka: str, database: str, tmp_path: Path) -> AsyncIterator[Way]:
    group = await fresh_group(kafka)
    async with AsyncExitStack() as stack:
        catcher = await stack.enter_async_context(Catcher())
        up = await stack.enter_async_context(upstream(kafka))
        providers = await stack.enter_async_context(Providers(tmp_path))
        auth_events = await stack.enter_async_context(
            AuthEvents(tmp_path, kafka=kafka, database=database, providers=providers.file)
        )
        house = House(kafka, database, catcher, up, group)
        await stack.enter_async_context(house.notifier())
        yield Way(house, auth_events, providers)


async def arrived(way: Way, case: Case) -> list[Mail]:
    """Every mail to the member but the marker's, by subject."""
    (marker,) = [str(row["id"]) for row in await way.house.rows(case.id) if row["event_id"] == f"marker-{case.id}"]
    mails = [
        mail for mail in way.house.catcher.mails if case.id in mail.recipients[0] and marker not in mail.message_id
    ]
    return sorted(mails, key=lambda mail: (mail.subject, mail.recipients))


def test_every_sample_is_a_case() -> None:
    files = {f"{file.parent.name}/{file.stem}" for file in SAMPLES.glob("*/*")}
    assert files == {case.sample for case in cases()}


async def test_each_payload_is_the_right_mail_once_in_its_members_language(way: Way) -> None:
    members = cases()
    await way.introduce(members)
    for case in members:
        await way.post(case.deliveries(way.providers))
    await way.sign_ons_seen(2 * len(TWO_SIGN_ONS) + len(ONE_SIGN_ON))
    await way.mark(members)
    found = {case.sample: await arrived(way, case) for case in members}
    assert {
        sample: [(mail.recipients[0], mail.language, mail.subject.partition(" | ")[2]) for mail in mails]
        for sample, mails in found.items()
    } == {case.sample: case.expected() for case in members}
    for case in members:
        for (_, *words), mail in zip(sorted(case.mails), found[case.sample], strict=True):
            assert [word for word in words if word not in mail.text] == [], f"{case.sample}\n{mail.text}"
