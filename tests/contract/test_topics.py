"""How long what is kept, under which key, and that nothing is on two topics."""

import re
from datetime import timedelta

import pytest

from schemas.topics import DATA_OF_TYPE, MAX_MESSAGE_BYTES, TOPIC_OF_TYPE, TOPICS, Topic
from tests.support.contract import EXAMPLES

DEDUPE_HORIZON = timedelta(days=130)
"""How long the ledger remembers an event."""
DEAD_LETTER_RETENTION = timedelta(days=30)
MARGIN = timedelta(days=10)
"""Between the last moment a dead letter can be replayed and the day its event is forgotten."""

KEPT_FOR_A_TIME = [topic for topic in TOPICS.values() if not topic.compacted]
DEAD_LETTERS = [topic for topic in TOPICS.values() if topic.name.endswith(".dead-letters.v1")]
each_topic = pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)


@each_topic
def test_a_name_ends_in_a_major_version_and_never_mixes_dots_and_underscores(topic: Topic) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)+\.v[1-9][0-9]*", topic.name)


@pytest.mark.parametrize("topic", KEPT_FOR_A_TIME, ids=lambda topic: topic.name)
def test_a_segment_lasts_at_most_a_sixth_of_the_retention(topic: Topic) -> None:
    assert topic.retention is not None
    assert topic.segment <= topic.retention / 6


@pytest.mark.parametrize("topic", KEPT_FOR_A_TIME, ids=lambda topic: topic.name)
def test_the_ledger_remembers_an_event_for_as_long_as_it_can_come_again(topic: Topic) -> None:
    assert topic.retention is not None
    assert topic.retention + DEAD_LETTER_RETENTION + MARGIN <= DEDUPE_HORIZON


def test_only_contacts_are_kept_for_good() -> None:
    assert [topic.name for topic in TOPICS.values() if topic.retention is None] == ["members.contacts.v1"]
    settings = TOPICS["members.contacts.v1"].configs()
    assert settings["cleanup.policy"] == "compact"
    assert settings["max.compaction.lag.ms"] == "86400000"
    assert settings["delete.retention.ms"] == "1209600000"
    assert "retention.ms" not in settings


@pytest.mark.parametrize(
    ("name", "retention_ms", "segment_ms"),
    [
        ("identity.codes.v1", 86_400_000, 600_000),
        ("identity.links.v1", 345_600_000, 3_600_000),
        ("identity.security.v1", 604_800_000, 43_200_000),
        ("identity.sign-ons.v1", 86_400_000, 3_600_000),
        ("members.activity.v1", 604_800_000, 43_200_000),
        ("complaints.lifecycle.v1", 7_776_000_000, 604_800_000),
        ("complaints.deadlines.v1", 7_776_000_000, 604_800_000),
        ("notifications.outcomes.v1", 2_592_000_000, 86_400_000),
        ("notifications.in-app.v1", 2_592_000_000, 86_400_000),
    ],
)
def test_kafka_is_told_the_retention_in_milliseconds(name: str, retention_ms: int, segment_ms: int) -> None:
    settings = TOPICS[name].configs()
    assert settings["retention.ms"] == str(retention_ms)
    assert settings["segment.ms"] == str(segment_ms)
    assert settings["cleanup.policy"] == "delete"


def test_each_service_that_reads_has_its_dead_letters() -> None:
    assert {topic.name for topic in DEAD_LETTERS} == {
        "auth-events.dead-letters.v1",
        "notifier.dead-letters.v1",
        "complaint-sla.dead-letters.v1",
    }


@pytest.mark.parametrize("topic", DEAD_LETTERS, ids=lambda topic: topic.name)
def test_a_dead_letter_is_kept_30_days_and_has_room_around_the_largest_record(topic: Topic) -> None:
    largest = max(origin.max_message_bytes for origin in TOPICS.values() if origin not in DEAD_LETTERS)
    assert topic.retention == DEAD_LETTER_RETENTION
    assert topic.max_message_bytes >= largest + 64 * 1024
    assert largest == MAX_MESSAGE_BYTES
    assert topic.key == "as-it-was"
    assert not topic.types


@each_topic
def test_events_are_keyed_by_an_opaque_id(topic: Topic) -> None:
    assert topic in DEAD_LETTERS or topic.key in {"member", "complaint"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_subject_of_an_example_is_no_address_and_no_phone_number(name: str) -> None:
    key = TOPIC_OF_TYPE[EXAMPLES[name]["type"]].key
    assert re.fullmatch(r"m-[0-9]+" if key == "member" else r"c-[0-9]+-[0-9]+", EXAMPLES[name]["subject"])


def test_each_type_is_on_exactly_one_topic() -> None:
    listed = [type_ for topic in TOPICS.values() for type_ in topic.types]
    assert len(listed) == len(set(listed)) == len(TOPIC_OF_TYPE) == len(DATA_OF_TYPE)


@pytest.mark.parametrize("type_", DATA_OF_TYPE)
def test_a_type_ends_in_the_major_version_of_its_topic_and_its_data(type_: str) -> None:
    version = type_.rpartition(".v")[2]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)+\.v[1-9][0-9]*", type_)
    assert TOPIC_OF_TYPE[type_].name.endswith(f".v{version}")
    assert DATA_OF_TYPE[type_].__name__.endswith(f"V{version}")


@pytest.mark.parametrize("type_", DATA_OF_TYPE)
def test_what_is_secret_is_named_a_secret(type_: str) -> None:
    data = DATA_OF_TYPE[type_]
    assert data.secret_fields == {"code", "url"} & data.model_fields.keys()


def test_a_topic_is_created_with_room_for_several_consumers() -> None:
    assert all(topic.partitions > 1 for topic in TOPICS.values())
