"""Messages as a reader gets them, from any folder of templates: our own, or one in which something is wrong."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from html import unescape
from pathlib import Path

from schemas.notifications import InAppMessageV1
from services.notifier.brands import Brand, load_brands
from services.notifier.catalogue import CATALOGUE, Notice
from services.notifier.compose import Composer, load_catalogue
from services.notifier.enclosures import Enclosures, Place
from services.notifier.mime import Attachment, Email
from services.notifier.paper import blocks
from services.notifier.samples import Sample, samples_from
from services.notifier.sources import TEMPLATES
from tests.support.notices import composer
from tests.support.strange_data import Filled

NOTICES = {notice.name: notice for notice in CATALOGUE}

PAPER = "letter.txt"
_NOT_READ = re.compile(r'<!--.*?-->|<div class="preheader".*?</div>|<td class="wordmark".*?</td>', re.DOTALL)
_PREHEADER = re.compile(r'<div class="preheader"[^>]*>([^<\u034f]*)')
_LINK = re.compile(r'<a href="([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
_NUMBERED = re.compile(r"<ol[^>]*>.*?</ol>", re.DOTALL)
_ITEM = re.compile(r"<li[^>]*>")
_TITLE = re.compile(r"<title>[^<]*")
_VALUE = re.compile(r'(href|aria-label)="[^"]*"')
_TEXT = re.compile(r">(?!&nbsp;<)[^<>]*[^<>\s][^<>]*<")
_TAG = re.compile(r"<[^>]*>")
_ENDS_A_LINE = re.compile(r"</(?:p|h[1-6]|li|td|th|div|a)>|<br>")


class Unprinted(Enclosures):
    """Files without their typesetting, which is tested elsewhere and takes a tenth of a second each."""

    def letter(self, place: Place, facts: Mapping[str, object], title: str, html: str) -> Attachment:
        lines = (f"In {place[1]}", title, str(facts["name"]), *(block.text for block in blocks(html)))
        return Attachment(PAPER, "\n".join(lines).encode(), "text/plain")

    def procedure(self, place: Place, facts: Mapping[str, object]) -> Attachment:
        return Attachment("procedure.txt", f"{place} {facts['licence']}".encode(), "text/plain")


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message, on whichever channels. `filled` says from which data."""

    sample: Sample
    filled: Filled
    brand: Brand
    email: Email | None = None
    sms: str = ""
    portal: InAppMessageV1 | None = None

    @property
    def name(self) -> str:
        return f"{self.sample.brand}/{self.sample.locale}/{self.sample.role} ({self.filled.name})"

    @property
    def is_letter(self) -> bool:
        return NOTICES[self.sample.notice].lane == "letters"

    @cached_property
    def bones(self) -> str:
        """The HTML with its tags and styles, and `x` for each text and each label: what is the same for a parser, and
        for who looks at colours, is the same here."""
        return _bones(self.email.html, self.sample.locale) if self.email else ""

    @cached_property
    def in_html(self) -> str:
        """What the HTML shows, a link with its address, spaces single."""
        return _shown(self.email.html) if self.email else ""

    @cached_property
    def texts(self) -> dict[str, str]:
        """Each text that a person or a machine may read as it is."""
        found = {"sms": self.sms}
        if self.email is not None:
            found |= {"subject": self.email.subject, "text": self.email.text}
            found["paper"] = "".join(file.content.decode() for file in self.email.attachments if file.filename == PAPER)
            found["preheader"] = unescape(_PREHEADER.findall(self.email.html)[0])
        if self.portal is not None:
            found |= {"portal": f"{self.portal.title}\n\n{self.portal.text}"}
        return {part: text for part, text in found.items() if text}


def _bones(html: str, locale: str) -> str:
    head, end, body = html.partition("</head>")
    bare = _TITLE.sub("<title>x", head) + end + _VALUE.sub(r'\1="x"', _TEXT.sub(">x<", body))
    return bare.replace(f'lang="{locale}"', 'lang="en"')


def _shown(html: str) -> str:
    read = _NOT_READ.sub("", html.partition("</head>")[2])
    read = _LINK.sub(r"\2 \1 ", _NUMBERED.sub(lambda found: _numbered(found.group()), read))
    return " ".join(unescape(_TAG.sub("", _ENDS_A_LINE.sub(r" \g<0>", read))).split())


def _numbered(items: str) -> str:
    first, *rest = _ITEM.split(items)
    return first + "".join(f"{number + 1}. {item}" for number, item in enumerate(rest))


@cache
def ours() -> Composer:
    """As the notifier loads them, but that nothing is printed."""
    return _unprinted(composer())


def loaded_from(
    notices: Collection[str], templates: Path = TEMPLATES, brands: dict[str, Brand] | None = None
) -> Composer:
    """These notices of another folder, or of other brands. Raises `TemplatesError`."""
    return _unprinted(load_catalogue(load_brands() if brands is None else brands, notices, templates=templates))


def _unprinted(loaded: Composer) -> Composer:
    return Composer(loaded._compiled, Unprinted(loaded._enclosures._brands, loaded._enclosures._procedures))


def messages(composer: Composer, brands: dict[str, Brand], notice: Notice, filled: Filled) -> Iterator[Message]:
    """In every language of every brand, for every role."""
    for sample in samples_from(notice, brands, filled.example, filled.event, filled.contact):
        brand = brands[sample.brand]
        if sample.channel == "sms":
            yield Message(sample=sample, filled=filled, brand=brand, sms=composer.sms(*sample.key, sample.facts))
        else:
            yield Message(
                sample=sample,
                filled=filled,
                brand=brand,
                email=composer.email(*sample.key, sample.facts),
                portal=composer.in_app(*sample.key, sample.facts) if sample.in_app else None,
            )
