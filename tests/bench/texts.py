"""The mails as their readers see them, compared; and the naive pipeline's templates, made from ours.

Both pipelines must send equal text, or their cost cannot be compared. Ours knows its texts as Markdown in a layout; the
naive one gets what that comes to: one of our own mails a language, with the facts that differ from mail to mail put
back as Jinja expressions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email import message_from_string, policy
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from markupsafe import escape

from tests.bench.load import LANGUAGES, Member, PasswordChange
from tests.bench.rig import BenchError

NOTICE = "password-changed"
WHEN = {
    "en": ("en_GB", "EEEE, d MMMM y 'at' HH:mm '('zzzz')'"),
    "fr": ("fr", "EEEE d MMMM y 'à' HH:mm '('zzzz')'"),
}
"""How our notices write a time: Babel's locale and pattern."""


@dataclass(frozen=True, slots=True)
class Texts:
    """What a reader sees; lines end in a bare newline, white space at the end does not count."""

    subject: str
    text: str
    html: str

    @classmethod
    def of(cls, message: str) -> "Texts":
        parsed = message_from_string(message, policy=policy.default)
        bodies = {}
        for kind in ("plain", "html"):
            part = parsed.get_body((kind,))
            if part is None:
                raise BenchError(f"a mail without text/{kind}")
            bodies[kind] = part.get_content().replace("\r\n", "\n").rstrip()
        return cls(str(parsed["Subject"]), bodies["plain"], bodies["html"])


def write_templates(folder: Path, changes: Iterable[PasswordChange], messages: Mapping[str, str]) -> None:
    """Templates for each language from our mail to one member; `messages` by recipient."""
    one_each = {change.member.language: change for change in changes if change.member.email in messages}
    if set(one_each) != set(LANGUAGES):
        raise BenchError(f"our mails came in {sorted(one_each)}, templates need {sorted(LANGUAGES)}")
    (folder / NOTICE).mkdir(parents=True)
    for language, change in one_each.items():
        ours = Texts.of(messages[change.member.email])
        shown = facts(change.member, change.changed_at)
        if shown[when_expression(language)] not in ours.text:
            raise BenchError(f"our {language} mail does not write its time as WHEN says; mend WHEN")
        for part, text in (("subject.txt", ours.subject), ("body.txt", ours.text), ("body.html", ours.html)):
            is_html = part.endswith(".html")
            values = {expression: str(escape(value)) if is_html else value for expression, value in shown.items()}
            (folder / NOTICE / f"{language}.{part}").write_text(_as_template(text, values), encoding="utf-8")


def facts(member: Member, changed_at: datetime) -> dict[str, str]:
    """Jinja expression of the naive pipeline → what it comes to for this mail."""
    locale, pattern = WHEN[member.language]
    zone = ZoneInfo(member.time_zone)
    return {
        "name": member.name,
        when_expression(member.language): format_datetime(changed_at, pattern, tzinfo=zone, locale=locale),
    }


def when_expression(language: str) -> str:
    locale, pattern = WHEN[language]
    return f'data.changed_at | format_datetime("{pattern}", time_zone, "{locale}")'


def _as_template(text: str, values: Mapping[str, str]) -> str:
    """Values become expressions; the rest is literal, whatever Jinja would read in it (`{#` is common in CSS)."""
    template = "{% raw %}" + text + "{% endraw %}"
    for expression, value in values.items():
        template = template.replace(value, "{% endraw %}{{ " + expression + " }}{% raw %}")
    return template


def compare(ours: Mapping[str, str], naive: Mapping[str, str]) -> int:
    """How many mails, to the same member about the same event, were compared; raises BenchError on a difference."""
    both = sorted(ours.keys() & naive.keys())
    for recipient in both:
        our_texts, naive_texts = Texts.of(ours[recipient]), Texts.of(naive[recipient])
        for part in ("subject", "text", "html"):
            if getattr(our_texts, part) != getattr(naive_texts, part):
                raise BenchError(f"{part} to {recipient} differs:\n{_first_difference(our_texts, naive_texts, part)}")
    if not both:
        raise BenchError("no mail that both pipelines sent: nothing to compare")
    return len(both)


def _first_difference(ours: Texts, naive: Texts, part: str) -> str:
    lines = zip(getattr(ours, part).splitlines(), getattr(naive, part).splitlines(), strict=False)
    for our_line, naive_line in lines:
        if our_line != naive_line:
            return f"  ours:  {our_line}\n  naive: {naive_line}"
    return "  one is longer"
