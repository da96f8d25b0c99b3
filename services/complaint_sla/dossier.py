"""PURE: what is read of complaints for people: what is due, and one complaint with all that is known of it."""

from dataclasses import dataclass
from datetime import datetime

from schemas.envelope import Event
from schemas.types import Data
from services.complaint_sla.case import Case


@dataclass(frozen=True, slots=True)
class Due:
    """An open obligation; nothing private."""

    complaint_id: str
    obligation: str
    licence: str
    limit_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Told:
    """An event in a complaint's story: heard by us, or said."""

    at: datetime
    """When it was accepted, or said."""
    heard: bool
    event: Event[Data]


@dataclass(frozen=True, slots=True)
class Dossier:
    """One complaint, whole. Holds what the complainant is called and where to reach them."""

    case: Case
    told: tuple[Told, ...]
    """Oldest first."""
    untold: frozenset[str]
    """Ids of what still waits in the outbox."""
    stuck_at: datetime | None = None
    """Since when it cannot be decided; the log says why."""
