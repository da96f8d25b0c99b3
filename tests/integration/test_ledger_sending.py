"""Claim → hand over → record, with a second process at every step: the token decides, and the count of rows says so."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from services.notifier.ledger.rows import Leased
from services.notifier.ledger.upkeep import Upkeep
from tests.support.ledger import OTHER_KEY, ROOM, T0, Ledger, code, ledger_on, password_changed, result
from tests.support.notifier import event_of

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def own_ledger(database: str) -> AsyncIterator[Ledger]:
    """For a test that takes the tables apart."""
    async with ledger_on(database) as ledger:
        yield ledger


async def one(ledger: Ledger, member: str) -> Leased:
    """A security notice, leased as it was accepted."""
    (row,) = await ledger.claimed(password_changed(member))
    return row


async def test_what_was_accepted_by_nobody_is_claimed_once(ledger: Ledger) -> None:
    member = await ledger.known()
    await ledger.accept(*(password_changed(member, f"e-{number}") for number in range(40)))
    claims = await asyncio.gather(*(ledger.sending.claim("security", 10, T0) for _ in range(8)))
    ids = [row.id for rows in claims for row in rows]
    while rows := await ledger.sending.claim("security", 10, T0):
        ids += [row.id for row in rows]
    assert len(ids) == len(set(ids)) == 40


async def test_a_claim_takes_its_own_lane_only(ledger: Ledger) -> None:
    member = await ledger.known()
    await ledger.accept(password_changed(member), code(member))
    assert [row.notice for row in await ledger.sending.claim("codes", 10, T0)] == ["one-time-verification-code"]
    assert await ledger.sending.claim("general", 10, T0) == []


async def test_a_claimed_row_carries_what_its_message_needs(ledger: Ledger) -> None:
    member = await ledger.known(language="fr")
    await ledger.accept(code(member))
    (row,) = await ledger.sending.claim("codes", 1, T0)
    assert (row.address, row.locale, row.role, row.attempts) == (f"{member}@example.test", "fr", "login", 0)
    assert row.facts["code"] == "246810"
    assert row.expires_at == T0 + 15 * MINUTE
    assert row.hand_over_by == T0 + 14 * MINUTE
    assert "246810" not in repr(row)
    assert "example.test" not in repr(row)


async def test_a_row_leased_at_acceptance_is_the_row_a_claim_would_have_read(ledger: Ledger) -> None:
    member = await ledger.known()
    (leased,) = await ledger.claimed(code(member))
    await ledger.end_leases()
    (claimed,) = await ledger.sending.claim("codes", 1, T0)
    for name in Leased.__slots__:
        if name != "token":
            assert getattr(claimed, name) == getattr(leased, name), name


async def test_codes_are_claimed_newest_first_and_queued_so_that_the_newest_leaves_first(ledger: Ledger) -> None:
    member = await ledger.known()
    times = [T0 - timedelta(seconds=seconds) for seconds in (30, 10, 50, 20, 40)]
    await ledger.accept(*(code(member, f"c-{at:%S}", at, purpose=f"p-{at:%H%M%S}".lower()) for at in times))
    rows = await ledger.sending.claim("codes", 3, T0)
    assert [row.event_time for row in rows] == sorted(times)[-3:]


async def test_other_lanes_are_claimed_by_who_has_waited_longest(ledger: Ledger) -> None:
    member = await ledger.known()
    for number in range(3):
        await ledger.accept(password_changed(member, f"e-{number}", T0 - number * MINUTE))
    rows = await ledger.sending.claim("security", 2, T0)
    assert {row.event_time for row in rows} == {T0, T0 - MINUTE}


async def test_a_lapsed_claim_is_taken_over_and_its_first_owner_sends_nothing(ledger: Ledger) -> None:
    row = await one(ledger, await ledger.known())
    assert await ledger.sending.claim("security", 10, T0) == []
    await ledger.end_leases()
    (second,) = await ledger.sending.claim("security", 10, T0)
    assert second.id == row.id
    assert await ledger.sending.hand_over([row], T0) == {}
    assert await ledger.sending.hand_over([second], T0) == {(second.id, second.token): 1}


async def test_two_hand_overs_of_one_lease_race_and_one_goes(ledger: Ledger) -> None:
    member = await ledger.known()
    rows = await ledger.claimed(*(password_changed(member, f"e-{number}") for number in range(20)))
    goings = await asyncio.gather(*(ledger.sending.hand_over(rows, T0) for _ in range(4)))
    assert sum(len(going) for going in goings) == 20
    assert {attempt for going in goings for attempt in going.values()} == {1}


async def test_a_hand_over_is_written_before_the_first_byte(ledger: Ledger) -> None:
    member = await ledger.known()
    row = await one(ledger, member)
    await ledger.sending.hand_over([row], T0)
    (stored,) = await ledger.rows(member)
    assert (stored["state"], stored["attempts"], stored["lease_token"]) == ("handing-over", 1, row.token)
    assert await ledger.attempts(row) == [(1, None, None)]


async def test_sent_ends_it(ledger: Ledger) -> None:
    member = await ledger.known()
    (row,) = await ledger.handed_over(code(member))
    assert await ledger.sending.record([result(row, 1, "sent", reply_code="250", reference="SM1")], T0) == {row.id}
    (stored,) = await ledger.rows(member)
    assert (stored["state"], stored["due_at"], stored["lease_token"]) == ("sent", None, None)
    assert (stored["sent_at"], stored["reference"], stored["secrets"]) == (T0, "SM1", None)
    assert await ledger.attempts(row) == [(1, "sent", None)]


@pytest.mark.parametrize("state", ["failed", "expired"])
async def test_a_terminal_result_erases_the_secrets(ledger: Ledger, state: str) -> None:
    member = await ledger.known()
    (row,) = await ledger.handed_over(code(member))
    await ledger.sending.record([result(row, 1, state, reason="smtp:550")], T0)
    (stored,) = await ledger.rows(member)
    assert (stored["state"], stored["secrets"], stored["due_at"]) == (state, None, None)


@pytest.mark.parametrize("state", ["retrying", "unknown"])
async def test_what_goes_again_keeps_its_secrets_and_counts_its_attempts(ledger: Ledger, state: str) -> None:
    (row,) = await ledger.handed_over(code(await ledger.known()))
    await ledger.sending.record([result(row, 1, state)], T0)
    (again,) = await ledger.sending.claim("codes", 10, T0)
    assert (again.id, again.attempts, again.facts["code"]) == (row.id, 1, "246810")
    assert await ledger.sending.hand_over([again], T0) == {(again.id, again.token): 2}


async def test_a_retry_is_not_due_before_its_time(ledger: Ledger) -> None:
    (row,) = await ledger.handed_over(password_changed(await ledger.known()))
    await ledger.sending.record([result(row, 1, "retrying", delay_seconds=3600.0)], T0)
    assert await ledger.sending.claim("security", 10, T0) == []


async def test_a_lapsed_hand_over_becomes_unknown_and_goes_again(ledger: Ledger) -> None:
    member = await ledger.known()
    (row,) = await ledger.handed_over(password_changed(member))
    assert await ledger.sending.lapse("security", T0) == 0
    await ledger.end_leases()
    assert await ledger.sending.claim("security", 10, T0) == []
    assert await ledger.sending.lapse("codes", T0) == 0
    assert await ledger.sending.lapse("security", T0) == 1
    assert await ledger.states(member) == [("unknown", "lost-lease")]
    (again,) = await ledger.sending.claim("security", 10, T0)
    assert await ledger.sending.hand_over([again], T0) == {(again.id, again.token): 2}
    assert await ledger.attempts(row) == [(1, "lost-lease", "lost-lease"), (2, None, None)]


async def test_a_late_sent_counts_while_it_is_unknown_under_the_same_token(ledger: Ledger) -> None:
    member = await ledger.known()
    (row,) = await ledger.handed_over(password_changed(member))
    await ledger.end_leases()
    await ledger.sending.lapse("security", T0)
    assert await ledger.sending.record([result(row, 1, "sent")], T0) == {row.id}
    assert await ledger.sending.claim("security", 10, T0) == []
    assert [outcome.state for outcome in await ledger.outcomes(member)] == ["unknown", "sent"]


@pytest.mark.parametrize("state", ["retrying", "failed", "unknown"])
async def test_a_late_failure_does_not_touch_what_is_unknown(ledger: Ledger, state: str) -> None:
    member = await ledger.known()
    (row,) = await ledger.handed_over(password_changed(member))
    await ledger.end_leases()
    await ledger.sending.lapse("security", T0)
    assert await ledger.sending.record([result(row, 1, state, reason="smtp:450")], T0) == set()
    assert await ledger.states(member) == [("unknown", "lost-lease")]


@pytest.mark.parametrize("state", ["sent", "failed", "retrying", "unknown"])
async def test_a_result_after_somebody_else_claimed_changes_its_attempt_alone(ledger: Ledger, state: str) -> None:
    member = await ledger.known()
    (row,) = await ledger.handed_over(password_changed(member))
    await ledger.end_leases()
    await ledger.sending.lapse("security", T0)
    (second,) = await ledger.sending.claim("security", 1, T0)
    before = [tuple(stored.items()) for stored in await ledger.rows(member)]
    assert await ledger.sending.record([result(row, 1, state)], T0) == set()
    assert [tuple(stored.items()) for stored in await ledger.rows(member)] == before
    assert await ledger.sending.hand_over([second], T0) == {(second.id, second.token): 2}


async def test_a_second_copy_stays_explained_when_the_first_turns_out_to_have_been_sent(ledger: Ledger) -> None:
    """Two copies, and the ledger shows why: the late result must not wipe out that the lease was lost."""
    (row,) = await ledger.handed_over(password_changed(await ledger.known()))
    await ledger.end_leases()
    await ledger.sending.lapse("security", T0)
    (second,) = await ledger.sending.claim("security", 1, T0)
    await ledger.sending.hand_over([second], T0)
    await ledger.sending.record([result(second, 2, "sent")], T0)
    await ledger.sending.record([result(row, 1, "sent")], T0)
    assert await ledger.attempts(row) == [(1, "sent", "lost-lease"), (2, "sent", None)]


async def test_a_result_written_twice_counts_once(ledger: Ledger) -> None:
    """The answer to the first write was lost; the sender writes again."""
    member = await ledger.known()
    (row,) = await ledger.handed_over(password_changed(member))
    assert await ledger.sending.record([result(row, 1, "sent")], T0) == {row.id}
    assert await ledger.sending.record([result(row, 1, "sent")], T0) == set()
    assert [outcome.state for outcome in await ledger.outcomes(member)] == ["sent"]


async def test_a_hand_over_asked_twice_does_not_go_twice(ledger: Ledger) -> None:
    row = await one(ledger, await ledger.known())
    assert await ledger.sending.hand_over([row], T0) == {(row.id, row.token): 1}
    assert await ledger.sending.hand_over([row], T0) == {}


@pytest.mark.parametrize(
    ("at", "attempted", "reason"),
    [(T0 + 14 * MINUTE, False, "late"), (T0 + 15 * MINUTE, True, "late-after-attempts")],
)
async def test_what_is_too_late_ends_expired_when_claimed(
    ledger: Ledger, at: datetime, attempted: bool, reason: str
) -> None:
    member = await ledger.known()
    if attempted:
        (row,) = await ledger.handed_over(code(member))
        await ledger.sending.record([result(row, 1, "retrying")], T0)
    else:
        await ledger.accept(code(member))
    assert await ledger.sending.claim("codes", 10, at) == []
    (stored,) = await ledger.rows(member)
    assert (stored["state"], stored["reason"], stored["secrets"], stored["due_at"]) == ("expired", reason, None, None)


async def test_a_code_with_a_minute_and_a_second_left_is_handed_over_and_with_a_minute_it_is_not(
    ledger: Ledger,
) -> None:
    early, late = await ledger.known(), await ledger.known()
    (first,) = await ledger.claimed(code(early))
    (second,) = await ledger.claimed(code(late))
    assert await ledger.sending.hand_over([first], T0 + 14 * MINUTE - timedelta(seconds=1)) == {
        (first.id, first.token): 1
    }
    assert await ledger.sending.hand_over([second], T0 + 14 * MINUTE) == {}
    await ledger.sending.settle([second], T0 + 14 * MINUTE)
    assert await ledger.states(late) == [("expired", "late")]


async def test_what_was_superseded_between_claim_and_hand_over_is_not_handed_over(ledger: Ledger) -> None:
    member = await ledger.known()
    (old,) = await ledger.claimed(code(member, "c-1", T0 - MINUTE))
    await ledger.accept(code(member, "c-2", T0))
    assert await ledger.sending.hand_over([old], T0) == {}
    assert (await ledger.states(member))[0] == ("superseded", "newer")


async def test_a_retry_that_finds_a_newer_code_ends_superseded(ledger: Ledger) -> None:
    """While it is handed over it cannot be superseded; its next attempt is."""
    member = await ledger.known()
    (old,) = await ledger.handed_over(code(member, "c-1", T0 - MINUTE))
    await ledger.accept(code(member, "c-2", T0))
    assert (await ledger.states(member))[0] == ("handing-over", None)
    await ledger.sending.record([result(old, 1, "retrying")], T0)
    again = next(row for row in await ledger.sending.claim("codes", 10, T0) if row.id == old.id)
    assert await ledger.sending.hand_over([again], T0) == {}
    await ledger.sending.settle([again], T0)
    (first, _) = await ledger.rows(member)
    assert (first["state"], first["reason"], first["secrets"]) == ("superseded", "newer", None)


@pytest.mark.parametrize("state", ["retrying", "unknown", "lapsed"])
async def test_a_member_forgotten_during_a_hand_over_gets_no_second_attempt(ledger: Ledger, state: str) -> None:
    member = await ledger.known()
    (row,) = await ledger.handed_over(code(member))
    await ledger.forget(member)
    if state == "lapsed":
        await ledger.end_leases()
        await ledger.sending.lapse("codes", T0)
    else:
        await ledger.sending.record([result(row, 1, state)], T0)
    assert await ledger.sending.claim("codes", 10, T0) == []
    (stored,) = await ledger.rows(member)
    assert (stored["state"], stored["reason"], stored["secrets"]) == ("suppressed", "forgotten", None)


async def test_an_event_after_the_tombstone_that_names_its_own_recipients_is_retried(ledger: Ledger) -> None:
    member = await ledger.known()
    await ledger.forget(member, T0 + timedelta(seconds=1))
    at = T0 + MINUTE
    rows = await ledger.handed_over(
        event_of("identity.email-address-changed.v1", member, id=f"{member}-1", time=at, which="only",
                 old="old@example.test", new="new@example.test", changed_at=at, brand="cigna-healthcare"),
        now=at,
    )  # fmt: skip
    await ledger.sending.record([result(row, 1, "retrying") for row in rows], at)
    assert len(await ledger.sending.claim("security", 10, at)) == 2


async def test_what_is_given_back_is_taken_by_the_next_without_waiting_for_the_lease(ledger: Ledger) -> None:
    member = await ledger.known()
    row = await one(ledger, member)
    (going,) = await ledger.handed_over(password_changed(member, "e-2"))
    await ledger.sending.release([row, going], T0)
    assert [claimed.id for claimed in await ledger.sending.claim("security", 10, T0)] == [row.id]
    assert await ledger.sending.hand_over([row], T0) == {}


async def test_what_cannot_be_composed_fails_under_its_token_only(ledger: Ledger) -> None:
    member = await ledger.known()
    row = await one(ledger, member)
    await ledger.end_leases()
    (second,) = await ledger.sending.claim("security", 1, T0)
    await ledger.sending.end(row, "failed", "cannot-compose", T0)
    assert await ledger.states(member) == [("claimed", None)]
    await ledger.sending.end(second, "failed", "cannot-compose", T0)
    assert await ledger.states(member) == [("failed", "cannot-compose")]
    assert [(told.state, told.attempt) for told in await ledger.outcomes(member)] == [("failed", 0)]


async def test_a_row_under_an_unknown_key_fails_alone_and_comes_back_with_its_key(ledger: Ledger) -> None:
    unreadable, readable = await ledger.known(), await ledger.known()
    elsewhere = ledger.using(keys={"gone": OTHER_KEY, "first": b"k" * 32})
    await elsewhere.accept(password_changed(unreadable))
    await ledger.accept(password_changed(readable))
    assert [row.address for row in await ledger.sending.claim("security", 10, T0)] == [f"{readable}@example.test"]
    await ledger.end_leases()
    assert f"{unreadable}@example.test" in [row.address for row in await elsewhere.sending.claim("security", 10, T0)]


async def test_each_state_is_told_once_by_the_statement_that_records_it(ledger: Ledger) -> None:
    member = await ledger.known()
    (row,) = await ledger.handed_over(password_changed(member))
    await ledger.sending.record([result(row, 1, "retrying", reason="smtp:450")], T0)
    (row,) = await ledger.sending.claim("security", 1, T0)
    await ledger.sending.hand_over([row], T0)
    await ledger.sending.record([result(row, 2, "unknown", reason="smtp:time-out-after-data")], T0 + MINUTE)
    (row,) = await ledger.sending.claim("security", 1, T0)
    await ledger.sending.hand_over([row], T0)
    await ledger.sending.record([result(row, 3, "failed", reason="smtp:550")], T0 + 2 * MINUTE)
    told = await ledger.outcomes(member)
    assert [(each.state, each.attempt, each.reason, each.occurred_at) for each in told] == [
        ("unknown", 2, "smtp:time-out-after-data", T0 + MINUTE),
        ("failed", 3, "smtp:550", T0 + 2 * MINUTE),
    ]
    assert {(each.cause.source, each.cause.id) for each in told} == {("urn:test:idp", f"{member}-e-1")}
    assert {(each.notice, each.role, each.channel) for each in told} == {("password-changed", "login", "email")}


async def test_a_statement_that_is_rolled_back_tells_nothing(ledger: Ledger) -> None:
    member = await ledger.known()
    (row,) = await ledger.handed_over(password_changed(member))
    async with ledger.database.acquire() as session:
        transaction = session.transaction()
        await transaction.start()
        await session.execute("UPDATE notifier.notifications SET state = 'sent', due_at = NULL WHERE id = $1", row.id)
        await transaction.rollback()
    assert await ledger.outcomes(member) == []


async def test_old_contents_are_erased_and_what_is_open_keeps_them(ledger: Ledger) -> None:
    ended, open_ = await ledger.known(), await ledger.known()
    long_ago = T0 - timedelta(days=40)
    (row,) = await ledger.handed_over(code(ended, at=long_ago), now=long_ago)
    await ledger.sending.record([result(row, 1, "sent")], long_ago)
    await ledger.accept(password_changed(open_, at=long_ago), now=long_ago)
    await ledger.upkeep.erase_old_contents(T0)
    (gone,), (kept,) = await ledger.rows(ended), await ledger.rows(open_)
    assert (gone["address"], gone["facts"], gone["state"]) == (None, None, "sent")
    assert kept["address"] is not None
    assert kept["facts"] is not None


async def test_recent_contents_are_kept(ledger: Ledger) -> None:
    member = await ledger.known()
    (row,) = await ledger.handed_over(password_changed(member))
    await ledger.sending.record([result(row, 1, "sent")], T0)
    await ledger.upkeep.erase_old_contents(T0 + timedelta(days=29))
    assert (await ledger.rows(member))[0]["facts"] is not None
    await ledger.upkeep.erase_old_contents(T0 + timedelta(days=31, hours=1))
    assert (await ledger.rows(member))[0]["facts"] is None


async def partitions(ledger: Ledger) -> set[str]:
    rows = await ledger.database.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'notifier'::regnamespace AND relkind = 'r'"
        " AND relname ~ '_[0-9]{8}$'"
    )
    return {row["relname"] for row in rows}


def names(day: datetime) -> set[str]:
    return {f"{parent}_{day:%Y%m%d}" for parent in ("events", "notifications", "attempts")}


async def test_partitions_are_made_ahead_of_the_clock_once(own_ledger: Ledger) -> None:
    later = T0 + timedelta(days=10)
    assert await own_ledger.upkeep.ensure_partitions(later) > 0
    assert names(later + timedelta(days=2)) <= await partitions(own_ledger)
    assert await own_ledger.upkeep.ensure_partitions(later) == 0


async def test_two_processes_make_the_same_partitions_at_once(own_ledger: Ledger) -> None:
    later = T0 + timedelta(days=10)
    made = await asyncio.gather(*(own_ledger.upkeep.ensure_partitions(later) for _ in range(3)))
    assert sorted(made)[:2] == [0, 0]


async def test_partitions_beyond_the_horizon_go_and_one_with_an_open_row_stays(own_ledger: Ledger) -> None:
    open_, ended = T0 - timedelta(days=100), T0 - timedelta(days=99)
    first, second = await own_ledger.known(), await own_ledger.known()
    await own_ledger.accept(password_changed(first, at=open_), now=open_)
    (row,) = await own_ledger.handed_over(password_changed(second, at=ended), now=ended)
    await own_ledger.sending.record([result(row, 1, "sent")], ended)
    later = T0 + timedelta(days=40)
    await own_ledger.upkeep.ensure_partitions(later)
    gone = await own_ledger.upkeep.drop_old_partitions(later)
    left = await partitions(own_ledger)
    assert names(ended) <= set(gone)
    assert not names(ended) & left
    assert names(open_) <= left
    assert names(later - timedelta(days=130)) <= left
    assert not {name for name in left - names(open_) if name[-8:] < f"{later - timedelta(days=130):%Y%m%d}"}


async def test_a_partition_with_a_waiting_event_stays(own_ledger: Ledger) -> None:
    """Accepted means that it ends in a state: an event that still waits is not dropped with its day."""
    at = T0 - timedelta(days=100)
    await own_ledger.accept(code(own_ledger.member(), at=at, expires_at=T0 + timedelta(days=60)), now=at)
    later = T0 + timedelta(days=40)
    await own_ledger.upkeep.ensure_partitions(later)
    await own_ledger.upkeep.drop_old_partitions(later)
    assert names(at) <= await partitions(own_ledger)


async def test_processes_that_drop_partitions_at_once_do_not_stumble_over_each_other(own_ledger: Ledger) -> None:
    later = T0 + timedelta(days=3)
    gone = await asyncio.gather(*(own_ledger.upkeep.drop_old_partitions(later) for _ in range(3)))
    dropped = [name for names_ in gone for name in names_]
    assert len(dropped) == len(set(dropped))
    await own_ledger.upkeep.drop_old_partitions(later)
    assert not names(T0 - timedelta(days=130)) & await partitions(own_ledger)


async def test_a_drop_that_was_killed_half_way_is_finished_by_the_next(own_ledger: Ledger) -> None:
    day = T0 - timedelta(days=130)
    async with own_ledger.database.acquire() as session:
        await session.execute(f"ALTER TABLE notifier.events DETACH PARTITION notifier.events_{day:%Y%m%d} CONCURRENTLY")
        # What a crash between the two transactions of DETACH … CONCURRENTLY leaves behind.
        await session.execute(
            "UPDATE pg_catalog.pg_inherits SET inhdetachpending = true WHERE inhrelid = $1::text::regclass",
            f"notifier.attempts_{day:%Y%m%d}",
        )
    await own_ledger.upkeep.drop_old_partitions(T0 + timedelta(days=3))
    assert not names(day) & await partitions(own_ledger)


async def test_room_decides_how_much_is_leased_at_acceptance(ledger: Ledger) -> None:
    member = await ledger.known()
    accepted = await ledger.accept(
        *(password_changed(member, f"e-{number}") for number in range(5)), room={**ROOM, "security": 2}
    )
    assert len(accepted.leased) == 2
    assert accepted.left_for_others == {"security"}
    assert len(await ledger.sending.claim("security", 10, T0)) == 3


async def test_a_chunk_is_found_without_reading_all_of_a_day_that_was_never_analysed(database: str) -> None:
    """As each day's partition is after midnight, until autovacuum has come by."""
    async with ledger_on(database, size=1) as ledger:
        member = await ledger.known()
        events = [password_changed(member, f"e-{number}") for number in range(1000)]
        rows = (await ledger.accept(*events, room={"security": len(events)})).leased
        assert len(rows) == len(events)
        before = await index_entries_read(ledger)
        chunk = rows[:8]
        going = await ledger.sending.hand_over(chunk, T0)
        await ledger.sending.record([result(row, going[row.id, row.token], "sent") for row in chunk], T0)
        assert await index_entries_read(ledger) - before < 10 * len(chunk)


