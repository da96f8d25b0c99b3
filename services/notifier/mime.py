"""Subject, HTML and text → the bytes of an Internet message. Pure.

Our own assembly, because the standard library's takes milliseconds a mail, ten times everything else together; the
tests hold every message against the standard library's parser. What we write is a fixed shape: multipart/alternative of
text and HTML, both quoted-printable, within a multipart/mixed where files go with it, which are base64; so every line
is short, ASCII, and ends in CRLF.
"""

import hashlib
import re
from base64 import b64encode, encodebytes
from binascii import b2a_qp
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,128}@[A-Za-z0-9.-]{1,255}>")
_DATE = re.compile(r"[A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}")
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Z]{2})?")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
_MEDIA_TYPE = re.compile(r"[a-z]{1,20}/[a-z0-9][a-z0-9.+-]{0,40}")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=^_`{|}~-]+( [A-Za-z0-9!#$%&'*+/=^_`{|}~-]+)*")
_PLAIN = re.compile(r"[\x21-\x7e]+( [\x21-\x7e]+)*")
_SHORT = 66
"""Characters of a header's value that fit beside its name in a line of 76."""
_CHUNK = 39
"""Bytes of UTF-8 in one encoded word: 64 characters with its frame, beside `Subject: ` still under 76."""


class HeaderError(ValueError):
    """A value that must not reach a header: the header's name, never the value."""

    def __init__(self, header: str) -> None:
        self.header = header
        super().__init__(f"{header}: not a value for a header")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail. Its name is ASCII, which every reader shows alike: `[A-Za-z0-9._-]`, at most 50."""

    filename: str
    content: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True, slots=True)
class Email:
    """What a reader sees. `subject` is one line; `html` and `text` are Unicode with any line ends."""

    subject: str
    html: str
    text: str
    constant: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)
    """Lines that every mail of this template has, encoded when it was loaded (`encoded_lines`): encoding is what
    assembling costs. Never filled from mails: their lines hold codes and names."""
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A From value, made by `mailbox`."""

    header: str


@lru_cache(maxsize=256)
def mailbox(name: str, address: str) -> Mailbox:
    """A display name, which may be empty, and an ASCII address. Raises `HeaderError`."""
    if _CONTROL.search(name):
        raise HeaderError("From")
    checked = _address(address, "From")
    if not name:
        return Mailbox(checked)
    plain = len(name) <= _SHORT and _ATOMS.fullmatch(name) and "=?" not in name
    return Mailbox(f"{name if plain else _encoded_words(name)}\r\n <{checked}>")


def assemble(
    email: Email, *, sender: Mailbox, recipient: str, message_id: str, date: str, language: str | None = None
) -> bytes:
    """The message, ready for DATA but for dot-stuffing, which belongs to the transport.

    The same arguments give the same bytes: `message_id` (`<id@domain>`) also makes the boundary. `date` is as
    `email.utils.format_datetime` writes it. Raises `HeaderError` for a value that is malformed or holds a control
    character.
    """
    if not _MESSAGE_ID.fullmatch(message_id):
        raise HeaderError("Message-ID")
    if not _DATE.fullmatch(date):
        raise HeaderError("Date")
    # `=_` cannot appear in quoted-printable text nor in base64, so no part can hold a boundary.
    digest = hashlib.sha256(message_id.encode()).hexdigest()
    head = (
        f"From: {sender.header}\r\n"
        f"To: {_address(recipient, 'To')}\r\n"
        f"Subject: {_unstructured(email.subject)}\r\n"
        f"Date: {date}\r\n"
        f"Message-ID: {message_id}\r\n"
        f"{_language(language)}"
        "Auto-Submitted: auto-generated\r\n"
        "X-Auto-Response-Suppress: All\r\n"
        "MIME-Version: 1.0\r\n"
    )
    parts = _alternative(email, f"=_{digest[:32]}")
    if email.attachments:
        parts = _mixed(parts, email.attachments, f"=_{digest[32:]}")
    return b"".join((head.encode("ascii"), *parts))


def _alternative(email: Email, boundary: str) -> tuple[bytes, ...]:
    head = f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n\r\n{_part_head(boundary, "plain")}'
    middle = f"\r\n{_part_head(boundary, 'html')}"
    return (
        head.encode("ascii"),
        _quoted_printable(email.text, email.constant),
        middle.encode("ascii"),
        _quoted_printable(email.html, email.constant),
        f"\r\n--{boundary}--\r\n".encode("ascii"),
    )


def _mixed(body: Iterable[bytes], attachments: Iterable[Attachment], boundary: str) -> tuple[bytes, ...]:
    head = f'Content-Type: multipart/mixed;\r\n boundary="{boundary}"\r\n\r\n--{boundary}\r\n'
    files = (part for attachment in attachments for part in _file(attachment, boundary))
    return (head.encode("ascii"), *body, *files, f"--{boundary}--\r\n".encode("ascii"))


def _file(attachment: Attachment, boundary: str) -> tuple[bytes, bytes]:
    if not _FILE.fullmatch(attachment.filename):
        raise HeaderError("Content-Disposition")
    if not _MEDIA_TYPE.fullmatch(attachment.media_type) or attachment.media_type.startswith(("multipart/", "message/")):
        raise HeaderError("Content-Type")
    head = (
        f"--{boundary}\r\n"
        f"Content-Type: {attachment.media_type}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment;\r\n filename="{attachment.filename}"\r\n'
        "\r\n"
    )
    return head.encode("ascii"), encodebytes(attachment.content).replace(b"\n", b"\r\n")


def _part_head(boundary: str, subtype: str) -> str:
    return (
        f"--{boundary}\r\n"
        f"Content-Type: text/{subtype}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n"
        "\r\n"
    )


def encoded_lines(lines: Iterable[str]) -> dict[str, bytes]:
    """Lines without their ends, each with its quoted-printable form and CRLF."""
    return {line: _encoded_line(line) for line in lines}


def _quoted_printable(text: str, constant: Mapping[str, bytes]) -> bytes:
    """Line by line, which quoted-printable allows: no line's form depends on its neighbours."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return b"".join([constant.get(line) or _encoded_line(line) for line in text.removesuffix("\n").split("\n")])


def _encoded_line(line: str) -> bytes:
    # The line end is part of it: binascii takes the style of its soft breaks from there.
    return b2a_qp(f"{line}\r\n".encode("utf-8", "replace"))


def _language(language: str | None) -> str:
    if language is None:
        return ""
    if not _LANGUAGE.fullmatch(language):
        raise HeaderError("Content-Language")
    return f"Content-Language: {language}\r\n"


def _address(address: str, header: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise HeaderError(header)
    return address


@lru_cache(maxsize=1024)
def _unstructured(text: str) -> str:
    if _CONTROL.search(text):
        raise HeaderError("Subject")
    if len(text) <= _SHORT and "=?" not in text and _PLAIN.fullmatch(text):
        return text
    return _encoded_words(text)


def _encoded_words(text: str) -> str:
    """RFC 2047, base64: each word at most 75 characters and whole in itself, a character is never split."""
    words: list[bytes] = []
    chunk = b""
    for char in text:
        encoded = char.encode()
        if len(chunk) + len(encoded) > _CHUNK:
            words.append(chunk)
            chunk = b""
        chunk += encoded
    words.append(chunk)
    return "\r\n ".join(f"=?utf-8?B?{b64encode(word).decode('ascii')}?=" for word in words)
