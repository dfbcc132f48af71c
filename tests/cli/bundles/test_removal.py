"""`diffam models fine-tune-removal`: a bundle learns to remove make-up, and what cannot be is one line."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from model_store.catalog import BUNDLES, damaged_files, read_manifest
from tests.published_trees import on_side, write_mt

runner = CliRunner(env={"COLUMNS": "200"})
RECIPE = """
title = "Two steps"
[removal]
objective = "direction"
dataset = "mt"
portraits = 2
rank = 4
return_timestep = 60
invert_points = 2
training_points = 2
denoise_points = 3
epochs = 1
learning_rate = 1e-3
batch = 1
weights = { direction = 5.0, identity = 1.0 }
"""


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shelf with a copy of the shipped bundle."""
    monkeypatch.setenv("DIFFAM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DIFFAM_TORCH_THREADS", "1")
    shutil.copytree(BUNDLES / "mini", tmp_path / "data/bundles/copy")
    return tmp_path / "data/bundles"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(RECIPE, encoding="utf-8")
    return file


def call(*words: str) -> tuple[int, str]:
    answer = runner.invoke(app, ["models", "fine-tune-removal", *words])
    assert "Traceback" not in answer.output
    return answer.exit_code, answer.output


def test_a_bundle_is_fine_tuned_over_a_dataset_and_asked_again_has_nothing_left_to_do(
    shelf: Path, recipe: Path, tmp_path: Path
) -> None:
    people = write_mt(tmp_path / "MT", [1], on_side("train", "makeup/xfsy_{:04d}", 2))
    words = ("copy", "--recipe", str(recipe), "--dataset-dir", str(people))
    code, said = call(*words)
    assert code == 0, said
    row = read_manifest(shelf / "copy")["removal"]
    assert row["file"] in said
    assert (row["rank"], row["return_timestep"], row["invert_points"], row["denoise_points"]) == (4, 60, 2, 3)
    assert damaged_files(shelf / "copy") == []
    assert damaged_files(BUNDLES / "mini") == []
    assert call(*words)[0] == 0
    assert read_manifest(shelf / "copy")["removal"] == row


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nobody",), "unknown_bundle: no bundle 'nobody'"),
        (("mini",), "'mini' ships with the project and stays as it is"),
        (("copy", "--recipe", "papre"), "recipe_invalid: no recipe 'papre'"),
        (("copy",), "dataset_missing: where is MT-dataset"),
        (("copy", "--dataset", "ffhq"), "dataset_missing: no dataset 'ffhq'"),
        (("copy", "--dataset-dir", "nowhere"), "dataset_missing: no MT-dataset"),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(shelf: Path, words: tuple[str, ...], says: str) -> None:
    before = (shelf / "copy/bundle.toml").read_bytes()
    code, said = call(*words)
    assert code == 1
    assert says in said
    assert said.strip().count("\n") == 0
    assert (shelf / "copy/bundle.toml").read_bytes() == before


def test_a_recipe_without_removal_or_with_a_recogniser_nobody_has_trains_nothing(shelf: Path, recipe: Path) -> None:
    recipe.write_text('title = "Nothing"\n', encoding="utf-8")
    assert call("copy", "--recipe", str(recipe)) == (1, f"the recipe '{recipe}' has no [removal]\n")
    recipe.write_text(RECIPE.replace("rank = 4", 'rank = 4\nidentity = "nobody"'), encoding="utf-8")
    code, said = call("copy", "--recipe", str(recipe), "--dataset", "rendered")
    assert code == 1
    assert "recipe_invalid: this bundle has no recogniser 'nobody'" in said
    assert read_manifest(shelf / "copy")["removal"]["file"] == "removal.safetensors"
