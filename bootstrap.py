#!/usr/bin/env python3
"""Makes .venv with every locked dependency, or says in one sentence what is missing and what to type.

usage: python3 bootstrap.py demo|test|check

Standard library only. The syntax stays within Python 3.6, so that an old Python can say that it is too old.
"""

# ruff: noqa: S603, T201 - it starts installers and talks to a person

import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST, NEWEST = (3, 11), (3, 14)  # what the locked wheels exist for
OLDEST_GLIBC = (2, 28)
OLDEST_JAVA = 17
JAVA_FROM_PIP = (("Linux", "x86_64"), ("Darwin", "arm64"))
MACHINES = (("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"))
KAFKA_MB = 45


class Profile(NamedTuple):
    lock: str
    download_mb: int
    disk_mb: int
    needs_broker: bool


PROFILES = {
    "demo": Profile("run.txt", download_mb=100, disk_mb=700, needs_broker=True),
    "test": Profile("dev.txt", download_mb=135, disk_mb=900, needs_broker=True),
    "check": Profile("dev.txt", download_mb=135, disk_mb=900, needs_broker=False),
}


class Python(NamedTuple):
    path: str
    version: "tuple[int, ...]"
    can_venv: bool


class Machine(NamedTuple):
    """The facts that a decision depends on."""

    system: str
    arch: str
    libc: str
    """"musl", or glibc's version such as "2.36"; empty where there is neither."""
    pythons: "tuple[Python, ...]"
    """In order of preference; the one that runs this comes first."""
    uv: "str | None"
    java: int
    """Feature release; 0 if there is none."""
    free_mb: int
    writable: bool
    broker_given: bool


class Problem(Exception):  # noqa: N818 - it is shown to a person, not handled
    """One sentence, with the command to type."""


class Plan(NamedTuple):
    python: str
    """A path, or a version for uv to provide."""
    tools: "tuple[str, ...]"
    """Of "uv" and "pip", those to try, in order."""


def decide(machine: Machine, profile: Profile) -> Plan:
    """Return how to install; raise Problem if it cannot work, before anything is downloaded."""
    refuse_machine(machine)
    if not machine.writable:
        raise Problem(
            f"{ROOT} cannot be written: git clone {shlex.quote(str(ROOT))} ~/member-notices "
            "&& cd ~/member-notices, then again."
        )
    if machine.free_mb < profile.disk_mb:
        raise Problem(
            f"The disk of {ROOT} has {machine.free_mb} MB free and about {profile.disk_mb} MB are needed: "
            "make room (df -h . shows how full it is), then again."
        )
    wants_java = profile.needs_broker and not machine.broker_given
    if wants_java and machine.java < OLDEST_JAVA and (machine.system, machine.arch) not in JAVA_FROM_PIP:
        raise Problem(
            f"Kafka needs Java {OLDEST_JAVA} or newer, and pip has none for {machine.system} on {machine.arch}: "
            f"{'brew install openjdk' if machine.system == 'Darwin' else 'sudo apt install default-jre-headless'}, "
            "then again."
        )
    return choose_python(machine)


def refuse_machine(machine: Machine) -> None:
    in_container = 'docker run --rm -it -v "$PWD":/src -w /src python:3.12 make demo'
    if machine.system == "Windows":
        raise Problem("Windows itself has no PostgreSQL wheel for this: wsl --install, and clone and run inside WSL.")
    if machine.libc == "musl":
        raise Problem(f"Alpine (musl libc) has no wheels for several dependencies; a Debian image has: {in_container}")
    if (machine.system, machine.arch) not in MACHINES:
        raise Problem(
            f"There are no wheels for {machine.system} on {machine.arch}, only for Linux on x86_64 or aarch64 and for "
            f"Apple silicon; a container may do: {in_container}"
        )
    if machine.libc and version_of(machine.libc) < OLDEST_GLIBC:
        raise Problem(f"glibc {machine.libc} is too old for the locked wheels (2.28 is needed): {in_container}")


