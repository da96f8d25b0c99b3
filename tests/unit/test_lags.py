"""What was read and not accepted is seen as such, however often it is read again."""

from prometheus_client import CollectorRegistry

from services.runtime.lags import Lags

TOPIC = "identity.codes.v1"


def unaccepted(registry: CollectorRegistry) -> float:
    value = registry.get_sample_value("notifier_unaccepted_seconds", {"topic": TOPIC})
    assert value is not None
    return value


def test_a_batch_in_hand_has_an_age_until_it_is_accepted() -> None:
    registry = CollectorRegistry()
    lags = Lags("notifier", registry)
    lags.record_taking(TOPIC)
    first = unaccepted(registry)
    assert first > 0
    lags.record_records(TOPIC, 1, last_written_at=0)
    assert unaccepted(registry) == 0


def test_a_batch_that_is_read_again_counts_from_the_first_time_on() -> None:
    registry = CollectorRegistry()
    lags = Lags("notifier", registry)
    lags.record_taking(TOPIC)
    first = unaccepted(registry)
    lags.record_taking(TOPIC)
    assert unaccepted(registry) > first


def test_what_another_replica_reads_now_is_not_ours_to_wait_for() -> None:
    registry = CollectorRegistry()
    lags = Lags("notifier", registry)
    lags.record_taking(TOPIC)
    lags.record_let_go(TOPIC)
    assert unaccepted(registry) == 0
