"""What a scene of the story can do and expect; and what was expected so far, for the check at its end."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from demo.check import IN_APP, Expected
from demo.environment import ADMINISTRATION, IDENTITY_PROVIDER
from demo.upstream import Upstream
from demo.watch import Inbox, Ledger, Seen
from schemas.envelope import Event, new_event
from schemas.topics import DATA_OF_TYPE
from schemas.types import Data

WAIT_SECONDS = 20.0
POLL_SECONDS = 0.05
T = TypeVar("T")


class StoryError(RuntimeError):
    """Something that the story waits for did not happen; says what, and what there was instead."""


@dataclass(slots=True, kw_only=True, eq=False)
class Member:
    """Somebody who does not exist. The id is new in every run."""

    id: str
    name: str
    brand: str
    language: str
    login_email: str
    reads: str | None = None
    """The language that they are written in, where their brand does not speak their own."""
    communication_email: str | None = None
    phones: tuple[str, ...] = ()
    time_zone: str = "Europe/Brussels"
    reference: str | None = None
    has_card: bool = False
    identities: tuple[Mapping[str, str], ...] = ()
    version: int = 0
    """Of the contact, as last published."""

    @property
    def locale(self) -> str:
        return self.reads or self.language

    def contact(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "brand": self.brand,
            "language": self.language,
            "login_email": self.login_email,
            "communication_email": self.communication_email,
            "phones": self.phones,
            "name": self.name,
            "time_zone": self.time_zone,
            "personal_reference_number": self.reference,
            "has_card": self.has_card,
            "identities": self.identities,
        }

    def address(self, role: str) -> tuple[str, str]:
        """Channel and address of the copy in this role, where the contact decides it."""
        match role:
            case "inbox":
                return IN_APP, self.id
            case "login":
                return "email", self.login_email
            case "communication":
                return "email", self.communication_email or self.login_email
            case "phone-1" | "phone-2":
                return "sms", self.phones[int(role[-1]) - 1]
            case _:
                raise ValueError(f"the contact does not say who {role} is")


@dataclass(frozen=True, slots=True)
class Published:
    """An event of the story, for the table."""

    type: str
    copies: int
    remark: str = ""
    """Who sent it, if a provider; or that another language was asked for."""


@dataclass(slots=True)
class Stage:
    """Publishes, waits and remembers."""

    run: str
    """Part of every id: a broker or database that was given has seen other runs."""
    upstream: Upstream
    ledger: Ledger
    inbox: Inbox
    tell: Callable[[str], None]
    pause_seconds: float = 0.0
    """Between scenes, for the eye."""
    ended: Callable[[], list[str]] = list
    """Processes that should run and do not: then there is nothing to wait for."""
    members: list[Member] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    published: dict[str, Published] = field(default_factory=dict)

    def member(self, key: str, **who: Any) -> Member:
        member = Member(id=f"{key}-{self.run}", **who)
        self.members.append(member)
        return member

    def who(self, id_: str) -> Member | None:
        return next((member for member in self.members if member.id == id_), None)

    def event(self, type_: str, member: Member, data: Mapping[str, Any], *, at: datetime | None = None) -> Event[Data]:
        """A valid event of now, with an id of its own."""
        number = len(self.published) + 1
        event = new_event(
            source=ADMINISTRATION if type_.startswith("members.") else IDENTITY_PROVIDER,
            id=f"{self.run}-{number:03}",
            type=type_,
            subject=member.id,
            time=at or datetime.now(UTC),
            data=DATA_OF_TYPE[type_].model_validate(data),
        )
        self.published[event.id] = Published(type_, 1, _on_language(event.data, member))
        return event

    async def post(self, event: Event[Data], *expected: Expected) -> Event[Data]:
        """Over HTTP."""
        self.expected += expected
        await self.upstream.over_http(event)
        return event

    async def produce(self, event: Event[Data], *expected: Expected) -> Event[Data]:
        """Straight onto Kafka."""
        self.expected += expected
        await self.upstream.onto_kafka(event)
        return event

    async def again(self, event: Event[Data], publish: Callable[[Event[Data]], Awaitable[object]]) -> None:
        """The same event once more."""
        before = self.published[event.id]
        self.published[event.id] = replace(before, copies=before.copies + 1)
        await publish(event)

    async def store_contact(self, member: Member, *, straight: bool = False) -> None:
        """Publish it as it is now, and wait until the notifier has it."""
        member.version += 1
        event = self.event("members.contact.v1", member, member.contact())
        await (self.produce(event) if straight else self.post(event))

        async def stored() -> bool:
            return await self.ledger.contact_version(member.id) == member.version

        await self.until(stored, f"stored contact of {member.name}")

    async def until_settled(self) -> None:
        """Wait until everything expected so far has come to its end. Topics have no order among each other: a contact
        that changes now could overtake an event of the scene before.
        """

        async def settled() -> bool:
            states = {(row.event, row.notice, row.role): row.state for row in await self.rows()}
            return all(states.get((each.event, each.notice, each.role)) == each.state for each in self.expected)

        await self.until(settled, "end of everything expected so far")

    async def until_state(self, event: Event[Data], state: str) -> None:
        """Wait for a notification of this event in this state."""

        async def reached() -> bool:
            return any(row.event == event.id and row.state == state for row in await self.rows())

        await self.until(reached, f"{event.type} ({event.id}) in state {state}")

    async def until(self, condition: Callable[[], Awaitable[T]], description: str) -> T:
        """The first true value of `condition`, or `StoryError`."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not (value := await condition()):
            if ended := self.ended():
                raise StoryError(f"There was no {description}: {'; '.join(ended)}")
            if time.monotonic() > deadline:
                told = "".join(
                    f"\n  {row.notice} of {row.event}: {row.state} {row.reason}" for row in await self.rows()
                )
                raise StoryError(
                    f"Within {WAIT_SECONDS:.0f} s there was no {description}. The ledger has:{told or ' nothing'}"
                )
            await asyncio.sleep(POLL_SECONDS)
        return value

    async def rows(self) -> list[Seen]:
        return await self.ledger.rows([member.id for member in self.members])

    async def scene(self, text: str) -> None:
        self.tell(text)
        if self.pause_seconds:
            await asyncio.sleep(self.pause_seconds)


def _on_language(data: Data, member: Member) -> str:
    claimed = getattr(data, "locale", None)
    if claimed is not None and claimed != member.locale:
        return f"the event says {claimed}"
    return "" if member.reads is None else f"the contact says {member.language}"