def choose_python(machine: Machine) -> Plan:
    fitting = [python for python in machine.pythons if OLDEST <= python.version[:2] <= NEWEST]
    complete = [python for python in fitting if python.can_venv]
    if complete:
        return Plan(complete[0].path, ("uv", "pip") if machine.uv else ("pip",))
    if machine.uv:
        return Plan(fitting[0].path if fitting else "3.12", ("uv",))
    if fitting:
        version = ".".join(map(str, fitting[0].version[:2]))
        raise Problem(
            f"Python {version} at {fitting[0].path} lacks its venv module: sudo apt install python{version}-venv, "
            "then again."
        )
    found = ", ".join(sorted({".".join(map(str, python.version[:2])) for python in machine.pythons})) or "none"
    raise Problem(
        f"Python {'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))} is needed, found {found}: "
        f"{get_python(machine)}, then again."
    )


def get_python(machine: Machine) -> str:
    if machine.system == "Darwin":
        return "brew install python@3.12"
    if any(python.version >= (3, 8) for python in machine.pythons):
        # uv brings a Python of its own, and so works where the distribution has no newer one.
        return "python3 -m pip install --user uv"
    return "sudo apt install python3.12 python3.12-venv"


UNREACHABLE = (
    "NewConnectionError|Max retries exceeded|name resolution|dns error|ConnectTimeout|ReadTimeout|ProxyError|"
    "error sending request|Could not connect|Network is unreachable|from versions: none"
)
FAILURES = {
    "No space left on device|os error 28|ENOSPC": "The disk is full: make room (df -h . shows it), then again.",
    "CERTIFICATE_VERIFY_FAILED|UnknownIssuer|invalid peer certificate": (
        "The package index shows a certificate that is not trusted here, as behind a company's proxy: "
        "export SSL_CERT_FILE=<its CA bundle> PIP_CERT=<its CA bundle>, then again."
    ),
    "DO NOT MATCH THE HASHES|Hash mismatch": (
        "A downloaded file is not the one that was locked, so it was refused: python3 -m pip cache purge, "
        "or ask whoever runs your package mirror, then again."
    ),
    UNREACHABLE: (
        "The package index cannot be reached: check the network, or export HTTPS_PROXY=<proxy>, or name your mirror "
        "(PIP_INDEX_URL for pip, UV_DEFAULT_INDEX for uv), then again."
    ),
    "No matching distribution|no usable wheels|no wheels with a matching": (
        "The package index has no wheel of a locked dependency for this Python and machine: name another Python, "
        "make PYTHON=python3.12, then again; a mirror may also be incomplete."
    ),
    "Read-only file system|Permission denied": "A folder cannot be written: git clone to one of yours, then again.",
}


def explain(output: str) -> "str | None":
    """Return the sentence for a usual failure of pip or uv, from what it printed."""
    for pattern, sentence in FAILURES.items():
        if re.search(pattern, output):
            return sentence
    return None


def look() -> Machine:
    """Collect the facts about this machine. Downloads and writes nothing but a probe for a writable folder."""
    return Machine(
        system=platform.system(),
        arch=platform.machine(),
        libc=libc_of_this_machine(),
        pythons=tuple(find_pythons()),
        uv=shutil.which("uv", path=os.pathsep.join([os.environ.get("PATH", ""), str(Path.home() / ".local/bin")])),
        java=find_java(),
        free_mb=shutil.disk_usage(str(ROOT)).free // 10**6,
        writable=can_write(ROOT),
        broker_given=bool(os.environ.get("KAFKA_BOOTSTRAP_SERVERS")),
    )


def libc_of_this_machine() -> str:
    if platform.system() != "Linux":
        return ""
    name, version = platform.libc_ver()
    if name == "glibc":
        return version
    return "musl" if list(Path("/lib").glob("ld-musl-*")) else ""


def version_of(text: str) -> "tuple[int, ...]":
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def find_pythons() -> "list[Python]":
    names = ["python3", "python", *(f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1))]
    paths = [sys.executable, *filter(None, map(shutil.which, names))]
    found = []
    for path in dict.fromkeys(paths):
        probe = (
            "import sys; print(*sys.version_info[:2])\n"
            "try:\n import venv, ensurepip\n print('venv')\nexcept ImportError:\n print('no')"
        )
        lines = output_of([path, "-I", "-c", probe]).splitlines()
        if len(lines) == 2:
            found.append(Python(path, version_of(lines[0]), can_venv=lines[1] == "venv"))
    return found


def find_java() -> int:
    home = os.environ.get("JAVA_HOME")
    candidates = [str(Path(home, "bin", "java"))] if home else []
    candidates += filter(None, [shutil.which("java")])
    versions = [re.search(r'version "(?:1\.)?(\d+)', output_of([java, "-version"])) for java in candidates]
    return max([int(found.group(1)) for found in versions if found], default=0)


