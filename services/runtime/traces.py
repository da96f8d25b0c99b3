"""Traces by OpenTelemetry: where an event spent its time, from the request that brought it to each hand-over.

A trace is named by its event (ADR 0034): its ids are made of the event's source and id. So a replica that takes a
notification over, or one that tries again a day later, adds to the same trace, and nothing is stored or passed on for
it. The trace that an upstream brings along in `traceparent` is linked from the first span.

Off, and free, until a collector is named. What a span says are ids and names, never what a message holds.
"""

import asyncio
import hashlib
import re
import threading
import time
from typing import TYPE_CHECKING, Literal

from services.runtime.kafka import Record
from services.runtime.settings import TraceSettings

if TYPE_CHECKING:
    from services.runtime.spans import Spans

Value = str | int | None
Kind = Literal["INTERNAL", "CLIENT", "PRODUCER", "CONSUMER"]

TYPE = "cloudevents.event_type"
HEADER = "traceparent"
FLUSH_SECONDS = 2.0
"""For what is not told yet when a process stops; a collector that is away must not keep it."""
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")

_spans: "Spans | None" = None


def start(service: str, settings: TraceSettings) -> None:
    """Once a process. Without `OTEL_EXPORTER_OTLP_ENDPOINT` nothing is imported, and everything below does nothing."""
    global _spans  # noqa: PLW0603 (like the log's configuration: one for the process)
    if settings.otel_exporter_otlp_endpoint is not None:
        from services.runtime.spans import Spans  # noqa: PLC0415

        _spans = Spans(service, str(settings.otel_exporter_otlp_endpoint), settings.otel_traces_sampler_arg)


async def stop() -> None:
    """Tells the collector the rest, within `FLUSH_SECONDS`."""
    global _spans
    spans, _spans = _spans, None
    if spans is not None:
        # Not in the loop's executor, whose threads the end of the loop would wait for.
        telling = threading.Thread(target=spans.close, daemon=True)
        telling.start()
        await asyncio.to_thread(telling.join, FLUSH_SECONDS)


def on() -> bool:
    """Whether spans go anywhere: for who would gather what they say for each message."""
    return _spans is not None


def since() -> int:
    """Now, in nanoseconds since the epoch, by the machine's clock: a demo's would put a mail's spans weeks apart."""
    return time.time_ns()


def ids(source: str, id: str) -> tuple[int, int]:
    """Of the trace, 128 bits, and of its first span, 64 bits."""
    digest = hashlib.sha256(f"member-notices|{source}|{id}".encode()).digest()
    return int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])


def header(source: str, id: str) -> list[tuple[str, bytes]]:
    """The header of a record whose trace begins with us."""
    return [(HEADER, _traceparent(source, id).encode())] if _spans is not None else []


def published(  # noqa: PLR0913, PLR0917, RUF100 (a span is many things)
    source: str, id: str, type: str, began: int, upstream: str | None = None, **said: Value
) -> None:
    """The first span of an event's trace: in the service that brings it in. `upstream`: the request's `traceparent`."""
    if _spans is not None:
        said = _about(source, id) | {TYPE: type} | said
        _spans.write("publish", "PRODUCER", ids(source, id), began, first=True, link=linked(upstream), said=said)


def accepted(record: Record, source: str, id: str, type: str, began: int) -> None:
    """A record that is accepted, for good. The first span of all where the record comes straight from an upstream."""
    if _spans is None:
        return
    upstream = next((value for name, value in record.headers if name == HEADER and value is not None), b"")
    ours = upstream == _traceparent(source, id).encode()
    _spans.write(
        "accept", "CONSUMER", ids(source, id), began, first=not ours,
        link=None if ours else linked(upstream.decode("ascii", "replace")),
        said=_about(source, id) | {TYPE: type} | _place(record),
    )  # fmt: skip


def step(
    name: str, source: str, id: str, began: int, *, kind: Kind = "INTERNAL", failed: str | None = None, **said: Value
) -> None:
    """Whatever comes after. `failed`: a code of ours; an error's text may hold what a message holds."""
    if _spans is not None:
        _spans.write(name, kind, ids(source, id), began, failed=failed, said=_about(source, id) | said)


def linked(traceparent: str | None) -> tuple[int, int] | None:
    """Trace and span of a W3C `traceparent`; None: there is none, or it is none."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    return (int(found[1], 16), int(found[2], 16)) if found else None


def _traceparent(source: str, id: str) -> str:
    trace, span = ids(source, id)
    return f"00-{trace:032x}-{span:016x}-01"


def _about(source: str, id: str) -> dict[str, Value]:
    return {"cloudevents.event_source": source, "cloudevents.event_id": id}


def _place(record: Record) -> dict[str, Value]:
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": record.topic,
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
    }
