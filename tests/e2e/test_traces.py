"""From the upstream's request to the hand-over, in one trace of two processes, told to a real OTLP receiver."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from demo.catcher import Catcher, Fault
from services.notifier.settings import NotifierSettings
from services.runtime import traces
from services.runtime.clock import SystemClock
from tests.support import auth_events, notifier
from tests.support.collector import Collector
from tests.support.waiting import wait_for

UPSTREAM = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECRET = "https://www.cignahealthbenefits.com/password/change?ticket=a-secret-of-the-link"


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    async with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield collector


@pytest.fixture
async def catcher() -> AsyncIterator[Catcher]:
    async with Catcher() as catcher:
        yield catcher


@pytest.fixture
async def values(kafka: str, database: str, catcher: Catcher, collector: Collector) -> NotifierSettings:
    values = notifier.settings(kafka, database, catcher, await notifier.fresh_group(kafka))
    assert str(values.otel_exporter_otlp_endpoint).startswith(collector.address)
    return values


async def test_one_trace_leads_from_the_request_to_the_hand_over_and_holds_nothing_private(
    kafka: str, database: str, values: NotifierSettings, collector: Collector, catcher: Catcher, tmp_path: Path
) -> None:
    member, now = "m-traced", SystemClock().now()
    event = auth_events.code(subject=member, time=now.isoformat(), type="identity.password-changed.v1")
    event["data"] = {"changed_at": now.isoformat()}
    async with auth_events.AuthEvents(tmp_path, kafka=kafka, database=database) as service:
        traces.start("notifier", values)
        async with notifier.running(values), notifier.upstream(kafka) as up:
            await up.contact(member)
            answer = await service.http.post(
                "/v1/events",
                json=event,
                headers={
                    "authorization": f"Bearer {service.file.login}",
                    "content-type": auth_events.STRUCTURED,
                    "traceparent": UPSTREAM,
                },
            )
            assert answer.status_code == 202, answer.text
            await catcher.wait_for(lambda: catcher.mails_to(f"{member}@example.test"), "the mail")
            span = await wait_for(lambda: collector.spans.get(("notifier", "hand-over")), "a hand-over in the trace")
            assert isinstance(span, list)
        await wait_for(lambda: ("auth-events", "publish") in collector.spans, "the first span")

    trace, first = traces.ids(event["source"], event["id"])
    path = [("auth-events", "publish"), ("notifier", "accept"), ("notifier", "compose"), ("notifier", "hand-over")]
    publish, *later = [own(collector, place, trace) for place in path]
    assert (publish.span_id, publish.parent_span_id) == (first.to_bytes(8), b"")
    assert [link.trace_id.hex() for link in publish.links] == [UPSTREAM[3:35]]
    assert {span.parent_span_id for span in later} == {first.to_bytes(8)}
    for span in (publish, *later):
        assert span.start_time_unix_nano < span.end_time_unix_nano
        assert span.status.code == Status.STATUS_CODE_UNSET
    for private in (f"{member}@example.test", service.file.login):
        assert private.encode() not in collector.received


async def test_a_record_from_an_upstreams_own_producer_is_the_first_span_and_a_failure_says_its_code(
    kafka: str, values: NotifierSettings, collector: Collector, catcher: Catcher
) -> None:
    member = "m-refused"
    catcher.misbehave(Fault(at="rcpt", reply="550 5.1.1 No such user"))
    event = notifier.event_of(
        "identity.password-change-requested.v1",
        member,
        id="traced-1",
        time=SystemClock().now(),
        email=f"{member}@example.test",
        url=SECRET,
        expires_at=SystemClock().now() + timedelta(minutes=15),
    )
    traces.start("notifier", values)
    async with notifier.running(values), notifier.upstream(kafka) as up:
        await up.contact(member)
        await up.publish(event)
        await wait_for(lambda: collector.spans.get(("notifier", "hand-over")), "a hand-over in the trace")
    trace, first = traces.ids(event.source, event.id)
    accept, hand_over = own(collector, ("notifier", "accept"), trace), own(collector, ("notifier", "hand-over"), trace)
    assert (accept.span_id, accept.parent_span_id) == (first.to_bytes(8), b"")
    assert (hand_over.status.code, hand_over.status.message) == (Status.STATUS_CODE_ERROR, "smtp:550")
    assert b"a-secret-of-the-link" not in collector.received
    assert f"{member}@".encode() not in collector.received


async def test_a_collector_that_is_away_keeps_nothing_waiting(
    values: NotifierSettings, collector: Collector, catcher: Catcher, kafka: str
) -> None:
    await collector.__aexit__(None, None, None)
    traces.start("notifier", values)
    async with notifier.running(values), notifier.upstream(kafka) as up:
        await up.contact("m-untraced")
        await up.publish(
            notifier.event_of(
                "identity.password-changed.v1",
                "m-untraced",
                id="untraced-1",
                time=SystemClock().now(),
                changed_at=SystemClock().now(),
            )
        )
        await catcher.wait_for(lambda: catcher.mails_to("m-untraced@example.test"), "the mail")
    assert collector.spans == {}


def own(collector: Collector, place: tuple[str, str], trace: int) -> Span:
    """The one span of this name in this trace."""
    (span,) = [span for span in collector.spans[place] if span.trace_id == trace.to_bytes(16)]
    return span
