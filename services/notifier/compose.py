"""Template and facts → subject, HTML, text, SMS, and the files that go with them.

Everything that does not depend on the member happens once, in `Composer.load`: Markdown, layout, in-lined styles, the
brand's facts (folded into the template as constants) and the compilation. A mail is then three string joins.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

from jinja2 import Environment, StrictUndefined, Template, TemplateError, meta, nodes

from schemas.complaints import Letter
from schemas.topics import DATA_OF_TYPE
from services.notifier import formats
from services.notifier.brands import BRANDS, Brand, load_brands
from services.notifier.enclosures import VERSION, Enclosures, Place, Procedure
from services.notifier.facts import CONTACT_FACTS, fact_names
from services.notifier.folding import LOCALISED, SPOKEN, Folding, constant_lines
from services.notifier.layout import framed
from services.notifier.letters import NOTICE_OF_LETTER, TO_POST, letter_fact_names
from services.notifier.markup import TEXT_RULE, MarkupError, Tags, render
from services.notifier.mime import Attachment, Email, encoded_lines
from services.notifier.sms_text import not_gsm7
from services.notifier.sources import TEMPLATES, ProcedureSource, Source, SourceError, read_procedure, read_source

Key: TypeAlias = tuple[str, str, str]
"""Notice, brand, locale."""

ROLE = "role"
"""Whose copy it is (`old`, `new` …): the one fact that the plan adds to those of the event."""
ENCLOSES = "encloses_procedure"
"""The fact by which a mail takes the complaints procedure along."""


class TemplatesError(ValueError):
    """Templates that cannot be used. `problems` lists every one of them, each naming its file."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class ComposeError(ValueError):
    """A message that could not be rendered: the key and the reason, never a fact's value."""

    def __init__(self, key: Key, reason: str) -> None:
        self.key = key
        self.reason = reason
        super().__init__(f"{'/'.join(key)}: {reason}")


@dataclass(frozen=True, slots=True)
class _Compiled:
    subject: Template
    html: Template
    text: Template
    sms: Template | None
    body: Template
    """The HTML without its frame: what a letter on paper is set from."""
    constant: Mapping[str, bytes]


class Composer:
    """Renders what it has loaded. Safe to share between tasks and threads."""

    def __init__(self, compiled: Mapping[Key, _Compiled], enclosures: Enclosures) -> None:
        self._compiled = compiled
        self._enclosures = enclosures

    @classmethod
    def load(
        cls,
        wanted: Iterable[Key],
        *,
        known: Mapping[str, frozenset[str]] | None = None,
        templates: Path = TEMPLATES,
        brands: Mapping[str, Brand] | None = None,
    ) -> "Composer":
        """Compile every (notice, brand, locale) wanted, or raise one `TemplatesError` with all that is wrong.

        `known` gives the names a notice's templates may use, `letters.letter_fact_names` of its event's data; a notice
        it does not have may use any name of any event. Where they enclose the complaints procedure, that is loaded
        too. Reads the brands if none are given (`BrandError`).
        """
        brands = load_brands(BRANDS) if brands is None else brands
        compiled: dict[Key, _Compiled] = {}
        procedures: dict[Place, Procedure] = {}
        problems: dict[str, None] = {}
        for key in wanted:
            notice, brand_id, locale = key
            names = (known or {}).get(notice, _any_name())
            brand = brands.get(brand_id)
            if brand is None:
                problems[f"{notice}: no brand {brand_id}"] = None
            elif locale not in brand.languages:
                problems[f"{notice}: {brand_id} does not speak {locale}"] = None
            else:
                with _told(problems, f"{notice}/{locale}.md"):
                    source = read_source(templates, notice, locale)
                    compiled[key] = _Compiler(brand, locale, names | {ROLE}).compile(source)
                if ENCLOSES in names and (brand_id, locale) not in procedures:
                    with _told(problems, f"_procedure/{locale}.md"):
                        procedure = read_procedure(templates, locale)
                        procedures[brand_id, locale] = _Compiler(brand, locale, names | {VERSION}).compile_procedure(
                            procedure
                        )
        if problems:
            raise TemplatesError(problems)
        return cls(compiled, Enclosures(brands, procedures))

    def email(self, notice: str, brand: str, locale: str, facts: Mapping[str, object]) -> Email:
        """With the files that it announces: the procedure enclosed, the letter to post.

        Raises `ComposeError` if the key was not loaded or a fact that the text needs is missing or None.
        """
        key = (notice, brand, locale)
        template = self._of(key)
        try:
            return Email(
                subject=" ".join(template.subject.render(facts).split()),
                html=template.html.render(facts),
                text=template.text.render(facts).strip("\n") + "\n",
                constant=template.constant,
                attachments=tuple(self._attachments(key, facts)),
            )
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            raise ComposeError(key, _reason(error)) from None

    def _attachments(self, key: Key, facts: Mapping[str, object]) -> Iterator[Attachment]:
        """A letter to post is in its reader's language, whatever its handler's is; and so is what goes with it."""
        notice, brand, locale = key
        if notice == TO_POST:
            locale = str(facts["letter_locale"])
            letter = self._of((NOTICE_OF_LETTER[cast("Letter", facts["letter"])], brand, locale))
            title = " ".join(letter.subject.render(facts).split())
            yield self._enclosures.letter((brand, locale), facts, title, letter.body.render(facts))
        if facts.get(ENCLOSES):
            yield self._enclosures.procedure((brand, locale), facts)

    def sms(self, notice: str, brand: str, locale: str, facts: Mapping[str, object]) -> str:
        """Raises `ComposeError` as `email` does, and where the notice has no SMS."""
        key = (notice, brand, locale)
        template = self._of(key).sms
        if template is None:
            raise ComposeError(key, "the notice has no section sms")
        try:
            return template.render(facts)
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            raise ComposeError(key, _reason(error)) from None

    def _of(self, key: Key) -> _Compiled:
        compiled = self._compiled.get(key)
        if compiled is None:
            raise ComposeError(key, "not loaded")
        return compiled


