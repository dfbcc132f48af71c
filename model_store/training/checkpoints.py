"""What a training keeps on disk, complete or not at all: checkpoints to resume from, latents, finished weights."""

import hashlib
import io
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Protocol

import torch
from safetensors.torch import load
from safetensors.torch import save as to_bytes
from torch import Tensor

from diffam_core.generation import latents
from diffam_core.models import Models
from diffam_core.networks.unet import EpsModel
from diffam_core.tuning import Keep, State
from model_store.additions import finished

log = logging.getLogger(__name__)


def fingerprint(*parts: object) -> str:
    """A digest of whatever decides how a training ends: recipes, seeds, tensors, file digests."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            digest.update(to_bytes({"part": part.detach().cpu().contiguous()}))
        else:
            digest.update(json.dumps(part, sort_keys=True, default=asdict).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Checkpoints:
    """Where unfinished and finished stages are kept, one file for each `fingerprint`, and after how many steps."""

    folder: Path
    every: int = 10


class Resumable(Protocol):
    """A training between two steps, as `diffam_core.tuning.Tuning` is one.

    parameters: what it changes; before the first step they say, with what it was `made_by`, how it will end.
    """

    @property
    def parameters(self) -> Sequence[Tensor]: ...

    def restore(self, state: State) -> None:
        """Go on from the state of a run of the same kind."""


def resume(tuning: Resumable, checkpoints: Checkpoints | None, made_by: tuple[object, ...]) -> Keep | None:
    """Go on from the checkpoint of the same training, if there is one; returns what writes the next."""
    if checkpoints is None:
        return None
    path = checkpoints.folder / f"{fingerprint(*made_by, *tuning.parameters)}.pt"
    if (state := _read_checkpoint(path)) is not None:
        tuning.restore(state)
    return Keep(lambda state: _write_checkpoint(state, path), checkpoints.every)


def _read_checkpoint(path: Path) -> State | None:
    try:
        state: State = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except (UnpicklingError, RuntimeError, EOFError):
        log.warning("checkpoint %s cannot be read; the stage begins again", path.name)
        return None
    return state


def _write_checkpoint(state: State, path: Path) -> None:
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


def base_weights(eps: EpsModel) -> list[Tensor]:
    """The noise predictor's own, whatever styles are attached."""
    return [weight for key, weight in eps.named_parameters() if "lora_" not in key]


class CachedLatents:
    """`diffam_core.generation.latents` that remembers, in a folder, by what made each latent.

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
            process.return_timestep, process.invert_points, process.alpha_bar, *base_weights(models.eps)
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
