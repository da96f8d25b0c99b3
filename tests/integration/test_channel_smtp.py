"""E-mail towards a relay that misbehaves to order: kept connections, replies as consequences, certainty at the dot."""

import asyncio
import ssl
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from demo.catcher import Catcher, Fault, SmtpPolicy
from services.notifier.channels import email_smtp
from services.notifier.channels.base import ChannelError, Consequence, OutgoingMessage, Sent
from services.notifier.channels.email_smtp import MAX_AGE_SECONDS, MAX_MESSAGES, Relay, SmtpChannel
from tests.support.waiting import wait_for

TO, SENDER, PASSWORD = "zq7.anna@example.test", "notices@example.test", "Zq7-password"
BODY = b"Subject: Zq7\r\nMessage-ID: <n-1@example.test>\r\n\r\nYour code is 246810\r\n"
LOST_SECONDS = 0.5
"""The whole time-out of a hand-over that never ends."""
Tls = Literal["starttls", "implicit", "none"]


def message(to: str = TO, body: bytes = BODY) -> OutgoingMessage:
    return OutgoingMessage(id="n-1", address=to, body=body, sender=SENDER, expires_at=None)


@asynccontextmanager
async def channel_to(port: int, *, seconds: float = 10, **more: Any) -> AsyncIterator[SmtpChannel]:
    channel = SmtpChannel(Relay(**{"host": "127.0.0.1", "port": port, "tls": "none", "send_seconds": seconds, **more}))
    try:
        yield channel
    finally:
        await channel.close()


@pytest.fixture
async def catcher() -> AsyncIterator[Catcher]:
    async with Catcher() as running:
        yield running


@pytest.fixture
async def channel(catcher: Catcher) -> AsyncIterator[SmtpChannel]:
    async with channel_to(catcher.smtp_port) as channel:
        yield channel


async def refused(channel: SmtpChannel, mail: OutgoingMessage | None = None) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await channel.send(mail or message())
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
    for private in ("zq7", "Zq7", "246810", PASSWORD):
        assert private not in told
    return caught.value


# --- connections ------------------------------------------------------------------------------------------------------


async def test_a_mail_arrives_and_its_connection_is_kept(catcher: Catcher, channel: SmtpChannel) -> None:
    for _ in range(5):
        assert await channel.send(message()) == Sent(reply_code="250")
    assert catcher.relay.connections == 1
    assert [(mail.sender, mail.recipients, mail.raw) for mail in catcher.mails] == [(SENDER, (TO,), BODY)] * 5


