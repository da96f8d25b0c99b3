"""Failpoints: nothing where nothing is set, proof before the action, and never in a process that may reach people."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.runtime import failpoints
from services.runtime.failpoints import POINTS, FailpointError, read
from services.runtime.settings import SettingsError

ROOT = Path(__file__).parents[2]
PASS_ONCE = "from services.runtime.failpoints import failpoint; failpoint('claimed'); print('went on', flush=True)"


def environment(tmp_path: Path, points: str, **more: str) -> dict[str, str]:
    return {"FAILPOINTS": points, "FAILPOINTS_LOG": str(tmp_path / "hits"), "DELIVERY_MODE": "capture", **more}


def hits(tmp_path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (tmp_path / "hits").read_text().splitlines()]


def test_without_failpoints_the_hook_is_a_function_that_does_nothing() -> None:
    assert read({"DELIVERY_MODE": "live"}) is failpoints._nothing
    assert failpoints.failpoint is failpoints._nothing


@pytest.mark.parametrize("name", ["DELIVERY_MODE", "delivery_mode"])
@pytest.mark.parametrize("mode", ["live", "allow-list"])
def test_a_process_that_may_reach_people_refuses_to_start(tmp_path: Path, name: str, mode: str) -> None:
    given = environment(tmp_path, "claimed:kill")
    del given["DELIVERY_MODE"]
    with pytest.raises(SettingsError, match="set DELIVERY_MODE=capture"):
        read(given | {name: mode})
    with pytest.raises(SettingsError, match="set DELIVERY_MODE=capture"):
        read(given)


@pytest.mark.parametrize("command", ["notifier", "auth-events"])
def test_a_live_service_ends_before_it_reads_anything_else(tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", command],
        cwd=ROOT,
        env=os.environ | environment(tmp_path, "claimed:kill", DELIVERY_MODE="live"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "FAILPOINTS breaks this process on purpose" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "points",
    ["claimed", "claimed:explode", "nowhere:kill", "claimed:kill:0", "claimed:kill,claimed:hang", "claimed:kill:2.5"],
)
def test_what_cannot_be_armed_is_refused(tmp_path: Path, points: str) -> None:
    with pytest.raises(SettingsError, match="each entry is point:action"):
        read(environment(tmp_path, points))


def test_hits_need_a_log_to_prove_them(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="FAILPOINTS_LOG is missing"):
        read(environment(tmp_path, "claimed:kill") | {"FAILPOINTS_LOG": ""})


def test_an_error_is_raised_the_nth_time_and_once(tmp_path: Path) -> None:
    failpoint = read(environment(tmp_path, "claimed:error:3,handing-over-marked:error"))
    failpoint("claimed")
    failpoint("recorded-before-relay")
    failpoint("claimed")
    with pytest.raises(FailpointError, match="claimed"):
        failpoint("claimed")
    failpoint("claimed")
    assert [(hit["point"], hit["action"], hit["pid"]) for hit in hits(tmp_path)] == [("claimed", "error", os.getpid())]


def test_a_probability_strikes_sometimes_and_again(tmp_path: Path) -> None:
    failpoint = read(environment(tmp_path, "claimed:error:0.5"))
    struck = 0
    for _ in range(200):
        try:
            failpoint("claimed")
        except FailpointError:
            struck += 1
    # 2 in 10^12 of all runs fall outside.
    assert 50 < struck < 150
    assert len(hits(tmp_path)) == struck


def test_kill_is_proved_before_it_happens(tmp_path: Path) -> None:
    process = _pass_once(tmp_path, "claimed:kill")
    assert process.communicate()[0] == b""
    assert process.returncode == -signal.SIGKILL
    assert [(hit["point"], hit["pid"]) for hit in hits(tmp_path)] == [("claimed", process.pid)]


def test_hang_stands_still_until_it_is_told_to_go_on(tmp_path: Path) -> None:
    process = _pass_once(tmp_path, "claimed:hang")
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert hits(tmp_path)[0]["action"] == "hang"
    process.send_signal(signal.SIGCONT)
    assert process.communicate()[0] == b"went on\n"
    assert process.returncode == 0


def test_every_point_stands_in_the_code_once() -> None:
    code = "".join(
        path.read_text("utf-8") for path in (ROOT / "services").rglob("*.py") if path.name != "failpoints.py"
    )
    assert {point: code.count(f'failpoint("{point}")') for point in POINTS} == dict.fromkeys(POINTS, 1)


def _pass_once(tmp_path: Path, points: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PASS_ONCE],
        cwd=ROOT,
        env=os.environ | environment(tmp_path, points),
        stdout=subprocess.PIPE,
    )
