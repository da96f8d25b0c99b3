"""The only SQL of complaint_sla, beside its outbox: cases, what they are owed, what was heard and said of them.

A case is locked by its row while it changes, so that two replicas take turns. State, evidence and outbox are written in
one transaction; an id said twice breaks it, whatever the engine thinks.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import structlog

from schemas.envelope import Event, new_event, write_structured
from schemas.topics import DEADLINES
from schemas.types import Data
from services.complaint_sla.case import SOURCE, Case
from services.complaint_sla.working import Output
from services.runtime import traces
from services.runtime.database import Database, Record, Session, columns, describe, is_away
from services.runtime.failpoints import failpoint
from services.runtime.outbox import Outbox
from services.runtime.publisher import Message
from services.runtime.vault import Vault

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Heard:
    """An event about a complaint and where it was read: `topic/partition/offset`."""

    event: Event[Data]
    origin: str


@dataclass(slots=True)
class Changed:
    """A case after some decisions, and what they say."""

    case: Case
    outputs: list[Output]


Decide = Callable[[Case], Changed]
POSTPONED = timedelta(minutes=10)
"""A case that cannot be read or decided is looked at again after so long, and keeps no other from its turn."""
KEPT = timedelta(days=6 * 365 + 2)
"""How long a case is evidence after it last changed; the regulator asks for 3 years (COMPLAINTS: enforcement)."""


class Cases:
    """Raises what PostgreSQL raises: the caller waits, or bisects.

    `= ANY($1)` repeats a join with a batch for a table that was not analysed since it grew: taken for a row or two, it
    would be read whole for each batch.
    """

    def __init__(self, database: Database, vault: Vault, outbox: Outbox) -> None:
        self._database = database
        self._vault = vault
        self._outbox = outbox

    async def hear(self, session: Session, heard: Sequence[Heard], now: datetime) -> tuple[list[Heard], list[Heard]]:
        """In the caller's transaction: those that are new, and those whose id was used for other content."""
        first: dict[tuple[str, str, str], Heard] = {}
        again = [entry for entry in heard if first.setdefault(_key(entry.event), entry) is not entry]
        rows = await session.fetch(
            """
            INSERT INTO complaint_sla.heard
                (complaint_id, source, id, type, time, content_sha256, origin, accepted_at, payload)
            SELECT complaint_id, source, id, type, time, sha, origin, $8, payload
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bytea[], $7::text[],
                        $9::bytea[]) AS e (complaint_id, source, id, type, time, sha, origin, payload)
            ON CONFLICT DO NOTHING
            RETURNING complaint_id, source, id
            """,
            *columns(
                [
                    (*_key(event), event.type, event.time, event.content_sha256, entry.origin)
                    for entry in first.values()
                    for event in (entry.event,)
                ],
                7,
            ),
            now,
            [self._sealed(entry.event, write_structured(entry.event)[0]) for entry in first.values()],
        )
        new = {(row["complaint_id"], row["source"], row["id"]) for row in rows}
        again += [entry for key, entry in first.items() if key not in new]
        reused = await self._reused(session, again)
        return [entry for key, entry in first.items() if key in new], reused

    async def _reused(self, session: Session, again: Sequence[Heard]) -> list[Heard]:
        if not again:
            return []
        rows = await session.fetch(
            """
            SELECT h.complaint_id, h.source, h.id, h.content_sha256 FROM complaint_sla.heard h
            JOIN unnest($1::text[], $2::text[], $3::text[]) AS asked (complaint_id, source, id)
            USING (complaint_id, source, id) WHERE h.complaint_id = ANY($1)
            """,
            *columns([_key(entry.event) for entry in again], 3),
        )
        stored = {(row["complaint_id"], row["source"], row["id"]): row["content_sha256"] for row in rows}
        return [entry for entry in again if stored.get(_key(entry.event)) != entry.event.content_sha256]

    async def unhear(self, session: Session, refused: Sequence[Heard]) -> None:
        """What was refused after all leaves no trace here: mended and replayed, it is new."""
        await session.execute(
            """
            DELETE FROM complaint_sla.heard h
            USING unnest($1::text[], $2::text[], $3::text[]) AS e (complaint_id, source, id)
            WHERE h.complaint_id = ANY($1) AND h.complaint_id = e.complaint_id AND h.source = e.source AND h.id = e.id
            """,
            *columns([_key(entry.event) for entry in refused], 3),
        )

    async def locked(self, session: Session, ids: Iterable[str], now: datetime) -> dict[str, Case]:
        """Each of them, locked until the transaction ends; one that is not there yet is begun."""
        wanted = sorted(set(ids))
        fresh = [Case(id=id_, first_seen_at=now) for id_ in wanted]
        await session.execute(
            """
            INSERT INTO complaint_sla.cases (complaint_id, state, revision, changed_at)
            SELECT id, state, 0, $3 FROM unnest($1::text[], $2::bytea[]) AS e (id, state)
            ON CONFLICT DO NOTHING
            """,
            wanted,
            [self._seal(case) for case in fresh],
            now,
        )
        rows = await session.fetch(
            """
            SELECT complaint_id, state FROM complaint_sla.cases WHERE complaint_id = ANY($1::text[])
            ORDER BY complaint_id FOR UPDATE
            """,
            wanted,
        )
        return {row["complaint_id"]: self._open(row) for row in rows}

    async def known(self, session: Session, ids: Iterable[str]) -> set[str]:
        """Which of them somebody has told of."""
        rows = await session.fetch(
            "SELECT complaint_id FROM complaint_sla.cases WHERE complaint_id = ANY($1::text[])", sorted(set(ids))
        )
        return {row["complaint_id"] for row in rows}

    async def sweep(self, until: datetime, now: datetime, limit: int, decide: Decide) -> int:
        """The cases with an instant up to `until`, oldest first, that no other replica has. Returns how many."""
        return await self._each(
            "next_at <= $1 ORDER BY next_at LIMIT $2", (until, limit), now, decide, postpone_to=until + POSTPONED
        )

    async def recompute(
        self, than_ours: Literal["older", "newer"], versions: tuple[str, str], now: datetime, limit: int, decide: Decide
    ) -> int:
        """Open cases that no other replica has, computed under other versions of rules or calendars. Returns how many.

        Two comparisons in the order of their index: `<>` would read every open case for each batch.
        """
        compared = {"older": "<", "newer": ">"}[than_ours]
        return await self._each(
            f"""closed_at IS NULL AND received_at IS NOT NULL AND (stuck_at IS NULL OR stuck_at < $4)
            AND (rules_version, calendar_version) {compared} ($1, $2)
            ORDER BY rules_version, calendar_version, complaint_id LIMIT $3""",
            (*versions, limit, now - POSTPONED),
            now,
            decide,
            postpone_to=None,
        )

    async def _each(
        self, which: str, arguments: tuple[object, ...], now: datetime, decide: Decide, postpone_to: datetime | None
    ) -> int:
        """What cannot be read or decided fails alone, loudly, and not again before `postpone_to`."""
        async with self._database.acquire() as session, session.transaction():
            rows = await session.fetch(
                f"SELECT complaint_id, state FROM complaint_sla.cases WHERE {which} FOR UPDATE SKIP LOCKED",  # noqa: S608
                *arguments,
            )
            changed: list[Changed] = []
            stuck: list[str] = []
            for row in rows:
                try:
                    changed.append(decide(self._open(row)))
                except Exception as error:
                    log.error("case_undecided", complaint=row["complaint_id"], exc_info=error)
                    stuck.append(row["complaint_id"])
            stuck += await self._saved(session, changed, now)
            if stuck:
                await session.execute(
                    "UPDATE complaint_sla.cases SET next_at = coalesce($2, next_at), stuck_at = $3"
                    " WHERE complaint_id = ANY($1::text[])",
                    stuck,
                    postpone_to,
                    now,
                )
            failpoint("decided-before-commit")
            return len(rows)

    async def _saved(self, session: Session, changed: Sequence[Changed], now: datetime) -> list[str]:
        """Together; where PostgreSQL refuses that, by halves. Returns the cases that cannot be saved."""
        if not changed:
            return []
        try:
            async with session.transaction():
                await self.save(session, changed, now)
        except Exception as error:
            if is_away(error):
                raise
            if len(changed) == 1:
                log.error("case_unsaved", complaint=changed[0].case.id, **describe(error))
                return [changed[0].case.id]
        else:
            return []
        half = len(changed) // 2
        return [
            *await self._saved(session, changed[:half], now),
            *await self._saved(session, changed[half:], now),
        ]

    async def save(self, session: Session, changed: Sequence[Changed], now: datetime) -> None:
        """Cases, obligations, what is said, outbox; in the caller's transaction."""
        if not changed:
            return
        await self._save_cases(session, [each.case for each in changed], now)
        await self._save_obligations(session, [each.case for each in changed])
        events = [_event(each.case.id, output, now) for each in changed for output in each.outputs]
        if not events:
            return
        messages = [_message(event) for event in events]
        await session.execute(
            """
            INSERT INTO complaint_sla.said (complaint_id, id, type, at, payload)
            SELECT complaint_id, id, type, $5, payload
            FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) AS e (complaint_id, id, type, payload)
            """,
            [event.subject for event in events],
            [event.id for event in events],
            [event.type for event in events],
            [self._sealed(event, message.value or b"") for event, message in zip(events, messages, strict=True)],
            now,
        )
        await self._outbox.add(session, messages)

    async def forget_old(self, now: datetime, limit: int) -> int:
        """Cases that ended, or were never registered, and of which nothing was heard for as long as evidence is kept.

        Returns how many.
        """
        rows = await self._database.fetch(
            """
            WITH old AS (
                DELETE FROM complaint_sla.cases WHERE complaint_id = ANY(ARRAY(
                    SELECT complaint_id FROM complaint_sla.cases
                    WHERE changed_at < $1 AND (closed_at IS NOT NULL OR received_at IS NULL)
                    ORDER BY changed_at LIMIT $2 FOR UPDATE SKIP LOCKED))
                RETURNING complaint_id
            ), obligations AS (
                DELETE FROM complaint_sla.obligations WHERE complaint_id IN (SELECT complaint_id FROM old)
            ), heard AS (
                DELETE FROM complaint_sla.heard WHERE complaint_id IN (SELECT complaint_id FROM old)
            ), said AS (
                DELETE FROM complaint_sla.said WHERE complaint_id IN (SELECT complaint_id FROM old)
            )
            SELECT complaint_id FROM old
            """,
            now - KEPT,
            limit,
        )
        return len(rows)

    async def _save_cases(self, session: Session, cases: Sequence[Case], now: datetime) -> None:
        await session.execute(
            """
            UPDATE complaint_sla.cases c
            SET state = e.state, revision = c.revision + 1, licence = e.licence, brand = e.brand,
                received_at = e.received_at, closed_at = e.closed_at, how = e.how, next_at = e.next_at,
                unregistered = e.unregistered, unconfirmed = e.unconfirmed, rules_version = e.rules_version,
                calendar_version = e.calendar_version, stuck_at = NULL, changed_at = $13
            FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[],
                        $7::text[], $8::timestamptz[], $9::boolean[], $10::integer[], $11::text[], $12::text[])
                AS e (id, state, licence, brand, received_at, closed_at, how, next_at, unregistered, unconfirmed,
                      rules_version, calendar_version)
            WHERE c.complaint_id = ANY($1) AND c.complaint_id = e.id
            """,
            *columns([self._case_row(case) for case in cases], 12),
            now,
        )

    def _case_row(self, case: Case) -> tuple[object, ...]:
        received = case.received
        versions = case.versions or (None, None)
        return (
            case.id,
            self._seal(case),
            received.licence if received else None,
            received.brand if received else None,
            received.received_at if received else None,
            case.closed_at,
            case.how,
            case.next_at,
            case.unregistered and received is None,
            sum(request.unconfirmed and request.state == "requested" for request in case.requests),
            *versions,
        )

    async def _save_obligations(self, session: Session, cases: Sequence[Case]) -> None:
        await session.execute(
            """
            INSERT INTO complaint_sla.obligations AS o
                (complaint_id, obligation, licence, limit_at, send_by, state, met_at, detected_at, source)
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::date[], $6::text[],
                                 $7::timestamptz[], $8::timestamptz[], $9::text[])
            ON CONFLICT (complaint_id, obligation) DO UPDATE
            SET licence = EXCLUDED.licence, limit_at = EXCLUDED.limit_at, send_by = EXCLUDED.send_by,
                state = EXCLUDED.state, met_at = EXCLUDED.met_at, detected_at = EXCLUDED.detected_at,
                source = EXCLUDED.source
            WHERE (o.licence, o.limit_at, o.send_by, o.state, o.met_at, o.detected_at, o.source) IS DISTINCT FROM
                  (EXCLUDED.licence, EXCLUDED.limit_at, EXCLUDED.send_by, EXCLUDED.state, EXCLUDED.met_at,
                   EXCLUDED.detected_at, EXCLUDED.source)
            """,
            *columns(
                [
                    (case.id, owed.obligation, case.received.licence, owed.limit_at, owed.send_by, owed.state,
                     owed.met_at, owed.detected_at, owed.source)
                    for case in cases if case.received is not None for owed in case.owed
                ],
                9,
            ),
        )  # fmt: skip

    def _seal(self, case: Case) -> bytes:
        return self._vault.encrypt(case.model_dump_json().encode(), f"cases/{case.id}/state")

    def _open(self, row: Record) -> Case:
        """Raises `VaultError`, `ValidationError`."""
        return Case.model_validate_json(self._vault.decrypt(row["state"], f"cases/{row['complaint_id']}/state"))

    def _sealed(self, event: Event[Data], value: bytes) -> bytes:
        return self._vault.encrypt(value, f"evidence/{event.source}/{event.id}/payload")


def _event(complaint: str, output: Output, now: datetime) -> Event[Data]:
    return new_event(source=SOURCE, id=output.id, type=output.type, subject=complaint, time=now, data=output.data)


def _message(event: Event[Data]) -> Message:
    value, headers = write_structured(event)
    traces.published(event.source, event.id, event.type, traces.since())
    return Message(
        topic=DEADLINES.name,
        key=event.subject.encode(),
        value=value,
        headers=[*headers, *traces.header(event.source, event.id)],
    )


def _key(event: Event[Data]) -> tuple[str, str, str]:
    return event.subject, event.source, event.id
