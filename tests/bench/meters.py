"""What the figures are made of: CPU time of processes, and a loop that says how fast this machine is right now."""

import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

REFERENCE_SECONDS = 0.152
"""`calibrate` on two shared cores of an AMD EPYC, CPython 3.11, otherwise idle, median of eight. Measured once, the day
the naive pipeline was frozen and before our own existed; the same minute it sent 60 mails/s. Not to be tuned."""
REFERENCE_CPU_MS = 10.0
REFERENCE_WAIT_MS = 10.0
"""A naive pipeline's mail on such a machine: 50 a second, half of the time CPU, half waiting for fsync and round trips.
CPU speed changes only the first half."""
YARDSTICK = 0.8
"""The naive pipeline reaches at least this share of that: a slower one would flatter us."""
LOOP_LENGTH = 300_000
RUNS = 3
PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "stat").exists()


def calibrate() -> float:
    """Seconds that a fixed amount of pure-Python work takes now (strings, a dict, hashes); median of three."""
    return statistics.median(_loop() for _ in range(RUNS))


def _loop() -> float:
    started = time.perf_counter()
    counts: dict[str, int] = {}
    digest = 0
    for i in range(LOOP_LENGTH):
        key = f"k{i % 997}"
        counts[key] = counts.get(key, 0) + len(key) * (i & 7)
        digest ^= hash((i, key))
    return time.perf_counter() - started


def least_naive_rate(calibration_seconds: float) -> float:
    """Mails per second that the naive pipeline owes on a machine of this speed."""
    cpu_ms = REFERENCE_CPU_MS * calibration_seconds / REFERENCE_SECONDS
    return YARDSTICK * 1000 / (cpu_ms + REFERENCE_WAIT_MS)


def most_naive_cpu_ms(calibration_seconds: float) -> float:
    """Milliseconds of CPU that a mail of the naive pipeline may cost on a machine of this speed."""
    return REFERENCE_CPU_MS * calibration_seconds / REFERENCE_SECONDS / YARDSTICK


def cpu_seconds(pid: int) -> float:
    """User and system time of a running process, all threads; to 10 ms."""
    if HAS_PROC:
        return _Stat.of(pid).own_seconds
    told = subprocess.run(["ps", "-o", "time=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout
    seconds = 0.0
    for part in told.strip().replace("-", ":").split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def tree_cpu_seconds(pid: int) -> float | None:
    """The same for a server with its children, those that ended included. None where there is no /proc."""
    if not HAS_PROC:
        return None
    stats = [stat for path in PROC.glob("[0-9]*") if (stat := _Stat.of_path(path))]
    server = next(stat for stat in stats if stat.pid == pid)
    children = (stat.own_seconds for stat in stats if stat.parent == pid)
    return server.own_seconds + server.reaped_seconds + sum(children)


@dataclass(frozen=True, slots=True)
class _Stat:
    pid: int
    parent: int
    own_seconds: float
    reaped_seconds: float

    @classmethod
    def of(cls, pid: int) -> "_Stat":
        stat = cls.of_path(PROC / str(pid))
        if stat is None:
            raise ProcessLookupError(pid)
        return stat

    @classmethod
    def of_path(cls, path: Path) -> "_Stat | None":
        try:
            text = (path / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The command's name stands in parentheses and may hold anything: count fields from behind it.
        fields = text.rpartition(")")[2].split()
        user, system, reaped_user, reaped_system = (int(field) for field in fields[11:15])
        ticks = os.sysconf("SC_CLK_TCK")
        own, reaped = (user + system) / ticks, (reaped_user + reaped_system) / ticks
        return cls(int(path.name), int(fields[1]), own, reaped)
