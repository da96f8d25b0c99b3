"""A complaint from the desk's event to the mailbox and back: the letter, what is enclosed, what its outcome meets."""

from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO

import pytest
from pypdf import PdfReader

from demo.catcher import Catcher
from schemas.topics import COMPLAINT_SLA_DEAD_LETTERS, DEADLINES
from services.runtime.clock import FixedClock
from tests.support import notifier
from tests.support.complaint_sla import Desk, fresh_group
from tests.support.complaint_story import AMARA, at, received
from tests.support.kafka import Tape
from tests.support.waiting import wait_for

T0 = at("2026-12-01 10:00")
PROCEDURE = {
    "en": ("Our complaints procedure", "Financial Ombudsman Service", "five business days", "eight weeks"),
    "fr": (
        "procédure de traitement des plaintes",
        "Financial Ombudsman Service",
        "cinq jours ouvrables",
        "huit semaines",
    ),
    "nl": ("Onze klachtenprocedure", "Financial Ombudsman Service", "vijf werkdagen", "acht weken"),
    "de": ("Beschwerdeverfahren", "Financial Ombudsman Service", "fünf Arbeitstagen", "acht Wochen"),
}
"""What the enclosed procedure of the uk licence says in each language."""


@pytest.fixture
async def desk(kafka: str, database: str) -> AsyncIterator[Desk]:
    group = await fresh_group(kafka)
    async with (
        notifier.upstream(kafka) as publisher,
        Tape(kafka, DEADLINES.name, COMPLAINT_SLA_DEAD_LETTERS.name) as tape,
    ):
        yield Desk(kafka, database, publisher, group, tape, FixedClock(T0))


async def test_an_acknowledgement_arrives_with_the_procedure_in_the_readers_language_and_is_met_by_its_outcome(
    desk: Desk, kafka: str, database: str
) -> None:
    complaints = {locale: desk.complaint() for locale in PROCEDURE}
    group = await notifier.fresh_group(kafka)
    async with Catcher() as catcher:
        values = notifier.settings(kafka, database, catcher, group)
        async with desk.running(), notifier.running(values, desk.clock):
            for locale, complaint in complaints.items():
                whose = {**AMARA, "locale": locale, "email": f"{complaint}@example.test"}
                await desk.say(received(complaint, T0, complainant=whose))
            await desk.heard_of(len(complaints))
            await desk.move(T0 + timedelta(minutes=15))
            await wait_for(lambda: len(catcher.mails) == len(complaints), "a mail for each")
            for complaint in complaints.values():
                await desk.heard(complaint, 2)
        for locale, complaint in complaints.items():
            assert (await desk.states(complaint))["acknowledgement"] == "met"
            (mail,) = [each for each in catcher.mails if each.recipients == (f"{complaint}@example.test",)]
            (enclosed,) = mail.attachments
            assert (mail.language, enclosed.content_type) == (locale, "application/pdf")
            pages = PdfReader(BytesIO(enclosed.content)).pages
            text = " ".join(" ".join(page.extract_text() for page in pages).split())
            missing = [needle for needle in PROCEDURE[locale] if needle.lower() not in text.lower()]
            assert not missing, (locale, text[:800])
