"""What is published: members with contacts, events of them, as bytes made before any clock starts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from schemas import topics
from schemas.envelope import new_event, write_structured
from schemas.identity import PasswordChangedV1, VerificationCodeIssuedV1
from schemas.members import ContactV1
from schemas.types import Data

BRAND = "cigna-healthcare"
LANGUAGES = ("en", "fr")
TIME_ZONES = ("Europe/Brussels", "America/New_York", "Asia/Tokyo")
NAMES = ("Anaïs Lemaître", "Sean O'Brien", "Jürgen Groß", "Zoë Vandenberghe")
SAMPLES = 48
"""Members whose mails are kept whole and compared; every language, zone and name is among them."""
SOURCE = "urn:member-notices:bench"
SIGN_IN_LINK = "https://www.cignahealthbenefits.com/sign-in/9f8e7d6c5b4a"
CODE_LIFE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Member:
    id: str
    name: str
    email: str
    language: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Published:
    """One record, ready to send; `recipient` is where its one mail must arrive."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    recipient: str


@dataclass(frozen=True, slots=True)
class PasswordChange:
    member: Member
    changed_at: datetime
    record: Published


def members(count: int, *, kind: str = "member") -> list[Member]:
    """`count` members; the first `SAMPLES` of kind `member` have addresses that the sink keeps whole mails of."""
    return [
        Member(
            id=f"bench-{kind}-{i}",
            name=NAMES[i % len(NAMES)],
            email=f"{'sample' if kind == 'member' and i < SAMPLES else kind}-{i}@example.test",
            language=LANGUAGES[i % len(LANGUAGES)],
            time_zone=TIME_ZONES[i % len(TIME_ZONES)],
        )
        for i in range(count)
    ]


def contacts(of: Sequence[Member]) -> list[Published]:
    now = datetime.now(UTC)
    return [
        _record(
            topics.CONTACTS,
            "members.contact.v1",
            member,
            now,
            ContactV1(
                version=1,
                brand=BRAND,
                language=member.language,
                login_email=member.email,
                name=member.name,
                time_zone=member.time_zone,
            ),
        )
        for member in of
    ]


def password_changes(of: Sequence[Member], count: int) -> list[PasswordChange]:
    """`count` events, the members in turn."""
    now = datetime.now(UTC)
    changes = []
    for i in range(count):
        member = of[i % len(of)]
        changed_at = (now - timedelta(minutes=i % 600)).replace(microsecond=0)
        data = PasswordChangedV1(changed_at=changed_at)
        record = _record(topics.SECURITY, "identity.password-changed.v1", member, now, data)
        changes.append(PasswordChange(member, changed_at, record))
    return changes


def code(member: Member) -> Published:
    """A one-time code by e-mail, issued now."""
    now = datetime.now(UTC)
    data = VerificationCodeIssuedV1(
        channel="email", code="482915", url=SIGN_IN_LINK, purpose="sign-on", expires_at=now + CODE_LIFE
    )
    return _record(topics.CODES, "identity.verification-code-issued.v1", member, now, data)


def _record(topic: topics.Topic, type_: str, member: Member, time: datetime, data: Data) -> Published:
    event = new_event(source=SOURCE, id=str(uuid4()), type=type_, subject=member.id, time=time, data=data)
    value, headers = write_structured(event)
    return Published(topic.name, member.id.encode(), value, headers, member.email)


class Publisher:
    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def publish(self, records: Sequence[Published], *, topic: str | None = None) -> None:
        """Returns once the broker has all of them. `topic`: somewhere else than where the contract puts them."""
        acknowledged = [
            await self._producer.send(topic or record.topic, record.value, key=record.key, headers=record.headers)
            for record in records
        ]
        await asyncio.gather(*acknowledged)


@asynccontextmanager
async def publisher(bootstrap: str) -> AsyncIterator[Publisher]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=131_072)
    await producer.start()
    try:
        yield Publisher(producer)
    finally:
        await producer.stop()
