"""Members and their events in quantity: every notice, both channels, and what each event owes to whom."""

import itertools
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schemas.envelope import Event
from schemas.types import Data
from tests.support.notifier import contact, event_of

LINK = "https://www.cignahealthbenefits.com/sign-in?t={mark}"
CODE_LIVES = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Owed:
    """One message that must arrive: `mark` stands in an SMS and in no other."""

    event: str
    role: str
    channel: str
    address: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    id: str
    phone: str

    @property
    def address(self) -> str:
        return f"{self.id}@example.test"


class Traffic:
    """Events of a few members. No two codes have one purpose, so that none supersedes another."""

    def __init__(self, members: int) -> None:
        self.run = uuid.uuid4().hex[:8]
        self.members = [Member(f"m-{self.run}-{number}", f"+3247{number:07}") for number in range(members)]
        self.owed: list[Owed] = []
        self._numbers = itertools.count(1)

    def contacts(self) -> list[Event[Data]]:
        return [
            contact(member.id, phones=[member.phone], language="fr" if number % 3 == 0 else "en")
            for number, member in enumerate(self.members)
        ]

    def events(self, count: int) -> list[Event[Data]]:
        """The next `count`, of now; what they owe is added to `owed`."""
        return [self._event(number) for number in itertools.islice(self._numbers, count)]

    def texts(self, count: int) -> list[Event[Data]]:
        """The next `count` that go by SMS."""
        return [self._event(10 * number) for number in itertools.islice(self._numbers, count)]

    def _event(self, number: int) -> Event[Data]:
        member = self.members[number % len(self.members)]
        id_, now = f"{self.run}-{number}", datetime.now(UTC)
        match number % 10:
            case 0:
                mark = f"{number:06}"
                self.owed.append(Owed(id_, "phone-1", "sms", member.phone, mark))
                return _code(member, id_, now, mark, channel="sms", phone=member.phone)
            case 1 | 2:
                self._owe(id_, "login", member.address)
                return _code(member, id_, now, f"{number:06}", channel="email", url=LINK.format(mark=id_))
            case 3:
                old, new = f"old-{id_}@example.test", f"new-{id_}@example.test"
                self._owe(id_, "old", old)
                self._owe(id_, "new", new)
                return event_of(
                    "identity.email-address-changed.v1",
                    member.id, id=id_, time=now, which="login", old=old, new=new, changed_at=now,
                )  # fmt: skip
            case 4:
                self._owe(id_, "login", member.address)
                return event_of(
                    "identity.security-method-enrolled.v1", member.id, id=id_, time=now, method="sms", enrolled_at=now
                )
            case 5:
                self._owe(id_, "login", member.address)
                return event_of(
                    "identity.new-sign-on-detected.v1", member.id, id=id_, time=now, signed_on_at=now, browser="Firefox"
                )
            case _:
                self._owe(id_, "login", member.address)
                return event_of("identity.password-changed.v1", member.id, id=id_, time=now, changed_at=now)

    def _owe(self, event: str, role: str, address: str) -> None:
        self.owed.append(Owed(event, role, "email", address))


def _code(member: Member, id_: str, now: datetime, code: str, **data: str) -> Event[Data]:
    return event_of(
        "identity.verification-code-issued.v1",
        member.id,
        id=id_,
        time=now,
        code=code,
        purpose=f"p-{id_}",
        expires_at=now + CODE_LIVES,
        **data,
    )


def waves(events: Sequence[Event[Data]], size: int) -> Iterator[Sequence[Event[Data]]]:
    return (events[start : start + size] for start in range(0, len(events), size))
