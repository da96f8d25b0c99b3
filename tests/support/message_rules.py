"""The contract of a message: each rule takes one and tells what is wrong with it, for any folder of templates."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from html import escape
from itertools import zip_longest
from typing import TypeAlias

from services.notifier.mime import encoded_lines
from services.notifier.sms_text import sms_parts
from tests.support.html_rules import mistakes
from tests.support.messages import Message
from tests.support.owed_facts import OWED, plain
from tests.support.strange_data import MARKER

Check: TypeAlias = Callable[[Message], Iterator[str]]

SUBJECT_LIMIT = 78
"""Characters: RFC 5322 recommends no longer line, and inboxes cut earlier."""
HTML_LIMIT = 102 * 1024
"""Bytes as sent: beyond it Gmail cuts a mail off, with its footer."""
MOST_PER_BYTE = 3.1
"""Quoted-printable writes one byte as three characters at most, and breaks lines."""
PARTS = {"one-time-verification-code": 1}
"""SMS parts that a notice may cost; one that is not here sends none."""

_FETCHING = re.compile(
    r"(?i)<(?:img|svg|picture|video|audio|iframe|frame|object|embed|script|link|form|input|base|bgsound|canvas)\b"
    r"|\s(?:src|srcset|background|poster|action|formaction|data|ping|on[a-z]+)\s*=|url\(|@import|http-equiv"
)
_HREF = re.compile(r'\shref="([^"]*)"')
_HOST = re.compile(r"(?<![\w.])(?:[^\W_][\w-]*\.)+[^\W\d_]{2,}(?!\w)")
_NUMBERS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_SCHEME = re.compile(r"(?i)\b(?:[a-z][a-z0-9+.-]*://|(?:mailto|tel|sms|javascript|data|cid):(?=\S))\S*")
_LAYOUT = re.compile(r"^(?:-{40}|={8,60}|- (?=\S))", re.MULTILINE)
_BRACKETED = re.compile(r"\((https://[^\s()]+)\)")
_UNFILLED = re.compile(
    r"\{\{|\}\}|\{%|%\}|\{#|#\}|jinja\d+tag|\$\{?[a-z]|\bNone\b|\bUndefined\b|\bTrue\b|\bFalse\b|\bnan\b"
)
_AMPERSAND = re.compile(r"&(?!#?\w+;)\S{0,9}")
_EMPTY = re.compile(r"<(td|th|p|li|h[1-6]|strong|em|a|code|ul|ol|tbody)(?: [^>]*)?>(?:\s|<br>)*</\1>")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_GAPS = re.compile(
    r"[ \t](?:[.,)\]”]|[;:!?](?!\S))|(?<=\S)[ \u00a0]{2,}|[ \u00a0]+$|\(\s|\(\)|[,;:]\s*[.,;:]|\.\.|,\)|\n{4,}|^[.,;:!?]",  # noqa: E501
    re.MULTILINE,
)
"""What is left of a sentence where something was left out of it."""


def subject_is_one_short_line(message: Message) -> Iterator[str]:
    if message.email is None:
        return
    subject = message.email.subject
    if len(subject) > SUBJECT_LIMIT or _CONTROL.search(subject):
        yield f"{len(subject)} characters, or not one line: {subject!r}"
    if not subject.startswith(f"{message.brand.name} | "):
        yield f"does not begin with the brand: {subject!r}"


def html_is_small(message: Message) -> Iterator[str]:
    if message.email is None or len(message.email.html.encode()) * MOST_PER_BYTE < HTML_LIMIT:
        return
    size = sum(map(len, encoded_lines(message.email.html.split("\n")).values()))
    if size >= HTML_LIMIT:
        yield f"{size} bytes as sent"


def nothing_is_fetched(message: Message) -> Iterator[str]:
    """Nor drawn: all that a mail says is text, so that it can be read without pictures."""
    yield from (f"would be fetched or run: {found}" for found in _fetching(message.bones))


@cache
def _fetching(bones: str) -> tuple[str, ...]:
    return tuple(_FETCHING.findall(bones))


def links_lead_to_the_brand(message: Message) -> Iterator[str]:
    """By https; in letters to the ombudsman or the firm they name, too. There is no `mailto:` and no `tel:`.

    What a mail client would make a link of is one.
    """
    linked = _hosts(message)
    for link in _HREF.findall(message.email.html if message.email else ""):
        if not (link.startswith("https://") and link.split("/")[2] in linked):
            yield f"the HTML links {link}"
    trusted = message.brand.help.safe_senders
    named = linked | {trusted.domain} if trusted else linked
    words = {word for text in (*message.texts.values(), message.in_html) for word in text.split()}
    for word in words:
        if "." in word or ":" in word:
            yield from (f"a mail client links {found}" for found in _linked(word, linked, named))


@cache
def _linked(word: str, linked: frozenset[str], named: frozenset[str]) -> tuple[str, ...]:
    """What a mail client makes a link of, and may not."""
    links = [
        found
        for found in _SCHEME.findall(word)
        if not found.startswith("https://") or found.split("/")[2].rstrip(").") not in linked
    ]
    return (*links, *(host for host in _HOST.findall(word) if host.lower() not in named), *_NUMBERS.findall(word))


def _hosts(message: Message) -> frozenset[str]:
    """Those that it may link."""
    facts, named = message.sample.facts, ("ombudsman_website", "ombudsman_email", "firm_website", "firm_email")
    said = [*(facts.get(name) or "" for name in named), *(facts.get("prescribed") or [])] if message.is_letter else []
    return frozenset(message.brand.links.domains) | {host.lower() for host in _HOST.findall(" ".join(said))}


def text_and_html_say_the_same(message: Message) -> Iterator[str]:
    """Word for word and in the same order, but for lines, list marks, the colon behind a row's name, and the brackets
    around a link's address."""
    if message.email is None:
        return
    in_text, in_html = (_words(text) for text in (_LAYOUT.sub("", message.email.text), message.in_html))
    if in_text != in_html:
        pairs = enumerate(zip_longest(in_text, in_html))
        at = next(index for index, (one, other) in pairs if one != other)
        yield f"text {' '.join(in_text[at : at + 6])!r}, HTML {' '.join(in_html[at : at + 6])!r}"


