"""Letters of a complaint in the ledger: what outranks and cancels them, whose turn it is, when they go again."""

import asyncio
import random
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations, product

import pytest

from schemas.deadlines import LETTER_RANKS
from schemas.envelope import Event
from schemas.types import Data
from services.notifier.ledger.letters import LETTERS_LIVE, KeptLetters
from services.notifier.ledger.rows import Leased
from services.notifier.ledger.upkeep import HORIZON
from services.runtime.vault import Vault
from tests.support.ledger import OTHER_KEY, ROOM, T0, Ledger, result, undeliverable
from tests.support.letters import (
    address_of,
    complaint,
    deadline_missed,
    letter_cancelled,
    letter_due,
    letter_to_post,
)

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
LETTERS = [*LETTER_RANKS, "information-request", "not-covered", "forwarded"]
HIGHEST = max(LETTER_RANKS.values())
AGES = (0, 1, 2)


def gives_way(lower: str, to: str) -> bool:
    """COMPLAINTS, Enforcement: acknowledgement < holding < explanation < summary = final; without a rank: to these."""
    if to not in LETTER_RANKS:
        return False
    if lower not in LETTER_RANKS:
        return LETTER_RANKS[to] == HIGHEST
    return LETTER_RANKS[lower] < LETTER_RANKS[to]


async def by_letter(ledger: Ledger, complaint: str) -> dict[str, tuple[str, str | None]]:
    """Event id without the complaint → state and reason."""
    return {row["event_id"].partition("/")[2]: (row["state"], row["reason"]) for row in await ledger.rows(complaint)}


async def open_letters(ledger: Ledger, complaint: str) -> set[str]:
    return {
        name.partition("/")[0]
        for name, (state, _) in (await by_letter(ledger, complaint)).items()
        if state == "accepted"
    }


async def claimed(ledger: Ledger, complaint: str) -> dict[str, Leased]:
    """Notice → the row, of everything that is due."""
    rows = await ledger.sending.claim("letters", 100, T0)
    return {row.notice: row for row in rows if row.complaint == complaint}


# --- ranks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False], ids=["one-batch", "one-by-one"])
async def test_of_two_letters_the_higher_one_that_is_not_older_takes_the_others_place(
    ledger: Ledger, together: bool
) -> None:
    """Every pair, in every order of acceptance, the other letter older, as old, and newer."""
    expected: dict[str, set[str]] = {}
    batches: list[list[Event[Data]]] = [[], []]
    for (first, second), age in product(permutations(LETTERS, 2), AGES):
        case = complaint()
        times = {first: T0 - SECOND, second: T0 - age * SECOND}
        expected[case] = {
            letter
            for letter, other in ((first, second), (second, first))
            if not (gives_way(letter, other) and times[letter] <= times[other])
        }
        batches[0].append(letter_due(case, first, times[first]))
        batches[1].append(letter_due(case, second, times[second]))
    if together:
        await ledger.accept(*batches[0], *batches[1])
    else:
        await ledger.accept(*batches[0])
        await ledger.accept(*batches[1])
    assert {case: await open_letters(ledger, case) for case in expected} == expected


