"""What the catcher reads out of a mail and counts in a text."""

from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from demo.catcher import Mail, Segments, count_segments
from demo.catcher.messages import header

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def mail(raw: bytes) -> Mail:
    return Mail(id=1, received_at=AT, sender="a@example.test", recipients=("b@example.test",), raw=raw)


def multipart() -> bytes:
    message = EmailMessage()
    message["Subject"] = "Votre mot de passe a été modifié"
    message["Message-ID"] = "<1@example.test>"
    message["Content-Language"] = "fr"
    message.set_content("Bonjour\n")
    message.add_alternative("<html lang='fr'><p>Bonjour é</p></html>", subtype="html")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="procédure.pdf")
    return message.as_bytes(policy=message.policy.clone(linesep="\r\n"))


def test_a_mail_gives_its_parts_decoded() -> None:
    caught = mail(multipart())
    assert caught.subject == "Votre mot de passe a été modifié"
    assert caught.message_id == "<1@example.test>"
    assert caught.language == "fr"
    assert caught.text.strip() == "Bonjour"
    assert "Bonjour é" in caught.html
    assert [(each.filename, each.content_type, each.content) for each in caught.attachments] == [
        ("procédure.pdf", "application/pdf", b"%PDF")
    ]


def test_the_language_is_the_html_s_own_where_no_header_says_it() -> None:
    raw = b'Content-Type: text/html; charset=utf-8\r\n\r\n<!doctype html><html dir="ltr" lang="nl"><p>Dag'
    assert mail(raw).language == "nl"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"Subject: plain\r\n\r\nbody", "plain"),
        (b"From: a\r\nsubject:no blank\r\n\r\n", "no blank"),
        (b"Subject: two\r\n lines\r\nTo: b\r\n\r\n", "two lines"),
        (b"Subject: =?utf-8?q?=C3=A9t=C3=A9?=\r\n =?utf-8?q?_2026?=\r\n\r\n", "été 2026"),
        (b"Subject: =?no-such-charset?q?x?=\r\n\r\n", "=?no-such-charset?q?x?="),
        (b"X-Subject: other\r\n\r\nSubject: in the body", ""),
        (b"", ""),
    ],
)
def test_one_header_is_read_without_parsing_the_mail(raw: bytes, value: str) -> None:
    assert header(raw, b"subject") == value


def test_an_unknown_charset_is_still_shown() -> None:
    assert "caf" in mail(b"Content-Type: text/plain; charset=no-such\r\n\r\ncaf\xc3\xa9").text


@pytest.mark.parametrize(
    ("body", "segments"),
    [
        ("", Segments(encoding="GSM-7", units=0, parts=1)),
        ("a" * 160, Segments(encoding="GSM-7", units=160, parts=1)),
        ("a" * 161, Segments(encoding="GSM-7", units=161, parts=2)),
        ("a" * 307, Segments(encoding="GSM-7", units=307, parts=3)),
        ("€" * 80, Segments(encoding="GSM-7", units=160, parts=1)),
        ("€" * 81, Segments(encoding="GSM-7", units=162, parts=2)),
        ("’" * 70, Segments(encoding="UCS-2", units=70, parts=1)),  # noqa: RUF001 - the curly quote is the point
        ("’" * 71, Segments(encoding="UCS-2", units=71, parts=2)),  # noqa: RUF001
        ("😀" * 35, Segments(encoding="UCS-2", units=70, parts=1)),
    ],
)
def test_parts_of_a_text_are_what_the_network_bills(body: str, segments: Segments) -> None:
    assert count_segments(body) == segments
