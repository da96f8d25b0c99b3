"""A day in the life of nine people who do not exist: what happens, and what each of them must get.

Most of it is the tables in `journey.py`; here is what takes more than an event and its notice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from demo import journey
from demo.check import Expected
from demo.journey import CODE_LIVES, Here, Posted, Scene
from demo.providers import APART, LABELS, SOURCE_OF, Person, Providers, deliver, identities
from demo.stage import Member, Published, Stage
from schemas.envelope import Event
from schemas.members import CoverageEndedV1
from schemas.types import Data
from services.auth_events.access import notice_id
from services.auth_events.sign_ons import notice_id as sign_on_notice_id

CODE = "one-time-verification-code"
SUPERSEDED = {"state": "superseded", "reason": "newer"}
Told = Callable[[], Awaitable[None]]


class Story:
    """The scenes, in order."""

    def __init__(self, stage: Stage, providers: Providers) -> None:
        self._stage = stage
        self._providers = providers
        self._people = {key: stage.member(key, **who) for key, who in journey.PEOPLE.items()}
        for member in self._people.values():
            who = Person(member.id, member.login_email)
            member.identities = identities(who, journey.SIGNS_ON_AT[member.brand])
        self._once_known: list[Expected] = []
        self.grace, self.elodie, self.noor = (self._people[key] for key in ("grace", "elodie", "noor"))

    async def play(self) -> None:
        for scene in self._scenes():
            await self._stage.scene(scene.text if isinstance(scene, Scene) else scene.__doc__ or "")
            await (self._happens(scene) if isinstance(scene, Scene) else scene())
            await self._stage.until_settled()

    def _scenes(self) -> Iterator[Scene | Told]:
        yield from (
            self._providers_post,
            journey.REGISTERING,
            self._contacts,
            journey.SIGNING_IN,
            self._send_again,
            self._refused_codes,
        )
        yield from (journey.FORGOTTEN, journey.CLAIMING, journey.METHODS, self._same_event_three_times)
        yield from (journey.COVER, self._new_addresses, journey.LEAVING, self._unknown_member)

    async def _happens(self, scene: Scene) -> None:
        """Every other event over HTTP, the rest straight onto Kafka."""
        stage = self._stage
        for number, step in enumerate(scene.steps):
            member = self._people[step.who]
            event = stage.event(step.on, member, journey.of(step.data, self._here(member)))
            expected = [_copy(event, step.notice, member, role) for role in step.to]
            await (stage.produce if number % 2 else stage.post)(event, *expected)

    async def _providers_post(self) -> None:
        """Keycloak, Okta, Auth0 and Shared Signals post what they see. Nobody has said yet whose it is: it waits."""
        began = datetime.now(UTC)
        for number, posted in enumerate(journey.POSTED):
            member = self._people[posted.who]
            who, at = Person(member.id, member.login_email), began + number * APART
            delivery = self._providers.delivery(posted.provider, posted.sample, who, at, posted.instead)
            for id_, notice in zip(delivery.ids, posted.notices, strict=True):
                self._once_known += self._caused(posted, member, notice, id_) if notice else ()
            await deliver(self._stage.upstream.auth_events, delivery)

    def _caused(self, posted: Posted, member: Member, notice: str, id_: str) -> Iterator[Expected]:
        """`id_`: of the provider's event."""
        event = sign_on_notice_id(SOURCE_OF[posted.provider], id_) if notice == "new-sign-on" else id_
        self._stage.published[event] = Published(posted.sample, 1, f"from {LABELS[posted.provider]}")
        moved = zip(("old", "new"), posted.instead.values(), strict=False) if notice == "email-address-changed" else ()
        for role, to in dict(moved).items() or {"login": member.login_email}.items():
            yield Expected(event=event, notice=notice, channel="email", role=role, to=to, locale=member.locale)

    def _here(self, member: Member) -> Here:
        return Here(member, datetime.now(UTC), self._link)

    @property
    def _link(self) -> str:
        return f"{self._stage.inbox.url}/?continue-to-sign-in"

    async def _contacts(self) -> None:
        """The member administration says who they are, and at which provider: what waited is told."""
        self._stage.expected += self._once_known
        known = [member for key, member in self._people.items() if key != "noor"]
        await asyncio.gather(
            *(self._stage.store_contact(member, straight=bool(number % 2)) for number, member in enumerate(known))
        )

    async def _send_again(self) -> None:
        """The relay is slow with Grace's mail, she presses "send again": only the newer code leaves."""
        stage, grace = self._stage, self.grace
        await stage.inbox.grey_list(grace.login_email)
        first = self.code(grace)
        await stage.post(first, _expected(first, CODE, grace, grace.login_email, **SUPERSEDED))
        await stage.until_state(first, "retrying")
        second = self.code(grace)
        await stage.post(second, _expected(second, CODE, grace, grace.login_email))
        await stage.until_state(first, "superseded")
        await stage.inbox.accept_all()
        late = self.code(grace, at=first.time - timedelta(seconds=20))
        await stage.produce(late, _expected(late, CODE, grace, grace.login_email, **SUPERSEDED))

    async def _refused_codes(self) -> None:
        """A code for a number that is not Grace's, and one that is past its 15 minutes: neither leaves."""
        stage, grace, elodie = self._stage, self.grace, self.elodie
        stranger = self.code(grace, channel="sms", phone="+447700900999", purpose="payment")
        refused = {"channel": "sms", "role": "named", "state": "failed", "reason": "phone-not-registered"}
        await stage.post(stranger, _expected(stranger, CODE, grace, None, **refused))
        old = self.code(elodie, at=datetime.now(UTC) - timedelta(minutes=20), purpose="payment")
        await stage.produce(old, _expected(old, CODE, elodie, elodie.login_email, state="expired", reason="late"))

    async def _same_event_three_times(self) -> None:
        """Two change their password; Grace's event comes three times, twice over HTTP and once on Kafka: one mail."""
        stage, now = self._stage, datetime.now(UTC)
        for member in (self.grace, self.elodie):
            event = stage.event("identity.password-changed.v1", member, {"changed_at": now})
            await stage.post(event, _copy(event, "password-changed", member, "login"))
            if member is self.grace:
                await stage.again(event, stage.upstream.over_http)
                await stage.again(event, stage.upstream.onto_kafka)

    async def _new_addresses(self) -> None:
        """Four change an address: the old and the new one are told, though the contact has changed already."""
        await asyncio.gather(*(self._moves(self._people[who], which, new) for who, which, new in journey.MOVES))

    async def _moves(self, member: Member, which: str, new: str) -> None:
        if which == "communication":
            old, member.communication_email = str(member.communication_email), new
        else:
            old, member.login_email = member.login_email, new
        await self._stage.store_contact(member)
        name = "email-address-changed"
        changed = {"which": which, "old": old, "new": new, "changed_at": datetime.now(UTC)}
        event = self._stage.event("identity.email-address-changed.v1", member, changed)
        await self._stage.post(event, *(_copy(event, name, member, role) for role in ("old", "new")))

    async def _unknown_member(self) -> None:
        """Noor signs on before the administration has sent her contact: the event waits, the contact sends it."""
        stage, noor = self._stage, self.noor
        signed_on = {"signed_on_at": datetime.now(UTC), "browser": "Chrome 142"}
        event = stage.event("identity.new-sign-on-detected.v1", noor, signed_on)
        await stage.produce(event)
        await stage.until_state(event, "waiting")
        stage.expected.append(_copy(event, "new-sign-on", noor, "login"))
        await stage.store_contact(noor)

    def code(self, member: Member, *, at: datetime | None = None, **data: Any) -> Event[Data]:
        """For signing in, by e-mail, unless said otherwise."""
        at = at or datetime.now(UTC)
        values = {
            "channel": "email",
            "code": f"{at.microsecond:06}",
            "url": self._link,
            "purpose": "sign-in",
            "expires_at": at + CODE_LIVES,
        }
        event = values | data
        if event["channel"] == "sms":
            del event["url"]
        return self._stage.event("identity.verification-code-issued.v1", member, event, at=at)


def _copy(event: Event[Data], notice: str, member: Member, role: str) -> Expected:
    """The one that must arrive in this role: where the event names an address, there."""
    named = {"named": "email", "old": "old", "new": "new"}.get(role)
    channel, to = ("email", str(getattr(event.data, named))) if named else member.address(role)
    return _expected(event, notice, member, to, channel=channel, role=role)


def _told_by(event: Event[Data]) -> str:
    """The id of the event that causes the message: of coverage that ended, one that auth_events makes of it."""
    return notice_id(event.source, event.id, "first") if isinstance(event.data, CoverageEndedV1) else event.id


def _expected(
    event: Event[Data],
    notice: str,
    member: Member,
    to: str | None,
    *,
    channel: str = "email",
    role: str = "login",
    state: str = "sent",
    reason: str | None = None,
) -> Expected:
    return Expected(
        event=_told_by(event),
        notice=notice,
        channel=channel,
        role=role,
        to=to,
        locale=member.locale,
        state=state,
        reason=reason,
    )
