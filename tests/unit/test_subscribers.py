"""Every subscription of the notifier as it would be started: none of FastStream's defaults, which lose records."""

from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from faststream import AckPolicy

from schemas.topics import (
    CONTACTS,
    IN_APP,
    MAX_MESSAGE_BYTES,
    NOTIFIER_DEAD_LETTERS,
    OUTCOMES,
    TOPIC_OF_TYPE,
    TOPICS,
)
from services.notifier.brands import load_brands
from services.notifier.catalogue import CATALOGUE
from services.notifier.main import TOPICS_OF_LANE, Notifier
from services.notifier.settings import NotifierSettings
from services.runtime.clock import SystemClock
from services.runtime.database import Database
from services.runtime.kafka import MAX_POLL_INTERVAL_MS, MAX_WAIT_SECONDS, Drain, create_broker, subscribe
from services.runtime.process import Process
from services.runtime.settings import KafkaSettings
from tests.support.notices import composer

GROUP = "group-of-the-test"
READ = [topic for topics in TOPICS_OF_LANE.values() for topic in topics]


@pytest.fixture(scope="module")
def subscribers() -> list[Any]:
    """FastStream keeps what matters here in private places: Any."""
    settings = NotifierSettings(
        kafka_bootstrap_servers="127.0.0.1:1",
        kafka_group=GROUP,
        database_url="postgresql://nobody@127.0.0.1:1/none",
        vault_keys="test:" + "Q" * 42 + "A=",
        search_key="s" * 32,
        delivery_mode="capture",
        smtp_host="127.0.0.1",
        smtp_port=1,
        smtp_tls="none",
        twilio_account_sid="AC",
        twilio_auth_token="t",
        twilio_sender="+32460000000",
        twilio_api_base_url="http://127.0.0.1:1",
    )
    brands, composed = load_brands(), composer()
    nowhere = cast("Database", None)  # nothing is asked before it starts
    notifier = Notifier(settings, SystemClock(), nowhere, brands, composed)
    for lane, topics in TOPICS_OF_LANE.items():
        for topic in topics:
            notifier._subscribe(lane, topic)
    return list(notifier._broker.subscribers)


def test_each_topic_has_one_subscription_in_a_group_of_its_own(subscribers: list[Any]) -> None:
    assert {subscriber.group_id: subscriber.topic_names for subscriber in subscribers} == {
        f"{GROUP}-{topic}": [topic] for topic in READ
    }
    assert len(subscribers) == len(READ)


def test_everything_a_notice_or_a_contact_comes_from_is_read_and_nothing_we_write(subscribers: list[Any]) -> None:
    read = {topic for subscriber in subscribers for topic in subscriber.topic_names}
    assert {TOPIC_OF_TYPE[notice.on].name for notice in CATALOGUE} | {CONTACTS.name} <= read <= TOPICS.keys()
    assert not read & {OUTCOMES.name, IN_APP.name, NOTIFIER_DEAD_LETTERS.name}


def test_no_offset_is_committed_by_anybody_but_us(subscribers: list[Any]) -> None:
    for subscriber in subscribers:
        assert subscriber.ack_policy is AckPolicy.MANUAL
        assert subscriber._connection_args["enable_auto_commit"] is False


def test_a_new_group_begins_at_the_earliest_record(subscribers: list[Any]) -> None:
    assert {subscriber._connection_args["auto_offset_reset"] for subscriber in subscribers} == {"earliest"}


def test_no_topic_is_created_by_reading_it(subscribers: list[Any]) -> None:
    assert not any(subscriber._outer_config.allow_auto_create_topics for subscriber in subscribers)


def test_a_handler_never_outlasts_its_membership(subscribers: list[Any]) -> None:
    assert {subscriber._connection_args["max_poll_interval_ms"] for subscriber in subscribers} == {MAX_POLL_INTERVAL_MS}
    assert min(60, MAX_POLL_INTERVAL_MS / 4000) == MAX_WAIT_SECONDS
    assert all(subscriber._connection_args["rebalance_timeout_ms"] >= 60_000 for subscriber in subscribers)
    assert all(subscriber._listener is not None for subscriber in subscribers)


def test_the_largest_record_of_the_contract_can_be_read(subscribers: list[Any]) -> None:
    assert all(
        subscriber._connection_args["max_partition_fetch_bytes"] >= MAX_MESSAGE_BYTES for subscriber in subscribers
    )


async def test_a_consumer_that_has_not_started_yet_is_not_given_to_anybody() -> None:
    broker = create_broker(KafkaSettings(kafka_bootstrap_servers="127.0.0.1:1"), "test")
    given = subscribe(
        broker, ["t"], group_id=GROUP, handler=cast("Any", None), supervisor=Process("test"), drain=Drain()
    )
    (subscriber,) = cast("list[Any]", broker.subscribers)
    starting: Any = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    subscriber.consumer = starting
    try:
        shown = [given()]
        starting.assign([TopicPartition("t", 0)])
        assert [*shown, given()] == [None, starting]
    finally:
        await starting.stop()


def record(value: bytes | None, headers: tuple[tuple[str, bytes | None], ...] = ()) -> ConsumerRecord:
    return ConsumerRecord("t", 0, 7, 0, 0, b"k", value, None, 0, 0, headers)


RECORDS = (
    record(b'{"specversion": "1.0"}'),
    record(None),
    record(b""),
    record(b"\xff\xfe\x00"),
    record(b"not json", (("content-type", None), ("ce_id", b"\xff"), ("traceparent", None))),
    record(b"[1]", (("content-type", b"application/json"), ("correlation_id", b"\xff"))),
)


async def test_parser_and_decoder_hand_every_record_over_untouched(subscribers: list[Any]) -> None:
    for subscriber in subscribers:
        parser, decoder = subscriber._call_options.parser, subscriber._call_options.decoder
        assert {parser.__module__, decoder.__module__} == {"services.runtime.kafka"}
        message = await parser(RECORDS)
        assert await decoder(message) is RECORDS
        assert message.raw_message is RECORDS
