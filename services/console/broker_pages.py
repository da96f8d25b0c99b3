"""The pages about topics and dead letters. What the broker does not tell just now, they say they do not know."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiokafka import TopicPartition
from starlette.requests import Request
from starlette.responses import Response

from schemas.topics import TOPICS
from services.console.broker import DEAD_LETTERS, Broker, BrokerError, GroupOnTopic, Look
from services.console.pages import Pages
from services.console.redacted import shown
from services.runtime.clock import Clock
from services.runtime.dead_letters import DeadLetter, DeadLetterError, read_dead_letter
from services.runtime.kafka import Record, time_of
from services.runtime.service_desk import RefusedError, only

LAST = 20
"""Records of each partition that a page reads."""
WIDTH, HEIGHT = 150, 32
AWAY = RefusedError(
    503, "unavailable", "The broker does not answer: look again in a moment; /readyz says what is missing"
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Dead letters of one topic refused for one reason, among the last ones."""

    box: str
    topic: str
    reason: str
    letters: Sequence[DeadLetter]

    @property
    def commands(self) -> tuple[str, ...]:
        """Ready to be copied."""
        which = f"--reason {shlex.quote(self.reason)} --topic {shlex.quote(self.topic)}"
        return (
            f"member-notices dead-letters show {shlex.quote(self.letters[0].origin)}",
            f"member-notices dead-letters list {which}",
            f"member-notices dead-letters replay {which} --why '…'",
        )


class BrokerPages:
    def __init__(self, broker: Broker, pages: Pages, clock: Clock) -> None:
        self._broker = broker
        self._pages = pages
        self._clock = clock

    async def topics(self, request: Request) -> Response:
        """Raises `RefusedError`."""
        only(request)
        look = self._look()
        rows = [
            {
                "name": name,
                "ends": look.ends.get(name),
                "rate": rates.now if (rates := self._broker.rates.get(name)) else None,
                "line": line(rates.per_minute()) if rates else "",
                "groups": [group for group in look.groups if group.topic == name],
            }
            for name in TOPICS
        ]
        return self._pages.page("topics.html", here="/topics", now=self._clock.now(), rows=rows, look=look)

    async def topic(self, request: Request) -> Response:
        """Raises `RefusedError`."""
        only(request)
        name, look = request.path_params["name"], self._look()
        ends = look.ends.get(name)
        if ends is None:
            raise RefusedError(
                404, "unknown", "No such topic: the contract has none of this name, or the broker has not"
            )
        groups = [group for group in look.groups if group.topic == name]
        unread = {group.group: await self._age(group, ends) for group in groups if group.behind}
        records = [] if name in DEAD_LETTERS else await self._last([name], look)
        last = sorted(records, key=lambda each: each.timestamp, reverse=True)[: LAST * 2]
        return self._pages.page(
            "topic.html", here="/topics", now=self._clock.now(), name=name, ends=ends, groups=groups, unread=unread,
            records=[*map(shown, last)], contract=TOPICS[name], dead=name in DEAD_LETTERS, look=look,
        )  # fmt: skip

    async def dead_letters(self, request: Request) -> Response:
        """Raises `RefusedError`."""
        only(request)
        look = self._look()
        reasons, foreign = by_reason(await self._last(DEAD_LETTERS, look))
        return self._pages.page(
            "dead_letters.html", here="/dead-letters", now=self._clock.now(), reasons=reasons, foreign=foreign,
            dead=look.dead, last=LAST, look=look,
        )  # fmt: skip

    def _look(self) -> Look:
        look = self._broker.seen
        if look is None:
            raise AWAY
        return look

    async def _last(self, topics: Sequence[str], look: Look) -> list[Record]:
        return await self._read(
            {
                TopicPartition(topic, number): (max(0, end - LAST), end)
                for topic in topics
                for number, end in look.ends.get(topic, {}).items()
            }
        )

    async def _age(self, group: GroupOnTopic, ends: Mapping[int, int]) -> timedelta | None:
        """How long the oldest record that the group has not read has been there."""
        next_ = {
            TopicPartition(group.topic, number): (offset, offset + 1)
            for number, offset in group.committed.items()
            if offset < ends.get(number, 0)
        }
        times = [at for record in await self._read(next_) if (at := time_of(record)) is not None]
        return datetime.now(UTC) - min(times) if times else None

    async def _read(self, wanted: Mapping[TopicPartition, tuple[int, int]]) -> list[Record]:
        try:
            return await self._broker.read(wanted)
        except BrokerError:
            raise AWAY from None


def by_reason(records: Sequence[Record]) -> tuple[list[Reason], int]:
    """The most frequent first, each with its latest letter first; and how many records are no dead letters of ours."""
    found: dict[tuple[str, str, str], list[DeadLetter]] = {}
    count: Counter[tuple[str, str, str]] = Counter()
    foreign = 0
    for record in records:
        try:
            letter = read_dead_letter(record)
        except DeadLetterError:
            foreign += 1
            continue
        key = (record.topic, letter.topic, letter.reason)
        found.setdefault(key, []).append(letter)
        count[key] += 1
    reasons = [
        Reason(*key, sorted(found[key], key=lambda each: each.at, reverse=True)) for key, _ in count.most_common()
    ]
    return reasons, foreign


def line(values: Sequence[float]) -> str:
    """Points of an SVG polyline, the newest at the right edge; empty while there is nothing to draw."""
    if len(values) < 2:
        return ""
    most, step = max(*values, 1.0), WIDTH / (len(values) - 1)
    return " ".join(
        f"{index * step:.1f},{HEIGHT - 1 - value / most * (HEIGHT - 3):.1f}" for index, value in enumerate(values)
    )
