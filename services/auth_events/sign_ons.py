"""`identity.sign-ons.v1` → is this browser new to its member? The handler of that topic, and its tables.

Known is what was seen in the last 90 days, counted anew with each sign-on (as long as a browser kept signed in skips
the second factor). The first sign-on ever, after the registration, is silent. Whoever looks at a member's browsers
holds the member's row, so that of several first visits at once one is new; the notice is in the outbox in the
transaction that remembers the browser, under an id made of the sign-on's: a redelivery finds the browser known and is
silent.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.envelope import Event, EventError, new_event, read_in_place
from schemas.identity import NewSignOnDetectedV1, SignedOnV1
from services.auth_events.access import AHEAD, SOURCE
from services.auth_events.browser import fingerprint, words_of
from services.auth_events.metrics import SignOn, UpstreamMetrics
from services.auth_events.records import told
from services.runtime.clock import Clock
from services.runtime.database import Database, Session
from services.runtime.failpoints import failpoint
from services.runtime.intake import Intake, Letter
from services.runtime.kafka import Batch, Record
from services.runtime.outbox import Outbox

KNOWN_FOR = timedelta(days=90)
NOTICE = "identity.new-sign-on-detected.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A sign-on, reduced to what is needed: no user agent, no address."""

    member: str
    at: datetime
    cause: tuple[str, str]
    browser: bytes | None
    said: NewSignOnDetectedV1


def visit_of(event: Event[SignedOnV1]) -> Visit:
    words = words_of(event.data.user_agent)
    said = {"browser": words.browser, "system": words.system, "place": event.data.place}
    return Visit(
        member=event.subject,
        at=event.data.signed_on_at,
        cause=(event.source, event.id),
        browser=fingerprint(event.subject, event.data),
        said=NewSignOnDetectedV1.model_validate(
            {"signed_on_at": event.data.signed_on_at, **{name: word for name, word in said.items() if word}}
        ),
    )


def notice_id(source: str, id: str) -> str:
    return "new-sign-on/" + hashlib.sha256(f"{source}\0{id}".encode()).hexdigest()[:32]


class Browsers:
    """Raises what PostgreSQL raises."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    async def see(self, visits: Sequence[Visit]) -> list[SignOn]:
        """One transaction. What each was, in order."""
        async with self._database.acquire() as session, session.transaction():
            before = await _locked(session, sorted({visit.member for visit in visits}))
            results: list[SignOn] = []
            for visit in visits:
                result = await self._see(session, visit, first=visit.member not in before)
                if result != "indistinct":
                    before.add(visit.member)
                results.append(result)
            failpoint("sign-ons-seen-before-commit")
        return results

    async def forget_old(self, now: datetime, limit: int) -> int:
        """Browsers that nobody would know any more. That the member had signed on before stays."""
        rows = await self._database.fetch(
            """
            DELETE FROM auth_events.browsers WHERE (member_id, browser) IN (
                SELECT member_id, browser FROM auth_events.browsers WHERE last_seen_at < $1
                ORDER BY last_seen_at LIMIT $2 FOR UPDATE SKIP LOCKED)
            RETURNING true
            """,
            now - KNOWN_FOR - timedelta(days=1),
            limit,
        )
        return len(rows)

    async def _see(self, session: Session, visit: Visit, *, first: bool) -> SignOn:
        if visit.browser is None:
            return "indistinct"
        last: datetime | None = await session.fetchval(
            "SELECT last_seen_at FROM auth_events.browsers WHERE member_id = $1 AND browser = $2",
            visit.member,
            visit.browser,
        )
        await session.execute(
            """
            INSERT INTO auth_events.browsers AS seen (member_id, browser, last_seen_at) VALUES ($1, $2, $3)
            ON CONFLICT (member_id, browser) DO UPDATE
            SET last_seen_at = greatest(seen.last_seen_at, EXCLUDED.last_seen_at)
            """,
            visit.member,
            visit.browser,
            visit.at,
        )
        if first:
            await session.execute(
                "UPDATE auth_events.sign_ons SET first_at = $2 WHERE member_id = $1", visit.member, visit.at
            )
            return "first"
        if last is not None and last > visit.at - KNOWN_FOR:
            return "known"
        notice = new_event(
            source=SOURCE,
            id=notice_id(*visit.cause),
            type=NOTICE,
            subject=visit.member,
            time=visit.at,
            data=visit.said,
        )
        await self._outbox.add(session, [told(notice)])
        return "new"


async def _locked(session: Session, members: Sequence[str]) -> set[str]:
    """Locks a row for each. Returns those who had signed on before."""
    await session.execute(
        "INSERT INTO auth_events.sign_ons (member_id) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", members
    )
    rows = await session.fetch(
        "SELECT member_id, first_at FROM auth_events.sign_ons WHERE member_id = ANY($1::text[])"
        " ORDER BY member_id FOR UPDATE",
        members,
    )
    return {row["member_id"] for row in rows if row["first_at"] is not None}


class SignOns:
    """Idempotent. `time` and `signed_on_at` may be in any order of arrival."""

    def __init__(self, browsers: Browsers, clock: Clock, metrics: UpstreamMetrics) -> None:
        self._browsers = browsers
        self._clock = clock
        self._metrics = metrics

    async def take(self, batch: Batch, intake: Intake) -> None:
        entries: list[tuple[Record, Visit]] = []
        letters: list[Letter] = []
        for record in batch.records:
            try:
                entries.append((record, self._read(record)))
            except EventError as error:
                letters.append(Letter(record, error))
        await intake.take(batch, entries, letters, self._see)

    async def _see(self, entries: Sequence[tuple[Record, Visit]]) -> list[Letter]:
        for result in await self._browsers.see([visit for _, visit in entries]):
            self._metrics.record_sign_on(result)
        return []

    def _read(self, record: Record) -> Visit:
        """Raises `EventError`."""
        event = read_in_place(record)
        assert isinstance(event.data, SignedOnV1)
        if event.data.signed_on_at > self._clock.now() + AHEAD:
            # It would keep its browser known for longer than 90 days.
            raise EventError("outside-dedupe-horizon", "data.signed_on_at", "at most 5 minutes ahead")
        return visit_of(event)  # type: ignore[arg-type]
