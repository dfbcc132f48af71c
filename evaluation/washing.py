"""Cleans finished photos as somebody would who has our own tools: noise and denoiser, then the make-up remover."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from diffam_core.composite import change, face_probability
from diffam_core.diffusion import noised
from diffam_core.faces.face import FoundFace, native_px, stack_portraits
from diffam_core.faces.palette import fit_palette
from diffam_core.faces.paste import paste_change
from diffam_core.generation import autocast, generate
from diffam_core.images import Photo
from diffam_core.models import Models, Process
from diffam_core.removal import remove_makeup
from model_store.bundle import Bundle
from protection.batch import MAX_ROWS
from protection.measuring.again import find_again


@torch.inference_mode()
def wash(bundle: Bundle, photos: Sequence[Photo], faces: Sequence[FoundFace]) -> list[Photo]:
    """The photos with their faces purified, and bare where the bundle has a remover; nothing else moves.

    faces: where they are expected; they are looked for anew.
    """
    models = bundle.models
    found = [find_again(models, photo, face) or face for photo, face in zip(photos, faces, strict=True)]
    washed: list[Photo] = []
    for start in range(0, len(photos), MAX_ROWS):
        part, at = list(photos[start : start + MAX_ROWS]), found[start : start + MAX_ROWS]
        clean = _purify(models, part, at)
        washed += clean if bundle.removal is None else _strip(models, bundle.removal, clean, at)
    return washed


def purified(models: Models, portraits: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch 3 size size"]:
    """Portraits noised to the return timestep at random and denoised from there, as DiffPure does.

    Detail that the noise drowns comes back as the denoiser knows it. All get the same noise, whatever their company.
    """
    process = models.process
    noise = torch.randn(portraits[:1].shape, generator=torch.Generator().manual_seed(0)).to(portraits)
    alpha_bar = process.alpha_bar[process.return_timestep]
    with autocast(models):
        return generate(models, noised(portraits, noise, alpha_bar), None)


def _purify(models: Models, photos: list[Photo], faces: list[FoundFace]) -> list[Photo]:
    size = models.portrait_px
    portraits = stack_portraits(photos, faces, size).to(models.device)
    residuals = purified(models, portraits) - portraits
    masks = face_probability(models.parser, portraits)
    return [
        _paste(photo, face, change(residual, mask, native_px(face, size)))
        for photo, face, residual, mask in zip(photos, faces, residuals.split(1), masks.split(1), strict=True)
    ]


def _strip(models: Models, process: Process, photos: list[Photo], faces: list[FoundFace]) -> list[Photo]:
    views = stack_portraits(photos, faces, models.view_px).to(models.device)
    deltas = remove_makeup(models, views, process) - views
    return [_paste(photo, face, delta) for photo, face, delta in zip(photos, faces, deltas.split(1), strict=True)]


def _paste(photo: Photo, face: FoundFace, delta: Float[Tensor, "1 3 size size"]) -> Photo:
    return paste_change(photo, face, fit_palette(delta[0], photo, face))
