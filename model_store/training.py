"""Fine-tunes styles of an opened bundle; a training that was stopped, even by force, goes on where it was."""

import hashlib
import io
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load
from safetensors.torch import save as to_bytes
from torch import Tensor

from diffam_core.losses import Look
from diffam_core.models import Models, Process, Recogniser
from diffam_core.protect import latents
from diffam_core.removal import Critic, RemovalRecipe, tune_removal
from diffam_core.styles import add_full_style, add_style, remove_style, style_weights
from diffam_core.transfer import Mode, Prepared, StageRecipe, tune
from diffam_core.tuning import OnLoss, Tuning, ignore_loss
from model_store.additions import finished

log = logging.getLogger(__name__)
IN_TRAINING = "in-training"
"""The name of a style while it is fine-tuned."""
Keep = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Attack:
    """What the second stage adds: the recognisers to mislead and the target's picture `(1, 3, s, s)`."""

    surrogates: list[Recogniser]
    aim: Tensor


def fingerprint(*parts: object) -> str:
    """A digest of whatever decides how a training ends: recipes, seeds, tensors, file digests."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            digest.update(to_bytes({"part": part.detach().cpu().contiguous()}))
        else:
            digest.update(json.dumps(part, sort_keys=True, default=asdict).encode())
    return digest.hexdigest()


def fine_tune(
    models: Models,
    look: Look,
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
        tuning = _begin(models, recipe, seed)
        made_by = (
            recipe, seed, look.direction, *look.tables.values(), data.latents, data.reconstructions, data.photos,
            data.clip, models.process.denoise_points, *(data.own[r.name] for r in surrogates),
            *([attack.aim] if attack else []),
        )  # fmt: skip
        keep = _resume(tuning, checkpoints, made_by)
        aim = attack.aim if attack else None
        tune(models, tuning, recipe, look, data, surrogates, aim, on_loss, keep)
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
        tuning = _begin(models, recipe, seed)
        made_by = (
            recipe, seed, made_up, bare, process.return_timestep, process.invert_points, process.denoise_points,
            identity.name, *(part for critic in critics for part in (critic.axes, critic.mean, critic.spread)),
        )  # fmt: skip
        keep = _resume(tuning, checkpoints, made_by)
        tune_removal(models, tuning, recipe, process, made_up, bare, list(critics), identity, on_loss, keep)
        return style_weights(models.eps, IN_TRAINING)
    finally:
        remove_style(models.eps, IN_TRAINING)


def _attach(models: Models, seed: int, mode: Mode, rank: int, start: dict[str, Tensor] | None) -> None:
    torch.manual_seed(seed)
    if mode == "lora":
        add_style(models.eps, IN_TRAINING, rank, start)
    else:
        add_full_style(models.eps, IN_TRAINING, start)


def _begin(models: Models, recipe: StageRecipe | RemovalRecipe, seed: int) -> Tuning:
    return Tuning(
        models.eps, IN_TRAINING, recipe.steps, recipe.learning_rate, recipe.final_rate, seed, recipe.epoch
    )  # fmt: skip


def _resume(tuning: Tuning, folder: Path | None, made_by: tuple[object, ...]) -> Keep | None:
    """Go on from the checkpoint of the same training, if there is one; returns what writes the next."""
    if folder is None:
        return None
    path = folder / f"{fingerprint(*made_by, *tuning.parameters)}.pt"
    if (state := _read_checkpoint(path)) is not None:
        tuning.restore(state)
    return lambda state: _write_checkpoint(state, path)


def _read_checkpoint(path: Path) -> dict[str, object] | None:
    try:
        state: dict[str, object] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except (UnpicklingError, RuntimeError, EOFError):
        log.warning("checkpoint %s cannot be read; the stage begins again", path.name)
        return None
    return state


def _write_checkpoint(state: dict[str, object], path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with finished(path) as partial:
        partial.write_bytes(buffer.getvalue())


def save_weights(weights: dict[str, Tensor], path: Path) -> str:
    """Write fp16 safetensors, complete or not at all; returns the file's sha256. Counters stay integers."""
    half = {key: (v.half() if v.is_floating_point() else v).contiguous().clone() for key, v in weights.items()}
    data = to_bytes(half)
    with finished(path) as partial:
        partial.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


class CachedLatents:
    """`diffam_core.protect.latents` that remembers, in a folder, by what made each latent.

    The key covers the noise predictor's weights, the inversion's schedule and the portrait itself. The folder may be
    deleted at any time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @torch.no_grad()
    def __call__(self, models: Models, portraits: Tensor) -> Tensor:
        """Latents of portraits `(n, 3, s, s)` in [-1, 1]; only those never seen are inverted."""
        process = models.process
        made_by = fingerprint(
            process.return_timestep, process.invert_points, process.alpha_bar,
            *(p for key, p in models.eps.named_parameters() if "lora_" not in key and "full_styles" not in key),
        )  # fmt: skip
        files = [self.folder / f"{fingerprint(made_by, portrait)}.safetensors" for portrait in portraits]
        found = [load(file.read_bytes())["latent"] if file.is_file() else None for file in files]
        missing = [row for row, latent in enumerate(found) if latent is None]
        if missing:
            for row, latent in zip(missing, latents(models, portraits[missing]).cpu(), strict=True):
                with finished(files[row]) as partial:
                    partial.write_bytes(to_bytes({"latent": latent.contiguous()}))
                found[row] = latent
        return torch.stack([latent for latent in found if latent is not None]).to(portraits.device)
