"""`member-notices letters list` and `show`: what was written to a complainant, years after the ledger forgot it.

Each returns the exit status: 0, or 1 where there is none.
"""

import uuid
from collections.abc import Callable

from services.notifier.ledger.interventions import Interventions
from services.notifier.ledger.letters import KeptLetters
from services.notifier.why import iso
from services.runtime.commands import CommandError, Say, database_of, vault_of
from services.runtime.settings import ProcessSettings
from services.runtime.vault import VaultError


async def list_letters(settings: ProcessSettings, complaint: str, *, say: Say) -> int:
    """Oldest first; nothing private. That it was kept says that it was about to leave, its outcome whether it did."""
    async with database_of(settings, "letters list") as database:
        letters = await KeptLetters(database, vault_of(settings)).of_complaint(complaint)
    for letter in letters:
        marked = "  marked as a possible second copy" if letter.again else ""
        say(f"{letter.id}  {iso(letter.composed_at)}  {letter.notice}  sha256 {letter.sha256.hex()}{marked}")
    if not letters:
        say(f"No letter of complaint {complaint} is kept: none was written, or more than six years ago.")
    return 0 if letters else 1


async def show_letter(
    settings: ProcessSettings,
    id_: str,
    *,
    first: bool,
    because: str,
    who: str,
    say: Say,
    write: Callable[[bytes], object],
) -> int:
    """The message as it left, once the record of it is written; `first`: the unmarked one, where there are two."""
    try:
        wanted = uuid.UUID(id_)
    except ValueError:
        raise CommandError("A letter is named by its notification's UUID; member-notices letters list.") from None
    async with database_of(settings, "letters show") as database:
        kept = KeptLetters(database, vault_of(settings))
        try:
            body = await kept.read(wanted, first=first)
        except VaultError as error:
            raise CommandError(f"It cannot be opened: {error}.") from None
        if body is None:
            say(f"No letter {wanted} is kept: it is none, was never written, or more than six years ago.")
            return 1
        await Interventions(database).begin("reveal", str(wanted), who=who, why=because)
    write(body)
    return 0
