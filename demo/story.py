"""A day in the life of Grace, Élodie and Noor, who do not exist: what happens, and what each of them must get.

Numbers are from the ranges kept free for fiction (Ofcom, Arcep), addresses from example.test (RFC 6761).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from demo.check import Expected
from demo.stage import Member, Stage
from schemas.envelope import Event
from schemas.types import Data

CODE = "one-time-verification-code"
CODE_LIVES = timedelta(minutes=15)
SUPERSEDED = {"state": "superseded", "reason": "newer"}


class Story:
    """The scenes, in order."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.grace = stage.member(
            "grace",
            name="Grace Hartley",
            language="en",
            login_email="grace.hartley@example.test",
            communication_email="letters.hartley@example.test",
            phones=("+447700900142", "+447700900143"),
        )
        self.elodie = stage.member(
            "elodie",
            name="Élodie Marchand",
            language="fr",
            login_email="elodie.marchand@example.test",
            phones=("+33639980117",),
        )
        self.noor = stage.member("noor", name="Noor Haddad", language="fr", login_email="noor.haddad@example.test")

    async def play(self) -> None:
        for scene in (
            self._contacts,
            self._codes,
            self._send_again,
            self._refused_codes,
            self._security,
            self._same_event_three_times,
            self._new_addresses,
            self._unknown_member,
        ):
            await self._stage.scene(scene.__doc__ or "")
            await scene()
            await self._stage.until_settled()

    async def _contacts(self) -> None:
        """The member administration stores who they are: Grace over HTTP, Élodie straight onto Kafka."""
        await self._stage.store_contact(self.grace)
        await self._stage.store_contact(self.elodie, straight=True)

    async def _codes(self) -> None:
        """Both sign in: Grace asks for her code by SMS, Élodie by SMS on her phone and then by e-mail."""
        stage, grace, elodie = self._stage, self.grace, self.elodie
        for member in (grace, elodie):
            code = self.code(member, channel="sms", phone=member.phones[0], purpose="sign-in-by-phone")
            await stage.post(code, _expected(code, CODE, member, member.phones[0], channel="sms", role="phone-1"))
        code = self.code(elodie)
        await stage.post(code, _expected(code, CODE, elodie, elodie.login_email))

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

    async def _security(self) -> None:
        """New browsers, a new authenticator app, a new phone: each of them is told, in her language."""
        stage, now = self._stage, datetime.now(UTC)
        grace, elodie = self.grace, self.elodie
        for member, browser, system, place in (
            (grace, "Firefox 145", "Windows 11", "Bristol, United Kingdom"),
            (elodie, "Safari 26", "iPhone", "Lyon, France"),
        ):
            signed_on = {"signed_on_at": now, "browser": browser, "system": system, "place": place}
            event = stage.event("identity.new-sign-on-detected.v1", member, signed_on)
            await stage.post(event, _expected(event, "new-sign-on", member, member.login_email))
        for member, method in (
            (grace, {"method": "sms", "ending": "143"}),
            (elodie, {"method": "authenticator-app"}),
        ):
            event = stage.event("identity.security-method-enrolled.v1", member, {"enrolled_at": now, **method})
            await stage.produce(event, _expected(event, "security-method-enrolled", member, member.login_email))

    async def _same_event_three_times(self) -> None:
        """Both change their password; Grace's event comes three times, twice over HTTP and once on Kafka: one mail."""
        stage, now = self._stage, datetime.now(UTC)
        for member in (self.grace, self.elodie):
            event = stage.event("identity.password-changed.v1", member, {"changed_at": now})
            await stage.post(event, _expected(event, "password-changed", member, member.login_email))
            if member is self.grace:
                await stage.again(event, stage.upstream.over_http)
                await stage.again(event, stage.upstream.onto_kafka)

    async def _new_addresses(self) -> None:
        """Both change an address: the old and the new one are told, though the contact has changed already."""
        stage, grace, elodie = self._stage, self.grace, self.elodie
        old, elodie.login_email = elodie.login_email, "e.marchand@example.test"
        await stage.store_contact(elodie)
        await self._address_changed(elodie, "login", old, elodie.login_email)
        old, grace.communication_email = str(grace.communication_email), "post.hartley@example.test"
        await stage.store_contact(grace)
        await self._address_changed(grace, "communication", old, grace.communication_email)

    async def _unknown_member(self) -> None:
        """Noor signs on before the administration has sent her contact: the event waits, the contact sends it."""
        stage, noor = self._stage, self.noor
        signed_on = {"signed_on_at": datetime.now(UTC), "browser": "Chrome 142"}
        event = stage.event("identity.new-sign-on-detected.v1", noor, signed_on)
        await stage.produce(event)
        await stage.until_state(event, "waiting")
        stage.expected.append(_expected(event, "new-sign-on", noor, noor.login_email))
        await stage.store_contact(noor)

    async def _address_changed(self, member: Member, which: str, old: str, new: str) -> None:
        name = "email-address-changed"
        changed = {"which": which, "old": old, "new": new, "changed_at": datetime.now(UTC)}
        event = self._stage.event("identity.email-address-changed.v1", member, changed)
        both = (_expected(event, name, member, old, role="old"), _expected(event, name, member, new, role="new"))
        await self._stage.post(event, *both)

    def code(self, member: Member, *, at: datetime | None = None, **data: Any) -> Event[Data]:
        """For signing in, by e-mail, unless said otherwise."""
        at = at or datetime.now(UTC)
        values = {
            "channel": "email",
            "code": f"{at.microsecond:06}",
            "url": f"{self._stage.inbox.url}/?continue-to-sign-in",
            "purpose": "sign-in",
            "expires_at": at + CODE_LIVES,
        }
        event = values | data
        if event["channel"] == "sms":
            del event["url"]
        return self._stage.event("identity.verification-code-issued.v1", member, event, at=at)


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
        event=event.id,
        notice=notice,
        channel=channel,
        role=role,
        to=to,
        locale=member.language,
        state=state,
        reason=reason,
    )
