"""kill -9 in the small: a minute, where the large attack takes four."""

from pathlib import Path

from demo.catcher import Catcher
from tests.support import replicas
from tests.support.attack import NOTIFIER_POINTS, Attack
from tests.support.audit import out_of_order, sent_more_than_once
from tests.support.notifier import fresh_group, upstream
from tests.support.replicas import Replica
from tests.support.traffic import Traffic
from tests.support.waiting import wait_for


async def test_killed_at_every_failpoint_and_at_random_each_message_arrives_and_none_is_doubled(
    kafka: str, database: str, tmp_path: Path
) -> None:
    traffic = Traffic(members=7)
    async with Catcher() as catcher:
        after = await Attack(
            kafka, database, catcher, tmp_path, traffic,
            count=60, times=1, random_kills=1, patient=False, within_seconds=300, wave=10,
        ).run()  # fmt: skip
    print(after)
    assert after.books.states == {"sent": len(traffic.owed)}
    assert (after.books.missing, after.books.not_owed, after.books.doubled) == ([], [], 0)
    assert await sent_more_than_once(database, traffic.run) == []
    assert out_of_order(after.outcomes, traffic.owed) == []
    assert after.hits.keys() == NOTIFIER_POINTS


async def test_a_replica_that_keeps_its_name_comes_back_without_stopping_the_others(
    kafka: str, database: str, tmp_path: Path
) -> None:
    traffic = Traffic(members=12)
    async with Catcher() as catcher, upstream(kafka) as up:
        environ = replicas.settings(kafka, database, catcher, await fresh_group(kafka))
        killed, other = (Replica(name, tmp_path, environ) for name in ("killed", "other"))
        async with replicas.running(killed, other):
            await wait_for(
                lambda: _partitions(killed) and not _partitions(killed) & _partitions(other), "partitions for both"
            )
            assignments = len(other.lines("partitions_assigned"))
            await killed.kill()
            await killed.start()
            await up.publish(*traffic.contacts(), *traffic.events(24))
            await catcher.wait_for(len(traffic.owed), "every message")
            assert len(other.lines("partitions_assigned")) == assignments


def _partitions(replica: Replica) -> set[str]:
    """As of its newest assignments, one for each topic."""
    newest = {line["partitions"][0].rpartition("-")[0]: line["partitions"] for line in _assigned(replica)}
    return {partition for partitions in newest.values() for partition in partitions}


def _assigned(replica: Replica) -> list[dict[str, list[str]]]:
    return [line for line in replica.lines("partitions_assigned") if line["partitions"]]
