"""Where the CPU time of `member-notices` goes: `python -m tests.bench.sampler OUT.json notifier …`.

From SIGUSR1 on (the start-up is not of interest), every few milliseconds of CPU time (not of wall time: an idle process
leaves no samples) the stack is looked at, and counted for the innermost frame that belongs to a stage. Written to
OUT.json, {stage: samples}, when the program ends. Work in C without a Python frame of its own counts for the frame that
called it; what the event loop does by itself (sockets, timers, asyncpg's protocol) has none and counts as the loop's.
"""

import atexit
import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

INTERVAL_SECONDS = 0.002
EVENT_LOOP = "event loop, sockets"
STAGES = (
    ("services/notifier/mime", "MIME"),
    ("aiosmtplib/", "SMTP"),
    ("services/notifier/channels/", "SMTP"),
    ("services/notifier/compose", "compose"),
    ("services/notifier/formats", "compose"),
    ("jinja2/", "compose"),
    ("<template>", "compose"),
    ("services/runtime/vault", "encryption"),
    ("cryptography/", "encryption"),
    ("services/notifier/plan", "plan"),
    ("services/notifier/facts", "plan"),
    ("services/notifier/catalogue", "plan"),
    ("schemas/", "decode"),
    ("services/runtime/outbox", "outcomes"),
    ("services/runtime/publisher", "outcomes"),
    ("services/notifier/ledger", "ledger"),
    ("services/runtime/database", "ledger"),
    ("asyncpg/", "ledger"),
    ("aiokafka/", "Kafka"),
    ("faststream/", "Kafka"),
    ("services/runtime/kafka", "Kafka"),
    ("prometheus_client/", "logs and metrics"),
    ("structlog/", "logs and metrics"),
    ("services/runtime/logs", "logs and metrics"),
    ("services/notifier/metrics", "logs and metrics"),
    ("services/notifier/", "accept, lanes, deliver"),
)
"""Part of a file's path → stage; the first that fits."""


class Sampler:
    def __init__(self) -> None:
        self.samples: Counter[str] = Counter()
        self._stage_of_file: dict[str, str | None] = {}

    def start(self, *_: object) -> None:
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _sample(self, _: int, frame: FrameType | None) -> None:
        while frame is not None:
            stage = self._stage(frame.f_code.co_filename)
            if stage is not None:
                self.samples[stage] += 1
                return
            frame = frame.f_back
        self.samples[EVENT_LOOP] += 1

    def _stage(self, file: str) -> str | None:
        if file not in self._stage_of_file:
            self._stage_of_file[file] = next((stage for part, stage in STAGES if part in file), None)
        return self._stage_of_file[file]


def main() -> None:
    out = Path(sys.argv[1])
    sampler = Sampler()

    def write() -> None:
        sampler.stop()
        out.write_text(json.dumps(sampler.samples))

    atexit.register(write)
    signal.signal(signal.SIGUSR1, sampler.start)
    sys.argv[:] = ["member-notices", *sys.argv[2:]]
    from services.cli import main as program  # noqa: PLC0415 (its imports come after the handlers are set)

    program()


if __name__ == "__main__":
    main()