@pytest.mark.parametrize("seed", range(5))
async def test_in_whatever_order_and_by_whichever_replica_letters_are_accepted_the_same_ones_leave(
    ledger: Ledger, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 (chooses stories, keeps no secret)
    stories: dict[str, list[tuple[str, datetime]]] = {
        complaint(): [(chance.choice(LETTERS), T0 - chance.randrange(4) * SECOND) for _ in range(6)] for _ in range(12)
    }
    events = [
        letter_due(case, letter, at, n=n)
        for case, letters in stories.items()
        for n, (letter, at) in enumerate(letters, start=1)
    ]
    chance.shuffle(events)
    await asyncio.gather(*(ledger.accept(*events[start::4]) for start in range(4)))
    for case, letters in stories.items():
        expected = {
            f"{letter}/letter/{n}"
            for n, (letter, at) in enumerate(letters, start=1)
            if not any(gives_way(letter, other) and at <= its for other, its in letters)
        }
        assert {name for name, (state, _) in (await by_letter(ledger, case)).items() if state == "accepted"} == expected


async def test_a_letter_of_the_same_rank_takes_no_place(ledger: Ledger) -> None:
    case = complaint()
    await ledger.accept(
        letter_due(case, "acknowledgement"), letter_due(case, "acknowledgement", T0 + SECOND, n=2),
    )  # fmt: skip
    assert [state for state, _ in await ledger.states(case)] == ["accepted", "accepted"]


async def test_a_corrected_letter_released_after_the_decision_is_sent(ledger: Ledger) -> None:
    case = complaint()
    await ledger.accept(letter_due(case, "final"))
    await ledger.accept(letter_due(case, "acknowledgement", T0 + SECOND, n=2), now=T0 + SECOND)
    assert await open_letters(ledger, case) == {"final", "acknowledgement"}


async def test_a_letter_that_cannot_be_delivered_takes_nobodys_place(ledger: Ledger) -> None:
    case = complaint()
    await ledger.accept(letter_due(case, "acknowledgement"))
    nowhere = {"name": "A", "locale": "en", "channel": "post"}
    await ledger.accept(letter_due(case, "final", T0 + SECOND, complainant=nowhere))
    await ledger.using(rules=undeliverable()).accept(letter_due(case, "summary", T0 + SECOND))
    assert await by_letter(ledger, case) == {
        "acknowledgement/letter/1": ("accepted", None),
        "final/letter/1": ("failed", "no-address"),
        "summary/letter/1": ("suppressed", "not-live"),
    }


async def test_a_letter_to_post_has_its_rank(ledger: Ledger) -> None:
    case = complaint()
    await ledger.accept(letter_to_post(case, "acknowledgement"))
    await ledger.accept(letter_due(case, "final", T0 + SECOND))
    assert (await by_letter(ledger, case))["acknowledgement/letter-to-post/1"] == ("cancelled", "higher-letter")


async def test_an_older_letter_that_arrives_late_does_not_set_its_ranks_time_back(ledger: Ledger) -> None:
    case = complaint()
    await ledger.accept(letter_due(case, "final", T0 + SECOND, n=2), now=T0 + SECOND)
    await ledger.accept(letter_due(case, "final", T0 - SECOND))
    await ledger.accept(letter_due(case, "acknowledgement"))
    assert await open_letters(ledger, case) == {"final"}


async def test_another_complaints_decision_cancels_nothing(ledger: Ledger) -> None:
    case = complaint()
    await ledger.accept(letter_due(case, "acknowledgement"))
    await ledger.accept(letter_due(complaint(), "final", T0 + SECOND))
    assert await open_letters(ledger, case) == {"acknowledgement"}


async def test_an_outranked_letter_is_told_once(ledger: Ledger) -> None:
    case = complaint()
    events = [letter_due(case, "acknowledgement"), letter_due(case, "final", T0 + SECOND)]
    for _ in range(3):
        await ledger.accept(*events, now=T0 + SECOND)
    (told,) = await ledger.outcomes(case)
    assert (told.state, told.reason, told.attempt, told.cause.id) == (
        "cancelled", "higher-letter", 0, f"{case}/acknowledgement/letter/1",
    )  # fmt: skip
    assert (told.notice, told.role) == ("complaint-acknowledged", "complainant")


async def test_a_letter_in_hand_over_is_let_be_and_its_next_attempt_is_cancelled(ledger: Ledger) -> None:
    case = complaint()
    (row,) = await ledger.handed_over(letter_due(case, "acknowledgement"))
    await ledger.accept(letter_due(case, "final", T0 + SECOND))
    assert (await by_letter(ledger, case))["acknowledgement/letter/1"] == ("handing-over", None)
    await ledger.sending.record([result(row, 1, "retrying")], T0)
    assert set(await claimed(ledger, case)) == {"complaint-final-decision"}
    assert (await by_letter(ledger, case))["acknowledgement/letter/1"] == ("cancelled", "higher-letter")


async def test_the_hand_over_asks_again_what_was_accepted_between_claim_and_mark(ledger: Ledger) -> None:
    """As if the replica that accepted the decision had not seen the acknowledgement yet."""
    case = complaint()
    (row,) = await ledger.claimed(letter_due(case, "acknowledgement"))
    await ledger.database.execute("INSERT INTO notifier.letter_ranks VALUES ($1, 4, $2)", case, T0)
    assert await ledger.sending.hand_over([row], T0) == {}
    await ledger.sending.settle([row], T0)
    assert await ledger.states(case) == [("cancelled", "higher-letter")]


async def test_two_replicas_that_accept_two_letters_at_once_leave_the_higher_one(ledger: Ledger) -> None:
    cases = [complaint() for _ in range(20)]
    await asyncio.gather(
        *(ledger.accept(letter_due(case, "acknowledgement"), room=ROOM) for case in cases),
        *(ledger.accept(letter_due(case, "final", T0 + SECOND), room=ROOM) for case in cases),
    )
    for case in cases:
        states = await by_letter(ledger, case)
        assert states["acknowledgement/letter/1"] == ("cancelled", "higher-letter")
        assert states["final/letter/1"] == ("claimed", None)


# --- cancelled by cause -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [[0, 1], [1, 0]], ids=["after-its-letter", "before-its-letter"])
@pytest.mark.parametrize("together", [True, False], ids=["one-batch", "one-by-one"])
async def test_a_cancelled_letter_does_not_leave_whatever_came_first(
    ledger: Ledger, order: list[int], together: bool
) -> None:
    case = complaint()
    letter = letter_due(case, "final")
    events = [(letter, letter_cancelled(letter, T0 + SECOND))[each] for each in order]
    for batch in [events] if together else [[event] for event in events]:
        await ledger.accept(*batch, now=T0 + SECOND, room=ROOM)
    assert await ledger.states(case) == [("cancelled", "withdrawn")]
    assert [(told.state, told.reason) for told in await ledger.outcomes(case)] == [("cancelled", "withdrawn")]


async def test_a_cancellation_repeated_changes_nothing(ledger: Ledger) -> None:
    case = complaint()
    letter = letter_due(case, "final")
    for _ in range(3):
        await ledger.accept(letter, letter_cancelled(letter, T0 + SECOND), now=T0 + SECOND)
    assert len(await ledger.outcomes(case)) == 1


async def test_a_cancellation_is_an_act_and_counted(ledger: Ledger) -> None:
    case = complaint()
    accepted = await ledger.accept(letter_cancelled(letter_due(case, "final")))
    assert accepted.plans == {"cancels-a-letter": 1}
    assert await ledger.events(case) == [("skipped", "cancels-a-letter")]


async def test_the_letter_of_the_same_kind_that_was_asked_for_anew_is_not_cancelled(ledger: Ledger) -> None:
    case = complaint()
    first = letter_due(case, "final")
    await ledger.accept(first, letter_cancelled(first), letter_due(case, "final", T0 + SECOND, n=2), now=T0 + SECOND)
    assert [state for state, _ in await ledger.states(case)] == ["cancelled", "accepted"]


async def test_a_cancelled_letter_takes_nobodys_place(ledger: Ledger) -> None:
    case = complaint()
    final = letter_due(case, "final", T0 + SECOND)
    await ledger.accept(letter_cancelled(final, T0 + SECOND), now=T0 + SECOND)
    await ledger.accept(letter_due(case, "acknowledgement"), final, now=T0 + SECOND)
    assert await open_letters(ledger, case) == {"acknowledgement"}


async def test_what_has_left_is_not_cancelled_and_what_may_have_left_does_not_go_again(ledger: Ledger) -> None:
    case = complaint()
    sent, perhaps = letter_due(case, "acknowledgement"), letter_due(case, "holding", T0 + SECOND)
    for event, state in ((sent, "sent"), (perhaps, "unknown")):
        (row,) = await ledger.handed_over(event, now=T0 + SECOND)
        await ledger.sending.record([result(row, 1, state)], T0)
    await ledger.accept(letter_cancelled(sent), letter_cancelled(perhaps))
    assert [state for state, _ in await ledger.states(case)] == ["sent", "cancelled"]


@pytest.mark.parametrize("first", ["letter", "cancellation"])
async def test_a_cancellation_of_another_complaint_cancels_nothing(ledger: Ledger, first: str) -> None:
    letter = letter_due(complaint(), "final")
    foreign = replace(letter_cancelled(letter), subject=complaint())
    for event in (letter, foreign) if first == "letter" else (foreign, letter):
        await ledger.accept(event)
    (row,) = await ledger.sending.claim("letters", 10, T0)
    assert len(await ledger.sending.hand_over([row], T0)) == 1


# --- one at a time ----------------------------------------------------------------------------------------------------


async def test_of_one_complaint_one_letter_is_in_hand_over_and_the_other_waits_its_turn(ledger: Ledger) -> None:
    case = complaint()
    first, second = await ledger.claimed(letter_due(case, "forwarded"), letter_due(case, "acknowledgement"))
    other = (await ledger.claimed(letter_due(complaint(), "acknowledgement")))[0]
    going = await ledger.sending.hand_over([first, second, other], T0)
    assert set(going) == {(first.id, first.token), (other.id, other.token)}
    await ledger.sending.settle([second], T0)
    states = await by_letter(ledger, case)
    assert states["acknowledgement/letter/1"] == ("accepted", "waits-its-turn")
    due = await ledger.database.fetchval(
        "SELECT due_at - clock_timestamp() FROM notifier.notifications WHERE id = $1", second.id
    )
    assert due < 2 * SECOND
    await ledger.sending.record([result(first, 1, "sent")], T0)
    await ledger.database.execute(
        "UPDATE notifier.notifications SET due_at = clock_timestamp() WHERE id = $1", second.id
    )
    (again,) = (await claimed(ledger, case)).values()
    assert len(await ledger.sending.hand_over([again], T0)) == 1


async def test_replicas_that_hand_over_letters_of_one_complaint_at_once_mark_one(ledger: Ledger) -> None:
    case = complaint()
    rows = await ledger.claimed(*(letter_due(case, "acknowledgement", n=n) for n in range(1, 9)))
    goings = await asyncio.gather(*(ledger.sending.hand_over([row], T0) for row in rows))
    assert sum(len(going) for going in goings) == 1


async def test_a_hand_over_whose_answer_was_lost_is_found_again_by_its_token(ledger: Ledger) -> None:
    case = complaint()
    first, second = await ledger.claimed(letter_due(case, "forwarded"), letter_due(case, "acknowledgement"))
    going = await ledger.sending.hand_over([second], T0)
    assert await ledger.sending.hand_over([first, second], T0, again=True) == going


async def test_mails_to_the_handler_take_no_turns(ledger: Ledger) -> None:
    case = complaint()
    rows = await ledger.claimed(
        letter_due(case, "acknowledgement"), letter_to_post(case, "acknowledgement", n=2), deadline_missed(case)
    )
    assert len(await ledger.sending.hand_over(rows, T0)) == 3


# --- whose it is ------------------------------------------------------------------------------------------------------


async def test_a_letter_waits_for_no_contact_and_looks_up_none(ledger: Ledger) -> None:
    """Even where a member, known or forgotten, happens to have the complaint's id."""
    case = complaint()
    await ledger.contact(case, language="fr", login_email="somebody-else@example.test")
    (row,) = await ledger.claimed(letter_due(case, "acknowledgement"))
    assert (row.address, row.locale, row.role) == (address_of(case), "en", "complainant")
    await ledger.forget(case)
    assert len(await ledger.sending.hand_over([row], T0)) == 1


async def test_a_letter_leased_at_acceptance_is_the_row_a_claim_would_have_read(ledger: Ledger) -> None:
    case = complaint()
    (leased,) = await ledger.claimed(letter_due(case, "acknowledgement", limit_at=T0 + DAY))
    await ledger.end_leases()
    (again,) = (await claimed(ledger, case)).values()
    for name in Leased.__slots__:
        if name != "token":
            assert getattr(again, name) == getattr(leased, name), name


# --- not before -------------------------------------------------------------------------------------------------------


async def test_a_person_is_told_not_before_the_next_working_hour(ledger: Ledger) -> None:
    case, nine = complaint(), T0 + 3 * HOUR
    accepted = await ledger.accept(deadline_missed(case, tell_at=nine), room=ROOM)
    assert accepted.leased == []
    assert await ledger.sending.claim("letters", 10, nine - SECOND) == []
    (row,) = await ledger.sending.claim("letters", 10, nine)
    assert await ledger.sending.hand_over([row], nine - SECOND) == {}, "the clock was set back"
    await ledger.sending.settle([row], nine - SECOND)
    assert await ledger.states(case) == [("accepted", "waits-its-turn")]


async def test_a_time_that_has_come_is_no_reason_to_wait(ledger: Ledger) -> None:
    assert len((await ledger.accept(deadline_missed(complaint(), tell_at=T0), room=ROOM)).leased) == 1


# --- unknown ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "waits"),
    [(None, DAY), (60 * DAY, DAY), (10 * HOUR, 5 * HOUR), (-HOUR, timedelta(0))],
    ids=["no-limit", "far", "near", "past"],
)
async def test_a_letter_whose_lease_was_lost_waits_at_most_half_of_what_is_left(
    ledger: Ledger, limit: timedelta | None, waits: timedelta
) -> None:
    case = complaint()
    await ledger.handed_over(letter_due(case, "acknowledgement", limit_at=None if limit is None else T0 + limit))
    await ledger.end_leases()
    assert await ledger.sending.lapse("letters", T0) == 1
    assert await ledger.states(case) == [("unknown", "lost-lease")]
    left = await ledger.database.fetchval("SELECT due_at - clock_timestamp() FROM notifier.notifications")
    assert abs(left - waits) < 5 * SECOND


