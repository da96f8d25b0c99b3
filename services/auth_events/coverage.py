"""`members.activity.v1` → timers: who is covered no longer, and who is again. The handler of that topic.

What is a dead letter here. The topic belongs to many, and the notifier refuses whatever on it breaks the contract. So
only a record that says of itself that it is about coverage is refused by auth_events too: a timer that never began is
our own loss, whoever else complains. Everything else is passed over, and counted. A record refused by both is one line
of `member-notices dead-letters`, which knows it by its origin, and one replay mends both.
"""

from collections.abc import Sequence

from schemas.envelope import EventError, parse_json, read_in_place
from services.auth_events.access import AHEAD, Heard, heard_of
from services.auth_events.metrics import TimerMetrics
from services.auth_events.timers import Timers
from services.runtime.clock import Clock
from services.runtime.intake import Intake, Letter
from services.runtime.kafka import Batch, Record

OURS = frozenset({"members.coverage-ended.v1", "members.coverage-reinstated.v1"})


class Coverage:
    """Idempotent: an event heard before changes nothing, in whatever order events come."""

    def __init__(self, timers: Timers, clock: Clock, metrics: TimerMetrics) -> None:
        self._timers = timers
        self._clock = clock
        self._metrics = metrics

    async def take(self, batch: Batch, intake: Intake) -> None:
        entries: list[tuple[Record, Heard]] = []
        letters: list[Letter] = []
        for record in batch.records:
            try:
                heard = self._read(record)
            except EventError as error:
                if _says_type(record) in OURS:
                    letters.append(Letter(record, error))
                    continue
                heard = None
            if heard is None:
                self._metrics.record_heard("not-ours")
            else:
                entries.append((record, heard))
        await intake.take(batch, entries, letters, self._hear)

    def _read(self, record: Record) -> Heard | None:
        """Older than any horizon is well: what counts is the day on which coverage ended. Raises `EventError`."""
        heard = heard_of(read_in_place(record))
        if heard is not None and heard.time > self._clock.now() + AHEAD:
            # It would hold against everything that is really later.
            raise EventError("outside-dedupe-horizon", "time", "at most 5 minutes ahead")
        return heard

    async def _hear(self, entries: Sequence[tuple[Record, Heard]]) -> list[Letter]:
        """One transaction. Returns the records that were refused."""
        results = await self._timers.hear([heard for _, heard in entries], self._clock.now())
        letters: list[Letter] = []
        for (record, _), result in zip(entries, results, strict=True):
            if isinstance(result, EventError):
                letters.append(Letter(record, result))
            else:
                self._metrics.record_heard(result)
        return letters


def _says_type(record: Record) -> object:
    """Of a record that was refused: what it says it is, in its headers or in its JSON. None: it does not say."""
    said = next((value for name, value in record.headers if name.lower() == "ce_type" and value is not None), None)
    if said is not None:
        return said.decode("utf-8", "replace")
    try:
        document = parse_json(record.value or b"")
    except EventError:
        return None
    return document.get("type") if isinstance(document, dict) else None