def can_write(folder: Path) -> bool:
    probe = folder / ".bootstrap-probe"
    try:
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


def output_of(command: "list[str]") -> str:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")


def stamp_of(lock: str) -> str:
    content = b"\n".join([(ROOT / "requirements" / lock).read_bytes(), Path(__file__).read_bytes(), bytes(VENV)])
    return hashlib.sha256(content).hexdigest()


def is_installed(lock: str) -> bool:
    if not os.path.exists(PYTHON):  # noqa: PTH110 - a path that we may not read counts as absent
        return False
    # The development lock is made on top of the other one, so it serves both.
    for candidate in {lock, "dev.txt"}:
        stamp = VENV / f".installed-{candidate}"
        if stamp.is_file() and stamp.read_text() == stamp_of(candidate):
            return True
    return False


def install(plan: Plan, profile: Profile, machine: Machine) -> None:
    then = f", and Kafka's {KAFKA_MB} MB when it starts" if profile.needs_broker and not machine.broker_given else ""
    print(
        f"Installing requirements/{profile.lock} into .venv, once: about {profile.download_mb} MB to download{then}.",
        flush=True,
    )
    for position, tool in enumerate(plan.tools):
        output = run_all(commands_of(tool, plan, profile, machine.uv))
        if output is None:
            break
        if position == len(plan.tools) - 1:
            print(output, file=sys.stderr)
            raise Problem(explain(output) or f"{tool} failed, its last lines are above: mend that, then again.")
        print(f"{tool} failed, trying {plan.tools[position + 1]}.", flush=True)
    link_project()
    (VENV / f".installed-{profile.lock}").write_text(stamp_of(profile.lock))


def commands_of(tool: str, plan: Plan, profile: Profile, uv: "str | None") -> "list[list[str]]":
    """What makes .venv, unless it is there and works, and fills it."""
    options = ["--require-hashes", "--only-binary", ":all:", "-r", f"requirements/{profile.lock}"]
    if tool == "uv":
        create = [str(uv), "venv", "--clear", "--python", plan.python, str(VENV)]
        fill = [str(uv), "pip", "install", "--python", str(PYTHON), *options]
        needed = "sys"
    else:
        create = [plan.python, "-m", "venv", "--clear", str(VENV)]
        fill = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *options]
        needed = "pip"
    # An upgrade of the system's Python may have taken the old one away.
    fits = output_of([str(PYTHON), "-c", f"import sys, {needed}; print({OLDEST} <= sys.version_info[:2] <= {NEWEST})"])
    return [fill] if fits.strip() == "True" else [create, fill]


def run_all(commands: "list[list[str]]") -> "str | None":
    """Run them in order, showing what they download; return None, or the end of the output of the one that failed."""
    for command in commands:
        process = subprocess.Popen(command, cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        lines = []  # type: list[str]
        for raw in process.stdout or ():
            line = raw.decode(errors="replace").rstrip()
            lines = [*lines[-39:], line]
            if re.match(r"\s*(Downloading|Installed|Successfully installed|Installing) ", line):
                print(line if len(line) < 100 else line[:100] + " …", flush=True)
        if process.wait():
            return "\n".join(lines)
    return None


def link_project() -> None:
    """Make schemas, services and demo importable and write the command; no build tool is in the lock of the demo."""
    packages = next(VENV.glob("lib/python3*/site-packages"))
    (packages / "member_notices.pth").write_text(f"{ROOT}\n")
    command = VENV / "bin" / "member-notices"
    # To sh the second line is a command, to Python a string: a #! line may hold neither a space nor a long path.
    python = shlex.quote(str(PYTHON))
    command.write_text(
        f"#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\n"
        "import sys\n\nfrom services.cli import main\n\nsys.exit(main())\n"
    )
    command.chmod(0o755)


def main(arguments: "list[str]") -> int:
    if len(arguments) != 1 or arguments[0] not in PROFILES:
        print(f"usage: python3 bootstrap.py {'|'.join(PROFILES)}", file=sys.stderr)
        return 2
    profile = PROFILES[arguments[0]]
    if is_installed(profile.lock):
        return 0
    machine = look()
    try:
        install(decide(machine, profile), profile, machine)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
