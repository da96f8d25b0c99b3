"""What operators ask of the ledger at night: `why`, `notifications show`, `notifications retry`.

Each returns the exit status: 0, or 1 where something is unknown or was refused.
"""

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import asdict

from services.notifier import redaction, why, words
from services.notifier.ledger.interventions import Interventions
from services.notifier.ledger.stories import Stories
from services.notifier.reopening import Reopens, judge
from services.notifier.story import Story
from services.runtime.clock import Clock, SystemClock
from services.runtime.commands import CommandError, Say, database_of, vault_of
from services.runtime.settings import ProcessSettings
from services.runtime.vault import VaultError

SEVERAL = 5
"""Stories told at most, where several sources used one id."""
_NOTIFICATION = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(/[0-9]+/[a-z-]+)?")


async def tell_why(
    settings: ProcessSettings, asked: str, *, as_json: bool, say: Say, clock: Clock | None = None
) -> int:
    """`asked`: an event (`source|id` or id), a notification's UUID, or an outcome's id."""
    now = (clock or SystemClock()).now()
    async with database_of(settings, "why") as database:
        stories = await _stories(Stories(database, vault_of(settings)), asked)
    if as_json:
        say(json.dumps([why.document(story, now) for story in stories], indent=2, ensure_ascii=False))
    elif stories:
        say("\n\n".join(why.as_text(why.explain(story, now)) for story in stories))
    else:
        say(why.as_text([why.unknown(asked)]))
    return 0 if stories else 1


async def show(settings: ProcessSettings, id_: str, *, as_json: bool, say: Say) -> int:
    """Every column; what is private masked."""
    async with database_of(settings, "notifications show") as database:
        stories = Stories(database, vault_of(settings))
        row = await stories.notification(notification_id(id_))
        if row is None:
            say(why.as_text([why.unknown(id_)]))
            return 1
        try:
            facts = await stories.facts(row)
        except VaultError as error:
            facts = {"•••": str(error)}
        interventions = await stories.interventions([id_])
    shown = why.plain(asdict(row))
    shown["in_words"] = words.of_notification(row)
    shown["facts"] = None if facts is None else redaction.redacted(facts)
    shown["interventions"] = [why.plain(asdict(each)) for each in interventions]
    say(json.dumps(shown, indent=2, ensure_ascii=False) if as_json else _columns(shown))
    return 0


async def retry(
    settings: ProcessSettings,
    ids: Sequence[str],
    *,
    because: str,
    who: str,
    yes: bool,
    say: Say,
    clock: Clock | None = None,
) -> int:
    """Without `yes` only what would happen. Each is one conditional write; a refusal does not stop the others."""
    wanted = list(dict.fromkeys(notification_id(id_) for id_ in ids))
    clock = clock or SystemClock()
    refused = 0
    async with database_of(settings, "notifications retry") as database:
        stories, interventions = Stories(database, vault_of(settings)), Interventions(database)
        for id_ in wanted:
            row = await stories.notification(id_)
            if row is None:
                refused += 1
                say(f"{id_}  not known: member-notices why {id_} says where to look")
                continue
            judgement = judge(row, await stories.contact_of(row), clock.now())
            name = f"{id_}  {row.notice} to {row.role}"
            if not isinstance(judgement, Reopens):
                refused += 1
                say(f"{name}  stays {row.state}: {judgement.why}; {judgement.way_out}")
            elif not yes:
                say(f"{name}  would go: {judgement.what}")
            elif await interventions.reopen(row, clock.now(), who=who, why=because):
                say(f"{name}  re-opened: {judgement.what}")
            else:
                refused += 1
                say(f"{name}  left alone: it changed meanwhile; look again: member-notices why {id_}")
    if not yes and refused < len(wanted):
        say(f"Nothing was changed. With --yes {len(wanted) - refused} would be re-opened, by {who}: {because}")
    return 1 if refused else 0


async def _stories(stories: Stories, asked: str) -> list[Story]:
    found = _NOTIFICATION.fullmatch(asked)
    row = await stories.notification(uuid.UUID(found[1])) if found else None
    if row is not None:
        event = await stories.event_of(row)
        return [] if event is None else [await stories.story(event, [row])]
    return [await stories.story(event, await stories.of_event(event)) for event in await stories.events(asked, SEVERAL)]


def notification_id(text: str) -> uuid.UUID:
    """Of a notification, or of an outcome of it. Raises `CommandError`."""
    found = _NOTIFICATION.fullmatch(text)
    if found is None:
        raise CommandError("A notification is named by its UUID; member-notices why EVENT lists those of an event.")
    return uuid.UUID(found[1])


def _columns(shown: dict[str, object]) -> str:
    width = max(len(name) for name in shown)
    lines = []
    for name, value in shown.items():
        if isinstance(value, list):
            lines += [f"{name.ljust(width)}  {_one_line(each)}" for each in value] or [f"{name.ljust(width)}  none"]
        else:
            lines.append(f"{name.ljust(width)}  {_one_line(value)}")
    return "\n".join(lines)


def _one_line(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_one_line(each)}" for name, each in value.items() if each is not None)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