def _words(text: str) -> list[str]:
    return [word for each in _BRACKETED.sub(r"\1", text).split() if (word := each.rstrip(":"))]


def html_is_valid_and_can_be_read(message: Message) -> Iterator[str]:
    """Without a mistake, at least 4.5:1 in every colour scheme, in its language and direction."""
    if message.email is None:
        return
    yield from mistakes(message.bones)
    html, language = message.email.html, f'lang="{message.sample.locale}" dir="ltr">'
    if f"<html {language}" not in html or f" {language}\n<table" not in html:
        yield "the language or the direction is not on both html and the article within"
    yield from (f"not escaped: {found}" for found in _AMPERSAND.findall(html))


def nothing_is_missing(message: Message) -> Iterator[str]:
    """No tag, no absent fact, no empty row, no gap where something was left out."""
    if message.filled.strange:
        return
    for part, text in (*message.texts.items(), ("html", message.in_html)):
        yield from (f"{part} holds {found}" for found in _UNFILLED.findall(text))
    for part, text in message.texts.items():
        for found in _GAPS.finditer(text):
            yield f"{part} has a gap: {text[max(0, found.start() - 25) : found.end() + 10]!r}"
    if message.email is not None:
        yield from (f"the HTML has an empty {tag}" for tag in _EMPTY.findall(message.email.html))


def sms_is_cheap_and_fills_in_the_code(message: Message) -> Iterator[str]:
    if not message.sms:
        return
    cost, code = sms_parts(message.sms), message.sample.facts["code"]
    if cost.encoding != "GSM-7" or cost.parts > PARTS.get(message.sample.notice, 0):
        yield f"{cost.parts} parts in {cost.encoding}"
    if message.sms.split("\n")[-1] != f"@{message.brand.links.portal_host} #{code}":
        yield f"its last line does not fill in the code: {message.sms[-60:]!r}"
    if _SCHEME.search(message.sms) or _HOST.search(message.sms.rpartition("\n")[0]):
        yield "it holds a link"


def every_fact_is_said(message: Message) -> Iterator[str]:
    """What the business asks of it, in every part."""
    parts = {"sms": message.sms} if message.email is None else {"text": message.email.text, "html": message.in_html}
    read = {part: plain(text) for part, text in parts.items()}
    for owed in OWED:
        for words in owed.words(message.sample):
            yield from (f"{part} does not say {owed.fact}" for part, text in read.items() if plain(words) not in text)


RULES: dict[str, Check] = {
    rule.__name__: rule
    for rule in (
        subject_is_one_short_line,
        html_is_small,
        nothing_is_fetched,
        links_lead_to_the_brand,
        text_and_html_say_the_same,
        html_is_valid_and_can_be_read,
        nothing_is_missing,
        sms_is_cheap_and_fills_in_the_code,
        every_fact_is_said,
    )
}


def changes_more_than_itself(strange: Message, marked: Message) -> Iterator[str]:
    """A text from outside stands where any other would, and nothing else is different."""
    swaps = sorted(_swaps(strange, marked), key=lambda pair: -len(pair[0]))
    for part, text in strange.texts.items():
        shown = text
        for written, marker in swaps:
            shown = shown.replace(written, marker)
        if shown != marked.texts[part] and not (part == "subject" and text.endswith("…")):
            yield f"{part} is changed elsewhere"
    if strange.email is not None and marked.email is not None:
        html = strange.email.html
        for written, marker in swaps:
            html = html.replace(escape(written).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"), marker)
        if html != marked.email.html:
            yield "the HTML is changed elsewhere"


def _swaps(strange: Message, marked: Message) -> set[tuple[str, str]]:
    """What was written and shown, and the marker in its place."""
    pairs: set[tuple[str, str]] = set()
    for name, marker in marked.sample.facts.items():
        shown = strange.sample.facts[name]
        both = zip(shown, marker, strict=False) if isinstance(marker, list) else [(shown, marker)]
        pairs |= {(str(one), str(other)) for one, other in both if MARKER in str(other)}
    return pairs
