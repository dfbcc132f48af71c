"""`diffam models build` names what it makes, and what it lacks, before it begins."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIFFAM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["models", "build", *words])
    return answer.exit_code, " ".join(answer.output.replace("│", " ").split())


def test_a_bundle_that_nobody_makes_is_refused_with_those_that_are_made() -> None:
    code, said = call("celebahq-256")
    assert code == 2
    assert "only mini and portrait are made" in said


@pytest.mark.parametrize(("name", "option"), [("portrait", "--out"), ("mini", "--people")])
def test_an_option_of_the_other_maker_is_refused(data: Path, name: str, option: str) -> None:
    code, said = call(name, option, str(data))
    assert code == 2
    assert f"{option} is not for '{name}'" in said
    assert list(data.iterdir()) == []


def test_portraits_need_people(data: Path) -> None:
    code, said = call("portrait")
    assert code == 1
    assert "--people DIR" in said
    assert list(data.iterdir()) == []


def test_portraits_need_the_detector_that_is_pulled(data: Path) -> None:
    code, said = call("portrait", "--people", str(data))
    assert code == 1
    assert "diffam models pull recognisers" in said
    assert list(data.iterdir()) == []
