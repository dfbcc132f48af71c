"""Recipe files: the paper's says what the paper says, and what nobody understands is refused by name."""

import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from diffam_core.diffusion import alpha_bars, grid
from diffam_core.models import Process
from model_store.errors import RecipeInvalid
from model_store.training.recipe import RECIPES, RemovalTable, StageTable, TransferTable, read_recipe

PAPER: dict[str, Any] = tomllib.loads((RECIPES / "paper.toml").read_text(encoding="utf-8"))


@pytest.fixture
def transfer() -> TransferTable:
    table = read_recipe("paper").transfer
    assert table is not None
    return table


@pytest.fixture
def removal() -> RemovalTable:
    table = read_recipe("paper").removal
    assert table is not None
    return table


def weighed(weights: object) -> dict[str, float]:
    return {name: value for name, value in asdict(weights).items() if value}  # type: ignore[call-overload]


def test_the_published_command_line_stands_in_the_recipe(transfer: TransferTable) -> None:
    assert (transfer.return_timestep, transfer.invert_points, transfer.denoise_points) == (60, 20, 6)
    assert (transfer.reference, transfer.target, transfer.portraits) == ("xmy_060", "085807", 200)
    assert (transfer.mode, transfer.objective, transfer.dataset) == ("full", "impersonate", "celebahq")
    assert transfer.held_out == ["ir152", "irse50", "mobile_face", "facenet"][2]
    assert {transfer.held_out, *transfer.surrogates} == {"ir152", "irse50", "facenet", "mobile_face"}
    assert (transfer.makeup.epochs, transfer.attack.epochs) == (3, 1)
    assert len(grid(transfer.invert_points, transfer.return_timestep)) - 1 == 19


def test_the_published_weights_and_rates_become_the_stages(transfer: TransferTable) -> None:
    recipe = transfer.recipe().with_objective(transfer.objective).with_mode(transfer.mode)
    first, second = recipe.makeup, recipe.attack
    assert weighed(first.weights) == {"histogram": 1.0, "direction": 0.3, "perceptual": 10.0, "l1": 3.0}
    assert weighed(second.weights) == {
        "histogram": 1.6, "direction": 0.5, "impersonate": 0.5, "perceptual": 10.0, "l1": 5.0,
    }  # fmt: skip
    assert first.regions == second.regions == {"lips": 1.0, "eyes": 1.0, "skin": 0.15}
    assert (first.steps, second.steps) == (600, 200)
    assert (first.batch, second.batch, first.views) == (1, 1, 0)
    assert first.learning_rate == 8e-6
    assert second.learning_rate == pytest.approx(8e-6 * 1.3**3)
    for stage in (first, second):
        assert stage.epoch is not None
        assert (stage.epoch.steps, stage.epoch.growth) == (200, 1.3)


def test_the_published_removal_stands_in_the_recipe(removal: RemovalTable) -> None:
    recipe = removal.recipe()
    assert weighed(recipe.weights) == {"direction": 5.0, "identity": 1.0, "perceptual": 5.0, "l1": 2.0}
    assert (recipe.steps, recipe.learning_rate, recipe.batch, recipe.bare_batch) == (7 * 200, 8e-6, 1, 0)
    assert recipe.epoch is not None
    assert (recipe.epoch.steps, recipe.epoch.growth) == (200, 1.3)
    training, use = removal.walks(Process(alpha_bars(), 60, 6, 6))
    assert (training.return_timestep, training.invert_points, training.denoise_points) == (300, 40, 6)
    assert (use.return_timestep, use.invert_points, use.denoise_points) == (300, 40, 40)
    assert "a photo of a face with makeup." in recipe.made_up_prompts
    assert len(recipe.made_up_prompts) == len(recipe.bare_prompts) == 80


def test_the_four_pairs_of_pictures_are_listed() -> None:
    recipe = read_recipe("paper")
    assert [(row.aim, row.test) for row in recipe.targets] == [
        ("target/005869.jpg", "test/008793.jpg"),
        ("target/085807.jpg", "test/047073.jpg"),
        ("target/116481.jpg", "test/055622.jpg"),
        ("target/169284.jpg", "test/166607.jpg"),
    ]


def test_epochs_are_counted_over_the_portraits_there_are(transfer: TransferTable) -> None:
    recipe = transfer.recipe(10)
    assert (recipe.makeup.steps, recipe.attack.steps) == (30, 10)
    stage = StageTable(epochs=2, learning_rate=1.0, batch=4, weights={}).stage(10)
    assert stage.epoch is not None
    assert (stage.epoch.steps, stage.steps) == (3, 6)


def test_a_recipe_written_down_reads_back_the_same(tmp_path: Path) -> None:
    recipe = read_recipe("paper")
    file = tmp_path / "again.toml"
    file.write_text(tomli_w.dumps(recipe.model_dump(exclude_none=True)))
    assert read_recipe(str(file)) == recipe


def changed(path: str, value: object) -> dict[str, Any]:
    """The paper's recipe with one value changed, or with None taken out."""
    recipe: dict[str, Any] = tomllib.loads(tomli_w.dumps(PAPER))
    table = recipe
    *way, key = path.split(".")
    for step in way:
        table = table[step]
    if value is None:
        del table[key]
    else:
        table[key] = value
    return recipe


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("transfer.makeup.epcohs", 3, r"transfer\.makeup\.epcohs: nobody knows this key"),
        ("transfer.makeup.epochs", "three", r"transfer\.makeup\.epochs: .*integer \(it is 'three'\)"),
        ("transfer.makeup.epochs", 0, r"transfer\.makeup\.epochs: .*greater than 0"),
        ("transfer.portraits", 200.5, r"transfer\.portraits: .*integer"),
        ("transfer.mode", "most", r"transfer\.mode: .*'lora' or 'full' \(it is 'most'\)"),
        ("transfer.makeup.weights", {"histogramm": 1.0}, r"makeup\.weights: .*nobody knows histogramm; .*dodge"),
        ("transfer.attack.weights", {"l1": -1.0}, r"transfer\.attack\.weights: .*less than 0: l1"),
        ("transfer.attack.regions", {"chin": 1.0}, r"transfer\.attack\.regions: .*nobody knows chin"),
        ("removal.templates", True, r"removal\.templates: "),
        ("removal.return_timestep", None, r"removal\.return_timestep: is missing"),
        ("colour", "red", r"colour: nobody knows this key"),
    ],
)  # fmt: skip
def test_what_nobody_understands_is_named(tmp_path: Path, path: str, value: object, said: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(tomli_w.dumps(changed(path, value)))
    with pytest.raises(RecipeInvalid, match=f"mine.toml: .*{said}"):
        read_recipe(str(file))


def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("title = ")
    with pytest.raises(RecipeInvalid, match=r"broken.toml is no TOML file"):
        read_recipe(str(tmp_path / "broken.toml"))
    with pytest.raises(RecipeInvalid, match="shipped are: paper"):
        read_recipe("papre")
