"""The frame around every mail: HTML document, brand colours in-lined, styles for dark mode and for phones. Pure but for
reading its own files, once.
"""

import re
from functools import cache
from html import escape
from pathlib import Path
from string import Template

import css_inline

from services.notifier.brands import Brand, Palette

_LAYOUT = Path(__file__).parent / "templates" / "_layout"
# An inbox shows the preheader, then whatever follows; these fill the line and are not seen.
_PADDING = "&#847;&zwnj;&nbsp;" * 40
# The in-liner drops style elements; these come back after it.
_STYLES = "<!--styles-->"
_RULE = re.compile(r"^(?P<selectors>[^{/]+)\{(?P<declarations>[^}]+)\}", re.MULTILINE)


def framed(brand: Brand, locale: str, subject: str, preheader: str, body: str, footer: str) -> str:
    """A whole HTML document with its styles in-lined. `body` and `footer` are HTML, the rest is text.

    Jinja's tags pass through only as words and comments (`markup.Tags`): an HTML parser reads the document.
    """
    document = Template(_read("mail.html")).substitute(
        lang=locale,
        subject=escape(subject),
        styles=_STYLES,
        preheader=escape(preheader, quote=False),
        padding=_PADDING,
        wordmark=escape(brand.name),
        body=body,
        footer=footer,
    )
    inlined = _inliner(brand.colours.light).inline(document)
    compact = re.sub(r"\n\s+", "\n", inlined)
    return compact.replace(_STYLES, _styles(brand.colours.dark))


@cache
def _inliner(palette: Palette) -> css_inline.CSSInliner:
    # Nothing may be fetched: what a mail looks like is decided here.
    return css_inline.CSSInliner(
        load_remote_stylesheets=False, minify_css=True, extra_css=_coloured("inline.css", palette)
    )


@cache
def _styles(dark: Palette) -> str:
    """What cannot be in-lined. `[data-ogsc]` is how Outlook's apps mark a mail that they show dark."""
    rules = [
        (match["selectors"].strip().split(", "), match["declarations"].strip())
        for match in _RULE.finditer(_coloured("dark.css", dark))
    ]
    important = [(selectors, re.sub(r"(;|$)", r" !important\1", declarations)) for selectors, declarations in rules]
    by_scheme = "\n".join(f"{','.join(selectors)}{{{declared}}}" for selectors, declared in important)
    by_outlook = "\n".join(
        f"{','.join(f'[data-ogsc] {selector}' for selector in selectors)}{{{declared}}}"
        for selectors, declared in important
    )
    general = (
        ":root{color-scheme:light dark;supported-color-schemes:light dark}\n"
        f"@media (max-width:600px){{\n{_read('phone.css').strip()}\n}}\n"
        f"@media (prefers-color-scheme:dark){{\n{by_scheme}\n}}"
    )
    # Two elements: Gmail drops a whole one for a selector that it does not like.
    return "\n".join(f"<style>\n{_minified(css)}\n</style>" for css in (general, by_outlook))


def _minified(css: str) -> str:
    return re.sub(r" *([{}:;,]) *", r"\1", css)


def _coloured(file: str, palette: Palette) -> str:
    return Template(_read(file)).substitute(palette.model_dump())


@cache
def _read(file: str) -> str:
    return (_LAYOUT / file).read_text(encoding="utf-8")