async def test_a_mail_to_the_handler_whose_lease_was_lost_goes_again_at_once(ledger: Ledger) -> None:
    case = complaint()
    await ledger.handed_over(deadline_missed(case), letter_to_post(case, "final"))
    await ledger.end_leases()
    await ledger.sending.lapse("letters", T0)
    rows = await ledger.sending.claim("letters", 10, T0)
    assert [row.again for row in rows] == [False, False]


@pytest.mark.parametrize("how", ["unknown", "lapsed"])
async def test_what_may_have_left_goes_again_marked_on_every_later_attempt(ledger: Ledger, how: str) -> None:
    case = complaint()
    (row,) = await ledger.handed_over(letter_due(case, "acknowledgement"))
    assert row.again is False
    if how == "unknown":
        await ledger.sending.record([result(row, 1, "unknown")], T0)
    else:
        await ledger.end_leases()
        await ledger.sending.lapse("letters", T0)
    for attempt in (2, 3):
        await ledger.end_leases()
        (row,) = (await claimed(ledger, case)).values()
        assert row.again is True
        await ledger.sending.hand_over([row], T0)
        await ledger.sending.record([result(row, attempt, "retrying", reason="smtp:450")], T0)


async def test_what_was_refused_for_now_goes_again_unmarked(ledger: Ledger) -> None:
    case = complaint()
    (row,) = await ledger.handed_over(letter_due(case, "acknowledgement"))
    await ledger.sending.record([result(row, 1, "retrying", reason="smtp:450")], T0)
    (row,) = (await claimed(ledger, case)).values()
    assert row.again is False


