"""What stands behind a 202: the broker has acknowledged the events, or the outbox has them.

Order. The events of one key reach Kafka in the order in which their requests were answered: while one waits in the
outbox, later ones of its key join it there. PostgreSQL is asked on every request, because another replica may have
queued it. When it cannot be asked, events go straight to the broker, for their consumers order by `time` and never by
arrival. A contact does not: its topic is compacted, so that the record which arrives last is the one that stays, and a
contact that overtakes its own past would be replaced by it. Then 503.

Time. Three steps, each bounded, together under 3 s, which is all that some upstreams wait.
"""

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from typing import Any, TypeVar

import asyncpg
import structlog

from schemas.topics import TOPICS
from services.auth_events.metrics import Place
from services.runtime.database import Database, describe, is_away
from services.runtime.failpoints import failpoint
from services.runtime.outbox import Outbox
from services.runtime.publisher import BrokerAwayError, Message, Publisher

log = structlog.get_logger()

ASK_SECONDS = 0.4
BROKER_SECONDS = 1.5
OUTBOX_SECONDS = 1.0
BROKER_REST_SECONDS = 5.0
"""After a failure the outbox comes first for so long: else a broker that is away would cost every request 1.5 s."""

DATABASE_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # also a connection that was lost at the wrong moment
)

T = TypeVar("T")


class UnavailableError(Exception):
    """Neither has it, as far as we know: the same events may come again under the same ids."""


class HandOver:
    """`publisher` must be for this alone: the relay is more patient (`Publisher.publish`)."""

    def __init__(self, database: Database, outbox: Outbox, publisher: Publisher) -> None:
        self._database = database
        self._outbox = outbox
        self._publisher = publisher
        self._broker_rests_until = 0.0

    async def take(self, messages: Sequence[Message]) -> Place:
        """All of them, in order. Raises `UnavailableError`."""
        queued = await self._any_queued(messages)
        if queued is None and any(TOPICS[message.topic].compacted for message in messages):
            raise UnavailableError
        if queued is None or not (queued or self._broker_rests()):
            try:
                await self._publisher.publish(messages, timeout=BROKER_SECONDS)
            except BrokerAwayError:
                self._broker_rests_until = asyncio.get_running_loop().time() + BROKER_REST_SECONDS
            else:
                return "broker"
        try:
            await within(OUTBOX_SECONDS, self._outbox.add(self._database, messages))
        except DATABASE_ERRORS as error:
            log.warning("outbox_write_failed", **describe(error))
            raise UnavailableError from None
        failpoint("outbox-written-before-answer")
        return "outbox"

    async def check(self) -> str | None:
        """Ready while one of the two can take events; an outbox that is there but not usable is not ready."""
        try:
            await within(ASK_SECONDS, self._ask([]))
        except DATABASE_ERRORS as error:
            if not is_away(error):
                return f"outbox not usable ({describe(error)}); has `member-notices migrate` been run?"
            broker = await self._publisher.check()
            return broker and f"no outbox either, look at DATABASE_URL; {broker}"
        return None

    def _broker_rests(self) -> bool:
        return asyncio.get_running_loop().time() < self._broker_rests_until

    async def _any_queued(self, messages: Sequence[Message]) -> bool | None:
        """None: the database could not be asked."""
        keys = {message.key.decode() for message in messages if message.key is not None}
        try:
            return await within(ASK_SECONDS, self._ask(keys))
        except DATABASE_ERRORS as error:
            log.warning("outbox_not_asked", **describe(error))
            return None

    async def _ask(self, keys: Collection[str]) -> bool:
        """Whether an event of one of these keys still waits in the outbox."""
        queued = "SELECT EXISTS (SELECT FROM auth_events.outbox WHERE key = ANY($1::text[]))"
        return bool(await self._database.fetchval(queued, list(keys)))


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Returns or raises in time, whatever the work does.

    `asyncio.timeout` does not: a cancelled asyncpg statement asks the server to cancel it, and waits for the answer of
    a server that does not answer. So the work is cancelled and left to end by itself.
    """
    task = asyncio.create_task(work)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        _left_behind.add(task)
        task.add_done_callback(_left_behind.discard)
        task.cancel()
        raise TimeoutError
    return task.result()


_left_behind: set[asyncio.Task[Any]] = set()
"""The loop itself keeps weak references only."""
