"""What runs on the accelerator, for a whole batch: every chosen face is inverted once, and wears styles from there."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from diffam_core.faces.face import FoundFace, cut_portrait
from diffam_core.generation import OnStep, autocast, generate, latents, silent, within
from diffam_core.images import Photo
from diffam_core.models import Models
from diffam_core.networks.parser import region
from protection.plan import Upload

MAX_ROWS = 16
"""Portraits in one forward pass at most: a group photo must not exhaust the accelerator."""

Residual = Float[Tensor, "1 3 size size"]
"""What a face's portrait gains: a latent denoised with a style minus the same without it."""


@dataclass(frozen=True, eq=False)
class Face:
    """Face `index` of an upload, with what is computed once for all its candidates, a batch of one each.

    regions: the parser's probabilities.
    """

    upload: Upload
    index: int
    latent: Float[Tensor, "1 3 size size"]
    reconstruction: Float[Tensor, "1 3 size size"]
    regions: Float[Tensor, "1 channels size size"]

    @property
    def photo(self) -> Photo:
        """The photo that it is in."""
        return self.upload.photo

    @property
    def found(self) -> FoundFace:
        """Where it is in its photo."""
        return self.upload.found[self.index]

    @property
    def mask(self) -> Float[Tensor, "1 1 size size"]:
        """The face's probability."""
        return region(self.regions, "face")


@torch.inference_mode()
def invert(models: Models, uploads: Sequence[Upload], on_step: OnStep = silent) -> list[Face]:
    """Cut out, invert, reconstruct and parse the chosen faces of all photos, in order."""
    faces = [(upload, index) for upload in uploads for index in upload.chosen]
    cut = [cut_portrait(upload.photo, upload.found[index], models.portrait_px) for upload, index in faces]
    parts = torch.cat(cut).to(models.device).split(MAX_ROWS)
    with autocast(models):
        inverting, rebuilding = within(on_step, 0, 2), within(on_step, 1, 2)
        latent = torch.cat([latents(models, part, within(inverting, i, len(parts))) for i, part in enumerate(parts)])
        known = enumerate(latent.split(MAX_ROWS))
        rebuilt = [generate(models, part, None, within(rebuilding, i, len(parts))) for i, part in known]
        regions = torch.cat([models.parser(part).sigmoid() for part in parts])
    rows = zip(latent.split(1), torch.cat(rebuilt).split(1), regions.split(1), strict=True)
    return [Face(*face, *row) for face, row in zip(faces, rows, strict=True)]


@torch.inference_mode()
def wear(models: Models, worn: Sequence[tuple[Face, str, float]], on_step: OnStep = silent) -> list[Residual]:
    """What a style changes on a face, in the order given.

    worn: faces with the adapter's name of the style, and its strength. Equal styles share forward passes.
    """
    by_style: dict[str, list[int]] = {}
    for row, (_, style, _) in enumerate(worn):
        by_style.setdefault(style, []).append(row)
    passes = [
        (style, rows[start : start + MAX_ROWS])
        for style, rows in by_style.items()
        for start in range(0, len(rows), MAX_ROWS)
    ]
    residuals: dict[int, Tensor] = {}
    for number, (style, rows) in enumerate(passes):
        latent = torch.cat([worn[row][0].latent for row in rows])
        strengths = latent.new_tensor([worn[row][2] for row in rows])
        with autocast(models):
            made_up = generate(models, latent, style, within(on_step, number, len(passes)), strengths=strengths)
        for row, picture in zip(rows, made_up.split(1), strict=True):
            residuals[row] = picture - worn[row][0].reconstruction
    return [residuals[row] for row in range(len(worn))]