# --- kept -------------------------------------------------------------------------------------------------------------


async def test_a_letter_is_kept_sealed_and_leaves_as_it_is_kept(ledger: Ledger) -> None:
    kept = KeptLetters(ledger.database, ledger.vault)
    (row,) = await ledger.claimed(letter_due(complaint(), "acknowledgement"))
    assert await kept.keep([(row, b"as first written")], T0) == {(row.id, False): b"as first written"}
    assert await kept.keep([(row, b"written anew")], T0 + HOUR) == {(row.id, False): b"as first written"}
    (stored,) = await ledger.database.fetch("SELECT * FROM notifier.letters")
    assert (stored["id"], stored["complaint"], stored["notice"], stored["composed_at"]) == (
        row.id, row.complaint, "complaint-acknowledged", T0,
    )  # fmt: skip
    assert b"written" not in stored["body"]


async def test_a_letter_that_may_be_a_second_copy_is_kept_beside_the_first(ledger: Ledger) -> None:
    kept = KeptLetters(ledger.database, ledger.vault)
    case = complaint()
    (row,) = await ledger.handed_over(letter_due(case, "acknowledgement"))
    await kept.keep([(row, b"first")], T0)
    await ledger.sending.record([result(row, 1, "unknown")], T0)
    (again,) = (await claimed(ledger, case)).values()
    assert await kept.keep([(again, b"again")], T0) == {(row.id, True): b"again"}
    assert await ledger.database.fetchval("SELECT count(*) FROM notifier.letters") == 2


