"""The relay's certificate: its chain and its name are verified, or nothing leaves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.notifier.channels.base import ChannelError, Consequence, OutgoingMessage, Sent
from services.notifier.channels.email_smtp import Relay, SmtpChannel
from services.runtime.clock import SystemClock
from tests.mta.occasions import DOMAIN
from tests.mta.postfix import Postfix, handing_to
from tests.support.house import House
from tests.support.notifier import event_of
from tests.support.waiting import wait_for

TO = f"m-0@{DOMAIN}"
MAIL = OutgoingMessage(
    id="n-1",
    address=TO,
    body=b"From: notices@example.test\r\nTo: m-0@members.example.test\r\nSubject: Hello\r\n\r\nYour code is 246810\r\n",
    sender="notices@example.test",
    expires_at=None,
)


@asynccontextmanager
async def channel_to(port: int, **more: Any) -> AsyncIterator[SmtpChannel]:
    channel = SmtpChannel(Relay(**{"host": "localhost", "port": port, "tls": "starttls", "send_seconds": 10, **more}))
    try:
        yield channel
    finally:
        await channel.close()


@pytest.mark.parametrize(
    ("listener", "tls"), [("full", "starttls"), ("plainest", "starttls"), ("implicit", "implicit")]
)
async def test_a_certificate_of_the_trusted_ca_for_this_name_gets_mail(
    postfix: Postfix, listener: str, tls: str
) -> None:
    async with channel_to(postfix.ports[listener], tls=tls) as channel:
        assert await channel.send(MAIL) == Sent(reply_code="250")
    (raw,) = await wait_for(lambda: postfix.mail_of(TO), "the mail")
    assert b"with ESMTPS id" in raw
    assert raw.endswith(b"\n\nYour code is 246810\n")


@pytest.mark.parametrize(
    ("listener", "host", "reason"),
    [
        ("other-authority", "localhost", "smtp:tls"),
        ("other-name", "localhost", "smtp:tls"),
        ("full", "127.0.0.1", "smtp:tls"),  # a certificate of a name is none of an address
        ("no-tls", "localhost", "smtp:not-offered"),
    ],
)
async def test_any_other_gets_nothing_and_above_all_nothing_in_clear(
    postfix: Postfix, listener: str, host: str, reason: str
) -> None:
    async with channel_to(postfix.ports[listener], host=host) as channel:
        with pytest.raises(ChannelError) as caught:
            await channel.send(MAIL)
        assert (caught.value.consequence, caught.value.reason) == (Consequence.CONFIGURATION, reason)
        assert "SMTP_TLS" in (await channel.check() or "")
    said = await wait_for(lambda: postfix.sessions(listener)[-1:], "the end of the session")
    assert not {"mail", "rcpt", "data", "auth"} & {word.partition("=")[0] for word in said[0].split()}, said
    assert postfix.count() == 0


async def test_a_notice_waits_for_a_relay_with_the_right_certificate_and_leaves_once(
    postfix: Postfix, house: House
) -> None:
    member = house.member()
    await house.upstream.contact(member, login_email=TO)
    async with house.notifier(**handing_to(postfix, "other-authority")):
        now = SystemClock().now()
        event = event_of("identity.account-locked.v1", member, id=f"{member}-1", time=now, locked_at=now)
        await house.upstream.publish(event)

        async def tried() -> bool:
            return await house.attempts(member) >= 2

        await wait_for(tried, "two attempts")
        assert [(row["state"], row["reason"]) for row in await house.rows(member)] == [("retrying", "smtp:tls")]
    assert postfix.count() == 0
    async with house.notifier(**handing_to(postfix, "full")):
        assert await house.ended(member, 1) == [("account-locked", "login", "sent", None)]
    await wait_for(lambda: postfix.mail_of(TO), "the mail")
    assert postfix.count() == 1