async def test_a_connection_that_carried_enough_is_closed(
    catcher: Catcher, channel: SmtpChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_MESSAGES == 200
    monkeypatch.setattr(email_smtp, "MAX_MESSAGES", 3)
    for _ in range(7):
        await channel.send(message())
    assert catcher.relay.connections == 3
    await wait_for(lambda: catcher.relay.open_connections == 1, "old connections closed")


async def test_a_connection_that_lived_long_enough_is_closed(catcher: Catcher, channel: SmtpChannel) -> None:
    await channel.send(message())
    channel._idle[0].born = time.monotonic() - MAX_AGE_SECONDS
    await channel.send(message())
    assert catcher.relay.connections == 2
    await wait_for(lambda: catcher.relay.open_connections == 1, "the old connection closed")


async def test_an_idle_connection_the_relay_closed_is_no_failure_of_a_message(
    catcher: Catcher, channel: SmtpChannel
) -> None:
    await asyncio.gather(*(channel.send(message()) for _ in range(3)))
    catcher.relay_down(60)
    catcher.behave()
    for _ in range(3):
        await channel.send(message())
    assert catcher.inbox.mail_count == 6


@pytest.mark.parametrize(
    "fault",
    [
        Fault(at="mail", action="disconnect"),
        Fault(at="mail", reply="421 4.4.2 Idle for too long, closing"),
    ],
    ids=["cut", "goodbye"],
)
async def test_a_kept_connection_that_dies_at_mail_is_replaced(
    catcher: Catcher, channel: SmtpChannel, fault: Fault
) -> None:
    await channel.send(message())
    catcher.misbehave(fault)
    await channel.send(message())
    assert (catcher.inbox.mail_count, catcher.relay.connections) == (2, 2)


async def test_a_new_connection_that_dies_at_mail_is_tried_later(catcher: Catcher, channel: SmtpChannel) -> None:
    catcher.misbehave(Fault(at="mail", action="disconnect"), Fault(at="mail", reply="421 4.3.2 Closing"))
    assert (await refused(channel)).consequence is Consequence.RETRY
    assert (await refused(channel)).consequence is Consequence.RETRY


async def test_many_at_once_have_a_connection_each_and_keep_it(catcher: Catcher, channel: SmtpChannel) -> None:
    addresses = [f"m{number}@example.test" for number in range(30)]
    for _ in range(2):
        await asyncio.gather(*(channel.send(message(address)) for address in addresses))
    assert catcher.relay.connections <= 30
    assert catcher.inbox.recipients == dict.fromkeys(addresses, 2)


async def test_what_fails_beside_others_fails_alone(catcher: Catcher, channel: SmtpChannel) -> None:
    addresses = [f"{'nouser' if number % 3 == 0 else 'm'}{number}@example.test" for number in range(12)]
    results = await asyncio.gather(*(channel.send(message(each)) for each in addresses), return_exceptions=True)
    assert [isinstance(result, ChannelError) for result in results] == [number % 3 == 0 for number in range(12)]
    assert catcher.inbox.mail_count == 8


async def test_closing_leaves_no_connection_behind(catcher: Catcher) -> None:
    async with channel_to(catcher.smtp_port) as channel:
        await asyncio.gather(*(channel.send(message()) for _ in range(5)))
        assert catcher.relay.open_connections == 5
    await wait_for(lambda: catcher.relay.open_connections == 0, "all connections closed")


async def test_a_hand_over_that_is_cancelled_closes_its_connection(catcher: Catcher, channel: SmtpChannel) -> None:
    catcher.misbehave(Fault(at="data", action="silence"))
    sending = asyncio.create_task(channel.send(message()))
    await wait_for(lambda: catcher.faults.struck, "a relay that says nothing")
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await wait_for(lambda: catcher.relay.open_connections == 0, "the connection closed")


# --- replies ----------------------------------------------------------------------------------------------------------

RETRY, PERMANENT, CONFIGURATION = Consequence.RETRY, Consequence.PERMANENT, Consequence.CONFIGURATION


@pytest.mark.parametrize("at", ["mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize(
    ("reply", "consequence"),
    [
        ("550 5.1.1 zq7.anna@example.test: no such user", PERMANENT),
        ("551 5.7.1 Not here", PERMANENT),
        ("552 5.2.2 Mailbox full", RETRY),
        ("552 5.3.4 Message too big", PERMANENT),
        ("553 5.1.3 Bad address", PERMANENT),
        ("554 5.7.1 Refused", PERMANENT),
        ("450 4.2.0 Greylisted", RETRY),
        ("451 4.3.0 Local error", RETRY),
        ("452 4.2.2 Mailbox full", RETRY),
        ("421 4.3.2 Shutting down", RETRY),
        ("530 5.7.0 Authentication required", CONFIGURATION),
        ("535 5.7.8 Bad credentials", CONFIGURATION),
        ("504 5.5.2 <box>: Helo command rejected: need fully-qualified hostname", CONFIGURATION),
        ("550 5.1.8 <notices@example.test>: Sender address rejected: Domain not found", CONFIGURATION),
        ("553 5.7.1 <notices@example.test>: Sender address rejected: not owned by user", CONFIGURATION),
        ("554 5.7.1 <unknown[127.0.0.1]>: Client host rejected: Access denied", CONFIGURATION),
        ("554 5.7.1 <zq7.anna@example.test>: Relay access denied", CONFIGURATION),
        ("550 5.7.1 Unable to relay", CONFIGURATION),
        ("550 <5.1.8@example.test>: no such user", PERMANENT),
    ],
)
async def test_each_reply_has_its_consequence_at_every_step(
    catcher: Catcher, channel: SmtpChannel, at: Any, reply: str, consequence: Consequence
) -> None:
    if at == "mail" and consequence is PERMANENT and not reply.startswith("552"):
        consequence = CONFIGURATION  # a sender refused is refused for every message
    catcher.misbehave(Fault(at=at, reply=reply))
    error = await refused(channel)
    assert (error.consequence, error.reason, error.reply_code) == (consequence, f"smtp:{reply[:3]}", reply[:3])
    assert (await channel.check() is None) is (consequence is not CONFIGURATION)
    await channel.send(message())
    assert catcher.inbox.mail_count == 1
    assert await channel.check() is None


@pytest.mark.parametrize(
    ("reply", "dead"),
    [
        ("550 5.1.1 zq7.anna@example.test: no such user", True),
        ("550 5.1.10 null MX", True),
        ("550 5.2.1 Mailbox disabled", True),
        ("550 no such user, or so it says", False),
        ("551 5.7.1 Not here 5.1.1", False),
        ("552 5.2.2 Mailbox full", False),
        ("450 4.1.1 Try later", False),
    ],
)
async def test_only_a_final_no_to_the_address_itself_closes_it(
    catcher: Catcher, channel: SmtpChannel, reply: str, *, dead: bool
) -> None:
    catcher.misbehave(Fault(at="rcpt", reply=reply))
    assert (await refused(channel)).suppresses == ("address-bounced" if dead else None)


@pytest.mark.parametrize("reply", ["421 4.3.2 Too busy", "554 5.3.2 Not now", "450 4.7.0 Wait"])
async def test_a_relay_that_greets_with_a_refusal_is_tried_later(
    catcher: Catcher, channel: SmtpChannel, reply: str
) -> None:
    catcher.misbehave(Fault(at="greeting", reply=reply))
    error = await refused(channel)
    assert (error.consequence, error.reply_code) == (RETRY, reply[:3])


async def test_a_mail_that_is_accepted_with_another_success_is_sent(catcher: Catcher, channel: SmtpChannel) -> None:
    catcher.misbehave(Fault(at="dot", reply="251 2.0.0 Fine", store=True))
    assert await channel.send(message()) == Sent(reply_code="251")


async def test_nobody_there_means_later(catcher: Catcher, channel: SmtpChannel) -> None:
    catcher.relay_down(60)
    error = await refused(channel)
    assert (error.consequence, error.reason) == (RETRY, "smtp:unreachable")


# --- what broke, and where --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["greeting", "mail", "rcpt", "data"])
@pytest.mark.parametrize(("action", "reason"), [("disconnect", "smtp:disconnected"), ("silence", "smtp:time-out")])
async def test_what_breaks_before_the_message_goes_later(catcher: Catcher, at: Any, action: Any, reason: str) -> None:
    catcher.misbehave(Fault(at=at, action=action))
    async with channel_to(catcher.smtp_port, seconds=LOST_SECONDS if action == "silence" else 10) as channel:
        error = await refused(channel)
        assert (error.consequence, error.reason) == (RETRY, reason)
        await channel.send(message())


@pytest.mark.parametrize(
    ("fault", "reason", "copies"),
    [
        (Fault(at="body", action="disconnect"), "smtp:disconnected-after-data", 0),
        (Fault(at="body", action="silence"), "smtp:time-out-after-data", 0),
        (Fault(at="dot", action="disconnect"), "smtp:disconnected-after-data", 0),
        (Fault(at="dot", action="disconnect", store=True), "smtp:disconnected-after-data", 1),
        (Fault(at="dot", action="silence"), "smtp:time-out-after-data", 0),
        (Fault(at="dot", action="silence", store=True), "smtp:time-out-after-data", 1),
        (Fault(at="dot", action="drip", drip_seconds=0.2), "smtp:time-out-after-data", 1),
    ],
    ids=lambda value: f"{value.at}-{value.action}-{value.store}" if isinstance(value, Fault) else None,
)
async def test_what_breaks_after_the_message_is_unknown_whether_it_arrived_or_not(
    catcher: Catcher, fault: Fault, reason: str, copies: int
) -> None:
    catcher.misbehave(fault)
    async with channel_to(catcher.smtp_port, seconds=LOST_SECONDS) as channel:
        error = await refused(channel)
        assert (error.consequence, error.reason, error.reply_code) == (Consequence.UNKNOWN, reason, None)
        assert catcher.inbox.mail_count == copies
        await channel.send(message())
    assert catcher.inbox.mail_count == copies + 1


@pytest.mark.parametrize("at", ["greeting", "mail", "rcpt", "data"])
async def test_one_time_out_holds_for_the_whole_and_not_for_each_byte(catcher: Catcher, at: Any) -> None:
    reply = {"greeting": "220 catcher.invalid", "data": "354 go on"}.get(at, "250 2.0.0 Ok")
    catcher.misbehave(Fault(at=at, action="drip", reply=reply, drip_seconds=0.2))
    async with channel_to(catcher.smtp_port, seconds=LOST_SECONDS) as channel:
        error = await refused(channel)
    assert (error.consequence, error.reason) == (RETRY, "smtp:time-out")


async def test_a_broken_connection_is_not_used_again(catcher: Catcher, channel: SmtpChannel) -> None:
    await channel.send(message())
    catcher.misbehave(Fault(at="rcpt", reply="450 4.2.0 Later"))
    await refused(channel)
    await channel.send(message())
    assert [mail.recipients for mail in catcher.mails] == [(TO,)] * 2


# --- bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"A: b\r\n\r\n.\r\n",
        b"A: b\r\n\r\n.dot\r\n..two\r\n...\r\nx.y\r\n.\r\n",
        b".A: b\r\n\r\n\r\n.\r\n",
        b"A: b\r\n\r\n\r\n\r\n.\r\n.\r\n",
        b"A: b\r\n\r\n" + b"x" * 998 + b"\r\n",
        b"A: b\r\n\r\n" + (b".=" * 30 + b"\r\n") * 40_000,
    ],
    ids=range(6),
)
async def test_every_body_arrives_byte_for_byte(catcher: Catcher, channel: SmtpChannel, body: bytes) -> None:
    await channel.send(message(body=body))
    await channel.send(message())
    assert [mail.raw for mail in catcher.mails] == [body, BODY]


