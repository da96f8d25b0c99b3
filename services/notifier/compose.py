"""Template and facts → subject, HTML, text, SMS, and the files that go with them.

Everything that does not depend on the member happens once, in `Composer.load`: Markdown, layout, in-lined styles, the
brand's facts (folded into the template as constants) and the compilation. A mail is then three string joins.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, cast

from jinja2 import Template, TemplateError

from schemas.complaints import Letter
from schemas.notifications import InAppMessageV1
from schemas.topics import DATA_OF_TYPE
from services.notifier.brands import BRANDS, Brand, load_brands
from services.notifier.catalogue import CATALOGUE, THROTTLED
from services.notifier.compiling import Compiled, Compiler, TemplatesError
from services.notifier.enclosures import VERSION, Enclosures, Place, Procedure
from services.notifier.facts import CONTACT_FACTS, ROLE, fact_names
from services.notifier.letters import NOTICE_OF_LETTER, TO_POST, letter_fact_names
from services.notifier.markup import MarkupError
from services.notifier.mime import Attachment, Email
from services.notifier.sms_text import as_sent
from services.notifier.sources import TEMPLATES, SourceError, read_procedure, read_source

_SPACE = re.compile(r"[ \t\r\n]+")
Key: TypeAlias = tuple[str, str, str]
"""Notice, brand, locale."""

SUBJECT_LIMIT = 78
"""Characters of a subject: RFC 5322's line. A reference may be longer than what is left; the mail says it in full."""
ENCLOSES = "encloses_procedure"
"""The fact by which a mail takes the complaints procedure along."""
ON_PAPER = frozenset(NOTICE_OF_LETTER.values())


class ComposeError(ValueError):
    """A message that could not be rendered: the key and the reason, never a fact's value."""

    def __init__(self, key: Key, reason: str) -> None:
        self.key = key
        self.reason = reason
        super().__init__(f"{'/'.join(key)}: {reason}")


class Composer:
    """Renders what it has loaded. Safe to share between tasks and threads."""

    def __init__(self, compiled: Mapping[Key, Compiled], enclosures: Enclosures) -> None:
        self._compiled = compiled
        self._enclosures = enclosures

    @classmethod
    def load(
        cls,
        wanted: Iterable[Key],
        *,
        known: Mapping[str, frozenset[str]] | None = None,
        in_app: Collection[str] = (),
        throttled: Collection[str] = (),
        templates: Path = TEMPLATES,
        brands: Mapping[str, Brand] | None = None,
    ) -> "Composer":
        """Compile every (notice, brand, locale) wanted, or raise one `TemplatesError` with all that is wrong.

        `known` gives the names a notice's templates may use, `letters.letter_fact_names` of its event's data; a notice
        it does not have may use any name of any event. Notices `in_app` need that section; those `throttled` can list
        several actions. Where they enclose the
        complaints procedure, that is loaded too. Reads the brands if none are given (`BrandError`).
        """
        brands = load_brands(BRANDS) if brands is None else brands
        compiled: dict[Key, Compiled] = {}
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
                    if notice in in_app and source.in_app is None:
                        problems[f"{notice}/{locale}.md: section in-app is missing"] = None
                    compiled[key] = Compiler(brand, locale, names | {ROLE}).compile(
                        source, lists=_repeated(names) if notice in throttled else (), paper=notice in ON_PAPER
                    )
                if ENCLOSES in names and (brand_id, locale) not in procedures:
                    with _told(problems, f"_procedure/{locale}.md"):
                        procedure = read_procedure(templates, locale)
                        procedures[brand_id, locale] = Compiler(brand, locale, names | {VERSION}).compile_procedure(
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
                subject=_short(_one_line(template.subject.render(facts))),
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
            title = _one_line(letter.subject.render(facts))
            yield self._enclosures.letter((brand, locale), facts, title, _on_paper(letter).render(facts))
        if facts.get(ENCLOSES):
            yield self._enclosures.procedure((brand, locale), facts)

    def sms(self, notice: str, brand: str, locale: str, facts: Mapping[str, object]) -> str:
        """In GSM-7 where that is faithful (`sms_text.as_sent`).

        Raises `ComposeError` as `email` does, and where the notice has no SMS.
        """
        key = (notice, brand, locale)
        template = self._of(key).sms
        if template is None:
            raise ComposeError(key, "the notice has no section sms")
        try:
            return as_sent(template.render(facts))
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            raise ComposeError(key, _reason(error)) from None

    def in_app(self, notice: str, brand: str, locale: str, facts: Mapping[str, object]) -> InAppMessageV1:
        """What the portal shows. Raises `ComposeError` as `email` does, and where the notice has no such section."""
        key = (notice, brand, locale)
        template = self._of(key).in_app
        if template is None:
            raise ComposeError(key, "the notice has no section in-app")
        try:
            title, _, text = template.render(facts).strip().partition("\n")
            return InAppMessageV1(notice=notice, locale=locale, title=title.strip(), text=_joined_lines(text))
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            raise ComposeError(key, _reason(error)) from None

    def _of(self, key: Key) -> Compiled:
        compiled = self._compiled.get(key)
        if compiled is None:
            raise ComposeError(key, "not loaded")
        return compiled


def _on_paper(letter: Compiled) -> Template:
    if letter.body is None:
        raise KeyError("body")
    return letter.body


def _one_line(text: str) -> str:
    """Single spaces; one that must not break stays."""
    return _SPACE.sub(" ", text).strip()


def _short(subject: str) -> str:
    return subject if len(subject) <= SUBJECT_LIMIT else f"{subject[: SUBJECT_LIMIT - 1].rstrip()}…"


def _joined_lines(text: str) -> str:
    """What was left out leaves no gap: one blank line between paragraphs."""
    return "\n\n".join(_one_line(part) for part in text.split("\n\n") if part.strip())


def load_catalogue(brands: Mapping[str, Brand], only: Collection[str] = (), *, templates: Path = TEMPLATES) -> Composer:
    """Every notice of the catalogue, or `only` these, in every language of its brands. A letter to post holds any other
    letter, so that all are loaded with it.

    Raises `TemplatesError` with all that is wrong.
    """
    if TO_POST in only:
        only = ()
    return Composer.load(
        (
            (notice.name, brand.id, language)
            for notice in CATALOGUE
            for brand in brands.values()
            if brand.id in notice.brands and (not only or notice.name in only)
            for language in brand.languages
        ),
        known=known_facts(),
        in_app={notice.name for notice in CATALOGUE if notice.in_app},
        throttled=THROTTLED,
        templates=templates,
        brands=brands,
    )


def known_facts() -> dict[str, frozenset[str]]:
    """Notice → every name that its templates may use."""
    return {notice.name: letter_fact_names(DATA_OF_TYPE[notice.on]) for notice in CATALOGUE}


def _repeated(names: frozenset[str]) -> tuple[str, ...]:
    """The facts that each action of a summary has its own of."""
    return tuple(sorted(names - CONTACT_FACTS))


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
