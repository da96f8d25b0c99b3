"""`member-notices suppressions list` and `lift`: addresses that nothing goes to, known by what taught it.

Each returns the exit status: 0, or 1 where something was refused.
"""

import json
from dataclasses import asdict
from datetime import datetime

from services.notifier import why, words
from services.notifier.desk_commands import notification_id
from services.notifier.ledger.suppressions import Suppressions
from services.runtime.clock import Clock, SystemClock
from services.runtime.commands import CommandError, Say, database_of
from services.runtime.settings import ProcessSettings


async def list_suppressions(settings: ProcessSettings, limit: int, *, as_json: bool, say: Say) -> int:
    """The latest first, at most `limit`. No address: only its hash is kept."""
    async with database_of(settings, "suppressions list") as database:
        suppressions = Suppressions(database)
        found, total = await suppressions.now_in_force(limit), await suppressions.count()
    if as_json:
        say(json.dumps([why.plain(asdict(each)) for each in found], indent=2))
        return 0
    for each in found:
        say(f"{each.since:%Y-%m-%d %H:%M} UTC  {each.channel:<5}  {each.notification}  {words.because(each.reason)}")
    say(f"{total} in force{f', {len(found)} shown' if len(found) < total else ''}.")
    return 0


async def lift(
    settings: ProcessSettings,
    id_: str,
    *,
    because: str,
    who: str,
    say: Say,
    clock: Clock | None = None,
) -> int:
    """Of the address to which this notification went. What was suppressed stays so; what comes next is sent."""
    notification = notification_id(id_)
    async with database_of(settings, "suppressions lift") as database:
        now = (clock or SystemClock()).now()
        if await Suppressions(database).lift_by_hand(notification, now, who=who, why=because):
            say(f"{notification}  lifted, by {who}: {because}")
            return 0
    say(f"{notification}  nothing in force was learnt from it: member-notices suppressions list names what is")
    return 1


async def lift_between(
    settings: ProcessSettings, since: datetime, until: datetime, *, because: str, who: str, yes: bool, say: Say
) -> int:
    """Of all addresses closed by mail that came back from `since` on and before `until`, as one act.

    Without `yes` only how many. Who answered STOP is not written to until that person says otherwise.
    """
    if not since < until:
        raise CommandError(f"--until ({until:%Y-%m-%dT%H:%MZ}) must come after --since ({since:%Y-%m-%dT%H:%MZ}).")
    async with database_of(settings, "suppressions lift") as database:
        suppressions = Suppressions(database)
        found = await suppressions.bounced_between(since, until)
        told = f"closed by mail that came back from {since:%Y-%m-%d %H:%M:%S} to {until:%Y-%m-%d %H:%M:%S} UTC"
        if not found:
            say(f"No address is {told}: member-notices suppressions list names what is in force")
            return 1
        if not yes:
            say(f"Addresses {told}: {found}. Nothing was changed. With --yes they would be lifted, by {who}: {because}")
            return 0
        lifted = await suppressions.lift_between(since, until, SystemClock().now(), who=who, why=because)
        say(f"Addresses {told}: {lifted} lifted, by {who}: {because}")
    return 0
