"""Fine-tunes a style, or make-up removal; what was stopped, even by force, goes on where it was and ends the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from diffam_core.models import Models
from diffam_core.networks.unet import EpsModel
from diffam_core.removal import RemovalLesson, RemovalRecipe, tune_removal
from diffam_core.styles import add_full_style, add_style, remove_style, style_weights
from diffam_core.transfer import Lesson, Mode, StageRecipe, tune
from diffam_core.tuning import OnLoss, Tuning, ignore_loss
from model_store.training.checkpoints import Checkpoints, base_weights, resume

IN_TRAINING = "in-training"
"""The name of a style while it is fine-tuned."""


@dataclass(frozen=True)
class Form:
    """What is trained: all weights, or LoRA of a `rank`.

    seed: of all random numbers, those of a LoRA's first weights included.  start: None begins at the base model.
    """

    seed: int = 0
    mode: Mode = "lora"
    rank: int = 8
    start: dict[str, Tensor] | None = None


def fine_tune(
    models: Models,
    recipe: StageRecipe,
    lesson: Lesson,
    form: Form,
    checkpoints: Checkpoints | None = None,
    on_loss: OnLoss = ignore_loss,
) -> dict[str, Tensor]:
    """The weights of a style after one stage.

    Without `checkpoints` nothing is kept.  Raises OSError when one cannot be written; what `on_loss` raises ends the
    training, to be resumed.
    """
    colours, data, attack = lesson.colours, lesson.data, lesson.attack
    with _attached(models.eps, form):
        tuning = Tuning(models.eps, IN_TRAINING, recipe, form.seed)
        made_by = (
            recipe, form.seed, colours.direction, *colours.tables.values(), data.latents, data.reconstructions,
            data.photos, data.clip, models.process.denoise_points,
            *((*(data.own[surrogate.name] for surrogate in attack.surrogates), attack.aim) if attack else ()),
        )  # fmt: skip
        tune(models, tuning, recipe, lesson, on_loss, resume(tuning, checkpoints, made_by))
        return style_weights(models.eps, IN_TRAINING)


def fine_tune_removal(
    models: Models,
    recipe: RemovalRecipe,
    lesson: RemovalLesson,
    form: Form,
    checkpoints: Checkpoints | None = None,
    on_loss: OnLoss = ignore_loss,
) -> dict[str, Tensor]:
    """The weights of a style that takes make-up off. Keeps and raises as `fine_tune`.

    models: with the network that is to be fine-tuned as `eps`, and the walk in training as `process`.
    """
    process, critics = models.process, lesson.critics
    with _attached(models.eps, form):
        tuning = Tuning(models.eps, IN_TRAINING, recipe, form.seed)
        made_by = (
            recipe, form.seed, lesson.made_up, lesson.bare, lesson.identity.name, *base_weights(models.eps),
            process.return_timestep, process.invert_points, process.denoise_points, process.alpha_bar,
            *(part for critic in critics for part in (critic.axes, critic.mean, critic.spread)),
        )  # fmt: skip
        tune_removal(models, tuning, recipe, lesson, on_loss, resume(tuning, checkpoints, made_by))
        return style_weights(models.eps, IN_TRAINING)


@contextmanager
def _attached(eps: EpsModel, form: Form) -> Iterator[None]:
    """The style to be trained, on the noise predictor while the block lasts."""
    torch.manual_seed(form.seed)
    if form.mode == "lora":
        add_style(eps, IN_TRAINING, form.rank, form.start)
    else:
        add_full_style(eps, IN_TRAINING, form.start)
    try:
        yield
    finally:
        remove_style(eps, IN_TRAINING)
