"""Fine-tunes styles of an opened bundle; a training that was stopped, even by force, goes on where it was."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from diffam_core.losses import ReferenceColours
from diffam_core.models import Models, Process, Recogniser
from diffam_core.removal import Critic, RemovalLesson, RemovalRecipe, tune_removal
from diffam_core.styles import add_full_style, add_style, remove_style, style_weights
from diffam_core.transfer import Attack, Lesson, Mode, Prepared, StageRecipe, tune
from diffam_core.tuning import OnLoss, Tuning, ignore_loss
from model_store.training.checkpoints import resume

IN_TRAINING = "in-training"
"""The name of a style while it is fine-tuned."""


def fine_tune(
    models: Models,
    colours: ReferenceColours,
    data: Prepared,
    recipe: StageRecipe,
    seed: int,
    mode: Mode = "lora",
    rank: int = 8,
    start: dict[str, Tensor] | None = None,
    attack: Attack | None = None,
    checkpoints: Path | None = None,
    on_loss: OnLoss = ignore_loss,
) -> dict[str, Tensor]:
    """The weights of a style after one stage; without `attack` it is the make-up alone.

    start: the weights to begin with; None begins at the base model.  checkpoints: a folder for the state of unfinished
    and finished stages, one file for each `fingerprint` of everything handed in; None keeps nothing.
    Raises OSError when a checkpoint cannot be written; what `on_loss` raises ends the training, to be resumed.
    """
    surrogates = attack.surrogates if attack else []
    _attach(models, seed, mode, rank, start)
    try:
        tuning = Tuning(models.eps, IN_TRAINING, recipe, seed)
        made_by = (
            recipe, seed, colours.direction, *colours.tables.values(), data.latents, data.reconstructions, data.photos,
            data.clip, models.process.denoise_points, *(data.own[r.name] for r in surrogates),
            *([attack.aim] if attack else []),
        )  # fmt: skip
        keep = resume(tuning, checkpoints, made_by)
        tune(models, tuning, recipe, Lesson(colours, data, attack), on_loss, keep)
        return style_weights(models.eps, IN_TRAINING)
    finally:
        remove_style(models.eps, IN_TRAINING)


def fine_tune_removal(
    models: Models,
    process: Process,
    recipe: RemovalRecipe,
    made_up: Tensor,
    bare: Tensor,
    identity: Recogniser,
    seed: int,
    mode: Mode = "lora",
    rank: int = 16,
    critics: Sequence[Critic] = (),
    checkpoints: Path | None = None,
    on_loss: OnLoss = ignore_loss,
) -> dict[str, Tensor]:
    """The weights of a style that takes make-up off, trained on portraits `(n, 3, s, s)` in [-1, 1]; never pairs.

    models: those whose `eps` is to be fine-tuned, from its base.  process: the walk in training.  bare: may be empty
    when the recipe's `bare_batch` is 0.  Raises what `fine_tune` raises.
    """
    _attach(models, seed, mode, rank, None)
    try:
        tuning = Tuning(models.eps, IN_TRAINING, recipe, seed)
        made_by = (
            recipe, seed, made_up, bare, process.return_timestep, process.invert_points, process.denoise_points,
            identity.name, *(part for critic in critics for part in (critic.axes, critic.mean, critic.spread)),
        )  # fmt: skip
        keep = resume(tuning, checkpoints, made_by)
        lesson = RemovalLesson(made_up, bare, identity, critics)
        tune_removal(replace(models, process=process), tuning, recipe, lesson, on_loss, keep)
        return style_weights(models.eps, IN_TRAINING)
    finally:
        remove_style(models.eps, IN_TRAINING)


def _attach(models: Models, seed: int, mode: Mode, rank: int, start: dict[str, Tensor] | None) -> None:
    torch.manual_seed(seed)
    if mode == "lora":
        add_style(models.eps, IN_TRAINING, rank, start)
    else:
        add_full_style(models.eps, IN_TRAINING, start)
