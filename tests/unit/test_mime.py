"""Every message, held against the standard library's parser."""

import email
import email.policy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notifier.mime import Attachment, Email, HeaderError, assemble, encoded_lines, mailbox

MAIL = Email("Subject", "<p>html</p>\n", "text\n")
SENDER = mailbox("Cigna Healthcare", "no-reply@example.com")
DATE = format_datetime(datetime(2026, 11, 22, 12, 46, tzinfo=UTC))
ID = "<0193521a-4f0e-7c31@example.com>"

BODIES = st.text(st.characters(codec="utf-8"), max_size=400) | st.lists(
    st.sampled_from(["\n", "\r", "\r\n", ".", "=", " ", "\t", "From ", "é", "😀", "--=_", "x" * 80]), max_size=40
).map("".join)
# What `Composer` makes of a subject: one line, no white space but single spaces within.
LINES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "), max_size=120).map(
    lambda text: " ".join(text.split())
)


def assembled(mail: Email, **changes: object) -> bytes:
    arguments = {"sender": SENDER, "recipient": "jane@example.com", "message_id": ID, "date": DATE, **changes}
    return assemble(mail, **arguments)  # type: ignore[arg-type]  # a test also passes what is refused


def parsed(message: bytes) -> EmailMessage:
    result = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(result, EmailMessage)
    assert not result.defects
    return result


def lines_of(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")


def content_of(message: EmailMessage, index: int) -> str:
    part = message.get_payload(index)
    assert isinstance(part, EmailMessage)
    assert not part.defects
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


@settings(deadline=None)
@given(subject=LINES, html=BODIES, text=BODIES)
def test_what_was_put_in_comes_out(subject: str, html: str, text: str) -> None:
    message = parsed(assembled(Email(subject, html, text)))
    assert message["Subject"] == subject
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert lines_of(content_of(message, 0)) == lines_of(text)
    assert lines_of(content_of(message, 1)) == lines_of(html)


@settings(deadline=None)
@given(subject=LINES, html=BODIES, text=BODIES)
def test_every_line_is_short_ascii_and_ends_in_crlf(subject: str, html: str, text: str) -> None:
    message = assembled(Email(subject, html, text))
    assert message.isascii()
    assert message.endswith(b"\r\n")
    lines = message.split(b"\r\n")
    assert max(map(len, lines)) <= 78
    assert not any(b"\r" in line or b"\n" in line for line in lines)


@settings(deadline=None)
@given(html=BODIES, text=BODIES)
def test_lines_encoded_ahead_change_nothing(html: str, text: str) -> None:
    constant = encoded_lines([*lines_of(html), *lines_of(text)])
    assert assembled(Email("s", html, text, constant)) == assembled(Email("s", html, text))


FILES = st.lists(
    st.builds(
        Attachment,
        filename=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}", fullmatch=True),
        content=st.binary(max_size=300) | st.just(b"--=_\r\n" * 40),
        media_type=st.sampled_from(["application/pdf", "application/octet-stream", "text/csv"]),
    ),
    min_size=1,
    max_size=3,
).map(tuple)


@settings(deadline=None)
@given(subject=LINES, html=BODIES, text=BODIES, files=FILES)
def test_attached_files_come_out_beside_an_unchanged_mail(
    subject: str, html: str, text: str, files: tuple[Attachment, ...]
) -> None:
    assembled_mail = assembled(Email(subject, html, text, attachments=files))
    assert assembled_mail.isascii()
    assert max(map(len, assembled_mail.split(b"\r\n"))) <= 78
    assert b"\n" not in assembled_mail.replace(b"\r\n", b"")
    message = parsed(assembled_mail)
    assert message["Subject"] == subject
    assert message.get_content_type() == "multipart/mixed"
    body, *attached = message.iter_parts()
    assert isinstance(body, EmailMessage)
    assert body.get_content_type() == "multipart/alternative"
    assert [lines_of(content_of(body, index)) for index in (0, 1)] == [lines_of(text), lines_of(html)]
    assert [(part.get_filename(), part.get_content_type(), part.get_payload(decode=True)) for part in attached] == [
        (file.filename, file.media_type, file.content) for file in files
    ]
    assert all(part.get_content_disposition() == "attachment" and not part.defects for part in attached)


@pytest.mark.parametrize(
    "filename", ["", ".hidden", "a b.pdf", 'a".pdf', "a\r\nBcc: x@y.example", "../a", "é.pdf", "a" * 51]
)
def test_a_file_name_that_is_not_plain_is_refused(filename: str) -> None:
    with pytest.raises(HeaderError, match="Content-Disposition"):
        assembled(Email("s", "", "", attachments=(Attachment(filename, b"", "application/pdf"),)))