async def test_a_body_without_a_last_line_end_gets_one(catcher: Catcher, channel: SmtpChannel) -> None:
    await channel.send(message(body=b"A: b\r\n\r\nend"))
    assert catcher.mails[0].raw == b"A: b\r\n\r\nend\r\n"


# --- replies nobody can read ------------------------------------------------------------------------------------------


@asynccontextmanager
async def saying(*replies: bytes) -> AsyncIterator[int]:
    """A relay that says these things, one for each thing it is told, and a fitting one after them; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = list(replies)
        writer.write(left.pop(0))
        in_body = False
        while line := await reader.readline():
            if in_body and line != b".\r\n":
                continue
            reply = left.pop(0) if left else b"250 Ok\r\n"
            in_body = line.upper().startswith(b"DATA") and reply.startswith(b"354")
            writer.write(reply)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


GREETING, OK, GO_ON = b"220 here\r\n", b"250 Ok\r\n", b"354 Go on\r\n"


@pytest.mark.parametrize("noise", [b"Zq7 what?\r\n", b"\r\n", b"999 Zq7\r\n", b"354 Zq7\r\n", b"150 Zq7\r\n"])
async def test_an_answer_to_the_dot_that_means_nothing_is_unknown(noise: bytes) -> None:
    async with saying(GREETING, OK, OK, OK, GO_ON, noise) as port, channel_to(port) as channel:
        error = await refused(channel)
    assert (error.consequence, error.reason) == (Consequence.UNKNOWN, "smtp:unreadable-after-data")


@pytest.mark.parametrize("spoken", range(5))
async def test_an_answer_before_it_that_means_nothing_goes_later(spoken: int) -> None:
    said = [GREETING, OK, OK, OK, GO_ON][:spoken]
    async with saying(*said, b"Zq7 what?\r\n") as port, channel_to(port) as channel:
        assert (await refused(channel)).consequence is RETRY


# --- TLS and credentials ----------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str = "localhost") -> tuple[ssl.SSLContext, Path]:
    """A server's context, and the file that holds the one certificate to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public = built.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    trusted, both = folder / "trusted.pem", folder / "server.pem"
    trusted.write_bytes(public)
    both.write_bytes(private + public)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(both)
    return server, trusted


