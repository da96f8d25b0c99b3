"""What was caught: mails, texts and what a portal shows, as they came in, read lazily.

Nothing here is work while a flood comes in: subject, parts and headers are read when somebody looks.
"""

import math
import re
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from functools import cached_property

_FOLD = re.compile(rb"\r\n[ \t]+")
_HTML_LANGUAGE = re.compile(r"<html[^>]*?\slang=[\"']?([A-Za-z-]{2,35})", re.IGNORECASE)

# 3GPP TS 23.038: the basic table, and the characters that cost an escape.
_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("\f^{}\\[~]|€")


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A part that a reader would save: its name as sent (untrusted), type and bytes."""

    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True, kw_only=True, eq=False)
class Mail:
    """One accepted mail: the envelope and the bytes after dot-unstuffing, each line ending in CRLF.

    `sender` is empty for the null reverse-path. `recipients` are as the client wrote them.
    """

    id: int
    received_at: datetime
    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    @property
    def size(self) -> int:
        """Bytes kept for it."""
        return len(self.raw)

    @cached_property
    def message(self) -> EmailMessage:
        """The whole mail through the standard library's parser (about a millisecond, once)."""
        return BytesParser(policy=policy.default).parsebytes(self.raw)

    @cached_property
    def subject(self) -> str:
        return header(self.raw, b"subject")

    @cached_property
    def message_id(self) -> str:
        """With its angle brackets; empty where there is none."""
        return header(self.raw, b"message-id")

    @cached_property
    def language(self) -> str:
        """Content-Language, else the HTML's own `lang`; empty where neither says."""
        named = header(self.raw, b"content-language")
        if named:
            return named.split(",")[0].strip().lower()
        found = _HTML_LANGUAGE.search(self.html[:2000])
        return found[1].lower() if found else ""

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """In the order sent, unfolded and decoded; a name may come more than once."""
        return tuple((name, str(value)) for name, value in self.message.items())

    @cached_property
    def html(self) -> str:
        """The HTML part, decoded; empty where there is none."""
        return self._body("html")

    @cached_property
    def text(self) -> str:
        """The plain-text part, decoded; empty where there is none."""
        return self._body("plain")

    @cached_property
    def attachments(self) -> tuple[Attachment, ...]:
        return tuple(
            Attachment(
                filename=part.get_filename() or "unnamed",
                content_type=part.get_content_type(),
                content=_decoded(part),
            )
            for part in self.message.iter_attachments()
        )

    def _body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        if part is None:
            return ""
        content, charset = _decoded(part), part.get_content_charset("utf-8")
        try:
            return content.decode(charset, "replace")
        except LookupError:  # a charset nobody knows
            return content.decode("utf-8", "replace")


def _decoded(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


@dataclass(frozen=True, kw_only=True, eq=False)
class Text:
    """One SMS accepted by the Twilio side. `form` holds every field of the request as it was posted."""

    id: int
    received_at: datetime
    sid: str
    sender: str
    """The From number, else the Messaging Service's sid."""
    to: str
    body: str
    form: dict[str, str]

    @property
    def recipients(self) -> tuple[str, ...]:
        return (self.to,)

    @property
    def size(self) -> int:
        """Bytes kept for it, roughly."""
        return 4 * len(self.body)

    @property
    def subject(self) -> str:
        """The first line, to look for it by the same name as a mail."""
        return self.body.partition("\n")[0]

    @cached_property
    def segments(self) -> "Segments":
        return count_segments(self.body)


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """One message that a portal shows its member: as it was rendered, and the record that it was read from."""

    id: int
    received_at: datetime
    event: str
    """The event's id: the same on every copy."""
    record: str
    """Topic, partition and offset."""
    portal: str
    """What the member calls it."""
    to: str
    """The member's id."""
    name: str
    notice: str
    language: str
    title: str
    text: str
    link: str | None

    @property
    def sender(self) -> str:
        return self.portal

    @property
    def recipients(self) -> tuple[str, ...]:
        return (self.to,)

    @property
    def size(self) -> int:
        """Bytes kept for it, roughly."""
        return 4 * (len(self.title) + len(self.text))

    @property
    def subject(self) -> str:
        return self.title


Message = Mail | Text | Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """How the network carries a text: `units` are septets (GSM-7) or 16-bit units (UCS-2), `parts` are billed."""

    encoding: str
    units: int
    parts: int


def count_segments(body: str) -> Segments:
    """3GPP TS 23.038 and 23.040: 160 or 153 septets a part, 70 or 67 units where one character is outside GSM-7."""
    if all(character in _GSM_BASIC or character in _GSM_EXTENDED for character in body):
        units = sum(2 if character in _GSM_EXTENDED else 1 for character in body)
        return Segments(encoding="GSM-7", units=units, parts=_parts(units, 160, 153))
    units = len(body.encode("utf-16-be", "surrogatepass")) // 2
    return Segments(encoding="UCS-2", units=units, parts=_parts(units, 70, 67))


def _parts(units: int, single: int, joined: int) -> int:
    return 1 if units <= single else math.ceil(units / joined)


def header(raw: bytes, name: bytes) -> str:
    """One header by its lower-case name without parsing the mail: microseconds, for lists and counts."""
    head = b"\r\n" + raw[: raw.find(b"\r\n\r\n") + 2]
    start = head.lower().find(b"\r\n" + name + b":")
    if start < 0:
        return ""
    start += len(name) + 3
    end = start
    while True:
        end = head.find(b"\r\n", end)
        if end < 0 or head[end + 2 : end + 3] not in {b" ", b"\t"}:
            break
        end += 2
    value = _FOLD.sub(b" ", head[start : end if end >= 0 else None]).strip().decode("utf-8", "replace")
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):  # an encoded word that is none: show it as it is
        return value
