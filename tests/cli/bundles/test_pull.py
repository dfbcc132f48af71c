"""Pull, import and verify at the command line: consent first, then plain words about what is left to do."""

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from cli.main import app
from model_store.catalog import BUNDLES
from tests.model_store.published.fetching.test_pull import TABLE
from tests.model_store.published.file_server import FileHost, Hosted, file_host

runner = CliRunner(env={"COLUMNS": "200"})


@pytest.fixture
def host() -> Iterator[FileHost]:
    with file_host() as listening:
        listening.files["/unet.ckpt"] = Hosted(b"no network")
        yield listening


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIFFAM_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def pull(host: FileHost, tmp_path: Path) -> tuple[str, ...]:
    """The words that pull from the host."""
    (tmp_path / "sources.toml").write_text(TABLE.format(host=host.address))
    return ("models", "pull", "celebahq-256", "--sources", str(tmp_path / "sources.toml"))


def call(*words: str) -> tuple[int, str]:
    answer = runner.invoke(app, words)
    assert "Traceback" not in answer.output
    return answer.exit_code, answer.output


def test_without_a_terminal_or_consent_nothing_is_fetched(pull: tuple[str, ...], host: FileHost, data: Path) -> None:
    code, said = call(*pull)
    assert code == 1
    assert "For research." in said
    assert "licences_not_accepted" in said
    assert "--accept-licences" in said
    assert host.asked == []
    assert not data.exists()


def test_with_consent_it_fetches_and_says_what_is_left_to_fetch_by_hand(
    pull: tuple[str, ...], host: FileHost, data: Path
) -> None:
    code, said = call(*pull, "--accept-licences")
    folder = data / "downloads" / "celebahq-256"
    assert code == 1
    assert (folder / "unet.ckpt").read_bytes() == b"no network"
    for words in ("parser.pth", "https://drive.example/parser", "needed", str(folder), "run the same command again"):
        assert words in said
    host.files["/unet.ckpt"] = Hosted(b"", statuses=[404])
    (folder / "unet.ckpt").unlink()
    code, said = call(*pull)  # agreed to already
    assert code == 1
    assert "download_failed" in said


@pytest.mark.parametrize(("answer", "asked"), [("n", 0), ("y", 1)])
def test_at_a_terminal_it_asks(pull: tuple[str, ...], host: FileHost, answer: str, asked: int) -> None:
    ours, theirs = pty.openpty()
    command = (sys.executable, "-m", "cli.main", *pull)
    os.write(ours, f"{answer}\n".encode())
    said = subprocess.run(command, stdin=theirs, capture_output=True, text=True, timeout=120, check=False).stdout
    os.close(ours)
    os.close(theirs)
    assert "Do you agree to all of them?" in said
    assert len(host.asked) == asked
    assert ("To be fetched by hand" in said) == (answer == "y")


def test_when_all_is_there_the_import_starts_by_itself(pull: tuple[str, ...], data: Path) -> None:
    folder = data / "downloads" / "celebahq-256"
    folder.mkdir(parents=True)
    (folder / "parser.pth").write_bytes(b"x")
    code, said = call(*pull, "--accept-licences")
    assert code == 1
    assert "checkpoint_damaged: celebahq-256/parser.pth" in said
    assert list((data / "bundles").iterdir()) == []


def test_an_import_names_the_file_that_does_not_belong(data: Path, tmp_path: Path) -> None:
    torch.save({"encoder.weight": torch.zeros(3)}, tmp_path / "mine.pth")
    code, said = call("models", "import", str(tmp_path / "mine.pth"))
    assert code == 1
    assert "checkpoint_unknown: mine.pth" in said
    assert "encoder.weight" in said
    assert list((data / "bundles").iterdir()) == []


def test_half_a_style_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "tuned.pth").touch()
    code, said = call("models", "import", "--style", str(tmp_path / "tuned.pth"), "--reference", "xmy_060")
    assert (code, "--held-out" in said) == (1, True)
    assert not data.exists()


def test_a_bundle_that_does_not_exist_is_not_pulled(data: Path) -> None:
    code, said = call("models", "pull", "imagenet")
    assert (code, "there is: celebahq-256, recognisers" in said) == (1, True)
    assert not data.exists()


def test_any_installed_bundle_is_verified(data: Path) -> None:
    copy = Path(shutil.copytree(BUNDLES / "mini", data / "bundles" / "other"))
    assert call("models", "verify", "other")[0] == 0
    (copy / "clip.safetensors").write_bytes(b"")
    code, said = call("models", "verify", "other")
    assert (code, "clip.safetensors" in said) == (1, True)
    assert call("models", "verify", "nobody")[0] == 1