Trust = Callable[[Path], None]


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch) -> Trust:
    """As an operator trusts the relay's authority: OpenSSL's own variable."""
    return lambda file: monkeypatch.setenv("SSL_CERT_FILE", str(file))


async def test_starttls_is_used_and_verified(tmp_path: Path, trust: Trust) -> None:
    server, trusted = certificate(tmp_path)
    trust(trusted)
    async with (
        Catcher(policy=SmtpPolicy(tls=server)) as catcher,
        channel_to(catcher.smtp_port, host="localhost", tls="starttls") as channel,
    ):
        await channel.send(message())
        await channel.send(message())
        assert (catcher.inbox.mail_count, catcher.relay.connections) == (2, 1)


@pytest.mark.parametrize("name", ["localhost", "other.test"])
async def test_a_certificate_nobody_vouches_for_gets_no_mail(tmp_path: Path, trust: Trust, name: str) -> None:
    server, trusted = certificate(tmp_path, name)
    if name != "localhost":
        trust(trusted)
    async with (
        Catcher(policy=SmtpPolicy(tls=server)) as catcher,
        channel_to(catcher.smtp_port, host="localhost", tls="starttls") as channel,
    ):
        error = await refused(channel)
        assert (error.consequence, error.reason) == (CONFIGURATION, "smtp:tls")
        assert "SMTP_TLS" in (await channel.check() or "")
        assert catcher.inbox.mail_count == 0


