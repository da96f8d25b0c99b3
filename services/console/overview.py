"""Is the promise kept right now? Numbers → words, shapes and where the rows behind them are. PURE."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from services.console.broker import GroupOnTopic
from services.console.figures import LATE_SECONDS, LATE_SHARE, WORRY_SECONDS, Complaints, Figures, Lane
from services.console.gallery import Doubt
from services.console.pages import link, number, span
from services.console.standstill import AFTER_SECONDS

Kind = Literal["good", "look", "bad", "plain"]
"""In order, look at it, the promise is not kept, a number that says nothing by itself. Each has a shape of its own."""
IN_WORDS = {"good": "in order", "look": "wants a look", "bad": "not kept"}
"""Beside the shape, for who does not see it."""
LANES = {"codes": "Codes and links", "security": "Security notices", "letters": "Letters", "general": "General notices"}
LATE = "Handed over late, last hour"
WATERMARK_SECONDS = 900
OUTBOX_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Tile:
    """A number, what it means, and the page of the rows behind it. `trouble`: the sentence for the verdict.

    `since`: when what is bad began.
    """

    title: str
    value: str
    said: str
    path: str
    kind: Kind = "plain"
    trouble: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class Overview:
    """The verdict stands on the tiles: one that is bad makes it no. `last_breach`: of the last 24 hours."""

    groups: Sequence[Group]
    last_breach: datetime | None = None
    kind: Kind = field(init=False)

    def __post_init__(self) -> None:
        kinds = {tile.kind for tile in self._tiles()}
        object.__setattr__(self, "kind", "bad" if "bad" in kinds else "look" if "look" in kinds else "good")

    def _tiles(self) -> list[Tile]:
        return [tile for group in self.groups for tile in group.tiles]

    @property
    def verdict(self) -> str:
        return {
            "bad": "No, the promise is not kept right now",
            "look": "Yes, the promise is kept; something wants a look",
        }.get(self.kind, "Yes, the promise is kept right now")

    @property
    def since(self) -> datetime | None:
        """When the promise was broken, or kept again; None: it is kept for 24 hours and longer."""
        if self.kind != "bad":
            return self.last_breach
        return min((tile.since for tile in self._tiles() if tile.kind == "bad" and tile.since), default=None)

    @property
    def because(self) -> list[str]:
        """What is bad before what wants a look."""
        told = sorted((tile for tile in self._tiles() if tile.trouble), key=lambda tile: tile.kind != "bad")
        return [tile.trouble for tile in told if tile.trouble]


def overview_of(
    figures: Figures,
    dead_letters: int | None,
    now: datetime,
    groups: Sequence[GroupOnTopic] = (),
    doubts: Sequence[Doubt] | None = None,
) -> Overview:
    """`dead_letters`: of the last 24 hours, None while the broker does not say; `groups`: as it saw them last; `doubts`
    None: no gallery says.
    """
    waiting = [_waiting(figures), _standing(groups), _suppressed(figures), _dead(dead_letters)]
    if doubts is not None:
        waiting.append(_doubted(doubts))
    leaving = [_unsent(name, figures.lanes.get(name), now) for name in LANES]
    left = [_late(figures), _expired(figures), _unknown(figures), _outbox(figures)]
    return Overview(
        [
            Group("What has to leave", [*leaving, *left]),
            Group("What waits or was refused", waiting),
            Group("Complaints", _complaints(figures.complaints, now)),
        ],
        last_breach=max((lane.run.last for lane in figures.lanes.values() if lane.run), default=None),
    )


def _unsent(name: str, lane: Lane | None, now: datetime) -> Tile:
    title, path = f"{LANES[name]}: oldest unsent", link("/notifications", lane=name, state="open")
    if lane is None or not lane.open:
        return Tile(title, "none", "nothing is open", path, "good")
    limit = WORRY_SECONDS[name]
    said = f"{number(lane.open)} open; more than {span(limit)} is too long"
    if lane.oldest_seconds <= limit:
        return Tile(title, span(lane.oldest_seconds), said, path, "good")
    trouble = f"{LANES[name]}: one is unsent for {span(lane.oldest_seconds)}, more than {span(limit)}."
    since = now - timedelta(seconds=lane.oldest_seconds - limit)
    return Tile(title, span(lane.oldest_seconds), said, path, "bad", trouble, since)


def _late(figures: Figures) -> Tile:
    late, sent = _sum(figures, "late"), _sum(figures, "sent")
    over = {name: lane for name, lane in _promised(figures) if lane.late > lane.sent * LATE_SHARE}
    said = f"of {number(sent)} sent; codes later than {span(LATE_SECONDS['codes'])}, see the list for the others"
    path = link("/notifications", late="1")
    if over:
        told = [
            f"{LANES[name]}: {number(lane.late)} of {number(lane.sent)} left later than {span(LATE_SECONDS[name])}"
            for name, lane in over.items()
        ]
        trouble = f"{'; '.join(told)} in the last hour."
        return Tile(LATE, number(late), said, path, "bad", trouble, _began(over))
    trouble = f"{number(late)} of {number(sent)} were handed over late in the last hour, fewer than 1 %."
    return Tile(LATE, number(late), said, path, "look" if late else "good", trouble if late else None)


def _expired(figures: Figures) -> Tile:
    count = _sum(figures, "expired")
    over = {name: lane for name, lane in _promised(figures) if lane.expired > (lane.sent + lane.expired) * LATE_SHARE}
    said = "their time was over before they left; nothing late is sent"
    told = [f"{LANES[name]}: {number(lane.expired)}" for name, lane in _promised(figures) if lane.expired]
    trouble = f"{'; '.join(told)} expired unsent in the last hour." if count else None
    kind: Kind = "bad" if over else "look" if count else "good"
    path = link("/notifications", state="expired")
    return Tile("Expired unsent, last hour", number(count), said, path, kind, trouble, _began(over))


def _promised(figures: Figures) -> list[tuple[str, Lane]]:
    return [(name, lane) for name, lane in figures.lanes.items() if name in LANES]


def _sum(figures: Figures, of: Literal["sent", "late", "expired", "unknown"]) -> int:
    return sum(int(getattr(lane, of)) for lane in figures.lanes.values())


def _began(over: Mapping[str, Lane]) -> datetime | None:
    return min((lane.run.since for lane in over.values() if lane.run), default=None)


def _unknown(figures: Figures) -> Tile:
    count = _sum(figures, "unknown")
    said = "handed over, and nobody knows whether it arrived"
    trouble = f"{number(count)} may or may not have arrived." if count else None
    path = link("/notifications", state="unknown")
    return Tile("Unknown", number(count), said, path, "look" if count else "good", trouble)


def _outbox(figures: Figures) -> Tile:
    slow = figures.outbox_seconds > OUTBOX_SECONDS
    trouble = (
        f"Outcomes wait for {span(figures.outbox_seconds)} to be told: Kafka does not take them." if slow else None
    )
    said = f"the oldest for {span(figures.outbox_seconds)}" if figures.outbox_rows else "all are told"
    kind: Kind = "look" if slow else "good"
    return Tile("Outcomes not told yet", number(figures.outbox_rows), said, "/topics", kind, trouble)


def _waiting(figures: Figures) -> Tile:
    return Tile("Events that wait", number(figures.waiting_events), "their member's contact is not known",
                link("/events", state="waiting"))  # fmt: skip


def _standing(groups: Sequence[GroupOnTopic]) -> Tile:
    """A group that is gone for good stands too, until Kafka forgets it after 7 days."""
    standing = [group for group in groups if group.still > AFTER_SECONDS]
    said = f"records to read, and none was read for {span(AFTER_SECONDS)}"
    told = [f"{each.group} has not read on in {each.topic} for {span(each.still)}" for each in standing]
    trouble = f"{'; '.join(told[:3])}{f'; and {len(told) - 3} more' if len(told) > 3 else ''}." if told else None
    path = f"/topics/{standing[0].topic}" if len(standing) == 1 else "/topics"
    return Tile("Groups that stand still", number(len(standing)), said, path, "look" if told else "good", trouble)


def _suppressed(figures: Figures) -> Tile:
    said = "mail came back for good, or the phone answered STOP"
    return Tile("Suppressed addresses", number(figures.suppressed), said, "/suppressions")


def _doubted(doubts: Sequence[Doubt]) -> Tile:
    """It breaks no promise and may stay for months: a number, and not something that wants a look every night."""
    return Tile("Brand facts in doubt", number(len(doubts)), "their sources disagree", "/notices#doubts")


def _dead(count: int | None) -> Tile:
    title, path = "Dead letters, last 24 hours", "/dead-letters"
    if count is None:
        away = "The broker does not answer, so dead letters and lag are not known."
        return Tile(title, "not known", "the broker does not answer", path, "look", away)
    trouble = f"{number(count)} could not be accepted in the last 24 hours." if count else None
    return Tile(title, number(count), "could not be accepted", path, "look" if count else "good", trouble)


def _complaints(figures: Complaints, now: datetime) -> list[Tile]:
    missed, persons = figures.missed, figures.for_a_person
    deadline = "deadline of a complaint was" if missed == 1 else "deadlines of complaints were"
    waits = "complaint waits" if persons == 1 else "complaints wait"
    told = [
        Tile("Missed, last 24 hours", number(missed), f"{number(figures.missed_ever)} in all",
             link("/complaints", state="missed"), "bad" if missed else "good",
             f"{number(missed)} {deadline} missed in the last 24 hours." if missed else None, figures.missed_since),
        Tile("Due in the next 7 days", number(figures.due), f"{number(figures.due_today)} within 24 hours",
             "/complaints"),
        Tile("Wait for a person", number(persons), "not registered, a letter not confirmed, or stuck",
             link("/complaints", state="person"), "look" if persons else "good",
             f"{number(persons)} {waits} for a person." if persons else None),
    ]  # fmt: skip
    return told if figures.watermark_seconds is None else [*told, _known(figures.watermark_seconds, now)]


def _known(age: float, now: datetime) -> Tile:
    said = f"more than {span(WATERMARK_SECONDS)} is too long"
    if age <= WATERMARK_SECONDS:
        return Tile("Known through", f"{span(age)} ago", said, "/topics", "good")
    trouble = f"The story of complaints is known only through {span(age)} ago: no letter is asked for."
    since = now - timedelta(seconds=age - WATERMARK_SECONDS)
    return Tile("Known through", f"{span(age)} ago", said, "/topics", "bad", trouble, since)
