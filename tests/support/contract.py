"""The contract as it lies on disk and as it last landed; events as records, and their refusals."""

import json
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from schemas.envelope import EventError

ROOT = Path(__file__).parents[2]
EXAMPLES: dict[str, dict[str, Any]] = {
    path.name: json.loads(path.read_text("utf-8")) for path in sorted((ROOT / "schemas/examples").glob("*.json"))
}
"""File name → the whole event."""


def example(type_: str) -> dict[str, Any]:
    """The event of this type, a fresh copy."""
    document: dict[str, Any] = json.loads(json.dumps(EXAMPLES[f"{type_}.json"]))
    return document


def as_bytes(document: Any) -> bytes:
    """A record's value in structured mode."""
    return json.dumps(document).encode()


def as_binary(document: Mapping[str, Any]) -> tuple[list[tuple[str, bytes | None]], bytes]:
    """Headers and value of the record in binary mode, without content-type."""
    headers: list[tuple[str, bytes | None]] = [
        (f"ce_{name}", str(value).encode("utf-8", "surrogatepass"))
        for name, value in document.items()
        if name not in {"data", "datacontenttype"}
    ]
    return headers, as_bytes(document["data"])


def refusal(read: Callable[[], object]) -> EventError:
    """What `read` raises."""
    with pytest.raises(EventError) as caught:
        read()
    return caught.value


def landed(folder: str, root: Path = ROOT) -> dict[str, bytes]:
    """Name → content of the files of `folder` where this line of work left main.

    Without `origin/main`, or in a clone too shallow to meet it: as in HEAD. Without git: as on disk.
    """
    base = _git(root, "merge-base", "HEAD", "origin/main") or _git(root, "rev-parse", "HEAD")
    if base is None:
        return {path.name: path.read_bytes() for path in (root / folder).glob("*.json")}
    archive = _git(root, "archive", "--format=tar", base.decode().strip(), folder)
    if archive is None:
        return {}  # the folder is newer than the base
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        found = {member.name: tar.extractfile(member) for member in tar if member.name.endswith(".json")}
        return {Path(name).name: file.read() for name, file in found.items() if file is not None}


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
