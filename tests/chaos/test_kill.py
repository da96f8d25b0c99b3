"""kill -9 in the large: two replicas, 2,000 events, every failpoint three times, ten kills at random besides."""

from pathlib import Path

from demo.catcher import Catcher
from tests.support.attack import NOTIFIER_POINTS, Attack
from tests.support.audit import out_of_order, sent_more_than_once
from tests.support.traffic import Traffic

EVENTS, TIMES, RANDOM_KILLS = 2_000, 3, 10


async def test_every_message_of_two_thousand_events_arrives_and_none_is_doubled(
    kafka: str, database: str, tmp_path: Path
) -> None:
    traffic = Traffic(members=40)
    async with Catcher() as catcher:
        after = await Attack(
            kafka, database, catcher, tmp_path, traffic,
            count=EVENTS, times=TIMES, random_kills=RANDOM_KILLS, patient=True, within_seconds=900,
        ).run()  # fmt: skip
    print(f"\n{after}")
    assert len(traffic.owed) >= EVENTS
    assert after.books.states == {"sent": len(traffic.owed)}
    assert (after.books.missing, after.books.not_owed, after.books.doubled) == ([], [], 0)
    assert await sent_more_than_once(database, traffic.run) == []
    assert out_of_order(after.outcomes, traffic.owed) == []
    assert {point: min(after.hits[point], TIMES) for point in NOTIFIER_POINTS} == dict.fromkeys(NOTIFIER_POINTS, TIMES)
    assert after.lives >= 2 + TIMES * len(NOTIFIER_POINTS) + RANDOM_KILLS
