"""Each usual reason why nothing can be installed is one sentence with the command to type, before any download."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

import bootstrap
from bootstrap import PROFILES, Machine, Plan, Problem, Python, decide, explain

PYTHON_312 = Python("/usr/bin/python3.12", (3, 12), can_venv=True)
DEMO = PROFILES["demo"]

GOOD = Machine(
    system="Linux",
    arch="x86_64",
    libc="2.36",
    pythons=(PYTHON_312,),
    uv=None,
    java=0,
    free_mb=50_000,
    writable=True,
    broker_given=False,
)


def refusal(machine: Machine, profile: bootstrap.Profile = DEMO) -> str:
    with pytest.raises(Problem) as problem:
        decide(machine, profile)
    return str(problem.value)


def test_a_usual_machine_installs_with_pip() -> None:
    assert decide(GOOD, DEMO) == Plan(PYTHON_312.path, ("pip",))


def test_uv_goes_first_and_pip_stands_by_for_indexes_that_only_pip_knows() -> None:
    assert decide(GOOD._replace(uv="/bin/uv"), DEMO) == Plan(PYTHON_312.path, ("uv", "pip"))


def test_the_first_python_that_is_new_enough_is_taken() -> None:
    old, newer = Python("/old", (3, 9), can_venv=True), Python("/newer", (3, 13), can_venv=True)
    assert decide(GOOD._replace(pythons=(old, newer, PYTHON_312)), DEMO).python == "/newer"


def test_uv_provides_a_python_where_none_fits() -> None:
    old = Python("/old", (3, 9), can_venv=True)
    assert decide(GOOD._replace(pythons=(old,), uv="/bin/uv"), DEMO) == Plan("3.12", ("uv",))


def test_uv_makes_the_environment_where_the_venv_module_is_missing() -> None:
    bare = PYTHON_312._replace(can_venv=False)
    assert decide(GOOD._replace(pythons=(bare,), uv="/bin/uv"), DEMO) == Plan(bare.path, ("uv",))


@pytest.mark.parametrize(
    ("facts", "cause", "command"),
    [
        ({"pythons": (Python("/p", (3, 9), can_venv=True),)}, "found 3.9", "python3 -m pip install --user uv"),
        ({"pythons": (Python("/p", (3, 6), can_venv=True),)}, "found 3.6", "sudo apt install python3.12"),
        ({"pythons": (Python("/p", (3, 15), can_venv=True),)}, "3.11 to 3.14 is needed, found 3.15", "pip install"),
        ({"pythons": ()}, "found none", "sudo apt install python3.12 python3.12-venv"),
        (
            {"pythons": (Python("/p", (3, 10), can_venv=True),), "system": "Darwin", "arch": "arm64", "libc": ""},
            "found 3.10",
            "brew install python@3.12",
        ),
        (
            {"pythons": (Python("/usr/bin/python3", (3, 11), can_venv=False),)},
            "/usr/bin/python3 lacks its venv module",
            "sudo apt install python3.11-venv",
        ),
        ({"libc": "musl"}, "Alpine", "docker run"),
        ({"libc": "2.17"}, "glibc 2.17 is too old", "docker run"),
        ({"system": "Windows", "libc": ""}, "Windows", "wsl --install"),
        ({"system": "Darwin", "libc": ""}, "no wheels for Darwin on x86_64", "docker run"),
        ({"arch": "riscv64"}, "no wheels for Linux on riscv64", "docker run"),
        ({"arch": "aarch64"}, "Java 17 or newer", "sudo apt install default-jre-headless"),
        ({"arch": "aarch64", "java": 11}, "Java 17 or newer", "sudo apt install default-jre-headless"),
        ({"writable": False}, "cannot be written", "git clone"),
        ({"free_mb": 100}, "100 MB free and about 700 MB are needed", "df -h"),
    ],
)
def test_a_machine_that_cannot_work_is_told_why_and_what_to_type(
    facts: dict[str, object], cause: str, command: str
) -> None:
    sentence = refusal(GOOD._replace(**facts))  # type: ignore[arg-type] # a table of fields
    assert cause in sentence
    assert command in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("facts", "profile"),
    [
        ({"java": 21}, "demo"),
        ({"broker_given": True}, "test"),
        ({}, "check"),
    ],
    ids=["there is a Java", "a broker is given", "no broker is needed"],
)
def test_java_is_not_asked_for_without_need(facts: dict[str, object], profile: str) -> None:
    machine = GOOD._replace(arch="aarch64", **facts)  # type: ignore[arg-type] # a table of fields
    assert decide(machine, PROFILES[profile]).tools == ("pip",)


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("error: failed to create file: No space left on device (os error 28)", "disk is full"),
        ("Failed to establish: NewConnectionError(...)\nERROR: No matching distribution found", "cannot be reached"),
        ("error: Failed to fetch: `…`\n  Caused by: dns error", "cannot be reached"),
        ("Could not find a version that satisfies x==1 (from versions: none)", "cannot be reached"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]')", "certificate"),
        ("invalid peer certificate: UnknownIssuer", "certificate"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "not the one that was locked"),
        ("Hash mismatch for `x==1`", "not the one that was locked"),
        ("ERROR: No matching distribution found for uvloop==0.23.0", "no wheel"),
        ("[Errno 13] Permission denied: '.venv/lib'", "cannot be written"),
    ],
)
def test_a_usual_failure_of_the_installer_is_explained(output: str, sentence: str) -> None:
    explained = explain(output)
    assert explained is not None
    assert sentence in explained


def test_an_unknown_failure_is_left_to_its_own_words() -> None:
    assert explain("Segmentation fault") is None


def test_this_machine_is_seen_as_it_is() -> None:
    machine = bootstrap.look()
    assert machine.pythons[0][:2] == (sys.executable, sys.version_info[:2])
    assert machine.writable
    assert machine.free_mb > 0


def test_old_pythons_can_read_the_file_to_say_that_they_are_too_old() -> None:
    source = Path(bootstrap.__file__).read_text()
    parse_as_36 = "import ast, sys; ast.parse(sys.stdin.read(), feature_version=(3, 6))"
    subprocess.run([sys.executable, "-c", parse_as_36], input=source, text=True, check=True)


def test_the_command_runs_from_a_folder_whose_name_a_shell_would_split(tmp_path: Path) -> None:
    root = tmp_path / "a b'c"
    copy = root / "bootstrap.py"
    (root / "services").mkdir(parents=True)
    (root / "services" / "cli.py").write_text("import sys\ndef main():\n    print(sys.argv[1:])\n    return 3\n")
    copy.write_text(Path(bootstrap.__file__).read_text())
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root / ".venv")], check=True)
    subprocess.run([sys.executable, "-c", "import bootstrap; bootstrap.link_project()"], cwd=root, check=True)
    command = root / ".venv" / "bin" / "member-notices"

    done = subprocess.run([command, "demo", "--once x"], capture_output=True, text=True, check=False, cwd=tmp_path)

    assert (done.returncode, done.stdout.strip(), done.stderr) == (3, "['demo', '--once x']", "")
    assert command.stat().st_mode & stat.S_IXUSR
