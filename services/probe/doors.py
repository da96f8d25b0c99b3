"""By which door an event goes in: auth-events, as an upstream uses it, or its topic."""

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout

from schemas.envelope import Event, write_structured
from schemas.topics import TOPIC_OF_TYPE
from schemas.types import Data
from services.runtime.publisher import BrokerAwayError, Message, Publisher

log = structlog.get_logger()

ACCEPT_SECONDS = 10.0
Door = Callable[[Event[Data]], Awaitable[bool]]
"""True: it was taken. Never raises for what the other side does."""


def topic(publisher: Publisher) -> Door:
    """Straight onto the event's topic."""

    async def enter(event: Event[Data]) -> bool:
        value, headers = write_structured(event)
        message = Message(
            topic=TOPIC_OF_TYPE[event.type].name, key=event.subject.encode(), value=value, headers=headers
        )
        try:
            await publisher.publish([message], timeout=ACCEPT_SECONDS)
        except BrokerAwayError:
            return False
        return True

    return enter


def auth_events(url: str, token: str) -> Door:
    """POST /v1/events; 202 is taken."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/cloudevents+json"}

    async def enter(event: Event[Data]) -> bool:
        value, _ = write_structured(event)
        try:
            async with (
                ClientSession(timeout=ClientTimeout(total=ACCEPT_SECONDS)) as session,
                session.post(f"{url.rstrip('/')}/v1/events", data=value, headers=headers) as answer,
            ):
                if answer.status == 202:
                    return True
                log.warning("canary_refused", status=answer.status)
        except (ClientError, OSError, TimeoutError) as error:
            log.warning("canary_not_taken", error=type(error).__name__)
        return False

    return enter
