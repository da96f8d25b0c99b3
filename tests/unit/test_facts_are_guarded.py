"""Proof that the contract guards what it says: without a file there is no start; without a fact the checker objects.

Each test takes one thing out of a copy of templates and brands, and asks the same functions that judge our own.
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from services.notifier.brands import BRANDS, Brand, BrandError, load_brands
from services.notifier.compiling import TemplatesError
from services.notifier.letters import NOTICE_OF_LETTER, TO_POST
from services.notifier.samples import documents_of
from services.notifier.sources import TEMPLATES
from tests.support.message_rules import RULES, every_fact_is_said
from tests.support.messages import NOTICES, Message, loaded_from, messages
from tests.support.owed_facts import (
    CIGNA,
    MAY_NOT_ARRIVE,
    NAME_THE_OMBUDSMAN,
    NEVER_ASKED,
    OWED,
    TO_MEMBERS,
)
from tests.support.strange_data import committed

LANGUAGES = ("en", "fr", "nl", "de")
BRAND_FILE = f"brands/{CIGNA}/brand.toml"
SHARED = "templates/_shared/{locale}.md"


@dataclass(frozen=True, slots=True)
class Removal:
    """A fact's words in the source, and the notices that owe it: each has to be missed in each."""

    fact: str
    file: str
    words: str
    notices: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.fact}: {self.words} of {self.file}"


def _in_each(fact: str, notices: Iterable[str], words: str) -> list[Removal]:
    return [Removal(fact, f"templates/{notice}/{{locale}}.md", words, (notice,)) for notice in sorted(notices)]


