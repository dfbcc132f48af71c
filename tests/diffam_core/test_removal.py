"""Make-up removal: both objectives train from one loop, critics standardise, and what is shipped removes make-up."""

from dataclasses import replace

import pytest
import torch

from diffam_core.models import Process
from diffam_core.removal import RemovalLesson, RemovalObjective, RemovalRecipe, make_critic, remove_makeup, tune_removal
from diffam_core.styles import add_style, remove_style
from diffam_core.tuning import Tuning
from model_store.bundle import Bundle
from model_store.miniature.removal import measure_removal, parts, whole
from model_store.rendered.captions import prompts
from model_store.rendered.portraits import draw_portraits


@pytest.fixture(scope="module")
def process(bundle: Bundle) -> Process:
    return Process(bundle.models.process.alpha_bar, 120, 3, 3)


def test_a_critic_scores_bare_pictures_around_zero_and_made_up_ones_above(bundle: Bundle) -> None:
    pairs = [(prompts("face with makeup"), prompts("face without makeup"))]
    bare, worn = draw_portraits(40, 91, 64), draw_portraits(40, 92, 64, wearing=1.0)
    critic = make_critic(bundle.models.clip, whole, pairs, bare)
    with torch.inference_mode():
        assert float(critic.score(bare).mean()) == pytest.approx(0, abs=1e-3)
        assert float(critic.score(bare).std()) == pytest.approx(1, abs=0.05)
        assert float(critic.score(worn).mean()) > 2


def test_the_view_of_parts_is_a_picture_of_eyes_above_the_mouth() -> None:
    portrait = torch.zeros(1, 3, 64, 64)
    portrait[..., 24:34, :] = 1
    seen = parts(portrait)
    assert seen.shape == portrait.shape
    assert float(seen[..., :32, :].mean()) > 0.5
    assert float(seen[..., 32:, :].abs().max()) == 0


@pytest.mark.parametrize("objective", ["direction", "critics"])
def test_each_objective_lowers_its_own_term(bundle: Bundle, process: Process, objective: RemovalObjective) -> None:
    models, (worn, bare) = bundle.models, (draw_portraits(2, 93, 64, wearing=1.0), draw_portraits(2, 94, 64))
    pairs = [(prompts("face with makeup"), prompts("face without makeup"))]
    critics = [make_critic(models.clip, whole, pairs, draw_portraits(32, 95, 64))]
    torch.manual_seed(0)
    add_style(models.eps, "undressing", 8)
    try:
        recipe = RemovalRecipe(objective, steps=8, learning_rate=2e-3, final_rate=0.5, batch=2, bare_batch=1)
        recipe = replace(recipe, weights=replace(recipe.weights, keep_bare=2.0, l1=0.2))
        tuning = Tuning(models.eps, "undressing", recipe, 0)
        seen: list[float] = []
        tune_removal(
            replace(models, process=process), tuning, recipe,
            RemovalLesson(worn, bare, models.recognisers["irse50"], critics),
            lambda _step, _steps, terms: seen.append(terms[objective]),
        )  # fmt: skip
        assert len(seen) == 8
        assert seen[-1] < 0.97 * seen[0]
    finally:
        remove_style(models.eps, "undressing")


def test_an_untrained_style_removes_nothing(bundle: Bundle, process: Process) -> None:
    worn = draw_portraits(2, 96, 64, wearing=1.0)
    add_style(bundle.models.eps, "untrained", 8)
    try:
        with torch.inference_mode():
            same = remove_makeup(bundle.models, worn, process, "untrained")
        assert float((same - worn).abs().max()) < 1e-5
    finally:
        remove_style(bundle.models.eps, "untrained")


def test_the_shipped_removal_takes_make_up_off_and_leaves_bare_faces_alone(bundle: Bundle) -> None:
    assert bundle.removal is not None
    figures = measure_removal(bundle.models, 10, 1_400_000, bundle.removal)
    assert figures["change"] <= -0.15
    assert figures["improved"] >= 0.8
    assert figures["psnr_after_db"] > figures["psnr_before_db"]
    assert figures["identity"] >= 0.93
    assert figures["change_of_bare"] < 0.3 * figures["distance_before"]
