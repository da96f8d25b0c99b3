"""The connection, as a role that can do nothing but read the services' views."""

import contextlib

import asyncpg

from services.runtime.database import Database, describe
from services.runtime.migrations import CONSOLE_ROLE
from services.runtime.settings import SettingsError

SERVICE = "console"
STATEMENT_SECONDS = 2
LEDGER = {
    "notifier.console_notifications": "due_at IS NOT NULL",
    "notifier.console_events": "state <> 'planned'",
    "notifier.console_attempts": "attempt = 0",
}
VIEWS = ("notifier.console_notifications", "complaint_sla.console_cases")


async def connect(dsn: str, *, size: int = 4) -> Database:
    """Whoever `dsn` names, each connection is the role's: it cannot open what is sealed, and changes nothing.

    Raises `SettingsError`: nobody answers there, role or views are missing, or the user may not become the role.
    """
    try:
        pool: Database = await asyncpg.create_pool(
            dsn,
            min_size=2,
            max_size=size,
            init=_learn,
            max_inactive_connection_lifetime=0,
            command_timeout=STATEMENT_SECONDS + 3,
            server_settings={
                "application_name": SERVICE,
                "role": CONSOLE_ROLE,
                "default_transaction_read_only": "on",
                "statement_timeout": f"{STATEMENT_SECONDS}s",
                "jit": "off",
                "tcp_keepalives_idle": "10",
            },
        )
        missing = await pool.fetchval(
            "SELECT string_agg(name, ', ') FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL", list(VIEWS)
        )
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        told = " ".join(describe(error).values())
        role = f"its user must be a member of {CONSOLE_ROLE} (docs/operations.md, The console)"
        raise SettingsError(SERVICE, [f"DATABASE_URL: no usable database there ({told}); {role}"]) from None
    if missing:
        await pool.close()
        raise SettingsError(SERVICE, [f"the database has no {missing}; run member-notices migrate"])
    return pool


async def _learn(connection: asyncpg.Connection) -> None:
    """The ledger's partitions, hundreds with their indexes, are what a connection's first questions wait for longest:
    so they are looked at before a page asks, and a connection that knows them stays."""
    with contextlib.suppress(asyncpg.PostgresError):
        for view, which in LEDGER.items():
            await connection.execute(f"SELECT FROM {view} WHERE {which} LIMIT 0")


async def still_there(database: Database) -> str | None:
    """For readiness."""
    await database.fetchval("SELECT 1")
    return None
