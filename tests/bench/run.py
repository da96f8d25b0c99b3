"""The bench: `python -m tests.bench.run`. The frozen naive pipeline against the notifier, and codes behind a flood.

On real Kafka, real PostgreSQL with fsync and an SMTP sink, all on this machine; both pipelines get the same events and
send equal texts; the notifier runs with its default settings. Rounds alternate. Prints a table, writes it as JSON, and
exits 1 when a promise is broken or no honest figure can be given. Leaves no process behind.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from demo.embedded import EmbeddedError
from tests.bench import flood, naive, ours, texts
from tests.bench.load import LANGUAGES, Member, contacts, members, password_changes
from tests.bench.meters import calibrate
from tests.bench.report import Results
from tests.bench.rig import REPOSITORY, BenchError, Rig, rig

LIMIT_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    rounds: int = 3
    naive_mails: int = 700
    """Each round."""
    our_mails: int = 5_000
    flood_mails: int = 20_000
    codes: int = 200


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def bench(parts: Rig, plan: Plan, load_before: float) -> Results:
    everybody = members(plan.our_mails)
    coded = members(plan.codes, kind="idle"), members(plan.codes, kind="behind")
    notifier = ours.Ours(parts)
    say("storing contacts, writing the naive pipeline's templates from our mails …")
    await naive.prepare(parts, everybody)
    await prepare(parts, notifier, everybody, [*coded[0], *coded[1]])
    calibrations, naive_rounds, our_rounds, compared = [await asyncio.to_thread(calibrate)], [], [], 0
    for number in range(1, plan.rounds + 1):
        warm_up, changes = password_changes(everybody, ours.WARM_UP), password_changes(everybody, plan.our_mails)
        say(f"round {number} of {plan.rounds}: {plan.naive_mails} mails by the naive pipeline …")
        naive_rounds.append(await naive.run(parts, str(number), warm_up[: naive.WARM_UP], changes[: plan.naive_mails]))
        say(f"round {number} of {plan.rounds}: {plan.our_mails} mails by ours …")
        our_rounds.append(await notifier.run(warm_up, changes))
        compared += texts.compare(our_rounds[-1].samples, naive_rounds[-1].samples)
        calibrations.append(await asyncio.to_thread(calibrate))
    say("where our CPU goes: one more round, with a sampler …")
    stages = await profile(parts, notifier, everybody, plan)
    say(f"codes, with nothing else queued and behind {plan.flood_mails} security mails …")
    changes = password_changes(everybody, plan.flood_mails)
    behind = await flood.codes_behind_a_flood(parts, notifier, *coded, changes)
    return Results(
        load_before=load_before,
        calibrations=calibrations,
        naive=naive_rounds,
        ours=our_rounds,
        compared=compared,
        stages=stages,
        flood=behind,
    )


async def prepare(parts: Rig, notifier: ours.Ours, everybody: list[Member], others: list[Member]) -> None:
    """Contacts in our database; the naive pipeline's templates."""
    await notifier.prepare()
    await parts.publisher.publish(contacts([*everybody, *others]))
    some = password_changes(everybody, len(LANGUAGES))
    outcomes = await notifier.outcomes()
    async with notifier.notifier(ours.BULK_LANES):
        await notifier.contacts_stored()
        await parts.sink.reset()
        await parts.publisher.publish([change.record for change in some])
        await parts.sink.wait(len(some), within_seconds=ours.TABLES_SECONDS)
        await notifier.outcomes_reach(outcomes + len(some))
    texts.write_templates(parts.folder / "templates", some, await parts.sink.samples())


async def profile(parts: Rig, notifier: ours.Ours, everybody: list[Member], plan: Plan) -> dict[str, float]:
    """Share of our CPU time by stage."""
    file = parts.folder / "samples.json"
    warm_up, changes = password_changes(everybody, ours.WARM_UP), password_changes(everybody, plan.our_mails)
    await notifier.run(warm_up, changes, samples=file)
    samples: dict[str, int] = json.loads(file.read_text())
    return {stage: count / sum(samples.values()) for stage, count in samples.items()}


async def run(plan: Plan, folder: Path) -> Results:
    load_before = os.getloadavg()[0]
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        async with asyncio.timeout(LIMIT_SECONDS), rig(folder) as parts:
            return await bench(parts, plan, load_before)
    except TimeoutError:
        raise BenchError(f"not done within {LIMIT_SECONDS:g} s: is this machine busy with something else?") from None


def main() -> None:
    parser = argparse.ArgumentParser(description="The frozen naive pipeline against the notifier.")
    parser.add_argument("--rounds", type=int, default=Plan().rounds)
    parser.add_argument("--json", type=Path, default=REPOSITORY / "var" / "bench.json", help="where the figures go")
    arguments = parser.parse_args()
    try:
        naive.refuse_unless_frozen()
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            results = asyncio.run(run(Plan(rounds=arguments.rounds), Path(folder)))
    except (BenchError, EmbeddedError) as error:
        sys.exit(f"no figures: {error}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("no figures: stopped")
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(results.as_json(), indent=2) + "\n")
    print(results.as_table())
    if not all(results.promises().values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
