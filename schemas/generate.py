"""Write the published contract from the models: `python -m schemas.generate [--check]`.

    schemas/json/<type>.json              JSON Schema of the whole event
    schemas/asyncapi/member-notices.json  AsyncAPI 3.0
    schemas/openapi/auth-events.json      OpenAPI 3.1 of auth_events' HTTP
    schemas/openapi/complaint-sla.json    and of complaint_sla's

`--check` writes nothing and exits 1 when a file differs from what the models say. Without it, a change that would
break a schema already there is refused, also with exit 1: that version is somebody's contract.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas import openapi_desk, openapi_document
from schemas.asyncapi_document import document
from schemas.compatibility import breaches
from schemas.json_schema import event_schemas

FOLDER = Path(__file__).parent


def rendered(schemas: Mapping[str, Any]) -> dict[str, str]:
    """Path below `schemas/` → the file's whole text."""
    files = {f"json/{type_}.json": schema for type_, schema in schemas.items()}
    files["asyncapi/member-notices.json"] = document()
    files["openapi/auth-events.json"] = openapi_document.document()
    files["openapi/complaint-sla.json"] = openapi_desk.document()
    return {path: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for path, content in files.items()}


def published(folder: Path) -> dict[str, Any]:
    """Type → schema, as the files in `folder` have it."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((folder / "json").glob("*.json"))}


def drift(files: Mapping[str, str], folder: Path) -> list[str]:
    """What is missing, stale, or there without a model; empty when the files are what the models say."""
    there = {
        path.relative_to(folder).as_posix()
        for name in ("json", "asyncapi", "openapi")
        for path in folder.glob(f"{name}/*")
    }
    found = [f"{path}: no model makes it" for path in sorted(there - files.keys())]
    for path, text in files.items():
        if path not in there:
            found.append(f"{path}: missing")
        elif (folder / path).read_bytes() != text.encode():
            found.append(f"{path}: differs from the models")
    return found


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    parser = argparse.ArgumentParser(prog="python -m schemas.generate", description="Write the published contract.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is not up to date")
    check: bool = parser.parse_args(arguments).check
    schemas = event_schemas()
    files = rendered(schemas)
    if check:
        return _report(drift(files, folder), "Mend with: python -m schemas.generate")
    broken = [str(breach) for breach in breaches(published(folder), schemas)]
    if broken:
        return _report(broken, "Nothing written. A schema that has never landed may be deleted and generated anew.")
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
    return 0


def _report(problems: list[str], way_out: str) -> int:
    if not problems:
        return 0
    sys.stderr.write("\n".join([*problems, way_out]) + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
