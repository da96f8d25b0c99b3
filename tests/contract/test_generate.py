"""The published files are what the models say, and are not rewritten into something else."""

import json
from pathlib import Path

import pytest

from schemas import generate
from schemas.json_schema import event_schemas
from tests.support.contract import ROOT


def test_the_published_files_are_what_the_models_say() -> None:
    assert generate.drift(generate.rendered(event_schemas()), ROOT / "schemas") == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert generate.main([], tmp_path) == 0
    return tmp_path


def test_what_was_just_written_passes_the_check(folder: Path) -> None:
    assert generate.main(["--check"], folder) == 0


def test_the_check_names_what_is_stale_missing_or_left_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "json/members.welcomed.v1.json").write_text("{}")
    (folder / "json/members.contact.v1.json").unlink()
    (folder / "json/members.gone.v1.json").write_text("{}")
    assert generate.main(["--check"], folder) == 1
    assert capsys.readouterr().err.splitlines() == [
        "json/members.gone.v1.json: no model makes it",
        "json/members.contact.v1.json: missing",
        "json/members.welcomed.v1.json: differs from the models",
        "Mend with: python -m schemas.generate",
    ]


def test_a_schema_is_not_overwritten_by_one_that_breaks_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "json/members.welcomed.v1.json"
    wider = json.loads(path.read_text())
    wider["$defs"]["WelcomedV1"]["properties"]["gift"] = {"type": "string"}
    path.write_text(json.dumps(wider))
    assert generate.main([], folder) == 1
    assert json.loads(path.read_text()) == wider
    assert "members.welcomed.v1: data.gift: field-removed" in capsys.readouterr().err


def test_a_schema_that_only_gains_is_rewritten(folder: Path) -> None:
    path = folder / "json/members.coverage-ended.v1.json"
    written = path.read_text()
    poorer = json.loads(written)
    del poorer["$defs"]["CoverageEndedV1"]["description"]
    path.write_text(json.dumps(poorer))
    assert generate.main([], folder) == 0
    assert path.read_text() == written
