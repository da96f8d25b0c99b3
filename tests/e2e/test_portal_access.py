"""From the administration's event to the mailbox: coverage ends, and two mails say until when the portal is open."""

from datetime import UTC, date, datetime
from pathlib import Path

from demo.catcher import Catcher
from schemas.topics import ACTIVITY, AUTH_EVENTS_DEAD_LETTERS
from services.runtime.clock import FixedClock
from tests.support import notifier
from tests.support.coverage import Former, ended, fresh_group
from tests.support.kafka import Tape

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
REMINDER = datetime(2028, 10, 1, 7, tzinfo=UTC)


async def test_a_former_member_gets_one_mail_at_once_and_one_30_days_before(
    kafka: str, database: str, tmp_path: Path
) -> None:
    clock = FixedClock(NOW)
    groups = await fresh_group(kafka), await notifier.fresh_group(kafka)
    async with (
        Catcher() as catcher,
        notifier.upstream(kafka) as up,
        Tape(kafka, ACTIVITY.name, AUTH_EVENTS_DEAD_LETTERS.name) as tape,
    ):
        former = Former(kafka, database, up, groups[0], tape, clock, tmp_path)
        member = former.member()
        inbox = f"{member}-letters@example.test"
        values = notifier.settings(kafka, database, catcher, groups[1])
        await up.contact(member, communication_email=inbox)
        async with former.running():
            async with notifier.running(values, clock):
                await former.say(ended(member, NOW, date(2026, 10, 31)))
                await catcher.wait_for(lambda: len(catcher.mails_to(inbox)) == 1, "the first mail", timeout=60)
            await former.move(REMINDER)
            # Started anew, as it will have been by then: it makes room for the day.
            async with notifier.running(values, clock):
                await catcher.wait_for(lambda: len(catcher.mails_to(inbox)) == 2, "the reminder", timeout=60)
        first, reminder = (mail.message for mail in catcher.mails_to(inbox))
    assert "How long you can use the portal" in first["subject"]
    assert "Your access to the portal ends soon" in reminder["subject"]
    for mail in (first, reminder):
        body = mail.get_body(("plain",))
        assert body is not None
        assert "31 October 2028" in body.get_content()
