"""The catcher's relay: what it takes, what it refuses, and how it misbehaves."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from demo.catcher import Catcher, Fault, SmtpPolicy

MAIL = b"Subject: Hello\r\nMessage-ID: <1@example.test>\r\n\r\nHello.\r\n"
SENDER, TO = "notices@example.test", "anna@example.test"


@pytest.fixture
async def catcher() -> AsyncIterator[Catcher]:
    async with Catcher() as running:
        yield running


class Dialogue:
    """A client that says exactly what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def write_through(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def reply(self) -> str:
        """One reply, its last line; empty when the server has hung up."""
        while True:
            line = (await self._reader.readline()).decode()
            if line[3:4] != "-":
                return line.rstrip("\r\n")

    async def say(self, command: str) -> str:
        self.write(command.encode() + b"\r\n")
        return await self.reply()

    async def codes(self, *commands: str) -> list[str]:
        return [(await self.say(command))[:3] for command in commands]

    async def hung_up(self) -> bool:
        try:
            return await self._reader.read() == b""
        except ConnectionResetError:
            return True


@asynccontextmanager
async def dialogue(port: int) -> AsyncIterator[Dialogue]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Dialogue(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def transaction(port: int, to: str = TO) -> AsyncIterator[Dialogue]:
    """A dialogue that stands before DATA."""
    async with dialogue(port) as client:
        await client.reply()
        assert await client.codes("EHLO test", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{to}>") == ["250"] * 3
        yield client


async def send(catcher: Catcher, to: str = TO, mail: bytes = MAIL) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=catcher.smtp_port, start_tls=False) as client:
        await client.sendmail(SENDER, [to], mail)


async def test_a_mail_is_kept_byte_for_byte_with_its_envelope(catcher: Catcher) -> None:
    before = datetime.now(UTC)
    await send(catcher, mail=b"Subject: x\r\n\r\n.dot\r\n..two\r\nend\r\n")
    (mail,) = catcher.mails
    assert (mail.sender, mail.recipients) == (SENDER, (TO,))
    assert mail.raw == b"Subject: x\r\n\r\n.dot\r\n..two\r\nend\r\n"
    assert before <= mail.received_at <= datetime.now(UTC)


@pytest.mark.parametrize("body", [b"", b".", b"\r\n", b"a", b"a\r\n", b".\r\n.\r\n"])
async def test_bodies_at_the_edge_of_dot_stuffing_survive(catcher: Catcher, body: bytes) -> None:
    expected = body if body.endswith(b"\r\n") or not body else body + b"\r\n"
    async with transaction(catcher.smtp_port) as client:
        assert (await client.say("DATA"))[:3] == "354"
        stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in expected.split(b"\r\n"))
        client.write(stuffed + b".\r\n")
        assert (await client.reply())[:3] == "250"
    assert catcher.mails[0].raw == expected


async def test_a_transaction_in_one_write_is_answered_in_order(catcher: Catcher) -> None:
    envelope = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{TO}>\r\nDATA\r\n".encode()
    async with dialogue(catcher.smtp_port) as client:
        await client.reply()
        assert (await client.say("EHLO test"))[:3] == "250"
        client.write(envelope)
        assert [(await client.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
        client.write(MAIL + b".\r\n" + envelope)
        assert [(await client.reply())[:3] for _ in range(4)] == ["250", "250", "250", "354"]
    assert len(catcher.mails) == 1


async def test_a_body_may_come_byte_by_byte(catcher: Catcher) -> None:
    async with transaction(catcher.smtp_port) as client:
        await client.say("DATA")
        for byte in MAIL + b".\r\n":
            await client.write_through(bytes((byte,)))
        assert (await client.reply())[:3] == "250"
    assert catcher.mails[0].raw == MAIL


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"bare\nfeed\r\n", "550"),
        (b"bare\rreturn\r\n", "550"),
        (b"a" * 999 + b"\r\n", "500"),
        (b"a" * 998 + b"\r\n", "250"),
    ],
)
async def test_content_a_strict_relay_refuses_is_refused(catcher: Catcher, body: bytes, code: str) -> None:
    async with transaction(catcher.smtp_port) as client:
        await client.say("DATA")
        client.write(body + b".\r\n")
        assert (await client.reply())[:3] == code
    assert len(catcher.mails) == (code == "250")