async def test_starttls_that_was_stripped_gets_no_mail(catcher: Catcher) -> None:
    async with channel_to(catcher.smtp_port, host="localhost", tls="starttls") as channel:
        error = await refused(channel)
        assert (error.consequence, error.reason) == (CONFIGURATION, "smtp:not-offered")
        assert await channel.check() is not None
    assert catcher.inbox.mail_count == 0


async def test_a_password_is_not_said_before_tls(tmp_path: Path, trust: Trust) -> None:
    server, trusted = certificate(tmp_path)
    trust(trusted)
    who: dict[str, Any] = {"username": "user", "password": PASSWORD}
    async with Catcher(policy=SmtpPolicy(tls=server, credentials=("user", PASSWORD))) as catcher:
        async with channel_to(catcher.smtp_port, host="localhost", tls="starttls", **who) as channel:
            await channel.send(message())
        assert catcher.inbox.mail_count == 1


async def test_implicit_tls_towards_a_relay_that_speaks_in_clear_gets_no_mail(catcher: Catcher) -> None:
    async with channel_to(catcher.smtp_port, host="localhost", tls="implicit") as channel:
        error = await refused(channel)
    assert (error.consequence, error.reason) == (CONFIGURATION, "smtp:tls")
    assert catcher.inbox.mail_count == 0


async def test_refused_credentials_are_ours_to_mend_and_readiness_says_where() -> None:
    async with Catcher(policy=SmtpPolicy(credentials=("user", "right"))) as catcher:
        async with channel_to(catcher.smtp_port, username="user", password=PASSWORD) as channel:
            error = await refused(channel)
            assert (error.consequence, error.reason) == (CONFIGURATION, "smtp:535")
            assert "SMTP_PASSWORD" in (await channel.check() or "")
        async with channel_to(catcher.smtp_port) as channel:
            assert (await refused(channel)).consequence is CONFIGURATION
        assert catcher.inbox.mail_count == 0


async def test_a_relay_that_cannot_check_credentials_just_now_is_tried_later(catcher: Catcher) -> None:
    catcher.misbehave(Fault(at="auth", reply="454 4.7.0 Temporary failure", times=None))
    async with channel_to(catcher.smtp_port, username="user", password=PASSWORD) as channel:
        assert (await refused(channel)).consequence is RETRY
        assert await channel.check() is None
