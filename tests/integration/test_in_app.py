"""In-app: from the event to a record that the portal can show, once an event, whatever happens to the broker."""

from datetime import UTC, datetime
from typing import Any

import pytest

from demo.catcher import Catcher
from schemas.envelope import read_record
from schemas.notifications import InAppMessageV1
from schemas.topics import IN_APP
from services.notifier.channels.base import ChannelError, Consequence, OutgoingMessage
from services.notifier.channels.in_app import InAppChannel, in_app_record
from services.runtime.kafka import producer_of
from tests.support.house import House
from tests.support.kafka import Tape
from tests.support.notifier import event_of, fresh_group, settings, upstream


def pin_blocked(member: str, at: datetime) -> Any:
    return event_of("identity.pin-blocked.v1", member, id=f"{member}-1", time=at, blocked_at=at)


async def test_the_portal_gets_what_the_mail_says_in_the_members_language_once(kafka: str, database: str) -> None:
    group = await fresh_group(kafka)
    async with Catcher() as catcher, upstream(kafka) as up, Tape(kafka, IN_APP.name) as tape:
        house = House(kafka, database, catcher, up, group)
        member = house.member()
        async with house.notifier():
            await up.contact(member, brand="cm", language="fr", preferences={"general": False})
            event = pin_blocked(member, datetime.now(UTC))
            await up.publish(event, event)
            assert await house.ended(member, 2) == [
                ("pin-blocked", "inbox", "sent", None),
                ("pin-blocked", "login", "sent", None),
            ]
        records = await tape.rest()
        [record] = [record for record in records if record.key == member.encode()]
        (mail,) = catcher.mails_to(f"{member}@example.test")
    told = read_record(record.headers, record.value)
    assert isinstance(told.data, InAppMessageV1)
    assert (told.subject, told.data.notice, told.data.locale) == (member, "pin-blocked", "fr")
    assert told.data.title == "Votre code PIN est bloqué"
    assert "cinq fois" in told.data.text
    assert "cinq fois" in mail.text


async def test_a_broker_that_does_not_answer_leaves_it_unknown_and_never_for_good(kafka: str, database: str) -> None:
    async with Catcher() as catcher:
        values = settings(kafka, database, catcher, "nobody").model_copy(
            update={"kafka_bootstrap_servers": "127.0.0.1:1"}
        )
        channel = InAppChannel(lambda: producer_of(values, "in-app-test"))
        shown = InAppMessageV1(notice="pin-blocked", locale="en", title="A title", text="A text")
        body = in_app_record("n-1", "m-1", datetime.now(UTC), shown)
        message = OutgoingMessage(id="n-1", address="m-1", body=body, sender="", expires_at=None)
        with pytest.raises(ChannelError) as refusal:
            await channel.send(message)
        await channel.close()
    assert (refusal.value.consequence, refusal.value.reason) == (Consequence.UNKNOWN, "broker:time-out-after-data")
