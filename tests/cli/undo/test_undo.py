"""`diffam protect --undo` and `diffam undo`: the pixels come back, or a sentence says why, and nothing is written."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner, Result

from cli.main import app
from jobs.access.undo_keys import draw_key
from tests.people import shot

KEY = draw_key()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a photo, two protected pictures of it and their undo files."""
    folder = tmp_path_factory.mktemp("undo")
    (folder / "me.png").write_bytes(shot(1, 0))
    (folder / "key").write_text(KEY + "\n")
    words = ["--out", folder / "out.png", "--undo", folder / "me.undo", "--undo-key", folder / "key"]
    answer = run("protect", folder / "me.png", "--reference", "rose", "--candidates", "2", *words)
    assert answer.exit_code == 0, answer.output
    assert KEY not in answer.output
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def undo(folder: Path, out: Path, photo: str = "out.png", file: str = "me.undo", key: object = KEY) -> Result:
    return run("undo", folder / photo, "--with", folder / file, "--key", key, "--out", out)


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.array(picture)


@pytest.mark.parametrize(("photo", "file"), [("out.png", "me.undo"), ("out-2.png", "me-2.undo")])
def test_every_pixel_of_every_candidate_comes_back(made: Path, tmp_path: Path, photo: str, file: str) -> None:
    assert not np.array_equal(pixels(made / photo), pixels(made / "me.png"))
    answer = undo(made, tmp_path / "original.png", photo, file, made / "key")
    assert answer.exit_code == 0, answer.output
    assert np.array_equal(pixels(tmp_path / "original.png"), pixels(made / "me.png"))
    assert [path.name for path in tmp_path.iterdir()] == ["original.png"]


def test_a_file_that_a_program_wrote_anew_without_loss_can_be_undone(made: Path, tmp_path: Path) -> None:
    with Image.open(made / "out.png") as picture:
        picture.save(made / "again.png", optimize=True)
        picture.save(made / "again.webp", lossless=True)
    for name in ("again.png", "again.webp"):
        assert undo(made, tmp_path / "original.png", name).exit_code == 0
        assert np.array_equal(pixels(tmp_path / "original.png"), pixels(made / "me.png"))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"key": draw_key()}, "the key is wrong"),
        ({"key": "secret"}, "a key has 64 hexadecimal digits"),
        ({"file": "me-2.undo"}, "not the photo that the undo file was made with"),
        ({"photo": "me.png"}, "the original pixels already"),
        ({"photo": "posted.jpg"}, "its pixels were changed since"),
        ({"file": "me.png"}, "this is no undo file"),
        ({"file": "cut.undo"}, "the undo file was changed or is damaged"),
        ({"photo": "key"}, "do not decode to a picture"),
        ({"file": "nowhere.undo"}, "No such file"),
    ],
)
def test_whatever_is_wrong_is_said_and_nothing_is_written(
    made: Path, tmp_path: Path, wrong: dict[str, str], why: str
) -> None:
    with Image.open(made / "out.png") as picture:
        picture.save(made / "posted.jpg", quality=95)
    (made / "cut.undo").write_bytes((made / "me.undo").read_bytes()[:-7])
    answer = undo(made, tmp_path / "original.png", **wrong)
    assert answer.exit_code == 1
    assert why in " ".join(answer.output.split())
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_stays_where_nothing_is_restored(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "original.png"
    out.write_text("mine")
    assert undo(made, out, key=draw_key()).exit_code == 1
    assert out.read_text() == "mine"
    assert undo(made, tmp_path / "nowhere" / "original.png").exit_code == 1
    assert ".png" in undo(made, tmp_path / "original.jpg").output
    assert [path.name for path in tmp_path.iterdir()] == ["original.png"]


def test_a_key_is_drawn_and_told_where_nobody_brings_one(made: Path, tmp_path: Path) -> None:
    words = ["--out", tmp_path / "out.png", "--undo", tmp_path / "me.undo", "--json"]
    answer = run("protect", made / "me.png", "--reference", "rose", *words)
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)["undo"]
    assert told["files"] == [str(tmp_path / "me.undo")]
    assert undo(tmp_path, tmp_path / "original.png", key=told["key"]).exit_code == 0
    assert np.array_equal(pixels(tmp_path / "original.png"), pixels(made / "me.png"))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["me.png", "--out", "out.jpg", "--undo", "me.undo"], "--out that ends in .png"),
        (["me.png", "--out", "out.png", "--undo-key", KEY], "--undo-key goes with --undo"),
        (["me.png", "--out", "out.png", "--undo", "me.undo", "--undo-key", "secret"], "64 hexadecimal digits"),
        ([".", "--out", "out", "--undo", "me.undo"], "--undo is for one photo"),
    ],
)
def test_options_that_cannot_be_met_are_refused_at_once(made: Path, words: list[str], why: str) -> None:
    placed = [made / word if word in (".", "me.png") else word for word in words]
    answer = run("protect", *placed, "--reference", "rose")
    assert answer.exit_code == 1
    assert why in " ".join(answer.output.split())
