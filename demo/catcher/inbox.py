"""The mailbox everything lands in: bounded, counted, and awake when something arrives."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar, overload

from demo.catcher.messages import Mail, Message, Shown, Text

T = TypeVar("T")

KEPT_MESSAGES = 50_000
KEPT_BYTES = 256 * 1024 * 1024
"""A flood of 20,000 mails of 7 KB is 140 MB: it stays whole; ten times that does not take the machine down."""


class Inbox:
    """Keeps the newest messages; counts all of them, also those it no longer keeps, until `clear`."""

    def __init__(self, *, kept_messages: int = KEPT_MESSAGES, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_messages = kept_messages
        self._kept_bytes = kept_bytes
        self._last_id = 0
        self._change = asyncio.Event()
        self._messages: OrderedDict[int, Message] = OrderedDict()
        self.clear()

    def clear(self) -> None:
        """Forget messages and counts. Ids go on, so that a link never shows another message."""
        self._messages.clear()
        self.bytes = 0
        self.mail_count = 0
        self.text_count = 0
        self.shown_count = 0
        self.last_received_at: datetime | None = None
        self._copies: Counter[tuple[str, str]] = Counter()
        self._per_recipient: Counter[str] = Counter()
        self.announce()

    @property
    def next_id(self) -> int:
        return self._last_id + 1

    @property
    def count(self) -> int:
        return self.mail_count + self.text_count + self.shown_count

    def add_mail(self, sender: str, recipients: tuple[str, ...], raw: bytes) -> Mail:
        mail = Mail(id=self.next_id, received_at=datetime.now(UTC), sender=sender, recipients=recipients, raw=raw)
        self.mail_count += 1
        for recipient in recipients:
            self._copies[mail.message_id, recipient] += 1
        self._add(mail)
        return mail

    def add_text(self, *, sid: str, sender: str, to: str, body: str, form: dict[str, str]) -> Text:
        text = Text(id=self.next_id, received_at=datetime.now(UTC), sid=sid, sender=sender, to=to, body=body, form=form)
        self.text_count += 1
        self._add(text)
        return text

    def add_shown(self, **told: Any) -> Shown:
        """`told`: the fields of `Shown` but its id and time."""
        shown = Shown(id=self.next_id, received_at=datetime.now(UTC), **told)
        self.shown_count += 1
        self._add(shown)
        return shown

    def _add(self, message: Message) -> None:
        self._last_id = message.id
        self._messages[message.id] = message
        self._per_recipient.update(message.recipients)
        self.last_received_at = message.received_at
        self.bytes += message.size
        while len(self._messages) > self._kept_messages or (self.bytes > self._kept_bytes and len(self._messages) > 1):
            _, oldest = self._messages.popitem(last=False)
            self.bytes -= oldest.size
        self.announce()

    def announce(self) -> None:
        """Wake everybody who waits: something is different now."""
        self._change.set()
        self._change = asyncio.Event()

    async def changed(self) -> None:
        """Wait for the next arrival, `clear` or `announce`."""
        await self._change.wait()

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        """Oldest first."""
        return iter(self._messages.values())

    def newest_first(self) -> Iterator[Message]:
        return reversed(self._messages.values())

    def get(self, id: int) -> Message | None:
        return self._messages.get(id)

    @property
    def mails(self) -> tuple[Mail, ...]:
        """Those still kept, oldest first."""
        return tuple(message for message in self if isinstance(message, Mail))

    @property
    def texts(self) -> tuple[Text, ...]:
        """Those still kept, oldest first."""
        return tuple(message for message in self if isinstance(message, Text))

    def mails_to(self, address: str) -> tuple[Mail, ...]:
        """By envelope recipient, oldest first; upper and lower case are the same mailbox here."""
        wanted = address.lower()
        return tuple(mail for mail in self.mails if wanted in map(str.lower, mail.recipients))

    def texts_to(self, number: str) -> tuple[Text, ...]:
        return tuple(text for text in self.texts if text.to == number)

    @property
    def recipients(self) -> dict[str, int]:
        """Messages ever received, by address and by number."""
        return dict(self._per_recipient)

    @property
    def duplicates(self) -> dict[tuple[str, str], int]:
        """(Message-ID, recipient) → copies, where there is more than one. Mails without a Message-ID are left out."""
        return {key: copies for key, copies in self._copies.items() if copies > 1 and key[0]}

    @overload
    async def wait_for(self, condition: int, description: str, *, timeout: float = ...) -> int: ...  # noqa: ASYNC109
    @overload
    async def wait_for(self, condition: Callable[[], T], description: str, *, timeout: float = ...) -> T: ...  # noqa: ASYNC109
    async def wait_for(
        self,
        condition: int | Callable[[], object],
        description: str,
        *,
        timeout: float = 30,  # noqa: ASYNC109 - the error must say what was missing and what came instead
    ) -> object:
        """Wait until so many messages came, or until the condition returns something true; returns that.

        Looks again whenever a message arrives. `timeout` in seconds. Raises `TimeoutError` with the description
        and what did arrive.
        """
        check = (lambda: self.count if self.count >= condition else 0) if isinstance(condition, int) else condition
        try:
            async with asyncio.timeout(timeout):
                while not (found := check()):
                    await self.changed()
        except TimeoutError:
            raise TimeoutError(f"not within {timeout:g} s: {description}. {self._last_arrivals()}") from None
        return found

    def _last_arrivals(self) -> str:
        newest = [message for message, _ in zip(self.newest_first(), range(10), strict=False)]
        lines = [f"  #{each.id} {', '.join(each.recipients)}: {each.subject}" for each in newest]
        return "\n".join([f"In the inbox: {self.mail_count} mails, {self.text_count} texts; newest first:", *lines])
