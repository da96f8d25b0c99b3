"""Cases under other versions, and cases that are no evidence any more: on the real database, beside another replica."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import pytest

from services.complaint_sla.case import Case
from services.complaint_sla.cases import KEPT, Changed
from services.complaint_sla.engine import NewRulebook, decide
from tests.support.complaint_records import T0, Records, records_on
from tests.support.complaint_story import event_of, received

OURS = "complaint_sla.cases"


@dataclass
class Upkeep:
    records: Records

    def decided(self, case: Case) -> Changed:
        case, outputs = decide(case, NewRulebook(), self.records.clock.at, self.records.rulebook)
        return Changed(case, list(outputs))

    async def recompute(self, than_ours: Literal["older", "newer"], limit: int = 500) -> int:
        return await self.records.cases.recompute(
            than_ours,
            self.records.rulebook.versions,
            self.records.clock.at,
            limit,
            self.decided,
        )

    async def under(self, version: str, *complaints: str) -> None:
        await self.records.database.execute(
            f"UPDATE {OURS} SET rules_version = $1 WHERE complaint_id = ANY($2)",  # noqa: S608
            version,
            list(complaints),
        )

    async def left(self) -> set[str]:
        return {row["complaint_id"] for row in await self.records.database.fetch(f"SELECT complaint_id FROM {OURS}")}  # noqa: S608


@pytest.fixture
async def upkeep(database: str) -> AsyncIterator[Upkeep]:
    async with records_on(database) as records:
        yield Upkeep(records)


async def test_what_is_older_and_what_is_newer_is_recomputed_each_apart_and_once(upkeep: Upkeep) -> None:
    await upkeep.records.hear(*(received(f"c-{number}", T0) for number in range(6)))
    await upkeep.under("0000", "c-0", "c-1", "c-2")
    await upkeep.under("9999", "c-3")
    assert [await upkeep.recompute("older", 2), await upkeep.recompute("older", 2)] == [2, 1]
    assert await upkeep.recompute("older") == 0
    assert [await upkeep.recompute("newer"), await upkeep.recompute("newer")] == [1, 0]


async def test_what_another_replica_has_locked_is_left_and_found_by_the_next_look(upkeep: Upkeep) -> None:
    await upkeep.records.hear(received("c-1", T0), received("c-2", T0))
    await upkeep.under("0000", "c-1", "c-2")
    async with upkeep.records.database.acquire() as other, other.transaction():
        await other.execute(f"SELECT 1 FROM {OURS} WHERE complaint_id = 'c-1' FOR UPDATE")  # noqa: S608
        assert await upkeep.recompute("older") == 1
    assert await upkeep.recompute("older") == 1


async def test_a_batch_is_found_by_its_index_however_many_cases_there_are(upkeep: Upkeep) -> None:
    for than, compared in (("older", "<"), ("newer", ">")):
        plan = await upkeep.records.database.fetch(
            f"""EXPLAIN SELECT complaint_id FROM {OURS} WHERE closed_at IS NULL AND received_at IS NOT NULL
            AND (rules_version, calendar_version) {compared} ('a', 'b')
            ORDER BY rules_version, calendar_version, complaint_id LIMIT 500 FOR UPDATE SKIP LOCKED"""  # noqa: S608
        )
        told = "\n".join(row[0] for row in plan)
        assert "cases_computed" in told, than
        assert "Sort" not in told, than


async def test_what_ended_or_was_never_registered_is_forgotten_six_years_after_and_nothing_else(
    upkeep: Upkeep,
) -> None:
    records = upkeep.records
    await records.hear(
        received("ended", T0),
        event_of("withdrawn", "ended", T0 + timedelta(hours=1), withdrawn_at=T0 + timedelta(hours=1)),
        event_of("withdrawn", "never-registered", T0 + timedelta(hours=1), withdrawn_at=T0 + timedelta(hours=1)),
        received("open", T0 + timedelta(hours=1)),
        received("another", T0 + timedelta(hours=1)),
        event_of("withdrawn", "another", T0 + timedelta(hours=2), withdrawn_at=T0 + timedelta(hours=2)),
    )
    at_the_end = T0 + timedelta(hours=1) + KEPT
    assert await records.cases.forget_old(at_the_end, 500) == 0
    later = at_the_end + timedelta(microseconds=1)
    assert [await records.cases.forget_old(later, 1) for _ in range(3)] == [1, 1, 0]
    assert await upkeep.left() == {"open", "another"}
    for table in ("obligations", "heard", "said"):
        rows = await records.database.fetch(f"SELECT DISTINCT complaint_id FROM complaint_sla.{table}")  # noqa: S608
        assert {row["complaint_id"] for row in rows} <= {"open", "another"}


async def test_one_that_another_replica_has_locked_keeps_no_other_from_being_forgotten(upkeep: Upkeep) -> None:
    records = upkeep.records
    for name in ("c-1", "c-2"):
        await records.hear(received(name, T0), event_of("withdrawn", name, T0, withdrawn_at=T0))
    later = T0 + KEPT + timedelta(days=1)
    async with records.database.acquire() as other, other.transaction():
        await other.execute(f"SELECT 1 FROM {OURS} WHERE complaint_id = 'c-1' FOR UPDATE")  # noqa: S608
        assert await records.cases.forget_old(later, 500) == 1
    assert await upkeep.left() == {"c-1"}


async def test_how_complaints_stand_is_counted(upkeep: Upkeep) -> None:
    records = upkeep.records
    await records.hear(received("c-1", T0), event_of("withdrawn", "nobody-registered", T0, withdrawn_at=T0))
    limit = await records.database.fetchval(
        "SELECT limit_at FROM complaint_sla.obligations WHERE obligation = 'acknowledgement'"
    )
    windows = records.rulebook.windows
    first = await records.reading.standing(T0, windows)
    assert (first.open, first.due_in_a_day, first.missed_today) == (1, 0, 0)
    near = await records.reading.standing(limit - timedelta(hours=12), windows)
    assert (near.due_in_a_day, near.due_in_five_days) == (1, 1)  # a summary may be sent by then, and need not be
    await records.sweep(limit + timedelta(minutes=1))
    assert (await records.reading.standing(records.clock.at, windows)).missed_today == 1
