"""Named places where a test may end, stop or break this process; without FAILPOINTS each is a function that returns.

    FAILPOINTS=name:action[:when][,…]     FAILPOINTS_LOG=file

| part | values |
|---|---|
| action | `kill`: SIGKILL to ourselves · `hang`: stands still until SIGCONT · `error`: raises `FailpointError` |
| when | `3`: the third time this process comes by, once (default 1) · `0.05`: with this probability, each time |

Each hit is a line of JSON in FAILPOINTS_LOG, on disk before the action, so that it can be proved. Both are read once,
when the process starts, and from the environment alone: they are no settings. A process that has FAILPOINTS but not
DELIVERY_MODE=capture refuses to start.
"""

import json
import os
import random
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from services.runtime.settings import SettingsError

POINTS = frozenset(
    {
        "accepted-before-commit",  # in the ledger; the offsets are not committed
        "claimed",  # leased, in a worker's hands; nothing marked
        "handing-over-marked",  # the mark is committed; no byte has left
        "relay-accepted-before-record",  # the provider's 250 or 201 is read; the ledger does not know
        "recorded-before-relay",  # an outcome is read from the outbox; the broker does not have it
        "relayed-before-delete",  # the broker has it; the outbox has it still
        "decided-before-commit",  # complaint_sla: a sweep has decided; nothing is committed
        "timers-fired-before-commit",  # auth_events: a sweep has said what was due; nothing is committed
        "upstream-taken-before-commit",  # auth_events: a provider's events are taken; nothing is committed
        "contact-heard-before-commit",  # auth_events: identities are stored, what waited is woken; nothing is committed
        "sign-ons-seen-before-commit",  # auth_events: browsers are remembered, notices made; nothing is committed
        "outbox-written-before-answer",  # auth_events: the outbox has it; the caller has no answer
    }
)
_ENTRY = re.compile(r"(?P<point>[a-z-]+):(?P<action>kill|hang|error)(?::(?P<when>[1-9][0-9]{0,8}|0?\.[0-9]+))?")


class FailpointError(Exception):
    """What no code of ours expects."""


@dataclass(slots=True)
class _Armed:
    action: str
    probability: float | None
    left: int
    """How often it must still be passed; not used with a probability."""

    def strikes(self) -> bool:
        if self.probability is not None:
            return random.random() < self.probability  # noqa: S311 (spreads faults, keeps no secret)
        self.left -= 1
        return self.left == 0


class Failpoints:
    """What is armed in this process."""

    def __init__(self, armed: Mapping[str, _Armed], log: Path) -> None:
        self._armed = armed
        self._log = log

    def __call__(self, point: str) -> None:
        """This process comes by `point`."""
        armed = self._armed.get(point)
        if armed is None or not armed.strikes():
            return
        self._write(point, armed.action)
        match armed.action:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                os.kill(os.getpid(), signal.SIGSTOP)
            case _:
                raise FailpointError(point)

    def _write(self, point: str, action: str) -> None:
        hit = {"at": datetime.now(UTC).isoformat(), "pid": os.getpid(), "point": point, "action": action}
        log = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(log, json.dumps(hit).encode() + b"\n")
            os.fsync(log)
        finally:
            os.close(log)


def read(environment: Mapping[str, str]) -> Callable[[str], None]:
    """The hook as this environment wants it. Raises SettingsError."""
    wanted = environment.get("FAILPOINTS")
    if not wanted:
        return _nothing
    # As pydantic-settings reads it: whatever the case of the name.
    mode = next((value for name, value in environment.items() if name.upper() == "DELIVERY_MODE"), None)
    if mode != "capture":
        raise SettingsError("with FAILPOINTS", ["FAILPOINTS breaks this process on purpose; set DELIVERY_MODE=capture"])
    log = environment.get("FAILPOINTS_LOG")
    if not log:
        raise SettingsError("with FAILPOINTS", ["FAILPOINTS_LOG is missing. Set it to the file to note each hit in"])
    armed: dict[str, _Armed] = {}
    for entry in wanted.split(","):
        found = _ENTRY.fullmatch(entry)
        if found is None or found["point"] not in POINTS or found["point"] in armed:
            rule = f"each entry is point:action[:when], each point once, of {', '.join(sorted(POINTS))}"
            raise SettingsError("with FAILPOINTS", [f"FAILPOINTS is not usable: {rule}"])
        when = found["when"] or "1"
        probability = float(when) if "." in when else None
        armed[found["point"]] = _Armed(found["action"], probability, 0 if probability is not None else int(when))
    return Failpoints(armed, Path(log))


def _nothing(point: str) -> None:
    """Where FAILPOINTS is not set."""


failpoint = read(os.environ)
"""`failpoint("claimed")` where the process comes by; bound once, so that without FAILPOINTS it costs one empty call."""
