"""The terms of the transfer loss L = L_MT + L_adv + L_vis (DiffAM eq. 9-14), each a mean over the batch.

They judge the composite that users get, not the bare portrait. Beyond the paper: dodging (away from the owner), total
variation, silence outside the face, calm bare skin, and hinges at a visual bar, so that runs can be compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional.image import structural_similarity_index_measure

from diffam_core.composite import low_pass
from diffam_core.histogram import colour_table, match_colours
from diffam_core.models import Models, Recogniser
from diffam_core.views import random_view

REGION_WEIGHTS = {"lips": 1.0, "eyes": 1.0, "skin": 0.05}
"""What each region counts in the histogram term; the order is that of the parser's channels."""
DARK = 0.25
"""Added to the lightness in [0, 1] that a change is seen against: the eye judges relative changes (Weber's law)."""
MOUSTACHE = 4
"""Pixels of a 64-pixel portrait around the lips where bare skin counts three times: shade there is seen as a beard."""


@dataclass(frozen=True)
class Weights:
    """What each term counts; 0 leaves it out. `impersonate` and `dodge` are L_adv."""

    histogram: float = 7.0
    direction: float = 0.4
    impersonate: float = 0.0
    dodge: float = 0.0
    perceptual: float = 1.0
    l1: float = 3.0
    total_variation: float = 25.0
    outside: float = 5.0
    bare_skin: float = 25.0
    colour_cast: float = 400.0
    psnr_hinge: float = 2.0
    ssim_hinge: float = 0.0


@dataclass(frozen=True)
class VisualBar:
    """The visible quality of a composite below which the hinges push back."""

    psnr_db: float = 28.5
    ssim: float = 0.94


@dataclass(frozen=True)
class ReferenceColours:
    """The reference as the loss sees it: colour tables per region, and the CLIP direction bare -> made up."""

    tables: dict[str, Tensor]
    direction: Tensor


@dataclass(frozen=True)
class Batch:
    """One step's photos: originals `(b, 3, view, view)`, their portraits `(b, 3, s, s)`, and what never changes."""

    photos: Tensor
    portraits: Tensor
    face: Tensor
    regions: dict[str, Tensor]
    clip: Tensor
    own: dict[str, Tensor]


def shrink(x: Tensor, size_px: int) -> Tensor:
    """Area-averaged down to `size_px`."""
    return functional.interpolate(x, size_px, mode="area")


@torch.no_grad()
def read_colours(models: Models, made_up: Tensor, bare: Tensor, regions: Tensor) -> ReferenceColours:
    """A reference's pictures `(1, 3, s, s)` in [-1, 1] and region masks `(1, 4, s, s)` as targets of the loss."""
    size = models.portrait_px
    made_up, bare, masks = shrink(made_up, size), shrink(bare, size), shrink(regions, size) > 0.5
    tables = {name: colour_table(made_up[0], masks[0, index]) for index, name in enumerate(REGION_WEIGHTS)}
    pair = models.clip.embed_images(torch.cat([made_up, bare]))
    return ReferenceColours(tables, pair[0] - pair[1])


def makeup_terms(
    models: Models,
    colours: ReferenceColours,
    batch: Batch,
    small: Tensor,
    regions: Mapping[str, float] = REGION_WEIGHTS,
) -> dict[str, Tensor]:
    """L_MT: distance to the histogram-matched self per region (L_px), and CLIP direction (L_dir)."""
    histogram = small.new_zeros(())
    for name, weight in regions.items():
        region = batch.regions[name]
        apart = (small - match_colours(small, region, colours.tables[name])).abs() * region
        per_face = apart.sum(dim=(1, 2, 3)) / (3 * region.sum(dim=(1, 2, 3)).clamp(min=8))
        histogram = histogram + weight * per_face.mean()
    moved = models.clip.embed_images(small) - batch.clip
    direction = 1 - functional.cosine_similarity(moved, colours.direction[None], dim=1, eps=1e-4)
    return {"histogram": histogram, "direction": direction.mean()}


def visual_terms(models: Models, batch: Batch, small: Tensor, residual: Tensor) -> dict[str, Tensor]:
    """L_vis (LPIPS and L1) and what keeps the network's residual calm."""
    smooth = low_pass(residual)
    variation = (smooth.diff(dim=-1).abs().mean() + smooth.diff(dim=-2).abs().mean()) / 2
    lightness = (batch.portraits.mean(dim=1, keepdim=True) + 1) / 2
    seen = smooth / (lightness + DARK)
    tint = seen - seen.mean(dim=1, keepdim=True)
    lips = batch.regions["lips"]
    reach = MOUSTACHE * lips.shape[-1] // 64
    near_lips = functional.max_pool2d(lips.float(), 2 * reach + 1, 1, reach)
    bare = ((batch.face > 0.5) & ~lips & ~batch.regions["eyes"]) * (1 + 2 * near_lips)
    return {
        "perceptual": models.perceptual(small, batch.portraits).mean(),
        "l1": (small - batch.portraits).abs().mean(),
        "total_variation": variation,
        "outside": (residual.abs() * (1 - batch.face)).mean(),
        "bare_skin": (seen.square() * bare).mean(),
        "colour_cast": (tint.square() * bare).mean(),
    }


def bar_terms(bar: VisualBar, weights: Weights, batch: Batch, composite: Tensor) -> dict[str, Tensor]:
    """How far, in dB and in hundredths of SSIM, composites lie below the visual bar; only what has a weight."""
    terms = {}
    if weights.psnr_hinge:
        error = (composite - batch.photos).square().mean(dim=(1, 2, 3))
        psnr_db = 10 * torch.log10(4 / error.clamp(min=1e-8))
        terms["psnr_hinge"] = (bar.psnr_db - psnr_db).clamp(min=0).mean()
    if weights.ssim_hinge:
        ssim = structural_similarity_index_measure(composite, batch.photos, data_range=2.0, reduction="none")
        terms["ssim_hinge"] = 100 * (bar.ssim - cast(Tensor, ssim)).clamp(min=0).mean()
    return terms


def attack_terms(
    surrogates: list[Recogniser],
    aims: dict[str, Tensor],
    batch: Batch,
    composite: Tensor,
    views: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """L_adv on random views, with 0 on the composite itself: towards the target (eq. 11), and away from the owner."""
    impersonate, dodge = [], []
    for view in [random_view(composite, generator) for _ in range(views)] or [composite]:
        for recogniser in surrogates:
            embedding = recogniser.embed(view)
            impersonate.append((1 - embedding @ aims[recogniser.name]).mean())
            dodge.append((embedding * batch.own[recogniser.name]).sum(dim=1).clamp(min=0).mean())
    return {"impersonate": torch.stack(impersonate).mean(), "dodge": torch.stack(dodge).mean()}
