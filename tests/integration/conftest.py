"""A ledger for a file of tests, emptied for each of them."""

from collections.abc import AsyncIterator

import pytest

from tests.support.database import temporary_database
from tests.support.ledger import Ledger, emptied, ledger_on


@pytest.fixture(scope="module")
async def ledger_dsn(database_server: str, migrated_template: str) -> AsyncIterator[str]:
    async with temporary_database(database_server, template=migrated_template) as dsn:
        yield dsn


@pytest.fixture(scope="module")
async def module_ledger(ledger_dsn: str) -> AsyncIterator[Ledger]:
    async with ledger_on(ledger_dsn) as ledger:
        yield ledger


@pytest.fixture
async def ledger(module_ledger: Ledger) -> Ledger:
    return await emptied(module_ledger)
