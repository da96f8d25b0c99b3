"""`make test-mta`: the whole catalogue through a real Postfix. Arguments go to pytest."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.mta.postfix import PROGRAMS

ROOT = Path(__file__).parents[2]


def main() -> int:
    """The exit status of pytest; 1 where Postfix cannot run here, with a sentence that says what it lacks."""
    if shutil.which("postfix") is None or not (PROGRAMS / "master").exists():
        return refuse(
            "No Postfix here. Nothing of it is used but its programs: neither its configuration nor its service.",
            "Debian and Ubuntu: DEBIAN_FRONTEND=noninteractive apt-get install --no-install-recommends postfix",
        )
    if os.geteuid() != 0:
        return refuse(
            "Postfix starts its parts under users of their own, and needs root for that: run this as root,",
            "in a container if need be. `make integration` and `make e2e` ask for no root.",
        )
    tests = [sys.executable, "-m", "pytest", "tests/mta", *sys.argv[1:]]
    return subprocess.run(tests, cwd=ROOT, check=False).returncode


def refuse(*lines: str) -> int:
    print("\n".join(lines), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
