"""`member-notices dead-letters list | show | replay`: what was refused, and the way back in."""

import json
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from aiokafka.errors import KafkaError

from services.notifier import redaction
from services.notifier.dead_letter_box import DeadLetterBox, ReplayRefusedError
from services.notifier.ledger.interventions import Interventions
from services.notifier.ledger.stories import Stories
from services.notifier.story import InterventionRow
from services.notifier.why import iso
from services.runtime.commands import CommandError, Say, database_of, vault_of
from services.runtime.dead_letters import DeadLetter, DeadLetterError, Original
from services.runtime.settings import ProcessSettings
from services.runtime.vault import Vault, VaultError

_ORIGIN = re.compile(r"[a-z0-9.-]+/[0-9]+/[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which dead letters are meant; what is None or empty does not narrow."""

    reason: str | None = None
    """The beginning of the reason: a code, or code and field."""
    topic: str | None = None
    """The origin topic."""
    since: datetime | None = None
    event: str | None = None
    """`source|id` or id: the letters are opened to look for it."""
    origins: frozenset[str] = frozenset()

    def takes(self, letter: DeadLetter, vault: Vault) -> bool:
        return (
            (self.reason is None or letter.reason.startswith(self.reason))
            and (self.topic is None or letter.topic == self.topic)
            and (self.since is None or letter.at >= self.since)
            and (not self.origins or letter.origin in self.origins)
            and (self.event is None or _is_event(letter, self.event, vault))
        )


async def list_letters(settings: ProcessSettings, wanted: Filter, *, limit: int, as_json: bool, say: Say) -> int:
    """The newest `limit`, oldest of them first; a record refused twice is one line. Contents are not opened."""
    vault = vault_of(settings)
    letters: dict[str, DeadLetter] = {}
    async with _box(settings, vault) as box:
        async for letter in box.read():
            if wanted.takes(letter, vault):
                _keep_later(letters, replace(letter, sealed_value=None, sealed_headers=None))
    ordered = sorted(letters.values(), key=lambda letter: (letter.at, letter.origin))
    kept = list(deque(ordered, maxlen=limit))
    replayed: dict[str, InterventionRow] = {}
    try:
        async with database_of(settings, "dead-letters list") as database:
            replayed = _replayed(await Stories(database, vault).interventions([letter.origin for letter in kept]))
    except CommandError as error:
        if as_json:
            raise
        say(f"What was replayed is not known: {error}")
    if as_json:
        say(json.dumps([_metadata(letter, replayed) for letter in kept], indent=2))
        return 0
    say(_table(kept, replayed) if kept else "No dead letter, as asked.")
    if len(ordered) > len(kept):
        say(f"{len(ordered) - len(kept)} older ones are not shown; --limit, --since, --reason or --topic narrow it.")
    if box.foreign:
        say(f"{box.foreign} records on the dead-letter topics were not written by this version of our services.")
    return 0


async def show_letter(settings: ProcessSettings, origin: str, *, reveal: bool, because: str, who: str, say: Say) -> int:
    """Metadata, and the contents masked; `reveal` shows them as they are, once the record of it is written."""
    vault = vault_of(settings)
    letters = await _found(settings, vault, Filter(origins=frozenset({_origin(origin)})))
    if not letters:
        say(f"{origin} is not among the dead letters: never refused, or more than 30 days ago.")
        return 1
    (letter,) = letters.values()
    async with database_of(settings, "dead-letters show") as database:
        replayed = _replayed(await Stories(database, vault).interventions([origin]))
        if reveal:
            await Interventions(database).begin("reveal", origin, who=who, why=because)
    for name, value in _metadata(letter, replayed).items():
        say(f"{name:<11} {'-' if value is None else value}")
    try:
        original = letter.open(vault)
    except (VaultError, DeadLetterError) as error:
        say(f"{'contents':<11} {_why_none(letter) or error}")
        return 0
    for line in _revealed(original) if reveal else _masked(original):
        say(line)
    return 0


async def replay(settings: ProcessSettings, wanted: Filter, *, because: str, who: str, yes: bool, say: Say) -> int:
    """Without `yes` only what would happen. What was replayed before goes again only when it is named by its origin."""
    vault = vault_of(settings)
    for origin in wanted.origins:
        _origin(origin)
    letters = await _found(settings, vault, wanted)
    missing = sorted(wanted.origins - letters.keys())
    for origin in missing:
        say(f"{origin}  is not among the dead letters: never refused, or more than 30 days ago")
    async with database_of(settings, "dead-letters replay") as database, _box(settings, vault) as box:
        replayed = _replayed(await Stories(database, vault).interventions(list(letters)))
        ready = [
            (letter, original)
            for letter in letters.values()
            if (original := await _ready(box, letter, None if wanted.origins else replayed.get(letter.origin), say))
        ]
        refused = len(letters) - len(ready) + len(missing)
        if not yes:
            for letter, _ in ready:
                before = _before(letter, replayed)
                say(f"{letter.origin}  would go back onto {letter.topic} (was {letter.reason}){before}")
            say(f"Nothing was published. With --yes {len(ready)} would be replayed, by {who}: {because}")
        elif ready:
            await _publish_all(box, Interventions(database), ready, who=who, because=because, say=say)
    return 1 if refused else 0


async def _publish_all(
    box: DeadLetterBox,
    interventions: Interventions,
    ready: Sequence[tuple[DeadLetter, Original]],
    *,
    who: str,
    because: str,
    say: Say,
) -> None:
    async with box.producer() as producer:
        for letter, original in ready:
            number = await interventions.begin("replay", letter.origin, who=who, why=because)
            place = await box.publish(letter, original, producer)
            await interventions.end(number, place)
            say(f"{letter.origin}  replayed as {place}")


async def _ready(box: DeadLetterBox, letter: DeadLetter, before: InterventionRow | None, say: Say) -> Original | None:
    if before is not None:
        say(f"{letter.origin}  was replayed {iso(before.at)} by {before.who}; name it by its origin to replay it again")
        return None
    try:
        return await box.original(letter)
    except ReplayRefusedError as error:
        say(f"{letter.origin}  not replayed: {error}")
        return None


@asynccontextmanager
async def _box(settings: ProcessSettings, vault: Vault) -> AsyncIterator[DeadLetterBox]:
    """Raises `CommandError` when the broker cannot be reached, or goes away in between."""
    try:
        yield DeadLetterBox(settings, vault)
    except KafkaError as error:
        raise CommandError(
            f"Kafka cannot be asked ({type(error).__name__}). Look at KAFKA_BOOTSTRAP_SERVERS and at the broker."
        ) from None


async def _found(settings: ProcessSettings, vault: Vault, wanted: Filter) -> dict[str, DeadLetter]:
    """By origin, the oldest first; of one refused twice the later."""
    letters: dict[str, DeadLetter] = {}
    async with _box(settings, vault) as box:
        async for letter in box.read():
            if wanted.takes(letter, vault):
                _keep_later(letters, letter)
    return dict(sorted(letters.items(), key=lambda entry: (entry[1].topic, entry[1].partition, entry[1].offset)))


def _keep_later(letters: dict[str, DeadLetter], letter: DeadLetter) -> None:
    known = letters.get(letter.origin)
    if known is None or known.at <= letter.at:
        letters[letter.origin] = letter


def _is_event(letter: DeadLetter, asked: str, vault: Vault) -> bool:
    try:
        original = letter.open(vault)
        document = json.loads(original.value)
    except (VaultError, DeadLetterError, ValueError, RecursionError):
        return False
    attributes: Mapping[str, object] = document if isinstance(document, dict) else {}
    headers = {name.lower(): value.decode("utf-8", "replace") for name, value in original.headers if value is not None}
    id_ = attributes.get("id", headers.get("ce_id"))
    return asked in (id_, f"{attributes.get('source', headers.get('ce_source'))}|{id_}")


def _replayed(interventions: Sequence[InterventionRow]) -> dict[str, InterventionRow]:
    """Origin → its last replay."""
    return {each.subject: each for each in interventions if each.kind == "replay"}


def _before(letter: DeadLetter, replayed: Mapping[str, InterventionRow]) -> str:
    before = replayed.get(letter.origin)
    return f"; replayed before, {iso(before.at)} by {before.who}" if before else ""


def _metadata(letter: DeadLetter, replayed: Mapping[str, InterventionRow]) -> dict[str, str | None]:
    before = replayed.get(letter.origin)
    return {
        "origin": letter.origin,
        "reason": letter.reason,
        "refused": iso(letter.at),
        "key": redaction.key_of(letter.key),
        "kept": _why_none(letter),
        "replayed": None if before is None else f"{iso(before.at)} by {before.who} as {before.result or '(not known)'}",
    }


def _why_none(letter: DeadLetter) -> str | None:
    """Why there is nothing to open; None: there is."""
    if letter.tombstone:
        return "a tombstone: there was no value"
    if letter.sha256 is not None:
        return f"too large to keep: {letter.size} bytes, SHA-256 {letter.sha256}; replay reads it from its origin"
    return None


def _table(letters: Sequence[DeadLetter], replayed: Mapping[str, InterventionRow]) -> str:
    rows = [("REFUSED", "ORIGIN", "REASON", "REPLAYED")]
    for letter in letters:
        before = replayed.get(letter.origin)
        note = " [too large]" if letter.sha256 else " [tombstone]" if letter.tombstone else ""
        rows.append((iso(letter.at), letter.origin, letter.reason + note, "-" if before is None else iso(before.at)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _masked(original: Original) -> list[str]:
    headers = [f"{'header':<11} {line}" for line in redaction.headers_of(original.headers)]
    return [*headers, redaction.value_of(original.value)]


def _revealed(original: Original) -> list[str]:
    return [
        *(f"{'header':<11} {name}: {_text(value)}" for name, value in original.headers),
        _text(original.value),
    ]


def _text(value: bytes | None) -> str:
    """Control characters escaped: a terminal would obey them."""
    if value is None:
        return "null"
    text = value.decode("utf-8", "backslashreplace")
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode() for char in text
    )


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise CommandError(
            "A dead letter is named by its origin, topic/partition/offset; dead-letters list shows them."
        )
    return text
