"""The OpenTelemetry half of `traces`: imported only where a collector is named."""

from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from services.runtime.vitals import build_version

EXPORT_SECONDS = 5


class Spans:
    """Finished spans, told in batches by a thread; more than it can tell are dropped, for nothing may wait for it."""

    def __init__(self, service: str, endpoint: str, ratio: float) -> None:
        """`ratio`: of events, chosen by their trace's id, so that each service chooses the same."""
        self._ids = _Ids()
        resource = Resource.create({"service.name": service, "service.version": build_version()})
        self._provider = TracerProvider(
            sampler=TraceIdRatioBased(ratio), resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("member-notices")

    def write(
        self,
        name: str,
        kind: str,
        ids: tuple[int, int],
        began: int,
        *,
        said: Mapping[str, str | int | None],
        first: bool = False,
        link: tuple[int, int] | None = None,
        failed: str | None = None,
    ) -> None:
        """From `began`, nanoseconds since the epoch, until now. `ids`: of the trace, and of its first span.

        `kind`: the name of a `SpanKind`.
        """
        self._ids.next = ids if first else None
        told = self._tracer.start_span(
            name,
            context=Context() if first else set_span_in_context(NonRecordingSpan(_context(*ids)), Context()),
            kind=SpanKind[kind],
            start_time=began,
            links=[] if link is None else [Link(_context(*link))],
            attributes={key: value for key, value in said.items() if value is not None},
        )
        if failed is not None:
            told.set_status(Status(StatusCode.ERROR, failed))
        told.end()

    def close(self) -> None:
        self._provider.shutdown()


class _Ids(RandomIdGenerator):
    """Random ones, but for the first span of a trace."""

    next: tuple[int, int] | None = None

    def generate_trace_id(self) -> int:
        return self.next[0] if self.next else super().generate_trace_id()

    def generate_span_id(self) -> int:
        return self.next[1] if self.next else super().generate_span_id()


def _context(trace: int, span: int) -> SpanContext:
    return SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
