"""Every notice to a member with what it is rendered from: each committed example, each role, each language."""

from functools import cache

from services.notifier.brands import load_brands
from services.notifier.catalogue import CATALOGUE
from services.notifier.compose import Composer, load_catalogue
from services.notifier.samples import Sample as Case
from services.notifier.samples import sample_contact as contact
from services.notifier.samples import samples_of

__all__ = ["Case", "cases", "composer", "contact"]


@cache
def composer() -> Composer:
    """Loaded as the notifier loads it."""
    return load_catalogue(load_brands())


@cache
def cases() -> tuple[Case, ...]:
    brands = load_brands()
    return tuple(sample for notice in CATALOGUE if notice.lane != "letters" for sample in samples_of(notice, brands))
