"""What complaints are owed, as the console shows it: rows as complaint_sla writes them, asked over HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest

from services.runtime.clock import FixedClock
from tests.support.console import asked, running, settings
from tests.support.database import temporary_database

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
CASES = """
INSERT INTO complaint_sla.cases (complaint_id, state, revision, licence, received_at, unregistered, unconfirmed,
    stuck_at, changed_at, how, closed_at) VALUES ($1, 'sealed', 1, 'uk', $2, $3, $4, $5, $2, $6, $7)
"""
OBLIGATIONS = """
INSERT INTO complaint_sla.obligations (complaint_id, obligation, licence, limit_at, send_by, state, met_at, detected_at,
    source) VALUES ($1, $2, 'uk', $3, $4, $5, $6, $7, 'DISP 1.6.2 R')
"""


async def fill(dsn: str, now: datetime = NOW) -> None:
    received = now - timedelta(days=20)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.executemany(
            CASES,
            [
                ("c-due", received, False, 0, None, None, None),
                ("c-missed", received, False, 2, None, None, None),
                ("c-strange", received, True, 0, None, None, None),
                ("c-stuck", received, False, 0, now, None, None),
                ("c-closed", received, False, 0, None, "final-response", now),
            ],
        )
        soon, over, later = now + timedelta(days=2), now - timedelta(hours=3), now + timedelta(days=30)
        await connection.executemany(
            OBLIGATIONS,
            [
                ("c-due", "acknowledgement", over - timedelta(days=15), over.date(), "met", over, None),
                ("c-due", "decision-or-holding", soon, soon.date(), "open", None, None),
                ("c-due", "final-response", later, later.date(), "held", None, None),
                ("c-missed", "acknowledgement", over, over.date(), "missed", None, over),
            ],
        )
        await connection.execute(
            "INSERT INTO complaint_sla.said (complaint_id, id, type, at, payload)"
            " VALUES ('c-missed', 'said-1', 'complaints.deadline-missed.v1', $1, 'sealed')",
            now,
        )
    finally:
        await connection.close()


@pytest.fixture(scope="module")
async def http(kafka: str, database_server: str, migrated_template: str) -> AsyncIterator[httpx.AsyncClient]:
    async with temporary_database(database_server, template=migrated_template) as dsn:
        await fill(dsn)
        async with running(settings(kafka, dsn), FixedClock(NOW)) as console, asked(console) as http:
            yield http


async def test_what_is_due_comes_the_nearest_limit_first(http: httpx.AsyncClient) -> None:
    page = (await http.get("/complaints")).text
    assert page.index("decision or holding") < page.index("final response")
    assert "2 d" in page
    assert "acknowledgement" not in page


async def test_days_and_counts_stand_above_the_list(http: httpx.AsyncClient) -> None:
    page = (await http.get("/complaints")).text
    assert "Sat 28 Nov" in page
    assert "Sat 26 Dec" not in page
    assert '<span>Missed, last 30 days</span><span class="value">1</span>' in page


async def test_what_was_missed_is_listed(http: httpx.AsyncClient) -> None:
    page = (await http.get("/complaints", params={"state": "missed"})).text
    assert "/complaints/c-missed" in page
    assert "/complaints/c-due" not in page


async def test_what_waits_for_a_person_says_what_is_the_matter(http: httpx.AsyncClient) -> None:
    page = (await http.get("/complaints", params={"state": "person"})).text
    assert "2 of its letters have no outcome" in page
    assert "Nobody has registered it" in page
    assert "It cannot be decided since" in page
    assert "c-due" not in page


async def test_one_complaint_tells_what_it_is_owed_and_what_was_said(http: httpx.AsyncClient) -> None:
    due, missed = (await http.get("/complaints/c-due")).text, (await http.get("/complaints/c-missed")).text
    assert "It is still owed. 2 d are left." in due
    assert "It waits until the summary letter is sent." in due
    assert "The rule: DISP 1.6.2 R" in due
    assert "member-notices why c-due" in due
    assert "The letter is still owed. Found missed" in missed
    assert "complaints.deadline-missed.v1" in missed
    assert "/notifications?event=said-1" in missed


@pytest.mark.parametrize("path", ["/complaints/c-nobody", "/complaints/%3Cscript%3E", "/complaints?state=nonsense"])
async def test_what_there_is_not_is_said_so(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code in {400, 404}
    assert "<script>alert" not in answer.text


async def test_the_overview_counts_them(http: httpx.AsyncClient) -> None:
    page = (await http.get("/")).text
    assert "No, the promise is not kept right now" in page
    assert "1 deadline of a complaint was missed in the last 24 hours." in page
    assert "3 complaints wait for a person." in page
