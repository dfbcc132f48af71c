"""Trainings by recipe: epochs resume to the bit, another walk is another training, removal is trained on its own."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from diffam_core.losses import RemovalWeights, Weights
from diffam_core.models import Models
from diffam_core.removal import RemovalLesson, RemovalRecipe
from diffam_core.transfer import Attack, Lesson, Mode, StageRecipe, TransferRecipe, prepare, read_colours
from diffam_core.tuning import Epoch
from model_store.bundle import Bundle
from model_store.rendered.portraits import SEEDS, draw_portraits
from model_store.training.checkpoints import Checkpoints
from model_store.training.fine_tuning import Form, fine_tune, fine_tune_removal
from tests.diffam_core.test_transfer import Stopped, same_weights


@pytest.fixture(scope="module")
def bundle(thin: Bundle) -> Bundle:
    """What is asked here needs no trained networks."""
    return thin


STAGE = StageRecipe(3, Weights(impersonate=0.5), learning_rate=1e-3, batch=2, views=0, epoch=Epoch(2, 1.3))
REMOVAL = RemovalRecipe(
    "direction", steps=3, learning_rate=1e-3, batch=2, bare_batch=0, epoch=Epoch(1, 1.3),
    weights=RemovalWeights(direction=5.0, perceptual=5.0, total_variation=0.0, keep_bare=0.0),
)  # fmt: skip


def stop(step: int, _steps: int, _terms: dict[str, float]) -> None:
    if step == 2:
        raise Stopped


@pytest.fixture(scope="module")
def lesson(bundle: Bundle) -> Lesson:
    models, picture = bundle.models, bundle.references["rose"]
    colours = read_colours(models, picture.made_up, picture.bare, picture.regions)
    attack = Attack([models.recognisers["irse50"]], bundle.targets["bruno"].aim)
    photos = draw_portraits(4, SEEDS["portraits"], models.view_px)
    return Lesson(colours, prepare(models, photos, attack.surrogates), attack)


@pytest.fixture(scope="module")
def undressing(bundle: Bundle) -> RemovalLesson:
    worn = draw_portraits(2, 93, bundle.models.portrait_px, wearing=1.0)
    return RemovalLesson(worn, worn[:0], bundle.models.recognisers["irse50"])


def walking(models: Models, return_timestep: int, invert_points: int, denoise_points: int) -> Models:
    process = replace(
        models.process, return_timestep=return_timestep, invert_points=invert_points, denoise_points=denoise_points
    )
    return replace(models, process=process)


def test_epochs_that_were_stopped_end_with_the_same_bits(bundle: Bundle, lesson: Lesson, tmp_path: Path) -> None:
    asked = (bundle.models, STAGE, lesson, Form(3))
    whole = fine_tune(*asked)
    with pytest.raises(Stopped):
        fine_tune(*asked, Checkpoints(tmp_path, every=1), stop)
    seen: list[int] = []
    again = fine_tune(*asked, Checkpoints(tmp_path, every=1), lambda step, _steps, _terms: seen.append(step))
    assert seen == [3]
    assert same_weights(whole, again)


def test_another_walk_or_region_weight_never_resumes_from_this_ones_checkpoint(
    bundle: Bundle, lesson: Lesson, tmp_path: Path
) -> None:
    stage, models, makeup_alone = replace(STAGE, steps=1), bundle.models, replace(lesson, attack=None)
    longer = replace(models, process=replace(models.process, denoise_points=models.process.denoise_points + 1))
    for used, recipe in ((models, stage), (longer, stage), (models, replace(stage, regions={"lips": 1.0}))):
        fine_tune(used, recipe, makeup_alone, Form(), Checkpoints(tmp_path))
    assert len(list(tmp_path.glob("*.pt"))) == 3


def test_a_style_goes_on_from_the_weights_it_starts_with(bundle: Bundle, lesson: Lesson) -> None:
    still = replace(STAGE, steps=1, learning_rate=1e-12, epoch=None)
    start = fine_tune(bundle.models, replace(STAGE, steps=1), lesson, Form(1, rank=4))
    again = fine_tune(bundle.models, still, lesson, Form(2, rank=4, start=start))
    assert all(torch.allclose(start[key], again[key], atol=1e-6) for key in start)


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
def test_removal_is_trained_towards_bare_and_leaves_the_base_alone(
    bundle: Bundle, undressing: RemovalLesson, mode: Mode
) -> None:
    models = walking(bundle.models, 120, 4, 3)
    before = {key: value.clone() for key, value in models.eps.state_dict().items()}
    seen: list[float] = []
    recipe = replace(REMOVAL, steps=8, learning_rate=1e-3 if mode == "lora" else 1e-4)
    fine_tune_removal(
        models, recipe, undressing, Form(0, mode, rank=16),
        on_loss=lambda _step, _steps, terms: seen.append(terms["direction"]),
    )  # fmt: skip
    assert seen[-1] < 0.97 * seen[0]
    after = models.eps.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_removal_that_was_stopped_ends_with_the_same_bits(
    bundle: Bundle, undressing: RemovalLesson, tmp_path: Path
) -> None:
    asked = (walking(bundle.models, 60, 2, 2), REMOVAL, undressing, Form(rank=16))
    whole = fine_tune_removal(*asked)
    with pytest.raises(Stopped):
        fine_tune_removal(*asked, Checkpoints(tmp_path, every=1), stop)
    assert same_weights(whole, fine_tune_removal(*asked, Checkpoints(tmp_path, every=1)))
