"""`member-notices bounce`: a delivery report from standard input ends what it names `bounced`.

Returns the exit status: 0, or 1 where the report was not used. It can then be fed in again: nothing was changed.
"""

from services.notifier import words
from services.notifier.bounces import Report, ReportError, read_report
from services.notifier.ledger.receipts import Receipts
from services.notifier.ledger.stories import Stories
from services.notifier.story import NotificationRow
from services.runtime.clock import Clock, SystemClock
from services.runtime.commands import Say, database_of, vault_of
from services.runtime.settings import ProcessSettings

_UNDER_WAY = frozenset({"accepted", "claimed", "handing-over", "retrying"})


async def bounce(settings: ProcessSettings, raw: bytes, *, yes: bool, say: Say, clock: Clock | None = None) -> int:
    """Without `yes` only what would happen. The same report twice changes nothing. Says no address."""
    try:
        report = read_report(raw)
    except ReportError as error:
        say(f"Not a delivery report that can be used: {error}.")
        return 1
    async with database_of(settings, "bounce") as database:
        row = await _found(Stories(database, vault_of(settings)), report)
        if row is None:
            say(f"The ledger has no notification {report.named[0]}: not ours, or its day is out of the ledger.")
            return 1
        name = f"{row.id}  {row.notice} to {row.role}"
        status, sentence = _judged(row, report)
        if sentence is not None:
            say(f"{name}  {sentence}")
            return status
        reason = f"dsn:{report.status}"
        told = f"bounced, because {words.because(reason)}"
        if report.is_of_address:
            told += "; its address gets no security and no general notices until the member changes or confirms it"
        if not yes:
            say(f"{name}  would be {told}. Nothing was changed; with --yes it would.")
            return 0
        if await Receipts(database).bounced(
            row, reason, (clock or SystemClock()).now(), suppresses=report.is_of_address
        ):
            say(f"{name}  {told}")
            return 0
        say(f"{name}  left alone: it changed meanwhile; feed the report in again")
        return 1


async def _found(stories: Stories, report: Report) -> NotificationRow | None:
    for id_ in report.named:
        if (row := await stories.notification(id_)) is not None:
            return row
    return None


def _judged(row: NotificationRow, report: Report) -> tuple[int, str | None]:
    """The exit status, and why nothing changes; None: it bounces."""
    if not report.is_bounce:
        return 0, f"stays {row.state}: the report says {report.action} ({report.status}), which ends nothing"
    if row.state == "bounced":
        return 0, f"is bounced already: {words.because(row.reason)}"
    if row.state in _UNDER_WAY:
        return 1, f"is {row.state}: it is not known to have left yet; feed the report in again in a minute"
    if row.state not in {"sent", "delivered", "unknown"}:
        return 0, f"stays {row.state}: it has ended already"
    return 0, None
