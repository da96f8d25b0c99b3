"""Reading for people and for metrics: how complaints stand, what is due, one complaint with all that is known."""

from collections.abc import Collection
from datetime import datetime

from schemas.envelope import Event, read_record
from schemas.types import Data
from services.complaint_sla.case import Case
from services.complaint_sla.dossier import Dossier, Due, Told
from services.complaint_sla.standing import Standing
from services.runtime.database import Database, Session
from services.runtime.vault import Vault


class Reading:
    """Raises what PostgreSQL raises, and `VaultError` for what no key of ours opens."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def standing(self, now: datetime, windows: Collection[str]) -> Standing:
        """`windows`: obligations that nobody has to meet (`Rulebook.windows`); they are not due."""
        row = await self._database.fetchrow(
            """
            SELECT (SELECT count(*) FROM complaint_sla.cases WHERE closed_at IS NULL AND received_at IS NOT NULL),
                   (SELECT count(*) FROM complaint_sla.obligations
                    WHERE state IN ('open', 'held') AND limit_at < $1::timestamptz + interval '1 day'
                      AND obligation <> ALL($2::text[])),
                   (SELECT count(*) FROM complaint_sla.obligations
                    WHERE state IN ('open', 'held') AND limit_at < $1::timestamptz + interval '5 days'
                      AND obligation <> ALL($2::text[])),
                   (SELECT count(*) FROM complaint_sla.obligations
                    WHERE state = 'missed' AND detected_at > $1::timestamptz - interval '1 day'),
                   (SELECT count(*) FROM complaint_sla.cases WHERE unregistered),
                   (SELECT coalesce(sum(unconfirmed), 0) FROM complaint_sla.cases WHERE unconfirmed > 0),
                   (SELECT count(*) FROM complaint_sla.cases WHERE stuck_at IS NOT NULL),
                   (SELECT count(*) FROM complaint_sla.outbox),
                   coalesce(extract(epoch FROM clock_timestamp() -
                       (SELECT written_at FROM complaint_sla.outbox ORDER BY id LIMIT 1)), 0)::float8
            """,
            now,
            list(windows),
        )
        assert row is not None, "a row of aggregates"
        open_, day, days, missed, unregistered, unconfirmed, stuck, rows, seconds = row
        return Standing(
            at=now,
            open=open_,
            due_in_a_day=day,
            due_in_five_days=days,
            missed_today=missed,
            unregistered=unregistered,
            unconfirmed=unconfirmed,
            stuck=stuck,
            outbox_rows=rows,
            outbox_seconds=max(0.0, seconds),
        )

    async def due_before(self, limit_at: datetime, most: int) -> list[Due]:
        """Open and held obligations, the nearest limit first."""
        rows = await self._database.fetch(
            """
            SELECT complaint_id, obligation, licence, limit_at, state FROM complaint_sla.obligations
            WHERE state IN ('open', 'held') AND limit_at < $1 ORDER BY limit_at, complaint_id, obligation LIMIT $2
            """,
            limit_at,
            most,
        )
        return [Due(**row) for row in rows]

    async def dossier(self, complaint: str) -> Dossier | None:
        """As it is at one moment."""
        async with (
            self._database.acquire() as session,
            session.transaction(isolation="repeatable_read", readonly=True),
        ):
            return await self._dossier(session, complaint)

    async def _dossier(self, session: Session, complaint: str) -> Dossier | None:
        row = await session.fetchrow(
            "SELECT state, stuck_at FROM complaint_sla.cases WHERE complaint_id = $1", complaint
        )
        if row is None:
            return None
        case = Case.model_validate_json(self._vault.decrypt(row["state"], f"cases/{complaint}/state"))
        rows = await session.fetch(
            """
            SELECT accepted_at AS at, true AS heard, number, source, id, payload
            FROM complaint_sla.heard WHERE complaint_id = $1
            UNION ALL
            SELECT at, false, number, 'urn:member-notices:complaint-sla', id, payload
            FROM complaint_sla.said WHERE complaint_id = $1
            ORDER BY at, heard DESC, number
            """,
            complaint,
        )
        told = tuple(
            Told(each["at"], each["heard"], self._open(each["source"], each["id"], each["payload"])) for each in rows
        )
        waiting = await session.fetch(
            """
            SELECT header->>1 AS id FROM complaint_sla.outbox, jsonb_array_elements(headers) AS header
            WHERE key = $1 AND header->>0 = 'ce_id'
            """,
            complaint,
        )
        return Dossier(case, told, frozenset(each["id"] for each in waiting), row["stuck_at"])

    async def complaint_of(self, event: str) -> str | None:
        """Whose event this id is, among what was said."""
        found: str | None = await self._database.fetchval(
            "SELECT complaint_id FROM complaint_sla.said WHERE id = $1", event
        )
        return found

    def _open(self, source: str, id_: str, payload: bytes) -> Event[Data]:
        return read_record((), self._vault.decrypt(payload, f"evidence/{source}/{id_}/payload"))
