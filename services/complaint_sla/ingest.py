"""What the desk and the notifier say → cases, each event once. The handlers of both topics."""

from collections.abc import Iterable, Sequence

import structlog

from schemas.envelope import Event, EventError, read_in_place
from schemas.notifications import OutcomeV1
from schemas.types import Data
from services.complaint_sla import metrics
from services.complaint_sla.case import SOURCE, Case
from services.complaint_sla.cases import Cases, Changed, Heard
from services.complaint_sla.engine import decide
from services.complaint_sla.procedure import ProcedureError
from services.complaint_sla.rulebook import Rulebook
from services.runtime import traces
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.intake import Intake, Letter, origin_of
from services.runtime.kafka import Batch, Record

log = structlog.get_logger()
Entries = Sequence[tuple[Record, Heard]]


class Ingest:
    """Idempotent: an event heard before changes nothing, in whatever state its case is today."""

    def __init__(self, database: Database, cases: Cases, rulebook: Rulebook, clock: Clock) -> None:
        self._database = database
        self._cases = cases
        self._rulebook = rulebook
        self._clock = clock

    async def take(self, batch: Batch, intake: Intake) -> None:
        """Of `notifications.outcomes.v1`, only what became of our own letters is ours."""
        entries: list[tuple[Record, Heard]] = []
        letters: list[Letter] = []
        for record in batch.records:
            try:
                event = read_in_place(record)
            except EventError as error:
                letters.append(Letter(record, error))
                continue
            if _is_ours(event):
                entries.append((record, Heard(event, origin_of(record))))
        await intake.take(batch, entries, letters, self._accept)

    async def _accept(self, entries: Entries) -> list[Letter]:
        """One transaction. Returns the records that were refused; they leave no trace but their dead letter."""
        now, began = self._clock.now(), traces.since()
        records = {id(heard): record for record, heard in entries}
        async with self._database.acquire() as session, session.transaction():
            heard = [entry for _, entry in entries]
            known = await self._cases.known(session, {entry.event.subject for entry in heard if _is_outcome(entry)})
            heard = [entry for entry in heard if not _is_outcome(entry) or entry.event.subject in known]
            # Locked before they are heard: two replicas that have the same complaint take turns from here on.
            cases = await self._cases.locked(session, (entry.event.subject for entry in heard), now)
            new, reused = await self._cases.hear(session, heard, now)
            changed, refused = self._decide(cases, new)
            await self._cases.unhear(session, [entry for entry, _ in refused])
            await self._cases.save(session, changed, now)
        for record, entry in entries:
            _trace(record, entry.event, began)
        metrics.record_heard(len(new), len(heard) - len(new) - len(reused))
        metrics.record_said(output.type for each in changed for output in each.outputs)
        return [
            *(Letter(records[id(entry)], EventError("id-reused", "id")) for entry in reused),
            *(Letter(records[id(entry)], _refusal(error)) for entry, error in refused),
        ]

    def _decide(
        self, cases: dict[str, Case], new: Iterable[Heard]
    ) -> tuple[list[Changed], list[tuple[Heard, ProcedureError]]]:
        """In the order in which they were read."""
        changed: dict[str, Changed] = {}
        refused: list[tuple[Heard, ProcedureError]] = []
        for entry in new:
            complaint = entry.event.subject
            case = cases[complaint]
            try:
                case, outputs = decide(case, entry.event, self._clock.now(), self._rulebook)
            except ProcedureError as error:
                refused.append((entry, error))
                continue
            cases[complaint] = case
            change = changed.setdefault(complaint, Changed(case, []))
            change.case = case
            change.outputs += outputs
        return list(changed.values()), refused


def _refusal(error: ProcedureError) -> EventError:
    return EventError("procedure-refuses", error.field, error.code)


def _trace(record: Record, event: Event[Data], began: int) -> None:
    """What became of a letter belongs to the letter's own trace."""
    if isinstance(event.data, OutcomeV1):
        traces.step("hear-outcome", event.data.cause.source, event.data.cause.id, began, state=event.data.state)
    else:
        traces.accepted(record, event.source, event.id, event.type, began)


def _is_outcome(entry: Heard) -> bool:
    return isinstance(entry.event.data, OutcomeV1)


def _is_ours(event: Event[Data]) -> bool:
    return not isinstance(event.data, OutcomeV1) or event.data.cause.source == SOURCE
