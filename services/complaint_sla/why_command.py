"""A complaint's part of `member-notices why`: found by its own id, or by the id of something that was said of it."""

import asyncpg

from services.complaint_sla import why
from services.complaint_sla.case import SOURCE
from services.complaint_sla.dossier import Dossier
from services.complaint_sla.reading import Reading
from services.complaint_sla.rulebook import load_rulebook
from services.complaint_sla.tables import DataError
from services.complaint_sla.timeline import document
from services.runtime.clock import Clock, SystemClock
from services.runtime.commands import CommandError, database_of, vault_of
from services.runtime.settings import ProcessSettings
from services.runtime.vault import VaultError

LONGEST = 512
"""Characters: a source, a bar and an id fit. What is longer names nothing."""


class Found:
    """A complaint that was asked for. `by_event`: an event of complaints.deadlines.v1 was named, not the complaint."""

    def __init__(self, dossier: Dossier, zone_name: str, clock: Clock, *, by_event: bool) -> None:
        self.by_event = by_event
        self.text = why.as_text(dossier, zone_name, clock.now())
        self.document = document(dossier, zone_name, clock.now())


async def find(settings: ProcessSettings, asked: str, clock: Clock | None = None) -> Found | None:
    """`asked`: a complaint's id, or an event's (`source|id` or id). None: nothing here has that name."""
    if not asked.isprintable() or len(asked) > LONGEST:
        return None
    source, bar, event = asked.rpartition("|")
    async with database_of(settings, "why") as database:
        reading = Reading(database, vault_of(settings))
        try:
            complaint = await reading.complaint_of(event) if source == SOURCE or not bar else None
            dossier = await reading.dossier(complaint or asked)
        except asyncpg.SyntaxOrAccessError:
            return None  # this user's database has no complaints, or not for this user
        except VaultError as error:
            raise CommandError(f"The complaint cannot be opened: {error}.") from None
    if dossier is None:
        return None
    try:
        zone_name = load_rulebook().zone_of(dossier.case.licence)
    except DataError as error:
        raise CommandError(f"The complaint cannot be explained: {error}") from None
    return Found(dossier, zone_name, clock or SystemClock(), by_event=complaint is not None)
