"""Every message on one page: light, dark and on a phone, its text part, its SMS with its parts, what the portal shows.

A folder of plain files: `index.html` and the mails beside it, each as it is sent. Nothing is fetched from elsewhere.
`messages.json` lists them for programs: the console shows the same messages from it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path

from schemas.notifications import InAppMessageV1
from services.notifier.brands import Brand
from services.notifier.compose import ComposeError, Composer
from services.notifier.samples import Sample
from services.notifier.sms_text import sms_parts

_PAGE = Path(__file__).parent / "templates" / "_layout" / "gallery.html"


@dataclass(frozen=True, slots=True)
class Shown:
    """One message of the gallery: its card, and the mail's own page where it has one."""

    sample: Sample
    card: str
    page: tuple[str, str] | None
    """File name and HTML."""
    entry: Mapping[str, object]
    """Of `messages.json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rendered:
    """What is said, on whichever channels: two that are equal read alike."""

    subject: str = ""
    html: str = ""
    text: str = ""
    sms: str = ""
    attached: tuple[str, ...] = ()
    portal: InAppMessageV1 | None = None


def write(folder: Path, samples: Iterable[Sample], composer: Composer, before: Composer | None = None) -> int:
    """Into `folder`, made if it is not there. With `before`, only what it says otherwise, and both beside each other.

    Returns how many messages. Raises `ComposeError`, `OSError`.
    """
    shown = [each for sample in samples for each in _side_by_side(sample, composer, before)]
    if not shown:
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    for each in shown:
        if each.page is not None:
            name, html = each.page
            (folder / name).write_text(html, encoding="utf-8")
    page = _PAGE.read_text(encoding="utf-8")
    page = page.replace("<!-- filters -->", "".join(_filters(shown))).replace("<!-- cards -->", "".join(_cards(shown)))
    (folder / "index.html").write_text(page, encoding="utf-8")
    entries = json.dumps([each.entry for each in shown], ensure_ascii=False, indent=1)
    (folder / "messages.json").write_text(entries, encoding="utf-8")
    return len(shown)


def write_doubts(folder: Path, brands: Mapping[str, Brand]) -> None:
    """`doubts.json` in the folder: facts of the brands on which sources disagree, for the console to show."""
    doubts = [{"brand": brand.id, "doubt": doubt} for brand in brands.values() for doubt in brand.doubts]
    (folder / "doubts.json").write_text(json.dumps(doubts, ensure_ascii=False, indent=1), encoding="utf-8")


def _side_by_side(sample: Sample, composer: Composer, before: Composer | None) -> Iterator[Shown]:
    now = _rendered(sample, composer)
    if before is None:
        yield _shown(sample, now, "")
        return
    try:
        then = _rendered(sample, before)
    except ComposeError:  # it was not there, or cannot be made of today's facts
        then = None
    if now == then:
        return
    if then is not None:
        yield _shown(sample, then, "before")
    yield _shown(sample, now, "now")


def _rendered(sample: Sample, composer: Composer) -> _Rendered:
    if sample.channel == "sms":
        return _Rendered(sms=composer.sms(*sample.key, sample.facts))
    email = composer.email(*sample.key, sample.facts)
    return _Rendered(
        subject=email.subject,
        html=email.html,
        text=email.text,
        attached=tuple(each.filename for each in email.attachments),
        portal=composer.in_app(*sample.key, sample.facts) if sample.in_app else None,
    )


def _shown(sample: Sample, message: _Rendered, when: str) -> Shown:
    if message.sms:
        return Shown(sample, _card(sample, when, _sms(message.sms)), None, _entry(sample, message, None))
    name = "-".join(filter(None, (sample.id.replace("/", "-"), when))) + ".html"
    parts = [
        _frame(name, "light", "desktop"),
        _frame(name, "dark", "desktop"),
        _frame(name, "light", "phone"),
        _frame(name, "dark", "phone"),
        f"<details><summary>Text part</summary><pre lang={sample.locale}>{escape(message.text)}</pre></details>",
    ]
    if message.attached:
        parts.append(f"<p class=note>Attached: {escape(', '.join(message.attached))}</p>")
    if message.portal is not None:
        parts.append(
            f"<figure class=portal lang={sample.locale}><figcaption>In the portal</figcaption>"
            f"<strong>{escape(message.portal.title)}</strong><p>{escape(message.portal.text)}</p></figure>"
        )
    card = _card(sample, when, "".join(parts), message.subject)
    return Shown(sample, card, (name, message.html), _entry(sample, message, name))


def _entry(sample: Sample, message: _Rendered, page: str | None) -> Mapping[str, object]:
    """`page`: the mail's file. `sms`: text, encoding and parts. What a message has not is None, or empty."""
    cost = sms_parts(message.sms) if message.sms else None
    return {
        "notice": sample.notice,
        "brand": sample.brand,
        "locale": sample.locale,
        "variant": sample.variant,
        "subject": message.subject,
        "page": page,
        "text": message.text,
        "attached": list(message.attached),
        "sms": None if cost is None else {"text": message.sms, "encoding": cost.encoding, "parts": cost.parts},
        "portal": None if message.portal is None else {"title": message.portal.title, "text": message.portal.text},
    }


def _frame(name: str, scheme: str, width: str) -> str:
    label = f"{width}, {scheme}"
    return (
        f'<figure class="mail {width} {scheme}"><figcaption>{label}</figcaption>'
        f'<iframe src="{escape(name)}" title="{label}" loading=lazy sandbox></iframe></figure>'
    )


def _sms(text: str) -> str:
    cost = sms_parts(text)
    parts = "1 part" if cost.parts == 1 else f"{cost.parts} parts"
    return (
        f"<figure class=sms><figcaption>SMS · {parts} · {cost.encoding} · {len(text)} characters</figcaption>"
        f"<p>{escape(text)}</p></figure>"
    )


def _card(sample: Sample, when: str, inside: str, subject: str = "") -> str:
    told = " · ".join(filter(None, (when, sample.brand, sample.locale, sample.role, sample.example)))
    heading = f"<h3>{escape(subject)}</h3>" if subject else ""
    return (
        f'<article data-brand="{sample.brand}" data-locale="{sample.locale}">'
        f"<p class=told>{escape(told)}</p>{heading}<div class=views>{inside}</div></article>"
    )


def _cards(shown: Iterable[Shown]) -> Iterator[str]:
    for notice, group in groupby(shown, lambda each: each.sample.notice):
        yield f'<section id="{notice}"><h2>{notice}</h2>{"".join(each.card for each in group)}</section>'


def _filters(shown: list[Shown]) -> Iterator[str]:
    for name, values in (
        ("brand", sorted({each.sample.brand for each in shown})),
        ("locale", sorted({each.sample.locale for each in shown})),
    ):
        yield f"<fieldset><legend>{name}</legend>"
        for value in values:
            yield f'<label><input type=checkbox checked data-filter="{name}" value="{value}"> {value}</label>'
        yield "</fieldset>"
    links = (f'<a href="#{name}">{name}</a>' for name in dict.fromkeys(each.sample.notice for each in shown))
    yield f"<nav aria-label=Notices>{''.join(links)}</nav>"
