"""What an operator's command needs: the database for as long as it runs, the keys, and an end in one sentence."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg

from services.runtime.database import Database, close, connect, describe, is_away
from services.runtime.settings import ProcessSettings
from services.runtime.vault import Vault

Say = Callable[[str], None]
_AGO = re.compile(r"([0-9]{1,4})(m|h|d)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class CommandError(SystemExit):
    """Ends the program with this sentence and status 1."""


@asynccontextmanager
async def database_of(settings: ProcessSettings, command: str) -> AsyncIterator[Database]:
    """Raises `CommandError` when PostgreSQL cannot be reached, or goes away in between."""
    try:
        database = await connect(str(settings.database_url), size=2, application=f"member-notices {command}")
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise _away(error) from None
    try:
        yield database
    except Exception as error:
        if not is_away(error):
            raise
        raise _away(error) from None
    finally:
        await close(database)


def vault_of(settings: ProcessSettings) -> Vault:
    return Vault.parse(settings.vault_keys.get_secret_value())


def time_of(option: str, text: str, now: datetime) -> datetime:
    """`90m`, `2h` or `3d` before `now`, or an ISO time with its zone; aware UTC. Raises `CommandError`."""
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = datetime.min  # noqa: DTZ901 (without a zone, so refused below)
    if at.tzinfo is None:
        raise CommandError(f"{option} takes 90m, 2h, 3d, or a time with its zone: 2026-11-22T12:00:00Z")
    return at.astimezone(UTC)


def _away(error: BaseException) -> CommandError:
    told = " ".join(describe(error).values())
    return CommandError(f"PostgreSQL cannot be asked ({told}). Look at DATABASE_URL and at the server.")
