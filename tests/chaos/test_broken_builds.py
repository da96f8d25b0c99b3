"""Builds, each broken on purpose in a copy of the tree, must each fail the test that is there for it."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = ("schemas", "services", "demo", "tests", "pyproject.toml", ".env.example")
PASSED, FAILED = 0, 1
"""pytest's exit status; a test that cannot even be collected has another."""


@dataclass(frozen=True, slots=True)
class Break:
    """`old` stands in `file` exactly once, and becomes `new`."""

    file: str
    old: str
    new: str

    def apply(self, tree: Path) -> None:
        path = tree / self.file
        text = path.read_text("utf-8")
        assert text.count(self.old) == 1, f"{self.file} has changed: say anew how to break it"
        path.write_text(text.replace(self.old, self.new), "utf-8")


@dataclass(frozen=True, slots=True)
class Build:
    test: str
    breaks: tuple[Break, ...]


BUILDS = {
    "offset committed before the ledger": Build(
        "tests/chaos/test_read_while_away.py",
        (
            Break(
                "services/runtime/intake.py",
                "        refused = await self._wait_for_database(batch, entries, step)\n",
                "        await batch.commit()\n        refused = await self._wait_for_database(batch, entries, step)\n",
            ),
        ),
    ),
    "deadlines judged by now and not by the watermark": Build(
        "tests/integration/test_complaint_downtime.py",
        (
            Break(
                "services/complaint_sla/sweep.py",
                "        watermark = await self._progress.watermark()\n",
                "        watermark = self._clock.now()\n",
            ),
        ),
    ),
    "lease token not checked": Build(
        "tests/integration/test_ledger_sending.py::test_a_lapsed_claim_is_taken_over_and_its_first_owner_sends_nothing",
        (
            Break(
                "services/notifier/ledger/handing_over.py",
                "AND n.id = ANY($2) AND n.id = asked.id AND n.lease_token = asked.token",
                "AND n.id = ANY($2) AND n.id = asked.id",
            ),
        ),
    ),
    "address in the dedupe key": Build(
        "tests/unit/test_plan.py::test_the_id_depends_on_the_event_notice_channel_and_role_alone",
        (
            Break(
                "services/notifier/plan.py",
                "id=notification_id(event, notice.name, recipient.channel, recipient.role),",
                'id=notification_id(event, notice.name, recipient.channel, f"{recipient.role}{recipient.address}"),',
            ),
        ),
    ),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What there is, without what runs have left."""
    for name in COPIED:
        source, target = ROOT / name, tmp_path / "tree" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
    return tmp_path / "tree"


@pytest.mark.parametrize("name", BUILDS)
def test_a_broken_build_fails_where_a_whole_one_passes(tree: Path, name: str) -> None:
    build = BUILDS[name]
    whole = _test(tree, build.test)
    assert whole.returncode == PASSED, whole.stdout[-3000:]
    for each in build.breaks:
        each.apply(tree)
    broken = _test(tree, build.test)
    assert broken.returncode == FAILED, broken.stdout[-3000:]
    print(f"\n{name}: {_last_line(whole)}; broken: {_last_line(broken)}")


def _test(tree: Path, test: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.strip().splitlines()[-1]
