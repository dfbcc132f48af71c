"""Trainings by recipe: epochs resume to the bit, another walk is another training, removal is trained on its own."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from diffam_core.losses import ReferenceColours, Weights, read_colours
from diffam_core.models import Process
from diffam_core.removal import RemovalRecipe, RemovalWeights
from diffam_core.transfer import Attack, Mode, Prepared, StageRecipe, TransferRecipe, prepare
from diffam_core.tuning import Epoch
from model_store.bundle import Bundle
from model_store.miniature.removal import draw
from model_store.miniature.styling import style_photos
from model_store.training.fine_tuning import fine_tune, fine_tune_removal
from tests.diffam_core.test_transfer import Stopped, same_weights

STAGE = StageRecipe(12, Weights(impersonate=0.5), learning_rate=1e-3, batch=2, views=0, epoch=Epoch(2, 1.3))
REMOVAL = RemovalRecipe(
    "direction", steps=12, learning_rate=1e-3, batch=2, bare_batch=0, epoch=Epoch(1, 1.3),
    weights=RemovalWeights(direction=5.0, perceptual=5.0, total_variation=0.0, keep_bare=0.0),
)  # fmt: skip


def stop(step: int, _steps: int, _terms: dict[str, float]) -> None:
    if step == 11:
        raise Stopped


@pytest.fixture(scope="module")
def colours(bundle: Bundle) -> ReferenceColours:
    picture = bundle.references["rose"]
    return read_colours(bundle.models, picture.made_up, picture.bare, picture.regions)


@pytest.fixture(scope="module")
def attack(bundle: Bundle) -> Attack:
    return Attack([bundle.models.recognisers["irse50"]], bundle.targets["bruno"].aim)


@pytest.fixture(scope="module")
def data(bundle: Bundle, attack: Attack) -> Prepared:
    return prepare(bundle.models, style_photos(4), attack.surrogates)


def test_epochs_that_were_stopped_end_with_the_same_bits(
    bundle: Bundle, colours: ReferenceColours, data: Prepared, attack: Attack, tmp_path: Path
) -> None:
    whole = fine_tune(bundle.models, colours, data, STAGE, 3, attack=attack)
    with pytest.raises(Stopped):
        fine_tune(bundle.models, colours, data, STAGE, 3, attack=attack, checkpoints=tmp_path, on_loss=stop)
    assert same_weights(whole, fine_tune(bundle.models, colours, data, STAGE, 3, attack=attack, checkpoints=tmp_path))


def test_another_walk_or_region_weight_never_resumes_from_this_ones_checkpoint(
    bundle: Bundle, colours: ReferenceColours, data: Prepared, tmp_path: Path
) -> None:
    stage, models = replace(STAGE, steps=1), bundle.models
    longer = replace(models, process=replace(models.process, denoise_points=models.process.denoise_points + 1))
    for used, recipe in ((models, stage), (longer, stage), (models, replace(stage, regions={"lips": 1.0}))):
        fine_tune(used, colours, data, recipe, 0, checkpoints=tmp_path)
    assert len(list(tmp_path.glob("*.pt"))) == 3


def test_a_recipe_walks_its_own_way_and_leaves_the_rest_to_the_bundle(bundle: Bundle) -> None:
    process = bundle.models.process
    assert TransferRecipe().walk(process) == process
    walk = TransferRecipe(invert_points=20).walk(process)
    assert (walk.invert_points, walk.denoise_points) == (20, process.denoise_points)


def test_a_recipe_for_all_weights_keeps_its_rate_and_one_for_lora_slows_down() -> None:
    lora = TransferRecipe()
    assert lora.with_mode("full").attack.learning_rate == lora.attack.learning_rate / 10
    assert replace(lora, mode="full").with_mode("full").attack == lora.attack


@pytest.mark.parametrize("mode", ["lora", "full"])
def test_removal_is_trained_towards_bare_and_leaves_the_base_alone(bundle: Bundle, mode: Mode) -> None:
    models, worn = bundle.models, draw(2, 93, 1.0)[0]
    before = {key: value.clone() for key, value in models.eps.state_dict().items()}
    seen: list[float] = []
    recipe = replace(REMOVAL, steps=8, learning_rate=1e-3 if mode == "lora" else 1e-4)
    fine_tune_removal(
        models, Process(models.process.alpha_bar, 120, 4, 3), recipe, worn, worn[:0], models.recognisers["irse50"], 0,
        mode, on_loss=lambda _step, _steps, terms: seen.append(terms["direction"]),
    )  # fmt: skip
    assert seen[-1] < 0.97 * seen[0]
    after = models.eps.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_removal_that_was_stopped_ends_with_the_same_bits(bundle: Bundle, tmp_path: Path) -> None:
    models, worn = bundle.models, draw(2, 93, 1.0)[0]
    asked = (models, Process(models.process.alpha_bar, 60, 2, 2), REMOVAL, worn, worn[:0], models.recognisers["irse50"])
    whole = fine_tune_removal(*asked, 0)
    with pytest.raises(Stopped):
        fine_tune_removal(*asked, 0, checkpoints=tmp_path, on_loss=stop)
    assert same_weights(whole, fine_tune_removal(*asked, 0, checkpoints=tmp_path))