@pytest.mark.parametrize(
    "media_type", ["", "pdf", "application/pdf; x=y", "application/pdf\r\nBcc: x", "multipart/mixed", "message/rfc822"]
)
def test_a_media_type_that_is_not_a_files_is_refused(media_type: str) -> None:
    with pytest.raises(HeaderError, match="Content-Type"):
        assembled(Email("s", "", "", attachments=(Attachment("a.pdf", b"", media_type),)))


@settings(deadline=None)
@given(name=LINES)
def test_a_senders_name_comes_out(name: str) -> None:
    message = parsed(assembled(MAIL, sender=mailbox(name, "no-reply@example.com")))
    (address,) = message["From"].addresses
    assert address.addr_spec == "no-reply@example.com"
    # Not `display_name`: up to Python 3.13 the parser keeps the space between two encoded words of a phrase.
    (raw,) = (value for header, value in message.raw_items() if header == "From")
    assert str(make_header(decode_header(raw.rpartition("<")[0].rstrip()))) == name


CONTROLS = ["\r", "\n", "\r\nBcc: x@y.example", "\x00", "\x0b", "\x7f", "\x85", "\u2028", "\ud800"]


PUT_INTO: dict[str, Callable[[str], bytes]] = {
    "Subject": lambda control: assembled(Email(f"a{control}b", "", "")),
    "From": lambda control: assembled(MAIL, sender=mailbox(f"a{control}b", "no-reply@example.com")),
    "To": lambda control: assembled(MAIL, recipient=f"jane@example.com{control}"),
    "Message-ID": lambda control: assembled(MAIL, message_id=f"{ID}{control}"),
    "Date": lambda control: assembled(MAIL, date=f"{DATE}{control}"),
    "Content-Language": lambda control: assembled(MAIL, language=f"en{control}"),
}


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("header", PUT_INTO)
def test_a_control_character_reaches_no_header(header: str, control: str) -> None:
    with pytest.raises(HeaderError) as caught:
        PUT_INTO[header](control)
    assert caught.value.header == header
    assert "Bcc" not in str(caught.value)


@settings(deadline=None)
@given(recipient=st.text(st.characters(codec="utf-8"), max_size=40))
def test_a_recipient_is_one_plain_address_or_refused(recipient: str) -> None:
    try:
        message = parsed(assembled(MAIL, recipient=recipient))
    except HeaderError:
        return
    assert [address.addr_spec for address in message["To"].addresses] == [recipient]


@pytest.mark.parametrize(
    "recipient",
    ["", "jane", "a@b.example, c@d.example", "<a@b.example>", "a b@c.example", "é@c.example", "a@b\t.example"],
)
def test_what_is_not_one_address_is_refused(recipient: str) -> None:
    with pytest.raises(HeaderError, match="To"):
        assembled(MAIL, recipient=recipient)


def test_a_plain_subject_stays_readable_and_a_long_one_is_folded() -> None:
    assert b"\r\nSubject: Cigna Healthcare | One-time verification code\r\n" in assembled(
        Email("Cigna Healthcare | One-time verification code", "", "")
    )
    assert parsed(assembled(Email("word " * 40 + "end", "", "")))["Subject"] == "word " * 40 + "end"


def test_text_that_looks_encoded_is_taken_literally() -> None:
    assert parsed(assembled(Email("=?utf-8?B?QQ==?=", "", "")))["Subject"] == "=?utf-8?B?QQ==?="


def test_the_same_arguments_give_the_same_bytes_and_another_id_another_boundary() -> None:
    assert assembled(MAIL) == assembled(MAIL)
    other = parsed(assembled(MAIL, message_id="<other@example.com>"))
    assert other.get_boundary() != parsed(assembled(MAIL)).get_boundary()


def test_the_headers_say_that_nobody_need_answer() -> None:
    message = parsed(assembled(MAIL, language="fr"))
    assert {name: message[name] for name in set(message.keys()) - {"Subject", "Content-Type"}} == {
        "From": "Cigna Healthcare <no-reply@example.com>",
        "To": "jane@example.com",
        "Date": "Sun, 22 Nov 2026 12:46:00 +0000",
        "Message-ID": ID,
        "Content-Language": "fr",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "MIME-Version": "1.0",
    }


@settings(deadline=None)
@given(st.datetimes(timezones=st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))))
def test_every_date_of_the_standard_library_is_taken(date: datetime) -> None:
    assembled(MAIL, date=format_datetime(date))