async def index_entries_read(ledger: Ledger) -> int:
    """So far, of a ledger with one connection."""
    await ledger.database.execute("SELECT pg_stat_force_next_flush()")
    count: int = await ledger.database.fetchval("SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes")
    return count


async def test_a_row_that_lies_in_the_queue_under_two_leases_is_marked_once(ledger: Ledger) -> None:
    member = await ledger.known()
    lapsed = await one(ledger, member)
    await ledger.end_leases()
    (claimed,) = await ledger.sending.claim("security", 1, T0)
    assert await ledger.sending.hand_over([lapsed, claimed], T0) == {(claimed.id, claimed.token): 1}


async def test_a_mark_whose_answer_was_lost_is_found_again_by_its_token(ledger: Ledger) -> None:
    member = await ledger.known()
    row = await one(ledger, member)
    handle = (row.id, row.token)
    assert await ledger.sending.hand_over([row], T0) == {handle: 1}
    assert await ledger.sending.hand_over([row], T0, again=True) == {handle: 1}
    await ledger.sending.record([result(row, 1, "sent")], T0)
    assert await ledger.states(member) == [("sent", None)]


async def test_a_member_forgotten_while_it_was_accepted_is_not_handed_over_to(ledger: Ledger) -> None:
    member = await ledger.known()
    row = await one(ledger, member)
    await ledger.database.execute(
        "UPDATE notifier.contacts SET data = NULL, time = $2 WHERE member_id = $1", member, T0 + MINUTE
    )
    assert await ledger.sending.hand_over([row], T0) == {}
    await ledger.sending.settle([row], T0)
    assert await ledger.states(member) == [("suppressed", "forgotten")]


async def test_thousands_of_rows_are_erased_in_parts_and_lose_their_search_hash(ledger: Ledger) -> None:
    member = await ledger.known()
    await ledger.accept(*(password_changed(member, f"e-{number}") for number in range(1500)))
    await ledger.database.execute(
        "UPDATE notifier.notifications SET state = 'sent', due_at = NULL, lease_token = NULL, state_at = $1", T0
    )
    later = T0 + timedelta(days=31)
    upkeep = Upkeep(ledger.database)
    assert [await upkeep.erase_old_contents(later) for _ in range(3)] == [1000, 500, 0]
    left = await ledger.database.fetchval(
        "SELECT count(*) FROM notifier.notifications WHERE coalesce(address, address_hash, facts) IS NOT NULL"
    )
    assert left == 0


async def test_a_new_day_is_added_while_somebody_reads(ledger: Ledger) -> None:
    async with ledger.database.acquire() as reader, reader.transaction():
        await reader.fetch("SELECT count(*) FROM notifier.notifications")
        assert await Upkeep(ledger.database).ensure_partitions(T0 + timedelta(days=400)) > 0
