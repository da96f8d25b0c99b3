"""What the keys do: break something, and show that the promise holds."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from demo.broker import Broker
from demo.crowd import Crowd
from demo.environment import IDENTITY_PROVIDER, SMTP_SEND_SECONDS
from demo.house import House
from demo.stage import Stage
from demo.story import Story
from demo.watch import Seen
from schemas.envelope import STRUCTURED, Event, write_structured
from schemas.topics import SECURITY
from schemas.types import Data

Say = Callable[[str], None]
"""Replaces what the same action said before."""

DOWN_SECONDS = 30
FLOOD_EVENTS, FLOOD_MEMBERS = 20_000, 200
KILL_EVENTS, KILL_MEMBERS = 1_000, 20
KILL_AFTER = 100
LEASE_SECONDS = SMTP_SEND_SECONDS + 40
"""As the notifier has it: the send time-out, 10 s to spare, 30 s of margin."""
SECURITY_NOTIFIER = "notifier security"
POLL_SECONDS = 0.1
OWN_EVENT = "c"


@dataclass(frozen=True, slots=True)
class Action:
    key: str
    name: str
    text: str
    run: Callable[[Say], Awaitable[None]]


class Actions:
    """Each publishes events of its own, beside the story's."""

    def __init__(self, stage: Stage, story: Story, house: House, broker: Broker) -> None:
        self._stage = stage
        self._story = story
        self._house = house
        self._broker = broker
        self._crowds = 0

    def by_key(self) -> Mapping[str, Action]:
        actions = (
            Action("k", "kill -9", f"kill -9 the security notifier amid {KILL_EVENTS} mails", self.kill),
            Action("r", "relay down", f"the relay is down for {DOWN_SECONDS} s", self.relay_down),
            Action("p", "poison", "poison: records that cannot be accepted", self.poison),
            Action("f", "flood", f"a flood of {FLOOD_EVENTS} security mails, with a code in the middle", self.flood),
            Action(OWN_EVENT, "curl", "the command that publishes an event of your own", self.own_event),
        )
        return {action.key: action for action in actions}

    async def kill(self, say: Say) -> None:
        """SIGKILL with mails in flight; it starts again and goes on from the ledger."""
        began = time.monotonic()
        crowd = self._crowd("kill", events=KILL_EVENTS, members=KILL_MEMBERS)
        copies_before = await self._copies()
        await crowd.publish(say)
        tally = await crowd.until(lambda tally: tally.sent >= KILL_AFTER, say)
        service = self._house.services[SECURITY_NOTIFIER]
        await asyncio.to_thread(service.kill)
        killed = f"killed -9 with {tally.sent} of {crowd.events} sent"
        say(f"{killed}; it starts again")
        await self._house.restart(service)
        tally = await crowd.until(
            crowd.is_done,
            lambda text: say(
                f"{killed}; {text} (what it held goes on when its leases lapse, within {LEASE_SECONDS} s)"
            ),
        )
        copies = await self._copies() - copies_before
        doubled = max(0, copies - tally.explained)
        say(
            f"{killed}; then all: {tally.sent} sent, lost {crowd.events - tally.sent}, doubled {doubled}; "
            f"{copies} second copies, {tally.explained} hand-overs of which nobody knew the end; "
            f"{time.monotonic() - began:.0f} s"
        )

    async def relay_down(self, say: Say) -> None:
        """Mail waits in the ledger, with back-off, and leaves when the relay is back."""
        stage, grace, elodie = self._stage, self._story.grace, self._story.elodie
        await stage.inbox.relay_down(DOWN_SECONDS)
        down_until = time.monotonic() + DOWN_SECONDS
        code = await stage.post(self._story.code(grace))
        changed = {"changed_at": datetime.now(UTC)}
        notice = await stage.post(stage.event("identity.password-changed.v1", elodie, changed))
        while len(sent := await self._sent(code, notice)) < 2:
            left = down_until - time.monotonic()
            say(f"down for another {left:.0f} s" if left > 0 else "the relay is back; the next attempt is due soon")
            await asyncio.sleep(POLL_SECONDS)
        say("the relay is back; " + ", ".join(f"{row.notice} left with attempt {row.attempts}" for row in sent))

    async def poison(self, say: Say) -> None:
        """Each becomes a dead letter with its reason; the good one among them is sent."""
        stage, began = self._stage, len(self._broker.dead_letters)
        good = stage.event("identity.password-changed.v1", self._story.grace, {"changed_at": datetime.now(UTC)})
        value, headers = write_structured(good)
        records = poisonous(json.loads(value))
        for number, (key, poison) in enumerate(records):
            await stage.upstream.raw(SECURITY.name, key, poison)
            if number == len(records) // 2:
                await stage.upstream.raw(SECURITY.name, good.subject.encode(), value, headers)

        async def told() -> bool:
            letters = self._broker.dead_letters[began:]
            say(f"{len(letters)} of {len(records)} dead letters")
            return len(letters) >= len(records)

        await stage.until(told, f"{len(records)} dead letters")
        await stage.until(lambda: self._sent(good), "mail of the good record among them")
        reasons = "; ".join(letter.reason for letter in self._broker.dead_letters[began:])
        say(f"{len(records)} dead letters, and the good record among them was sent. Reasons: {reasons}")

    async def flood(self, say: Say) -> None:
        """20,000 security mails; a code asked for in the middle of it does not queue behind them."""
        began = time.monotonic()
        crowd = self._crowd("flood", events=FLOOD_EVENTS, members=FLOOD_MEMBERS)
        async with asyncio.TaskGroup() as group:
            publishing = group.create_task(crowd.publish(lambda _: None))
            await crowd.until(lambda tally: tally.sent >= FLOOD_EVENTS // 2, say)
            code = await self._stage.post(self._story.code(self._story.grace))
            (row,) = await self._stage.until(lambda: self._sent(code), "code in the flood")
            assert row.sent_at is not None
            took = f"the code in the middle took {(row.sent_at - row.event_time).total_seconds() * 1000:.0f} ms"
            await publishing
        tally = await crowd.until(crowd.is_done, lambda text: say(f"{took}; {text}"))
        seconds = time.monotonic() - began
        say(f"{took}; {tally.sent} security mails in {seconds:.0f} s, {tally.sent / seconds:.0f} a second")

    async def own_event(self, say: Say) -> None:
        """Shows the command; who runs it is the identity provider."""
        url, member = f"{self._house.services['auth-events'].address}/v1/events", self._story.grace
        command = own_event_command(url, self._house.publishers.tokens[IDENTITY_PROVIDER], member.id)
        say(f"{member.name} changes her password when you run this in another terminal:\n{command}")

    def _crowd(self, name: str, *, events: int, members: int) -> Crowd:
        self._crowds += 1
        prefix = f"{name}-{self._stage.run}-{self._crowds}"
        return Crowd(self._stage.upstream, self._stage.ledger, prefix, members=members, events=events)

    async def _sent(self, *events: Event[Data]) -> list[Seen]:
        ids = {event.id for event in events}
        return [row for row in await self._stage.rows() if row.event in ids and row.state == "sent"]

    async def _copies(self) -> int:
        """Of any mail, beyond the first."""
        duplicates = (await self._stage.inbox.stats())["duplicates"]
        return sum(each["copies"] - 1 for each in duplicates)


def own_event_command(url: str, token: str, member: str) -> str:
    """For a POSIX shell, which gives the event its id and time: each run is a new one, in any one second.

    Lines end where a shell goes on reading, and without a backslash: copied from a terminal, spaces may follow.
    """
    return (
        f"now=$(date -u +%FT%TZ) url={url}\n"
        f"token={token}\n"
        f"curl -i $url --noproxy '*' --oauth2-bearer $token -d '{{\n"
        f""""specversion":"1.0","source":"{IDENTITY_PROVIDER}","id":"try-'$now'",\n"""
        f""""type":"identity.password-changed.v1","subject":"{member}","time":"'$now'",\n"""
        f""""data":{{"changed_at":"'$now'"}}}}' -H content-type:{STRUCTURED}"""
    )


def poisonous(good: Mapping[str, object]) -> list[tuple[bytes, bytes | None]]:
    """Key and value of records that are nearly right: one thing is wrong with each."""
    subject = str(good["subject"]).encode()

    def altered(**attributes: object) -> bytes:
        return json.dumps({**good, **attributes}).encode()

    return [
        (subject, b"this is not JSON"),
        (subject, None),
        (subject, altered(id="poison-type", type="identity.password-eaten.v1")),
        (subject, altered(id="poison-nul", data={"changed_at": "2026-11-22T12:00:00Z", "by": "\x00"})),
        (subject, altered(id="poison-data", data={"changed_at": "yesterday"})),
        (subject, altered(id="poison-time", time="2020-01-01T00:00:00Z")),
        (b"somebody-else", altered(id="poison-key")),
    ]