DIALOGUES = [
    ["EHLO test", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{TO}>", "DATA"],
    ["HELO test", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{TO}>", "RSET", "DATA"],
    [f"MAIL FROM:<{SENDER}>", "EHLO", "EHLO test", f"RCPT TO:<{TO}>", "DATA", "NOOP"],
    ["EHLO test", f"MAIL FROM:<{SENDER}>", f"MAIL FROM:<{SENDER}>", "DATA"],
    ["EHLO test", f"MAIL FROM:<{SENDER}> SIZE=1000 BODY=8BITMIME", f"RCPT TO:<{TO}>"],
    ["EHLO test", f"MAIL FROM:<{SENDER}> SIZE=999999999", f"MAIL FROM:<{SENDER}> RET=HDRS"],
    ["EHLO test", "MAIL", "MAIL FROM:", f"mail from:<{SENDER}>", "RCPT", f"rcpt to:<{TO}>"],
    ["EHLO test", "NONSENSE", "", "QUIT now", "QUIT"],
]


@pytest.mark.parametrize("commands", DIALOGUES, ids=" / ".join)
async def test_reply_codes_are_those_of_aiosmtpd(catcher: Catcher, commands: list[str]) -> None:
    loop = asyncio.get_running_loop()
    reference = await loop.create_server(
        lambda: SMTP(object(), hostname="reference", loop=loop, data_size_limit=25 * 1024 * 1024), "127.0.0.1", 0
    )
    async with reference:
        codes = []
        for port in (catcher.smtp_port, reference.sockets[0].getsockname()[1]):
            async with dialogue(port) as client:
                await client.reply()
                codes.append(await client.codes(*commands))
    assert codes[0] == codes[1]


@pytest.mark.parametrize(
    ("to", "code"), [("nouser1@x.test", 550), ("Full@x.test", 552), ("grey@x.test", 450), ("busy@x.test", 421)]
)
async def test_some_mailboxes_always_misbehave(catcher: Catcher, to: str, code: int) -> None:
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        await send(catcher, to)
    assert refused.value.recipients[0].code == code
    assert catcher.mails == ()


async def test_after_421_the_server_hangs_up(catcher: Catcher) -> None:
    async with transaction(catcher.smtp_port) as client:
        assert (await client.say("RCPT TO:<busy@example.test>"))[:3] == "421"
        assert await client.hung_up()


@pytest.mark.parametrize("at", ["mail", "rcpt", "data", "dot"])
async def test_a_reply_can_be_ordered_at_each_step_and_is_used_up(catcher: Catcher, at: str) -> None:
    catcher.misbehave(Fault.model_validate({"at": at, "reply": "451 4.3.0 Ordered"}))
    with pytest.raises(aiosmtplib.SMTPException) as refused:
        await send(catcher)
    assert "451" in str(refused.value)
    assert catcher.inbox.count == 0
    await send(catcher)
    assert catcher.inbox.count == 1
    assert catcher.faults.struck == {f"{at}/reply": 1}


async def test_a_fault_strikes_only_whom_it_names(catcher: Catcher) -> None:
    catcher.misbehave(Fault(at="rcpt", to="*@slow.test", times=None, reply="451 4.3.0 Ordered"))
    await send(catcher)
    for _ in range(2):
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await send(catcher, "b@Slow.test")
    catcher.behave()
    await send(catcher, "b@slow.test")
    assert len(catcher.mails) == 2


@pytest.mark.parametrize(
    ("fault", "kept"),
    [
        (Fault(at="greeting", action="disconnect"), 0),
        (Fault(at="data", action="disconnect"), 0),
        (Fault(at="body", action="disconnect"), 0),
        (Fault(at="dot", action="disconnect"), 0),
        (Fault(at="dot", action="disconnect", store=True), 1),
    ],
    ids=lambda value: f"{value.at}-{value.store}" if isinstance(value, Fault) else "",
)
async def test_the_line_can_break_anywhere(catcher: Catcher, fault: Fault, kept: int) -> None:
    catcher.misbehave(fault)
    with pytest.raises((aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPConnectError)):
        await send(catcher)
    assert len(catcher.mails) == kept


@pytest.mark.parametrize(("at", "store", "kept"), [("data", False, 0), ("dot", False, 0), ("dot", True, 1)])
async def test_the_server_can_fall_silent(catcher: Catcher, at: str, store: bool, kept: int) -> None:
    catcher.misbehave(Fault.model_validate({"at": at, "action": "silence", "store": store}))
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=catcher.smtp_port, start_tls=False, timeout=0.3)
    await client.connect()
    with pytest.raises(aiosmtplib.SMTPTimeoutError):
        await client.sendmail(SENDER, [TO], MAIL)
    client.close()
    assert len(catcher.mails) == kept


async def test_a_dripping_reply_comes_whole_in_the_end(catcher: Catcher) -> None:
    catcher.misbehave(Fault(at="dot", action="drip", drip_seconds=0.001))
    await send(catcher)
    assert len(catcher.mails) == 1


async def test_down_means_cut_and_refused_and_then_back_on_the_same_port(catcher: Catcher) -> None:
    async with transaction(catcher.smtp_port) as client:
        catcher.relay_down(3600)
        assert catcher.relay.down_until is not None
        assert await client.hung_up()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", catcher.smtp_port)
    catcher.behave()
    await send(catcher)
    assert len(catcher.mails) == 1


async def test_down_for_a_while_ends_by_itself(catcher: Catcher) -> None:
    catcher.relay_down(0.05)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", catcher.smtp_port)
    await catcher.wait_for(lambda: catcher.relay.down_until is None, "the relay comes back")
    await send(catcher)
    assert len(catcher.mails) == 1


async def test_credentials_are_asked_for_where_the_policy_says_so() -> None:
    async with Catcher(policy=SmtpPolicy(credentials=("portal", "right"))) as catcher:
        with pytest.raises(aiosmtplib.SMTPSenderRefused, match="Authentication required"):
            await send(catcher)
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=catcher.smtp_port, start_tls=False)
        async with client:
            with pytest.raises(aiosmtplib.SMTPAuthenticationError):
                await client.login("portal", "wrong")
            await client.auth_login("portal", "right")
            await client.sendmail(SENDER, [TO], MAIL)
        assert len(catcher.mails) == 1


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server context for 127.0.0.1, and a client's that trusts it alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + built.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


async def test_with_a_certificate_nothing_goes_in_clear(tmp_path: Path) -> None:
    server, client_context = certificate(tmp_path)
    async with Catcher(policy=SmtpPolicy(tls=server)) as catcher:
        with pytest.raises(aiosmtplib.SMTPSenderRefused, match="STARTTLS"):
            await send(catcher)
        client = aiosmtplib.SMTP(
            hostname="localhost", port=catcher.smtp_port, start_tls=True, tls_context=client_context
        )
        async with client:
            await client.sendmail(SENDER, [TO], MAIL)
        assert len(catcher.mails) == 1
