"""One template → what renders it: Markdown, layout, styles and the brand's facts happen here, once, at load."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, StrictUndefined, Template, TemplateError, nodes

from services.notifier import formats
from services.notifier.brands import Brand
from services.notifier.enclosures import Procedure
from services.notifier.facts import ACTIONS
from services.notifier.folding import LOCALISED, SPOKEN, Folding, constant_lines
from services.notifier.layout import framed
from services.notifier.markup import TEXT_RULE, Tags, render, spaced
from services.notifier.mime import encoded_lines
from services.notifier.misspelt import meant
from services.notifier.sms_text import without_equivalent
from services.notifier.sources import ProcedureSource, Source


class TemplatesError(ValueError):
    """Templates that cannot be used. `problems` lists every one of them, each naming its file."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class _Used:
    """Names in a template."""

    facts: set[str]
    filters: set[str]
    tests: set[str]


COUNT = f"{{% if {ACTIONS} %}} ({{{{ {ACTIONS} | length }}}}){{% endif %}}"
"""After the subject of a summary: how many actions it lists."""


@dataclass(frozen=True, slots=True)
class Compiled:
    subject: Template
    html: Template
    text: Template
    sms: Template | None
    in_app: Template | None
    body: Template | None
    """The HTML without its frame: what a letter on paper is set from. None: it is never on paper."""
    constant: Mapping[str, bytes]


def _refuse_none(value: Any) -> Any:
    if value is None:
        raise TemplateError("an absent fact is printed: ask for it first with {% if … %}")
    return value


def _environment() -> Environment:
    environment = Environment(
        undefined=StrictUndefined,
        autoescape=lambda name: name is not None and name.endswith(".html"),  # noqa: S701 the other parts are text
        finalize=_refuse_none,
        cache_size=0,
    )
    environment.globals.clear()
    environment.filters |= {name: getattr(formats, name) for name in LOCALISED | SPOKEN}
    return environment


_ENVIRONMENT = _environment()


class Compiler:
    """One notice for one brand in one language."""

    def __init__(self, brand: Brand, locale: str, names: frozenset[str]) -> None:
        self._brand = brand
        self._locale = locale
        self._names = names | {ACTIONS}
        self._problems: list[str] = []

    def compile(self, source: Source, *, lists: Sequence[str] = (), paper: bool = False) -> Compiled:
        """`lists`: the facts that each action of a summary has its own of. `paper`: it may be a letter on paper, too.

        Raises `TemplatesError`.
        """
        tags = Tags()
        if lists:
            source = self._with_count(source)
        mail = render(source.mail, self._locale, tags, lists=lists)
        footer = render(source.footer, self._locale, tags)
        self._check_links((*mail.links, *footer.links))
        document = framed(
            self._brand,
            self._locale,
            subject=self._line(source.subject, tags),
            preheader=self._line(source.preheader, tags),
            body=mail.html,
            footer=footer.html,
        )
        trees = {
            "subject": self._tree(tags.show(self._line(source.subject, tags)), "mail.subject"),
            "html": self._tree(tags.show_html(document), "mail.html"),
            "text": self._tree(f"{mail.text}{TEXT_RULE}{footer.text}", "mail.text"),
        }
        if paper:
            trees["body"] = self._tree(tags.show_html(mail.html), "body.html")
        lines = {line for part in ("html", "text") for line in constant_lines(trees[part])}
        if source.sms is not None:
            trees["sms"] = self._tree(source.sms, "mail.sms")
            if foreign := without_equivalent(_literal(trees["sms"])):
                self._problems.append(f"section sms: not in GSM-7: {' '.join(foreign)}")
        if source.in_app is not None:
            trees["in_app"] = self._tree(tags.show(self._line(source.in_app, tags)), "mail.in_app")
        if self._problems:
            raise TemplatesError(dict.fromkeys(self._problems))
        parts = {
            part: _template(tree, "body.html" if part == "body" else f"mail.{part}") for part, tree in trees.items()
        }
        return Compiled(
            parts["subject"],
            parts["html"],
            parts["text"],
            parts.get("sms"),
            parts.get("in_app"),
            parts.get("body"),
            constant=encoded_lines(lines),
        )

    def _with_count(self, source: Source) -> Source:
        if not source.several or source.several not in source.mail:
            self._problems.append('section mail: a notice that is throttled has the line {% include "several" %}')
        return replace(source, subject=f"{source.subject}{COUNT}")

    def compile_procedure(self, source: ProcedureSource) -> Procedure:
        """Raises as `compile` does."""
        tags = Tags()
        body = render(source.body, self._locale, tags)
        self._check_links(body.links)
        trees = self._tree(source.title, "title"), self._tree(tags.show_html(body.html), "body.html")
        if self._problems:
            raise TemplatesError(dict.fromkeys(self._problems))
        title, html = (_template(tree, name) for tree, name in zip(trees, ("title", "body.html"), strict=True))
        return Procedure(title, html, source.file, source.version)

    def _line(self, text: str, tags: Tags) -> str:
        """Text that is no Markdown, its tags hidden."""
        return spaced(tags.hide(text), self._locale)

    def _check_links(self, links: Iterable[str]) -> None:
        for link in links:
            address = urlsplit(link)
            if address.scheme != "https" or address.hostname not in self._brand.links.domains:
                hosts = ", ".join(self._brand.links.domains)
                self._problems.append(
                    f"a link leads to a host that is not the brand's, or not by https: it has {hosts}"
                )

    def _tree(self, source: str, name: str) -> nodes.Template:
        tree = _ENVIRONMENT.parse(source)
        Folding(self._brand, self._locale, escaped=name.endswith(".html"), problems=self._problems).visit(tree)
        used = _used(tree)
        self._problems += [
            f"{name}: no fact is called {each}{meant(each, self._names)}" for each in sorted(used.facts - self._names)
        ]
        # Within a condition Jinja would only find out when the condition is met.
        for names, known in ((used.filters, _ENVIRONMENT.filters), (used.tests, _ENVIRONMENT.tests)):
            self._problems += [
                f"{name}: no filter or test is called {each}{meant(each, known)}"
                for each in sorted(names - known.keys())
            ]
        return tree


def _used(tree: nodes.Template) -> _Used:
    """In one walk: Jinja's own means are a walk for each kind of node, and make the code twice."""
    given: set[str] = set()
    used = _Used(set(), set(), set())
    rest: list[nodes.Node] = [tree]
    while rest:
        node = rest.pop()
        if isinstance(node, nodes.Name):
            (used.facts if node.ctx == "load" else given).add(node.name)
        elif isinstance(node, nodes.Filter):
            used.filters.add(node.name)
        elif isinstance(node, nodes.Test):
            used.tests.add(node.name)
        rest.extend(node.iter_child_nodes())
    used.facts.difference_update(given)
    return used


def _template(tree: nodes.Template, name: str) -> Template:
    """`name` decides about escaping."""
    return Template.from_code(
        _ENVIRONMENT, _ENVIRONMENT.compile(tree, name=name, filename=name), globals={ACTIONS: None}
    )


def _literal(tree: nodes.Template) -> str:
    """The text of a template outside its tags."""
    return "".join(str(part.data) for part in tree.find_all(nodes.TemplateData))