VALID_FOR = r"\{\{ valid_for \| lasts \}\}"
PREFERENCES = "the communication preferences"
_OF_THE_OMBUDSMAN = ("name", "address", "email", "website", "phones", "phones_at_home", "phones_from_abroad")
REMOVALS = (
    *_in_each("15 minutes", ["one-time-verification-code"], VALID_FOR),
    *_in_each("72 hours", ["verify-email-address"], VALID_FOR),
    *_in_each("90 days", ["new-sign-on"], r"\{\{ brand.sign_on.browser_trust_days \}\}"),
    Removal("90 days", BRAND_FILE, r"^browser_trust_days = .*$", ("new-sign-on",)),
    *_in_each("24 months", ["portal-access-ends"], r"\{\{ access_for \| lasts \}\}"),
    *_in_each("30 days", ["portal-access-ends"], r"\{\{ access_left \| lasts \}\}"),
    *_in_each(PREFERENCES, ["verify-email-address"], r"\[[^\]]*\]\(\{\{ brand.links.communication_preferences \}\}\)"),
    Removal(PREFERENCES, "brands/cm/brand.toml", r"^communication_preferences = .*$", ("verify-email-address",)),
    *_in_each(
        "to contact us at once", ["email-address-changed", "bank-account-changed"], r'\{% include "if-not-you" %\}'
    ),
    *_in_each("30 minutes", MAY_NOT_ARRIVE, r'\{% include "missing-mail" %\}'),
    Removal("30 minutes", SHARED, r"\{\{ brand.help.missing_mail_minutes \}\}", ("change-your-password",)),
    Removal("30 minutes", BRAND_FILE, r"^missing_mail_minutes = .*$", ("unlock-account",)),
    *_in_each("the reference number", ["welcome"], r"^- .*\{\{ personal_reference_number \}\}$"),
    Removal(
        "the reference number", SHARED, r"\{\{ reference \}\}", ("complaint-acknowledged", "complaint-final-decision")
    ),
    Removal("the help phone", SHARED, r"\{\{ brand.help.phone \}\}", ("password-reset", "complaint-not-covered")),
    Removal("the help phone", BRAND_FILE, r"^phone = .*$", ("account-locked", "letter-bounced")),
    *_in_each("the ombudsman", NAME_THE_OMBUDSMAN, r'\{% include "ombudsman" %\}'),
    *(
        Removal("the ombudsman", SHARED, rf"\{{\{{ ombudsman_{row}\b.*\}}\}}", ("complaint-final-decision",))
        for row in _OF_THE_OMBUDSMAN
    ),
    Removal("the imprint", SHARED, r"\{\{ brand.imprint \}\}", ("welcome", "complaint-forwarded")),
    Removal("the imprint", BRAND_FILE, r"^imprint = .*$", ("welcome", "deadline-missed")),
    *_in_each("the warning against phishing", TO_MEMBERS, r'\{% include "authentic" %\}'),
    *_in_each("the warning against phishing", NOTICES.keys() - TO_MEMBERS, r'\{% include "authentic(-letter)?" %\}'),
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of templates and brands, side by side."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(TEMPLATES, root / "templates")
    shutil.copytree(BRANDS, root / "brands")
    return root


@contextmanager
def without(file: Path, words: str = "") -> Iterator[None]:
    """The file without these words, or with none given without the file, and whole again afterwards."""
    whole = file.read_text("utf-8")
    less, times = re.subn(words, "", whole, flags=re.MULTILINE)
    try:
        if words:
            assert times, f"{file.name} has no {words}"
            file.write_text(less, "utf-8")
        else:
            file.unlink()
        yield
    finally:
        file.write_text(whole, "utf-8")


def spoken(copy: Path, notice: str, locale: str) -> dict[str, Brand]:
    """The one of its brands that says more, in this language only."""
    brand = load_brands(copy / "brands")[CIGNA if CIGNA in NOTICES[notice].brands else "cm"]
    return {brand.id: brand.model_copy(update={"languages": (locale,), "default_language": locale})}


def rendered(copy: Path, notice: str, locale: str) -> list[Message]:
    """From every committed example."""
    brands = spoken(copy, notice, locale)
    one = replace(NOTICES[notice], brands=frozenset(brands))
    posted = {each["data"]["letter"] for each in documents_of(one).values()} if notice == TO_POST else ()
    loaded = loaded_from([notice, *(NOTICE_OF_LETTER[letter] for letter in posted)], copy / "templates", brands)
    return [message for filled in committed(one) for message in messages(loaded, brands, one, filled)]


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("removal", REMOVALS, ids=lambda removal: removal.name)
def test_a_fact_that_is_taken_out_is_missed(copy: Path, removal: Removal, locale: str) -> None:
    with without(copy / removal.file.format(locale=locale), removal.words):
        for notice in removal.notices:
            found = {wrong for message in rendered(copy, notice, locale) for wrong in every_fact_is_said(message)}
            assert {f"{part} does not say {removal.fact}" for part in ("text", "html")} <= found, notice


@pytest.mark.parametrize("locale", LANGUAGES)
def test_the_warning_is_missed_where_its_sentence_is_taken_out(copy: Path, locale: str) -> None:
    with without(copy / SHARED.format(locale=locale), rf"^- {re.escape(NEVER_ASKED[locale])}\n"):
        for notice in ("password-changed", "complaint-acknowledged"):
            for message in rendered(copy, notice, locale):
                assert "text does not say the warning against phishing" in every_fact_is_said(message)


@pytest.mark.parametrize("locale", LANGUAGES)
def test_an_sms_without_its_15_minutes_is_missed(copy: Path, locale: str) -> None:
    with without(copy / f"templates/one-time-verification-code/{locale}.md", VALID_FOR):
        texts = [each for each in rendered(copy, "one-time-verification-code", locale) if each.sms]
        assert {wrong for each in texts for wrong in every_fact_is_said(each)} == {"sms does not say 15 minutes"}


def test_every_fact_that_is_owed_is_taken_out() -> None:
    assert {owed.fact for owed in OWED} == {removal.fact for removal in REMOVALS}


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("notice", NOTICES)
def test_without_a_language_of_a_notice_there_is_no_start(copy: Path, notice: str) -> None:
    for locale in LANGUAGES:
        brands = spoken(copy, notice, locale)
        with without(copy / f"templates/{notice}/{locale}.md"), pytest.raises(TemplatesError) as caught:
            loaded_from([notice], copy / "templates", brands)
        assert caught.value.problems == (f"{notice}/{locale}.md: the file is missing",)


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("shared", ["_shared", "_procedure"])
def test_without_a_shared_file_there_is_no_start(copy: Path, shared: str, locale: str) -> None:
    brands = spoken(copy, "complaint-acknowledged", locale)
    with without(copy / f"templates/{shared}/{locale}.md"), pytest.raises(TemplatesError) as caught:
        loaded_from(["complaint-acknowledged"], copy / "templates", brands)
    assert f"{shared}/{locale}.md: the file is missing" in caught.value.problems


@pytest.mark.parametrize("brand", sorted(load_brands()))
def test_without_a_brands_file_there_is_no_start(copy: Path, brand: str) -> None:
    with without(copy / f"brands/{brand}/brand.toml"), pytest.raises(BrandError, match=f"{brand}/brand.toml: missing"):
        load_brands(copy / "brands")


def test_no_template_is_there_that_nobody_sends() -> None:
    files = {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.glob("*/*.md")}
    assert files == {f"{folder}/{lang}.md" for folder in (*NOTICES, "_shared", "_procedure") for lang in LANGUAGES}


# --- the other rules --------------------------------------------------------------------------------------------------

DEFECTS = (
    ("links_lead_to_the_brand", r"\A([\s\S]*=== mail ===\n)", r"\1Look at evil.example/login today.\n\n"),
    ("nothing_is_missing", r"(=== mail ===\n# [^\n]*)", r"\1 ,"),
    ("nothing_is_missing", r"(=== mail ===\n# [^\n]*)", r"\1\n\n**{% if name == 1 %}x{% endif %}**"),
    ("subject_is_one_short_line", r"(=== subject ===\n)[^\n]*", r"\1Without the brand"),
    ("html_is_small", r"(=== mail ===\n)", r"\1" + "word " * 21_000 + r"\n\n"),
)


@pytest.mark.parametrize(("rule", "old", "new"), DEFECTS)
def test_the_other_rules_object_too(copy: Path, rule: str, old: str, new: str) -> None:
    file = copy / "templates/account-locked/en.md"
    whole = file.read_text("utf-8")
    try:
        file.write_text(re.sub(old, new, whole, count=1), "utf-8")
        assert all(list(RULES[rule](message)) for message in rendered(copy, "account-locked", "en"))
    finally:
        file.write_text(whole, "utf-8")


@pytest.mark.parametrize(
    ("colour", "pale", "schemes"),
    [
        ('muted = "#625a6c"', 'muted = "#a9a2b1"', {"light", "on a phone"}),
        ('on_accent = "#26143a"', 'on_accent = "#8f6fb0"', {"dark", "dark in Outlook"}),
    ],
)
def test_a_colour_that_cannot_be_read_is_told_in_each_scheme(
    copy: Path, colour: str, pale: str, schemes: set[str]
) -> None:
    file = copy / BRAND_FILE
    whole = file.read_text("utf-8")
    try:
        file.write_text(whole.replace(colour, pale), "utf-8")
        (mail,) = rendered(copy, "unlock-account", "en")
        found = {wrong.partition(":")[0] for wrong in RULES["html_is_valid_and_can_be_read"](mail)}
        assert found == schemes
    finally:
        file.write_text(whole, "utf-8")
