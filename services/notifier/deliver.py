"""The story of one chunk: compose → hand over → send → record."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from typing import TypeVar, assert_never

import structlog
from structlog.contextvars import bound_contextvars

from services.notifier import metrics, mime
from services.notifier.brands import Brand
from services.notifier.channels.base import Channel, ChannelError, Consequence, OutgoingMessage, Sent
from services.notifier.channels.in_app import in_app_record
from services.notifier.compose import ComposeError, Composer
from services.notifier.ledger.handing_over import Handle
from services.notifier.ledger.letters import KeptLetters
from services.notifier.ledger.rows import Leased
from services.notifier.ledger.sending import AttemptResult, Sending
from services.notifier.lifetimes import lifetimes
from services.notifier.recipients import IN_APP
from services.notifier.retry import (
    LONGEST_CODE_DELAY,
    LONGEST_DELAY,
    GiveUp,
    SentPerhaps,
    TooLate,
    TryAgain,
    after_failure,
    reconciling,
)
from services.runtime import traces
from services.runtime.clock import Clock
from services.runtime.database import describe, is_away
from services.runtime.failpoints import failpoint
from services.runtime.outbox import pause

log = structlog.get_logger()
T = TypeVar("T")

DATABASE_RETRY_SECONDS = 0.5
MOST_UNKNOWN = {"sms": 3}
"""Each is paid for, and no phone folds copies as a mail client does by Message-ID."""


class Delivery:
    """Delivers chunks of one lane."""

    def __init__(  # noqa: PLR0913 (what it works with, named)
        self,
        *,
        sending: Sending,
        letters: KeptLetters,
        composer: Composer,
        brands: Mapping[str, Brand],
        channels: Mapping[str, Channel],
        deliverable: Callable[[str, str], bool],
        clock: Clock,
        hand_over_within: float,
        stopping: asyncio.Event,
        bounce_address: str | None = None,
        canary: str | None = None,
    ) -> None:
        self._sending = sending
        self._letters = letters
        self._composer = composer
        self._brands = brands
        self._channels = channels
        self._deliverable = deliverable
        self._clock = clock
        self._hand_over_within = hand_over_within
        """Seconds after the mark in which a hand-over may begin: less of the lease than it needs must not be left."""
        self._stopping = stopping
        self._bounce_address = bounce_address
        """Where reports come back to, each to an address of its own; None: to the brand's sender."""
        self._canary = canary
        """The member whose messages are measured apart from what members are promised."""

    async def deliver(self, chunk: Sequence[Leased]) -> None:
        """Never raises for a message's sake; a database that is away is waited for."""
        messages = await self._kept(await self._compose(chunk))
        marked = time.monotonic()
        going = await self._hand_over([row for row, _ in messages])
        if going:
            failpoint("handing-over-marked")
        results = await asyncio.gather(
            *(
                self._send(row, message, going[row.id, row.token], marked)
                for row, message in messages
                if (row.id, row.token) in going
            )
        )
        await self._record(results)
        stopped = [row for row, _ in messages if (row.id, row.token) not in going]
        if stopped:
            await self._insist("settle", lambda: self._sending.settle(stopped, self._clock.now()))

    async def _compose(self, chunk: Sequence[Leased]) -> list[tuple[Leased, OutgoingMessage]]:
        messages: list[tuple[Leased, OutgoingMessage]] = []
        for row in chunk:
            began = traces.since()
            with bound_contextvars(**_about(row)):
                message = await self._composed(row)
            _trace("compose", row, began, failed=None if message else "not-composed")
            if message is not None:
                messages.append((row, message))
        return messages

    async def _composed(self, row: Leased) -> OutgoingMessage | None:
        """None: it ended here."""
        if not self._deliverable(row.channel, row.address):
            # Accepted under another mode: what was planned then must not leave from here now.
            await self._end(row, "suppressed", "not-live")
            return None
        try:
            return self._message(row)
        except Exception as error:
            why = str(error) if isinstance(error, ComposeError) else type(error).__name__
            log.error("cannot_compose", why=why, exc_info=error)
            await self._end(row, "failed", "cannot-compose")
            return None

    async def _kept(self, messages: list[tuple[Leased, OutgoingMessage]]) -> list[tuple[Leased, OutgoingMessage]]:
        """Letters as they are kept, from before their first hand-over on; others as they are."""
        letters = [(row, message.body) for row, message in messages if row.complaint is not None]
        if not letters:
            return messages
        kept = await self._unless_stopping("keep", lambda _: self._letters.keep(letters, self._clock.now())) or {}
        return [
            (row, message if row.complaint is None else replace(message, body=kept[row.id, row.again]))
            for row, message in messages
            if row.complaint is None or (row.id, row.again) in kept
        ]

    async def _end(self, row: Leased, state: str, reason: str) -> None:
        await self._insist("end", lambda: self._sending.end(row, state, reason, self._clock.now()))

    def _message(self, row: Leased) -> OutgoingMessage:
        brand = self._brands[row.brand]
        sender = brand.sender.address
        facts = {**row.facts, **lifetimes(row.facts, happened_at=row.event_time, now=self._clock.now())}
        if row.channel == "sms":
            body = self._composer.sms(row.notice, row.brand, row.locale, facts).encode()
        elif row.channel == IN_APP:
            shown = self._composer.in_app(row.notice, row.brand, row.locale, facts)
            body = in_app_record(str(row.id), row.address, row.accepted_at, shown)
        else:
            if row.to_complainant:
                facts["again"] = row.again
            email = self._composer.email(row.notice, row.brand, row.locale, facts)
            domain = sender.rpartition("@")[2]
            body = mime.assemble(
                email,
                sender=mime.mailbox(brand.sender.name, sender),
                recipient=row.address,
                message_id=f"<{row.id}@{domain}>",
                date=format_datetime(self._clock.now()),
                language=row.locale,
            )
            sender = self._envelope_sender(row, sender)
        return OutgoingMessage(id=str(row.id), address=row.address, body=body, sender=sender, expires_at=row.expires_at)

    def _envelope_sender(self, row: Leased, sender: str) -> str:
        if self._bounce_address is None:
            return sender
        local, _, domain = self._bounce_address.rpartition("@")
        return f"{local}+{row.id}@{domain}"

    async def _send(self, row: Leased, message: OutgoingMessage, attempt: int, marked: float) -> AttemptResult:
        began = traces.since()
        with bound_contextvars(**_about(row), attempt=attempt):
            result = await self._try(row, message, attempt, marked)
        failed = None if result.result == "sent" else result.reason or result.result
        _trace("hand-over", row, began, kind="CLIENT", failed=failed, attempt=attempt, reply_code=result.reply_code)
        return result

    async def _try(self, row: Leased, message: OutgoingMessage, attempt: int, marked: float) -> AttemptResult:
        late = row.hand_over_by is not None and row.hand_over_by <= self._clock.now()
        if late or time.monotonic() - marked > self._hand_over_within:
            return AttemptResult(
                row=row, attempt=attempt, result="given-back", state="retrying", reason="lease-short", delay_seconds=0
            )
        try:
            sent = await self._channels[row.channel].send(message)
        except ChannelError as error:
            return self._failed(row, attempt, error)
        except Exception as error:
            log.error("channel_defect", exc_info=error)
            return self._failed(row, attempt, ChannelError(Consequence.UNKNOWN, "defect"))
        failpoint("relay-accepted-before-record")
        return self._sent(row, attempt, sent)

    def _sent(self, row: Leased, attempt: int, sent: Sent) -> AttemptResult:
        lane = self._lane(row)
        metrics.record_attempt(lane, row.channel, "sent")
        metrics.record_sent(lane, row.channel, owed_from=row.owed_from, now=self._clock.now())
        return AttemptResult(
            row=row, attempt=attempt, result="sent", state="sent", reply_code=sent.reply_code, reference=sent.reference
        )

    def _failed(self, row: Leased, attempt: int, error: ChannelError) -> AttemptResult:
        decision = after_failure(
            error,
            attempt=attempt,
            now=self._clock.now(),
            hand_over_by=row.hand_over_by,
            jitter=random.random(),  # noqa: S311 (spreads retries, keeps no secret)
            most_unknown=MOST_UNKNOWN.get(row.channel),
            longest=LONGEST_CODE_DELAY if row.lane == "codes" else LONGEST_DELAY,
            unknown_waits=reconciling(self._clock.now(), row.limit_at) if row.to_complainant else timedelta(0),
        )
        seconds: float | None
        match decision:
            case TryAgain(delay, reason):
                result, state, seconds = "retry", "retrying", delay.total_seconds()
            case SentPerhaps(delay, reason):
                result, state, seconds = "unknown", "unknown", delay.total_seconds()
            case TooLate(reason):
                result, state, seconds = "retry", "expired", None
            case GiveUp(reason):
                result, state, seconds = "failed", "failed", None
            case _:
                assert_never(decision)
        metrics.record_attempt(self._lane(row), row.channel, result)
        log.info("not_sent", result=result, state=state, reason=reason)
        return AttemptResult(
            row=row, attempt=attempt, result=result, state=state, reason=reason, reply_code=error.reply_code,
            delay_seconds=seconds, suppresses=error.suppresses,
        )  # fmt: skip

    def _lane(self, row: Leased) -> str:
        return metrics.CANARY if row.member_id == self._canary else row.lane

    async def _hand_over(self, rows: Sequence[Leased]) -> dict[Handle, int]:
        """What was marked unheard is found again by its token."""
        if not rows:
            return {}
        going = await self._unless_stopping(
            "hand_over", lambda again: self._sending.hand_over(rows, self._clock.now(), again=again)
        )
        return going or {}

    async def _unless_stopping(self, step: str, ask: Callable[[bool], Awaitable[T]]) -> T | None:
        """Asked until PostgreSQL answers, or until we stop (None). `ask` is told whether it asks again."""
        again = False
        while not self._stopping.is_set():
            try:
                return await ask(again)
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("ledger_waits_for_database", step=step, **describe(error))
                await pause(self._stopping, DATABASE_RETRY_SECONDS)
                again = True
        return None

    async def _record(self, results: Sequence[AttemptResult]) -> None:
        """What is not recorded goes again as `unknown` when the lease lapses."""
        if not results:
            return
        ours = await self._insist("record", lambda: self._sending.record(results, self._clock.now()))
        metrics.record_not_ours(len(results) - len(ours))

    async def _insist(self, step: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Asked until PostgreSQL answers, also while stopping: what happened is worth the grace period."""
        while True:
            try:
                return await ask()
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("ledger_waits_for_database", step=step, **describe(error))
                await asyncio.sleep(DATABASE_RETRY_SECONDS)


def _trace(
    name: str, row: Leased, began: int, *, failed: str | None, kind: traces.Kind = "INTERNAL", **said: traces.Value
) -> None:
    if not traces.on():
        return
    traces.step(
        name, row.event_source, row.event_id, began, kind=kind, failed=failed, notification=str(row.id),
        notice=row.notice, lane=row.lane, channel=row.channel, role=row.role, **said,
    )  # fmt: skip


def _about(row: Leased) -> dict[str, str]:
    """What every log line of a message says of it: ids and names, nothing that it holds."""
    return {
        "notification": str(row.id),
        "notice": row.notice,
        "lane": row.lane,
        "channel": row.channel,
        "complaint" if row.complaint is not None else "member": row.member_id,
        "cause": f"{row.event_source}|{row.event_id}",
    }
