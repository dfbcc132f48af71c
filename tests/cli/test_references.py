"""The looks at the command line: listed, added, trained for a few steps, refused in one line."""

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from cli.main import app
from model_store.catalog import BUNDLES

EMBER = BUNDLES / "mini/references/ember"
runner = CliRunner()


@pytest.fixture(autouse=True)
def looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIFFAM_LOOKS_DIR", str(tmp_path / "looks"))
    monkeypatch.setenv("DIFFAM_TORCH_THREADS", "1")
    return tmp_path / "looks"


def call(*words: str) -> str:
    answer = runner.invoke(app, ["references", *words])
    assert "Traceback" not in answer.output
    return f"{answer.exit_code} {answer.output}"


def test_the_looks_are_listed_with_their_styles() -> None:
    said = call("list")
    assert said.startswith("0")
    assert all(word in said for word in ("rose", "ember", "lagoon", "aurora", "celia"))


def test_a_look_is_added_and_trained_and_shown(looks: Path, tmp_path: Path) -> None:
    said = call("add", str(EMBER / "look.png"), "--name", "dusk", "--bare", str(EMBER / "bare.png"), "--title", "Dusk")
    assert said.startswith("0"), said
    steps = ("--steps", "3", "--makeup-steps", "2", "--photos", "4", "--out", str(tmp_path / "sheets"))
    said = call("train", "dusk", "--target", "celia", "--held-out", "facenet", *steps)
    assert said.startswith("0"), said
    assert (looks / "mini/styles/dusk-celia.toml").is_file()
    with Image.open(tmp_path / "sheets/dusk-celia.jpg") as sheet:
        assert sheet.width == 3 * 192
    assert "dusk" in call("list")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (
            ("add", str(EMBER / "bare.png"), "--name", "dusk", "--bare", str(EMBER / "bare.png")),
            "reference_without_makeup",
        ),
        (("add", str(EMBER / "look.png"), "--name", "rose"), "reference_exists"),
        (("train", "rose", "--target", "nobody", "--held-out", "ir152"), "unknown_target"),
        (("train", "rose", "--target", "aurora", "--held-out", "ir152"), "style_exists"),
        (("train", "nowhere", "--target", "aurora", "--held-out", "ir152"), "unknown_reference"),
    ],
)
def test_what_cannot_be_is_one_line_and_status_1(words: tuple[str, ...], code: str, looks: Path) -> None:
    said = call(*words)
    assert said.startswith("1")
    assert code in said
    assert not list(looks.rglob("*.toml"))