async def test_a_kept_letter_under_a_key_that_is_gone_is_left_out_and_no_other(ledger: Ledger) -> None:
    rows = await ledger.claimed(*(letter_due(complaint(), "acknowledgement") for _ in range(2)))
    await KeptLetters(ledger.database, Vault({"gone": OTHER_KEY})).keep([(rows[0], b"one")], T0)
    kept = await KeptLetters(ledger.database, ledger.vault).keep([(row, b"two") for row in rows], T0)
    assert kept == {(rows[1].id, False): b"two"}


async def test_a_kept_letter_outlives_ledger_and_erasure_and_goes_after_six_years(ledger: Ledger) -> None:
    kept = KeptLetters(ledger.database, ledger.vault)
    (row,) = await ledger.handed_over(letter_due(complaint(), "acknowledgement"))
    await kept.keep([(row, b"body")], T0)
    await ledger.sending.record([result(row, 1, "sent")], T0)
    await ledger.upkeep.erase_old_contents(T0 + HORIZON)
    assert await kept.drop_old(T0 + LETTERS_LIVE) == 0
    assert await ledger.database.fetchval("SELECT count(*) FROM notifier.letters") == 1
    assert await kept.drop_old(T0 + LETTERS_LIVE + SECOND) == 1


async def test_ranks_and_cancellations_are_forgotten_beyond_the_horizon(ledger: Ledger) -> None:
    letter = letter_due(complaint(), "final")
    await ledger.accept(letter, letter_cancelled(letter_due(complaint(), "final")))
    await ledger.upkeep.forget_old_groups(T0 + HORIZON)
    count = "SELECT (SELECT count(*) FROM notifier.letter_ranks) + (SELECT count(*) FROM notifier.cancelled_letters)"
    assert await ledger.database.fetchval(count) == 2
    await ledger.upkeep.forget_old_groups(T0 + HORIZON + SECOND)
    assert await ledger.database.fetchval(count) == 0
