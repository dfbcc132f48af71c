"""`diffam models build` names what it makes, and what it lacks, before it begins."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.errors import CliError
from cli.main import app


def test_a_bundle_that_nobody_makes_is_refused_with_those_that_are_made() -> None:
    answer = CliRunner().invoke(app, ["models", "build", "celebahq-256"])
    assert answer.exit_code == 2
    assert "mini and portrait" in answer.output


def test_portraits_need_people(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["models", "build", "portrait", "--work", str(tmp_path)])
    assert isinstance(answer.exception, CliError)
    assert "--people DIR" in str(answer.exception)


def test_portraits_need_the_detector_that_is_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFAM_DATA_DIR", str(tmp_path))
    answer = CliRunner().invoke(app, ["models", "build", "portrait", "--people", str(tmp_path)])
    assert isinstance(answer.exception, CliError)
    assert "diffam models pull recognisers" in str(answer.exception)
    assert list(tmp_path.iterdir()) == []
