"""One round of a pipeline: warm it up, publish, wait for every mail; exactly one an event, or no figure."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from tests.bench.load import PasswordChange
from tests.bench.rig import BenchError, Rig

START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Round:
    """`wall_seconds`: from before the first event was published to the last mail accepted by the SMTP server."""

    mails: int
    wall_seconds: float
    cpu_seconds: float
    postgres_cpu_seconds: float | None
    samples: dict[str, str]

    @property
    def mails_per_second(self) -> float:
        return self.mails / self.wall_seconds

    @property
    def cpu_ms_per_mail(self) -> float:
        return 1000 * self.cpu_seconds / self.mails

    @property
    def postgres_cpu_ms_per_mail(self) -> float | None:
        return None if self.postgres_cpu_seconds is None else 1000 * self.postgres_cpu_seconds / self.mails

    def with_cpu(self, seconds: float) -> "Round":
        return replace(self, cpu_seconds=seconds)


async def nothing() -> None:
    """A pipeline that has done all its work when its last mail is out."""


async def measure(
    rig: Rig,
    warm_up: Sequence[PasswordChange],
    changes: Sequence[PasswordChange],
    *,
    within_seconds: float,
    publish_on: str | None = None,
    cpu: Callable[[], float] = lambda: 0.0,
    settled: Callable[[], Awaitable[None]] = nothing,
) -> Round:
    """`cpu` and PostgreSQL's are read when the pipeline has `settled`: work put off until after the mail counts."""
    await rig.sink.reset()
    await rig.publisher.publish([change.record for change in warm_up], topic=publish_on)
    await rig.sink.wait(len(warm_up), within_seconds=START_SECONDS)
    await settled()
    await rig.sink.reset()
    cpu_before, postgres_before = cpu(), rig.postgres_cpu_seconds()
    started = time.monotonic()
    await rig.publisher.publish([change.record for change in changes], topic=publish_on)
    await rig.sink.wait(len(changes), within_seconds=within_seconds)
    await settled()
    cpu_after, postgres_after = cpu(), rig.postgres_cpu_seconds()
    mails = await rig.sink.mails()
    refuse_unless_once(Counter(change.member.email for change in changes), mails)
    postgres = postgres_after - postgres_before if postgres_after is not None and postgres_before is not None else None
    return Round(
        mails=len(mails),
        wall_seconds=mails[-1][1] - started,
        cpu_seconds=cpu_after - cpu_before,
        postgres_cpu_seconds=postgres,
        samples=await rig.sink.samples(),
    )


def refuse_unless_once(expected: Counter[str], mails: Sequence[tuple[str, float]]) -> None:
    """Every event exactly one mail, to its member."""
    came = Counter(recipient for recipient, _ in mails)
    missing, extra = expected - came, came - expected
    if missing or extra:
        raise BenchError(f"not one mail an event: {missing.total()} missing, {extra.total()} too many")
