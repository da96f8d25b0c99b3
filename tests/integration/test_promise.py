"""What is measured every few seconds costs what has happened lately, not what has ever been kept."""

from datetime import datetime, timedelta

from services.notifier.ledger.promise import BACKLOG, ENOUGH, Promise
from tests.support.ledger import T0, Ledger

NOBODY = "no-canary"


async def suppressed(ledger: Ledger, count: int, since: datetime, *, lifted: bool = False) -> None:
    await ledger.database.execute(
        """
        INSERT INTO notifier.suppressions
        SELECT gen_random_uuid()::text::bytea, 'email', 'address-bounced', gen_random_uuid(), $2::timestamptz,
               CASE WHEN $3 THEN $2::timestamptz END, CASE WHEN $3 THEN 'by-hand' END
        FROM generate_series(1, $1)
        """,
        count,
        since,
        lifted,
    )


async def test_addresses_count_that_were_learnt_in_the_last_hour_and_are_in_force(ledger: Ledger) -> None:
    promise = Promise(ledger.database, NOBODY)
    await suppressed(ledger, 3, T0)
    await suppressed(ledger, 4, T0, lifted=True)
    await suppressed(ledger, 5, T0 - timedelta(hours=2))
    assert (await promise.backlog()).newly_suppressed == 3


async def test_the_count_has_an_end(ledger: Ledger) -> None:
    await suppressed(ledger, ENOUGH + 1, T0)
    assert (await Promise(ledger.database, NOBODY).backlog()).newly_suppressed == ENOUGH


async def test_the_last_hour_is_found_by_its_index(ledger: Ledger) -> None:
    """A filter instead would read what was learnt in all the time before."""
    told = [row[0].strip() for row in await ledger.database.fetch(f"EXPLAIN {BACKLOG}", ENOUGH)]
    assert any("suppressions_since" in line for line in told)
    assert any(line.startswith("Index Cond: (since >") for line in told)
