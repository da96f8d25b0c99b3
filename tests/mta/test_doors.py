"""What a real Postfix has against a client, a sender or a recipient, and what it means for us."""

import socket
from dataclasses import replace

import pytest

from services.notifier.channels.base import ChannelError, Consequence, Sent
from tests.mta.occasions import DOMAIN
from tests.mta.postfix import Postfix
from tests.mta.test_starttls import MAIL, TO, channel_to
from tests.support.waiting import wait_for

OURS, THEIRS = Consequence.CONFIGURATION, Consequence.PERMANENT


@pytest.mark.parametrize(
    ("listener", "to", "reason", "consequence"),
    [
        ("not-our-sender", TO, "smtp:554", OURS),
        ("not-our-client", TO, "smtp:554", OURS),
        ("full", "anna@elsewhere.example.test", "smtp:554", OURS),  # relay access denied
        ("full", f"stranger@{DOMAIN}", "smtp:550", THEIRS),
        ("small", TO, "smtp:552", THEIRS),
    ],
)
async def test_what_is_said_about_us_is_ours_to_mend_and_what_is_said_about_a_recipient_is_final(
    postfix: Postfix, listener: str, to: str, reason: str, consequence: Consequence
) -> None:
    body = MAIL.body + 400 * (b"x" * 70 + b"\r\n")
    async with channel_to(postfix.ports[listener]) as channel:
        with pytest.raises(ChannelError) as caught:
            await channel.send(replace(MAIL, address=to, body=body))
        assert (caught.value.reason, caught.value.consequence) == (reason, consequence)
        assert (await channel.check() is None) is (consequence is THEIRS)
    assert postfix.count() == 0


@pytest.mark.parametrize("name", ["3f2a1bc9d0e1", "notifier.example.test", "odd_name"])
async def test_a_relay_that_wants_a_whole_name_at_helo_takes_mail_from_any_machine(
    postfix: Postfix, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    async with channel_to(postfix.ports["whole-name"]) as channel:
        assert await channel.send(MAIL) == Sent(reply_code="250")
    await wait_for(lambda: postfix.mail_of(TO), "the mail")


@pytest.mark.parametrize(
    "lines",
    [
        [b".", b"..", b".dot", b"", b"."],
        [b"x" * 998],
        [b"no end"],
    ],
    ids=["dots", "998", "plain"],
)
async def test_what_is_handed_over_is_what_lies_in_the_mailbox(postfix: Postfix, lines: list[bytes]) -> None:
    head = b"From: a@example.test\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\nMessage-ID: <n-1@example.test>\r\n"
    body = head + b"To: b@example.test\r\nSubject: x\r\n\r\n" + b"\r\n".join(lines) + b"\r\n"
    async with channel_to(postfix.ports["plainest"]) as channel:
        await channel.send(replace(MAIL, body=body))
    (raw,) = await wait_for(lambda: postfix.mail_of(TO), "the mail")
    assert raw.endswith(b"\n" + body.replace(b"\r\n", b"\n"))
