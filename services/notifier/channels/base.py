"""What a channel takes, returns and raises."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """Ready to hand over. `address` and `body` never appear in a log, an error or a metric."""

    id: str
    """The notification's id: the same on every attempt."""
    address: str
    body: bytes
    """E-mail: the MIME message; SMS: UTF-8 text; in-app: the value of the record."""
    sender: str
    expires_at: datetime | None
    """The provider must not deliver after it, where it can be told."""

    def __repr__(self) -> str:
        return f"OutgoingMessage({self.id})"


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider has taken responsibility."""

    reply_code: str
    reference: str | None = None
    """The provider's own id, where it gives one."""
    answer: str = field(default="", repr=False, compare=False)
    """The relay's own words, for a person who tries a relay out: never kept and never logged, they may name anybody."""


class Consequence(Enum):
    """What a failure means for us; provider codes are mapped onto these, one table a channel."""

    RETRY = "retry"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"
    """The message was handed over, the answer never came."""
    CONFIGURATION = "configuration"
    """Ours to mend: credentials, sender. Retried, and the channel says it is not ready."""


Suppresses = Literal["address-bounced", "opted-out"]


class ChannelError(Exception):
    """Why it was not sent. `reason` is a bounded code such as `smtp:550`, never the provider's text."""

    def __init__(
        self,
        consequence: Consequence,
        reason: str,
        *,
        reply_code: str | None = None,
        retry_after: timedelta | None = None,
        suppresses: Suppresses | None = None,
    ) -> None:
        super().__init__(reason)
        self.consequence = consequence
        self.reason = reason
        self.reply_code = reply_code
        self.retry_after = retry_after
        self.suppresses = suppresses
        """Why nothing more should go to this address, where the refusal says so of the address itself."""


class Channel(Protocol):
    """Connections are opened on demand and kept; `send` may be called by many workers at once."""

    name: str

    async def send(self, message: OutgoingMessage) -> Sent:
        """Within the channel's whole send time-out. Raises `ChannelError`."""
        ...

    async def check(self) -> str | None:
        """For readiness: None, or one sentence on what is wrong."""
        ...

    async def close(self) -> None: ...