def _any_name() -> frozenset[str]:
    return CONTACT_FACTS.union(*(fact_names(model) | letter_fact_names(model) for model in DATA_OF_TYPE.values()))


def _reason(error: Exception) -> str:
    """Jinja's own errors name the variable; any other error's text may hold a value."""
    return str(error) if isinstance(error, TemplateError) else type(error).__name__


# --- at load ----------------------------------------------------------------------------------------------------------


@contextmanager
def _told(problems: dict[str, None], label: str) -> Iterator[None]:
    """What is wrong with a file becomes lines of `problems` that name it."""
    try:
        yield
    except SourceError as error:
        problems[str(error)] = None
    except (MarkupError, TemplateError, TemplatesError) as error:
        problems |= dict.fromkeys(f"{label}: {line}" for line in str(error).splitlines())


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


class _Compiler:
    """One notice for one brand in one language."""

    def __init__(self, brand: Brand, locale: str, names: frozenset[str]) -> None:
        self._brand = brand
        self._locale = locale
        self._names = names
        self._problems: list[str] = []

    def compile(self, source: Source) -> _Compiled:
        tags = Tags()
        mail = render(source.mail, self._locale, tags)
        footer = render(source.footer, self._locale, tags)
        self._check_links((*mail.links, *footer.links))
        document = framed(
            self._brand,
            self._locale,
            subject=tags.hide(source.subject),
            preheader=tags.hide(source.preheader),
            body=mail.html,
            footer=footer.html,
        )
        trees = {
            "subject": self._tree(source.subject, "mail.subject"),
            "html": self._tree(tags.show_html(document), "mail.html"),
            "text": self._tree(f"{mail.text}{TEXT_RULE}{footer.text}", "mail.text"),
            "body": self._tree(tags.show_html(mail.html), "body.html"),
        }
        lines = {line for part in ("html", "text") for line in constant_lines(trees[part])}
        if source.sms is not None:
            trees["sms"] = self._tree(source.sms, "mail.sms")
            if foreign := not_gsm7(_literal(trees["sms"])):
                self._problems.append(f"section sms: not in GSM-7: {' '.join(foreign)}")
        if self._problems:
            raise TemplatesError(dict.fromkeys(self._problems))
        parts = {
            part: _template(tree, "body.html" if part == "body" else f"mail.{part}") for part, tree in trees.items()
        }
        return _Compiled(
            parts["subject"],
            parts["html"],
            parts["text"],
            parts.get("sms"),
            parts["body"],
            constant=encoded_lines(lines),
        )

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

    def _check_links(self, links: Iterable[str]) -> None:
        for link in links:
            address = urlsplit(link)
            if address.scheme != "https" or address.hostname not in self._brand.links.domains:
                self._problems.append("a link leads to a host that is not the brand's, or not by https")

    def _tree(self, source: str, name: str) -> nodes.Template:
        tree = _ENVIRONMENT.parse(source)
        Folding(self._brand, self._locale, escaped=name.endswith(".html"), problems=self._problems).visit(tree)
        variables = meta.find_undeclared_variables(tree) - self._names
        self._problems += [f"{name}: no fact is called {unknown}" for unknown in sorted(variables)]
        # Within a condition Jinja would only find out when the condition is met.
        filters = {node.name for node in tree.find_all(nodes.Filter)} - _ENVIRONMENT.filters.keys()
        tests = {node.name for node in tree.find_all(nodes.Test)} - _ENVIRONMENT.tests.keys()
        self._problems += [f"{name}: no filter or test is called {unknown}" for unknown in sorted(filters | tests)]
        return tree


def _template(tree: nodes.Template, name: str) -> Template:
    """`name` decides about escaping."""
    return Template.from_code(_ENVIRONMENT, _ENVIRONMENT.compile(tree, name=name, filename=name), globals={})


def _literal(tree: nodes.Template) -> str:
    """The text of a template outside its tags."""
    return "".join(str(part.data) for part in tree.find_all(nodes.TemplateData))
