"""The bench keeps itself honest: what it compares, counts and refuses."""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import asyncpg
import pytest
from jinja2 import Environment
from markupsafe import escape

from services.console.searching import ENDED
from tests.bench import naive, texts
from tests.bench.console import ask
from tests.bench.console_fill import Fill, Size
from tests.bench.console_pages import Page, pages
from tests.bench.flood import Latencies
from tests.bench.load import LANGUAGES, PasswordChange, members, password_changes
from tests.bench.meters import REFERENCE_SECONDS, least_naive_rate
from tests.bench.rig import BenchError, smtp_sink
from tests.bench.rounds import refuse_unless_once
from tests.support.console import running as console_running
from tests.support.console import settings as console_settings
from tests.support.database import temporary_database
from tests.support.waiting import wait_for


def mail(*, text: str, html: str) -> str:
    message = EmailMessage()
    message["Subject"] = "Your password was changed"
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message.as_string()


def when(change: PasswordChange) -> str:
    return texts.facts(change.member, change.changed_at)[texts.when_expression(change.member.language)]


@pytest.fixture
def changes() -> list[PasswordChange]:
    """One for each language, to members with different names."""
    return password_changes(members(len(LANGUAGES)), len(LANGUAGES))


def test_the_frozen_pipeline_is_accepted() -> None:
    naive.refuse_unless_frozen()


@pytest.mark.parametrize("file", ["pipeline.py", "schema.sql", "helper.py"])
def test_a_changed_or_added_file_of_the_frozen_pipeline_is_refused(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "naive"
    shutil.copytree(naive.FOLDER, folder)
    with (folder / file).open("a") as changed:
        changed.write("\n")
    with pytest.raises(BenchError, match=file):
        naive.refuse_unless_frozen(folder)


def test_an_event_without_a_mail_and_one_with_two_are_refused() -> None:
    with pytest.raises(BenchError, match="1 missing, 1 too many"):
        refuse_unless_once(Counter(["a", "b"]), [("a", 1.0), ("a", 2.0)])


def test_templates_made_from_a_mail_render_that_mail_again(tmp_path: Path, changes: list[PasswordChange]) -> None:
    # CSS and the like that Jinja would read as its own syntax.
    html = {
        change.member.email: f"<style>p{{#a}}{{{{%</style><p>{escape(change.member.name)}: {when(change)}"
        for change in changes
    }
    mails = {
        change.member.email: mail(text=f"When: {when(change)}", html=html[change.member.email]) for change in changes
    }
    texts.write_templates(tmp_path, changes, mails)
    for change in changes:
        source = (tmp_path / texts.NOTICE / f"{change.member.language}.body.html").read_text()
        assert str(escape(change.member.name)) not in source
        environment = Environment(autoescape=True)
        environment.filters["format_datetime"] = lambda *_, change=change: when(change)
        rendered = environment.from_string(source).render(name=change.member.name, data=change, time_zone=None)
        assert rendered == html[change.member.email]


def test_mails_that_differ_in_one_word_are_refused(changes: list[PasswordChange]) -> None:
    recipient = changes[0].member.email
    ours = {recipient: mail(text="one\ntwo", html="<p>")}
    theirs = {recipient: mail(text="one\nthree", html="<p>")}
    with pytest.raises(BenchError, match=r"text to .*\n.*two\n.*three"):
        texts.compare(ours, theirs)


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(BenchError, match="nothing to compare"):
        texts.compare({}, {})


def test_a_slower_machine_asks_less_of_the_naive_pipeline() -> None:
    assert least_naive_rate(REFERENCE_SECONDS) == pytest.approx(40.0)
    assert least_naive_rate(2 * REFERENCE_SECONDS) < 40.0 < least_naive_rate(REFERENCE_SECONDS / 2)


def test_percentiles_are_of_what_was_measured() -> None:
    latencies = Latencies(tuple(float(ms) for ms in range(1, 201)))
    assert (latencies.percentile(0.50), latencies.percentile(0.99)) == (100.0, 198.0)


async def test_the_sink_counts_each_mail_and_keeps_samples_whole() -> None:
    message = EmailMessage()
    message["From"], message["To"] = "a@example.test", "sample-1@example.test"
    message["Date"] = datetime(2026, 11, 22, tzinfo=UTC)
    message.set_content(".a line that starts with a dot\n..and one with two")
    async with smtp_sink() as sink:
        for recipient in ("sample-1@example.test", "member-2@example.test"):
            await aiosmtplib.send(
                message, recipients=[recipient], hostname="127.0.0.1", port=sink.smtp_port, local_hostname="localhost"
            )
        await sink.wait(2, within_seconds=10)
        assert [recipient for recipient, _ in await sink.mails()] == ["sample-1@example.test", "member-2@example.test"]
        [sample] = (await sink.samples()).values()
        assert sample.replace("\r\n", "\n") == message.as_string()


@pytest.fixture(scope="module")
async def ledger_of_thousands(database_server: str, migrated_template: str) -> AsyncIterator[str]:
    async with temporary_database(database_server, template=migrated_template) as dsn:
        await Fill(dsn, Size(20_000, 2_000), datetime.now(UTC), lambda _: None).rows()
        yield dsn


async def test_the_ledger_of_the_console_s_bench_has_the_size_and_every_state(ledger_of_thousands: str) -> None:
    connection = await asyncpg.connect(ledger_of_thousands)
    try:
        counted = await connection.fetch("SELECT state, count(*) AS rows FROM notifier.notifications GROUP BY state")
        states = {row["state"]: row["rows"] for row in counted}
        complaints = await connection.fetchval("SELECT count(*) FROM complaint_sla.cases")
        owed = {row[0] for row in await connection.fetch("SELECT DISTINCT state FROM complaint_sla.obligations")}
        events = {row[0] for row in await connection.fetch("SELECT DISTINCT state FROM notifier.events")}
    finally:
        await connection.close()
    assert sum(states.values()) == pytest.approx(20_000, rel=0.1)
    assert states.keys() >= set(ENDED) - {"cancelled"}
    assert complaints == 2_000
    assert owed == {"open", "held", "met", "met-not-delivered", "missed", "lapsed", "cancelled"}
    assert events >= {"planned", "skipped", "failed"}


async def test_every_page_the_console_s_bench_asks_for_is_there(kafka: str, ledger_of_thousands: str) -> None:
    found = await pages(ledger_of_thousands)
    async with console_running(console_settings(kafka, ledger_of_thousands)) as console:
        await wait_for(lambda: console.broker.seen, "a first look at the broker")
        for page in found:
            taken = await asyncio.to_thread(ask, console.port, page, 1)
            assert len(taken) == 1


async def test_a_page_that_is_another_one_gives_no_figure(kafka: str, ledger_of_thousands: str) -> None:
    async with console_running(console_settings(kafka, ledger_of_thousands)) as console:
        with pytest.raises(BenchError, match="nowhere answered 404"):
            await asyncio.to_thread(ask, console.port, Page("nowhere", "/nowhere"), 1)
