"""Adversarial make-up transfer on the shipped networks: what it learns, what it leaves alone, and that it resumes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from diffam_core.generation import generate
from diffam_core.losses import Weights
from diffam_core.models import Recogniser
from diffam_core.styles import add_full_style, add_style, remove_style, style_weights
from diffam_core.transfer import (
    Attack,
    Lesson,
    Mode,
    Prepared,
    ReferenceColours,
    StageRecipe,
    TransferRecipe,
    prepare,
    read_colours,
    tune,
)
from diffam_core.tuning import Tuning
from model_store.bundle import Bundle
from model_store.rendered.portraits import SEEDS, draw_portraits
from model_store.training.checkpoints import CachedLatents, Checkpoints
from model_store.training.fine_tuning import Form, fine_tune

RECIPE = replace(TransferRecipe().attack, steps=6, batch=2, views=1)


@pytest.fixture(scope="module")
def colours(bundle: Bundle) -> ReferenceColours:
    picture = bundle.references["rose"]
    return read_colours(bundle.models, picture.made_up, picture.bare, picture.regions)


@pytest.fixture(scope="module")
def surrogates(bundle: Bundle) -> list[Recogniser]:
    return [bundle.models.recognisers[name] for name in ("irse50", "facenet")]


@pytest.fixture(scope="module")
def data(bundle: Bundle, surrogates: list[Recogniser]) -> Prepared:
    return prepare(bundle.models, draw_portraits(6, SEEDS["portraits"], bundle.models.view_px), surrogates)


@pytest.fixture(scope="module")
def attack(bundle: Bundle, surrogates: list[Recogniser]) -> Attack:
    return Attack(surrogates, bundle.targets["bruno"].aim)


@pytest.fixture(scope="module")
def lesson(colours: ReferenceColours, data: Prepared, attack: Attack) -> Lesson:
    return Lesson(colours, data, attack)


@pytest.fixture(scope="module")
def makeup_alone(colours: ReferenceColours, data: Prepared) -> Lesson:
    return Lesson(colours, data)


def same_weights(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


class Stopped(Exception):
    """Raised by a test in the middle of a training."""


@pytest.mark.parametrize("mode", ["lora", "full"])
def test_a_training_that_was_stopped_ends_with_the_same_bits(
    bundle: Bundle, lesson: Lesson, mode: Mode, tmp_path: Path
) -> None:
    asked = (bundle.models, replace(RECIPE, steps=4), lesson, Form(3, mode))
    whole = fine_tune(*asked)

    def stop(step: int, _steps: int, _terms: dict[str, float]) -> None:
        if step == 3:
            raise Stopped

    with pytest.raises(Stopped):
        fine_tune(*asked, Checkpoints(tmp_path, every=2), stop)
    seen: list[int] = []
    resumed = fine_tune(*asked, Checkpoints(tmp_path, every=2), lambda step, _steps, _terms: seen.append(step))
    assert seen == [3, 4]
    assert same_weights(whole, resumed)


def test_another_recipe_never_resumes_from_this_ones_checkpoint(
    bundle: Bundle, makeup_alone: Lesson, tmp_path: Path
) -> None:
    recipe, kept = StageRecipe(1, Weights(), batch=1), Checkpoints(tmp_path)
    fine_tune(bundle.models, recipe, makeup_alone, Form(0), kept)
    fine_tune(bundle.models, recipe, makeup_alone, Form(1), kept)
    fine_tune(bundle.models, replace(recipe, learning_rate=1e-3), makeup_alone, Form(0), kept)
    assert len(list(tmp_path.glob("*.pt"))) == 3


def test_a_torn_checkpoint_is_left_aside(bundle: Bundle, makeup_alone: Lesson, tmp_path: Path) -> None:
    asked = (bundle.models, StageRecipe(1, Weights(), batch=1), makeup_alone, Form(), Checkpoints(tmp_path))
    first = fine_tune(*asked)
    (kept,) = tmp_path.glob("*.pt")
    kept.write_bytes(kept.read_bytes()[:1000])
    assert same_weights(first, fine_tune(*asked))


def test_training_moves_the_style_and_nothing_else(bundle: Bundle, lesson: Lesson, attack: Attack) -> None:
    models = bundle.models
    before = {key: value.clone() for key, value in models.eps.state_dict().items()}
    losses: list[dict[str, float]] = []
    weights = fine_tune(
        models, replace(RECIPE, steps=30, batch=3), lesson, Form(),
        on_loss=lambda _step, _steps, terms: losses.append(terms),
    )  # fmt: skip
    after = models.eps.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert any(value.abs().max() > 0 for key, value in weights.items() if "lora_B" in key)
    frozen = [models.clip, models.perceptual, models.parser, *(r.network for r in attack.surrogates)]
    assert all(parameter.grad is None for network in frozen for parameter in network.parameters())
    first, last = losses[:5], losses[-5:]
    for term in ("histogram", "impersonate", "dodge"):
        assert sum(row[term] for row in last) < 0.9 * sum(row[term] for row in first), term


def test_a_full_style_begins_as_the_base_model_and_moves_alone(bundle: Bundle, data: Prepared) -> None:
    models = bundle.models
    base = generate(models, data.latents[:2], None)
    add_full_style(models.eps, "whole")
    try:
        assert torch.allclose(generate(models, data.latents[:2], "whole"), base, atol=1e-5)
        with torch.no_grad():
            next(models.eps.full_styles["whole"].parameters()).add_(0.1)
        assert not torch.allclose(generate(models, data.latents[:2], "whole"), base, atol=1e-3)
        assert torch.equal(generate(models, data.latents[:2], None), base)
    finally:
        remove_style(models.eps, "whole")


def test_full_weights_of_another_network_are_refused(bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="not trained for this network"):
        add_full_style(bundle.models.eps, "whole", {"nowhere": torch.zeros(1)})


@pytest.mark.parametrize("batch", [1, 3])
def test_gradient_checkpoints_change_memory_not_gradients(bundle: Bundle, lesson: Lesson, batch: int) -> None:
    ends: list[dict[str, Tensor]] = []
    for is_saving_memory in (False, True):
        torch.manual_seed(0)
        add_style(bundle.models.eps, "one", 8)
        recipe = replace(RECIPE, steps=2, batch=batch, has_gradient_checkpoints=is_saving_memory)
        tuning = Tuning(bundle.models.eps, "one", recipe, 0)
        losses: list[float] = []
        tune(
            bundle.models, tuning, recipe, lesson,
            lambda _step, _steps, terms, losses=losses: losses.extend(terms.values()),  # type: ignore[misc]
        )  # fmt: skip
        ends.append({"loss": torch.tensor(losses), **style_weights(bundle.models.eps, "one")})
        remove_style(bundle.models.eps, "one")
    assert all(torch.allclose(ends[0][key], ends[1][key], atol=1e-5) for key in ends[0])


def test_bfloat16_trains_and_stays_finite(bundle: Bundle, lesson: Lesson) -> None:
    losses: list[dict[str, float]] = []
    fine_tune(
        bundle.models, replace(RECIPE, precision="bfloat16"), lesson, Form(),
        on_loss=lambda _step, _steps, terms: losses.append(terms),
    )  # fmt: skip
    assert all(value == value and abs(value) < 100 for terms in losses for value in terms.values())
    assert losses[-1]["impersonate"] < losses[0]["impersonate"]


def test_objectives_share_one_budget() -> None:
    recipe = TransferRecipe()
    total = recipe.attack.weights.impersonate + recipe.attack.weights.dodge
    paper, dodge = recipe.with_objective("impersonate").attack.weights, recipe.with_objective("dodge").attack.weights
    assert (paper.impersonate, paper.dodge) == (total, 0)
    assert (dodge.impersonate, dodge.dodge) == (0, total)
    assert recipe.with_objective("both") == recipe


def test_latents_are_remembered_by_what_made_them(
    bundle: Bundle, data: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def counted(models: Any, portraits: Tensor) -> Tensor:
        from diffam_core.generation import latents

        calls.append(len(portraits))
        return latents(models, portraits)

    monkeypatch.setattr("model_store.training.checkpoints.latents", counted)
    cached, models = CachedLatents(tmp_path), bundle.models
    first = cached(models, data.portraits[:2])
    again = cached(models, data.portraits[:4])
    assert calls == [2, 2]
    assert torch.equal(first, again[:2])
    other = replace(models, process=replace(models.process, return_timestep=40))
    assert not torch.allclose(cached(other, data.portraits[:1]), first[:1])
    assert calls == [2, 2, 1]


def test_make_up_alone_needs_no_recogniser(bundle: Bundle, makeup_alone: Lesson) -> None:
    add_style(bundle.models.eps, "alone", 8)
    try:
        recipe = StageRecipe(2, Weights(), batch=2)
        tuning = Tuning(bundle.models.eps, "alone", recipe, 0)
        seen: list[set[str]] = []
        tune(
            bundle.models, tuning, recipe, makeup_alone,
            lambda _step, _steps, terms: seen.append(set(terms)),
        )  # fmt: skip
        assert len(seen) == 2
        assert not {"impersonate", "dodge"} & seen[0]
    finally:
        remove_style(bundle.models.eps, "alone")
