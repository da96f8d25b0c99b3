"""Prints how many lines each service has, beside the size it is meant to stay at: `python -m tests.support.sizes`."""

from pathlib import Path

SERVICES = Path(__file__).parents[2] / "services"
MEANT = {"runtime": 700, "auth_events": 1500, "notifier": 2500, "complaint_sla": 1800, "probe": 400, "console": 1200}


def code_lines(file: Path) -> int:
    """Lines that are neither blank nor only a comment."""
    lines = (line.strip() for line in file.read_text("utf-8").splitlines())
    return sum(1 for line in lines if line and not line.startswith("#"))


def main() -> None:
    for service in sorted(path for path in SERVICES.iterdir() if (path / "__init__.py").exists()):
        lines = sum(code_lines(file) for file in service.rglob("*.py"))
        meant = MEANT[service.name]
        note = f"  {lines - meant} more: say why in docs/adr" if lines > meant else ""
        print(f"{service.name:<14}{lines:>6} lines, meant {meant:>5}{note}")


if __name__ == "__main__":
    main()
