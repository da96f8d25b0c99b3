"""`member-notices letters`: what was written can be read when nothing else of it is left, and that is recorded."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest

from services.notifier.kept_letter_commands import list_letters, show_letter
from services.notifier.ledger.letters import KeptLetters
from services.runtime.commands import CommandError
from services.runtime.vault import Vault
from tests.support.commands import Printed, process_settings
from tests.support.ledger import OTHER_KEY, T0, Ledger, ledger_on, result
from tests.support.letters import complaint, letter_due


@dataclass
class Archive:
    dsn: str
    ledger: Ledger

    async def listed(self, case: str) -> tuple[int, str]:
        printed = Printed()
        return await list_letters(process_settings(self.dsn), case, say=printed), printed.text

    async def shown(self, id_: object, **more: Any) -> tuple[int, bytes]:
        written: list[bytes] = []
        values: dict[str, Any] = {
            "first": False,
            "because": "the regulator asks",
            "who": "me",
            "say": Printed(),
            **more,
        }
        status = await show_letter(process_settings(self.dsn), str(id_), write=written.append, **values)
        return status, b"".join(written)

    async def reveals(self) -> list[str]:
        rows = await self.ledger.database.fetch("SELECT subject FROM notifier.interventions WHERE kind = 'reveal'")
        return [row["subject"] for row in rows]


@pytest.fixture
async def archive(database: str) -> AsyncIterator[Archive]:
    async with ledger_on(database) as ledger:
        yield Archive(database, ledger)


async def test_a_letter_is_read_when_the_ledger_has_forgotten_it(archive: Archive) -> None:
    case, kept = complaint(), KeptLetters(archive.ledger.database, archive.ledger.vault)
    (row,) = await archive.ledger.handed_over(letter_due(case, "acknowledgement"))
    await kept.keep([(row, b"first")], T0)
    await archive.ledger.sending.record([result(row, 1, "unknown")], T0)
    (again,) = await archive.ledger.sending.claim("letters", 10, T0)
    await kept.keep([(again, b"again")], T0)
    for table in ("notifications", "attempts", "events"):
        await archive.ledger.database.execute(f"DELETE FROM notifier.{table}")  # noqa: S608 (names from the line above)
    status, listed = await archive.listed(case)
    assert status == 0
    assert [line.endswith("second copy") for line in listed.splitlines()] == [False, True]
    assert sha256(b"first").hexdigest() in listed
    assert await archive.shown(row.id) == (0, b"again")
    assert await archive.shown(row.id, first=True) == (0, b"first")
    assert await archive.reveals() == [str(row.id)] * 2


async def test_what_is_not_kept_is_said_and_nothing_is_recorded(archive: Archive) -> None:
    status, said = await archive.listed("c-1")
    assert (status, said.startswith("No letter of complaint c-1")) == (1, True)
    assert await archive.shown("00000000-0000-0000-0000-000000000001") == (1, b"")
    with pytest.raises(CommandError, match="named by its notification's UUID"):
        await archive.shown("c-1")
    assert await archive.reveals() == []


async def test_a_letter_whose_key_is_gone_says_so(archive: Archive) -> None:
    (row,) = await archive.ledger.claimed(letter_due(complaint(), "acknowledgement"))
    await KeptLetters(archive.ledger.database, Vault({"gone": OTHER_KEY})).keep([(row, b"sealed")], T0)
    with pytest.raises(CommandError, match="key 'gone' is not among VAULT_KEYS"):
        await archive.shown(row.id)
