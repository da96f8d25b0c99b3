"""The relay's side of SMTP: RFC 5321 with PIPELINING, 8BITMIME, STARTTLS and AUTH, as strict as a strict relay.

A protocol of our own and not aiosmtpd's, because the catcher shares two cores with what it measures: aiosmtpd takes
about 600 µs a mail, as much as the sender itself. A contract test holds the two side by side, reply code by reply code.
"""

import base64
import binascii
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from demo.catcher.faults import Faults
from demo.catcher.inbox import Inbox
from demo.catcher.wire import MAX_MAIL_BYTES, Wire

HOSTNAME = "catcher.invalid"
MAX_LINE_BYTES = 998

_MAIL = re.compile(r"FROM:\s*<([^<>\s]*)>((?:\s+[A-Z0-9-]+(?:=[^\s=]+)?)*)", re.IGNORECASE)
_RCPT = re.compile(r"TO:\s*<([^<>\s@]+@[^<>\s@]+|postmaster)>", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class SmtpPolicy:
    """With `tls`, MAIL and AUTH need STARTTLS first; with `credentials` (user, password), MAIL needs AUTH.

    Without `credentials` AUTH is offered and everybody's password is right.
    """

    tls: ssl.SSLContext | None = None
    credentials: tuple[str, str] | None = None


class SmtpSession(Wire):
    """One client's dialogue; each accepted mail goes into the inbox before its 250 is written."""

    def __init__(self, inbox: Inbox, faults: Faults, policy: SmtpPolicy, closed: Callable[[Wire], None]) -> None:
        super().__init__(faults, closed)
        self._inbox = inbox
        self._policy = policy
        self._tls_on = False
        self._greeted = False
        self._authenticated = False
        self._auth_step: Callable[[str], None] | None = None
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._commands: dict[str, Callable[[str], None]] = {
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": lambda _: self.send("250 2.0.0 Ok"),
            "VRFY": lambda _: self.send("252 2.0.0 Cannot VRFY user"),
            "QUIT": self._quit,
            "STARTTLS": self._starttls,
            "AUTH": self._auth,
        }

    def greet(self) -> None:
        self.answer("greeting", (), f"220 {HOSTNAME} ESMTP")

    def encrypted(self) -> None:
        self._tls_on, self._greeted, self._authenticated = True, False, False
        self._forget()

    def _forget(self) -> None:
        self._sender = None
        self._recipients = []

    def command(self, line: str) -> None:
        if self._auth_step is not None:
            step, self._auth_step = self._auth_step, None
            step(line)
            return
        verb, _, argument = line.partition(" ")
        handler = self._commands.get(verb.upper())
        if handler is None or not line.isascii():
            self.send("500 5.5.2 Error: command not recognized")
        else:
            handler(argument.strip())

    def end_of_data(self, raw: bytes) -> None:
        sender, recipients = self._sender or "", tuple(self._recipients)
        self._forget()
        refusal = _refuse_content(raw)
        if refusal:
            self.send(refusal)
        elif self.answer("dot", recipients, f"250 2.0.0 Ok: queued as {self._inbox.next_id}"):
            self._inbox.add_mail(sender, recipients, raw)

    def _ehlo(self, argument: str) -> None:
        if not argument:
            self.send("501 5.5.4 Syntax: EHLO hostname")
            return
        self._greeted = True
        self._forget()
        starttls = self._policy.tls is not None and not self._tls_on
        extensions = ["PIPELINING", f"SIZE {MAX_MAIL_BYTES}", "8BITMIME", "ENHANCEDSTATUSCODES"]
        extensions.append("STARTTLS" if starttls else "AUTH PLAIN LOGIN")
        lines = [f"250-{line}" for line in (HOSTNAME, *extensions[:-1])]
        self.send("\r\n".join([*lines, f"250 {extensions[-1]}"]))

    def _helo(self, argument: str) -> None:
        if not argument:
            self.send("501 5.5.4 Syntax: HELO hostname")
            return
        self._greeted = True
        self._forget()
        self.send(f"250 {HOSTNAME}")

    def _mail(self, argument: str) -> None:
        refusal = self._not_ready()
        if refusal:
            self.send(refusal)
            return
        found = _MAIL.fullmatch(argument)
        if found is None:
            self.send("501 5.5.4 Syntax: MAIL FROM:<address>")
            return
        refusal = _refuse_parameters(found[2])
        if refusal:
            self.send(refusal)
        elif self.answer("mail", (found[1],), "250 2.1.0 Ok"):
            self._sender = found[1]

    def _not_ready(self) -> str:
        if not self._greeted:
            return "503 5.5.1 Error: send EHLO first"
        if self._policy.tls is not None and not self._tls_on:
            return "530 5.7.0 Must issue a STARTTLS command first"
        if self._policy.credentials is not None and not self._authenticated:
            return "530 5.7.0 Authentication required"
        return "503 5.5.1 Error: nested MAIL command" if self._sender is not None else ""

    def _rcpt(self, argument: str) -> None:
        if self._sender is None:
            self.send("503 5.5.1 Error: need MAIL command")
            return
        found = _RCPT.fullmatch(argument)
        if found is None:
            self.send("501 5.1.3 Syntax: RCPT TO:<address>")
        elif self.answer("rcpt", (found[1],), "250 2.1.5 Ok"):
            self._recipients.append(found[1])

    def _data(self, argument: str) -> None:
        if argument:
            self.send("501 5.5.4 Syntax: DATA")
        elif not self._recipients:
            self.send("503 5.5.1 Error: need RCPT command")
        elif self.answer("data", self._recipients, "354 End data with <CR><LF>.<CR><LF>"):
            self.start_body(self.faults.take("body", self._recipients))

    def _rset(self, argument: str) -> None:
        self._forget()
        self.send("501 5.5.4 Syntax: RSET" if argument else "250 2.0.0 Ok")

    def _quit(self, argument: str) -> None:
        if argument:
            self.send("501 5.5.4 Syntax: QUIT")
            return
        self.send("221 2.0.0 Bye")
        self.hang_up()

    def _starttls(self, argument: str) -> None:
        if argument:
            self.send("501 5.5.4 Syntax: STARTTLS")
        elif self._policy.tls is None or self._tls_on:
            self.send("502 5.5.1 Error: STARTTLS not available")
        else:
            self.send("220 2.0.0 Ready to start TLS")
            self.start_tls(self._policy.tls)

    def _auth(self, argument: str) -> None:
        mechanism, _, initial = argument.partition(" ")
        if self._policy.tls is not None and not self._tls_on:
            self.send("530 5.7.0 Must issue a STARTTLS command first")
        elif not self._greeted or self._authenticated or self._sender is not None:
            self.send("503 5.5.1 Error: AUTH not allowed here")
        elif mechanism.upper() == "PLAIN":
            self._expect("", self._auth_plain, initial)
        elif mechanism.upper() == "LOGIN":
            self._expect("VXNlcm5hbWU6", self._auth_login, initial)
        else:
            self.send("504 5.5.4 Unrecognized authentication type")

    def _expect(self, challenge: str, step: Callable[[str], None], initial: str = "") -> None:
        if initial:
            step(initial)
        else:
            self._auth_step = step
            self.send(f"334 {challenge}")

    def _auth_plain(self, line: str) -> None:
        parts = _base64(line).split("\0")
        self._judge((parts[-2], parts[-1]) if len(parts) == 3 else None)

    def _auth_login(self, line: str) -> None:
        user = _base64(line)
        self._expect("UGFzc3dvcmQ6", lambda password: self._judge((user, _base64(password)) if user else None))

    def _judge(self, given: tuple[str, str] | None) -> None:
        if given is None:
            self.send("501 5.5.2 Cannot decode the response")
        elif self._policy.credentials in {None, given}:
            self._authenticated = self.answer("auth", (), "235 2.7.0 Authentication successful")
        else:
            self.send("535 5.7.8 Authentication credentials invalid")


def _base64(line: str) -> str:
    """Empty where the line is no base64, or `*`, which gives up."""
    try:
        return base64.b64decode(line, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _refuse_parameters(parameters: str) -> str:
    for parameter in parameters.upper().split():
        name, _, value = parameter.partition("=")
        if name == "SIZE" and value.isdigit():
            if int(value) > MAX_MAIL_BYTES:
                return "552 5.3.4 Message size exceeds fixed limit"
        elif parameter not in {"BODY=7BIT", "BODY=8BITMIME"} and name != "AUTH":
            return "555 5.5.4 Unsupported option"
    return ""


def _refuse_content(raw: bytes) -> str:
    """What strict relays refuse and lax ones rewrite, which breaks signatures: a catcher that shrugs hides a bug."""
    if len(raw) > MAX_MAIL_BYTES:
        return "552 5.3.4 Message size exceeds fixed limit"
    ends = raw.count(b"\r\n")
    if raw.count(b"\n") != ends or raw.count(b"\r") != ends:
        return "550 5.6.0 Bare CR or LF in message"
    if max(map(len, raw.split(b"\r\n"))) > MAX_LINE_BYTES:
        return "500 5.6.0 Line too long (RFC 5321, 4.5.3.1.6)"
    return ""
