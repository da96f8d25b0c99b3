"""Mails to a complaint's handler in the brand's other languages, which no event leads to: a brand has one default.

From the composer on, and through the same relay.
"""

from dataclasses import replace
from email.utils import format_datetime

import pytest

from services.notifier import mime
from services.notifier.brands import load_brands
from services.notifier.compose import load_catalogue
from services.notifier.letters import alert_facts
from tests.mta.arrived import Arrived
from tests.mta.expectations import OF_CASES, Expected
from tests.mta.occasions import CIGNA, NOW, occasions
from tests.mta.postfix import Postfix
from tests.mta.test_starttls import MAIL, TO, channel_to
from tests.support.waiting import wait_for


@pytest.mark.parametrize("language", ["fr", "nl", "de"])
async def test_each_mail_to_a_handler_says_what_its_row_asks_for_in_every_language(
    postfix: Postfix, language: str
) -> None:
    brands = load_brands()
    composer, sender = load_catalogue(brands), brands[CIGNA].sender
    asked = [occasion for occasion in occasions() if occasion.notice in OF_CASES]
    async with channel_to(postfix.ports["plainest"]) as channel:
        for number, occasion in enumerate(asked):
            facts = alert_facts(occasion.event.data, occasion.event.subject).public | {"role": "handler"}
            body = mime.assemble(
                composer.email(occasion.notice, CIGNA, language, facts),
                sender=mime.mailbox(sender.name, sender.address),
                recipient=TO,
                message_id=f"<n-{number}@example.test>",
                date=format_datetime(NOW),
                language=language,
            )
            await channel.send(replace(MAIL, body=body))
    raws = await wait_for(lambda: len(postfix.mail_of(TO)) == len(asked) and postfix.mail_of(TO), "every mail")
    assert isinstance(raws, list)
    mails = {str(mail.message["Message-ID"]): mail for mail in map(Arrived, raws)}
    for number, occasion in enumerate(asked):
        expected = Expected(replace(occasion, language=language), "handler")
        assert (occasion.id, expected.wrong(mails[f"<n-{number}@example.test>"])) == (occasion.id, [])
