"""The figures as a table for people and as JSON for machines."""

import math
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.bench.flood import Flood, Latencies
from tests.bench.meters import REFERENCE_SECONDS, least_naive_rate, most_naive_cpu_ms
from tests.bench.rounds import Round

LEAST_RATIO = 8.0
"""Times the naive pipeline's mails a second that we promise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything measured. `stages`: share of our CPU time by stage, from a run of its own."""

    load_before: float
    """Processes that wanted a core in the minute before (load average)."""
    calibrations: Sequence[float]
    naive: Sequence[Round]
    ours: Sequence[Round]
    compared: int
    stages: Mapping[str, float]
    flood: Flood

    @property
    def calibration(self) -> float:
        return statistics.median(self.calibrations)

    @property
    def rate_ratio(self) -> float:
        return self._ratio(_rate)

    @property
    def cpu_ratio(self) -> float:
        return 1 / self._ratio(_cpu)

    def _ratio(self, figure: Callable[[Round], float]) -> float:
        """Median of the rounds' own ratios: the two sides of a round met the same machine, rounds may not."""
        pairs = zip(self.ours, self.naive, strict=True)
        return statistics.median(figure(ours) / figure(naive) for ours, naive in pairs)

    def promises(self) -> dict[str, bool]:
        """What must hold, and whether it does."""
        rate, cpu = least_naive_rate(self.calibration), most_naive_cpu_ms(self.calibration)
        return {
            f"naive is no straw man here: at least {rate:.0f} mails/s": _median(self.naive, _rate) >= rate,
            f"naive is no straw man here: at most {cpu:.1f} ms CPU a mail": _median(self.naive, _cpu) <= cpu,
            f"ours sends at least {LEAST_RATIO:g} times as many mails/s": self.rate_ratio >= LEAST_RATIO,
        }

    def as_json(self) -> dict[str, Any]:
        ours_cpu = _median(self.ours, _cpu)
        return {
            "measured_at": datetime.now(UTC).isoformat(),
            "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
            "load_before": self.load_before,
            "calibration": {"seconds": list(self.calibrations), "reference_seconds": REFERENCE_SECONDS},
            "naive": [_round(one) for one in self.naive],
            "ours": [_round(one) for one in self.ours],
            "ratio": {"mails_per_second": self.rate_ratio, "cpu_per_mail": self.cpu_ratio},
            "mails_compared": self.compared,
            "ours_cpu_ms_by_stage": {stage: share * ours_cpu for stage, share in self.stages.items()},
            "code_latency_ms": {
                "idle": _latencies(self.flood.idle),
                "behind_a_flood": _latencies(self.flood.behind),
                "still_queued_behind_the_last_code": self.flood.queued,
            },
            "promises": self.promises(),
        }

    def as_table(self) -> str:
        return "\n".join([*self._pipelines(), "", *self._stages(), "", *self._codes(), "", *self._promises()])

    def _pipelines(self) -> list[str]:
        speed = f"calibration loop {self.calibration:.3f} s here, {REFERENCE_SECONDS} s on the machine of reference"
        lines = [
            f"One process each, {len(self.ours)} rounds in turn; medians, and the median of the rounds' ratios.",
            f"Every event became exactly one mail; {self.compared} mails compared, their texts are equal; {speed}.",
            "",
            f"{'pipeline':<10}{'mails':>8}{'mails/s':>10}{'CPU ms/mail':>14}{'PostgreSQL CPU ms/mail':>25}",
        ]
        if self.load_before > (os.cpu_count() or 1) / 2:
            lines.insert(1, f"This machine was busy (load {self.load_before:.1f}): trust CPU a mail, not mails/s.")
        for name, rounds in (("naive", self.naive), ("ours", self.ours)):
            mails = sum(one.mails for one in rounds)
            rate, cpu, postgres = (_median(rounds, figure) for figure in (_rate, _cpu, _postgres))
            lines.append(f"{name:<10}{mails:>8}{rate:>10.0f}{cpu:>14.2f}{_or_dash(postgres):>25}")
        lines.append(f"{'ratio':<10}{'':>8}{self.rate_ratio:>9.1f}x{self.cpu_ratio:>13.1f}x")
        return lines

    def _stages(self) -> list[str]:
        ours_cpu = _median(self.ours, _cpu)
        lines = [f"{'where our CPU goes':<28}{'ms/mail':>10}{'share':>8}"]
        for stage, share in sorted(self.stages.items(), key=lambda item: -item[1]):
            lines.append(f"{stage:<28}{share * ours_cpu:>10.3f}{share:>8.0%}")
        return lines

    def _codes(self) -> list[str]:
        lines = [f"{'a code, event to 250':<28}{'p50 ms':>10}{'p99 ms':>10}{'worst ms':>10}"]
        behind = f"behind a flood ({self.flood.queued} left)"
        for name, latencies in (("nothing else queued", self.flood.idle), (behind, self.flood.behind)):
            told = _latencies(latencies)
            lines.append(f"{name:<28}{told['p50']:>10.1f}{told['p99']:>10.1f}{told['worst']:>10.1f}")
        return lines

    def _promises(self) -> list[str]:
        return [f"{'kept' if kept else 'BROKEN'}: {promise}" for promise, kept in self.promises().items()]


def _rate(one: Round) -> float:
    return one.mails_per_second


def _cpu(one: Round) -> float:
    return one.cpu_ms_per_mail


def _postgres(one: Round) -> float:
    return math.nan if one.postgres_cpu_ms_per_mail is None else one.postgres_cpu_ms_per_mail


def _median(rounds: Sequence[Round], figure: Callable[[Round], float]) -> float:
    return statistics.median(figure(one) for one in rounds)


def _or_dash(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _round(one: Round) -> dict[str, float | None]:
    return {
        "mails": one.mails,
        "mails_per_second": one.mails_per_second,
        "wall_seconds": one.wall_seconds,
        "cpu_ms_per_mail": one.cpu_ms_per_mail,
        "postgres_cpu_ms_per_mail": one.postgres_cpu_ms_per_mail,
    }


def _latencies(latencies: Latencies) -> dict[str, float]:
    return {
        "count": len(latencies.ms),
        "p50": latencies.percentile(0.50),
        "p99": latencies.percentile(0.99),
        "worst": latencies.ms[-1],
    }
