"""What must be right before the notifier reads anything: topics, brands, templates. Refuses with all that is wrong."""

from collections.abc import Collection, Mapping
from datetime import timedelta

import structlog
from aiokafka.errors import KafkaError

from services.notifier.brands import Brand, BrandError, load_brands
from services.notifier.catalogue import misfits
from services.notifier.compiling import TemplatesError
from services.notifier.compose import Composer, load_catalogue
from services.notifier.ledger.upkeep import DEAD_LETTERS_LIVE, HORIZON
from services.notifier.settings import NotifierSettings
from services.runtime.settings import SettingsError
from services.runtime.topics import retentions

log = structlog.get_logger()

SERVICE = "notifier"


async def refuse_unfit_topics(settings: NotifierSettings, read: Collection[str]) -> None:
    """A topic that keeps events longer than the ledger remembers them could send twice after a replay."""
    try:
        kept = await retentions(settings, read)
    except (KafkaError, OSError) as error:
        raise SettingsError(
            SERVICE, [f"KAFKA_BOOTSTRAP_SERVERS: no broker answers there ({type(error).__name__})"]
        ) from None
    longest = (HORIZON - DEAD_LETTERS_LIVE) / timedelta(milliseconds=1)
    problems = [
        f"topic {name} is missing; run member-notices topics create" for name in sorted(set(read) - kept.keys())
    ]
    problems += [
        f"topic {name} keeps events longer than the ledger remembers them; set retention.ms to {longest:.0f} or less"
        for name, retention in kept.items()
        if retention is not None and not 0 <= retention <= longest
    ]
    if problems:
        raise SettingsError(SERVICE, problems)


def load_messages(settings: NotifierSettings, only: Collection[str] = ()) -> tuple[dict[str, Brand], Composer]:
    """Brands and compiled templates, or `only` those of these notices.

    Raises `SettingsError` with everything that is missing or wrong in them.
    """
    brands = _brands(settings)
    return brands, _composer(brands, only)


def _brands(settings: NotifierSettings) -> dict[str, Brand]:
    try:
        brands = load_brands()
    except BrandError as error:
        raise SettingsError(SERVICE, list(error.problems)) from None
    if problems := misfits(brands.keys()):
        raise SettingsError(SERVICE, problems)
    samples = [brand.id for brand in brands.values() if brand.sample]
    if samples and settings.delivery_mode == "live" and settings.sample_brands == "refused":
        raise SettingsError(
            SERVICE,
            [
                f"brand {name} is sample data; take it out (its folder, its name in services/notifier/catalogue.py), "
                "or set SAMPLE_BRANDS=allowed"
                for name in samples
            ],
        )
    for brand in brands.values():
        for doubt in brand.doubts:
            log.warning("brand_fact_in_doubt", brand=brand.id, fact=doubt)
    return brands


def _composer(brands: Mapping[str, Brand], only: Collection[str]) -> Composer:
    """Every notice of the catalogue in every language of its brands, or no start."""
    try:
        return load_catalogue(brands, only)
    except TemplatesError as error:
        raise SettingsError(SERVICE, list(error.problems)) from None
