"""How much a refinement may change where: only what make-up could, and no more than the eye forgives there."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from diffam_core.faces.palette import LUMA

Mask = Float[Tensor, "batch 1 side side"]
Canvases = Float[Tensor, "batch 3 side side"]
EDGE, SOFT, GRAIN, AROUND = 0.07, 0.02, 0.025, 0.08
"""Blurs in eye distances: of the face's outline, of regions, the window in which texture is measured, and how far
around lips nothing fine is changed."""
CALM, ROUGH = 0.5, 0.06
"""What smooth skin may change of what texture may; the standard deviation of lightness in [0, 1] that is texture."""
TONE, DARK, LEAST = 0.15, 0.35, 0.5
"""The blur in eye distances by which a face's tone is told, the lightness in [0, 1] below which it may change the less
the darker it is, as eyes notice contrast, and the share of it that remains at least."""


@dataclass(frozen=True)
class FaceRegions:
    """Soft masks in [0, 1] of faces in their canvases: where make-up goes, and where it must not.

    outline: the face without hair and neck.  lids: from the lashes up to the brow.  lips: without the mouth's inside.
    cheeks: where blush is.  brows.  eyeballs: what is seen of them.  mouth: between the lips.
    """

    outline: Mask
    lids: Mask
    lips: Mask
    cheeks: Mask
    brows: Mask
    eyeballs: Mask
    mouth: Mask


@dataclass(frozen=True)
class Budgets:
    """Shares of `amplitude` that each region may change, and `amplitude` itself in units of [-1, 1].

    skin: what no other region covers.  shut: eyeballs and the mouth's inside keep this share of theirs.
    """

    amplitude: float = 80 / 127.5
    lids: float = 1.0
    lips: float = 0.6
    cheeks: float = 1.0
    brows: float = 0.7
    skin: float = 0.7
    shut: float = 0.2


@dataclass(frozen=True)
class Allowance:
    """The largest change of each pixel in units of [-1, 1], and in [0, 1] how rough the face is there."""

    most: Mask
    roughness: Mask


def allow(canvases: Canvases, regions: FaceRegions, eyes_px: Float[Tensor, " batch"], budgets: Budgets) -> Allowance:
    """What faces in [-1, 1] may change: 0 from the outline outwards, less towards it and in the dark, more in texture.

    eyes_px: pixels between the eyes.
    """
    light = (lightness(canvases) + 1) / 2
    mean = blur(light, GRAIN * eyes_px)
    spread = (blur(light.square(), GRAIN * eyes_px) - mean.square()).clamp(min=0).sqrt()
    inside = (2 * blur(regions.outline, EDGE * eyes_px) - 1).clamp(0, 1) * (regions.outline > 0)
    tone = (blur(light, TONE * eyes_px) / DARK).clamp(LEAST, 1)
    most = budgets.amplitude * inside * tone * _shares(regions, eyes_px, budgets)
    rough = (spread / ROUGH).clamp(max=1)
    mouth = (regions.lips + regions.mouth).clamp(0, 1)
    lips = (2 * blur(mouth, AROUND * eyes_px)).clamp(0, 1)  # fine changes break their edges, whatever their texture
    return Allowance(most * (CALM + (1 - CALM) * rough), rough * (1 - lips))


def _shares(regions: FaceRegions, eyes_px: Float[Tensor, " batch"], budgets: Budgets) -> Mask:
    """The budgets laid out over the face; where regions overlap the larger one counts."""
    shares = torch.full_like(regions.outline, budgets.skin)
    for name in ("lids", "lips", "cheeks", "brows"):
        soft = blur(getattr(regions, name), SOFT * eyes_px)
        share = getattr(budgets, name)
        shares = torch.maximum(shares, soft * share) if share > budgets.skin else shares * (1 - soft) + soft * share
    for shut in (regions.eyeballs, regions.mouth):
        shares = shares * (1 - (1 - budgets.shut) * torch.maximum(shut, blur(shut, SOFT * eyes_px)))
    return shares


def lightness(pictures: Canvases) -> Mask:
    """Rec. 601 luma of pictures, on their own scale."""
    return torch.einsum("bchw,c->bhw", pictures, pictures.new_tensor(LUMA))[:, None]


def blur(
    pictures: Float[Tensor, "batch channels side side"], sigma_px: Float[Tensor, " batch"]
) -> Float[Tensor, "batch channels side side"]:
    """Gaussian blur, each picture by its own standard deviation, cut off at 2.5 of them; borders are repeated."""
    return torch.stack([_blurred(picture, float(sigma)) for picture, sigma in zip(pictures, sigma_px, strict=True)])


def _blurred(picture: Float[Tensor, "channels side side"], sigma_px: float) -> Float[Tensor, "channels side side"]:
    """One picture; its channels are a batch, which convolutions are quicker with than with groups."""
    reach = int(2.5 * sigma_px) + 1
    offsets = torch.arange(-reach, reach + 1, device=picture.device, dtype=picture.dtype).abs()
    away = offsets / max(0.1, sigma_px)
    taps = torch.exp(-(away**2) / 2) * (away <= 2.5)
    taps = taps / taps.sum()
    x = functional.pad(picture[:, None], (reach,) * 4, mode="replicate")
    x = functional.conv2d(x, taps.view(1, 1, -1, 1))
    return functional.conv2d(x, taps.view(1, 1, 1, -1))[:, 0]
