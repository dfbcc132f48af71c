"""A recogniser's own crop: five landmarks laid onto its template by the similarity that fits best.

One warp serves gradients and finished files alike: what is optimised is what is measured. Points of a plane are complex
numbers here, because a similarity is `a * z + b` of them.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.nn import functional

CropName = Literal["portrait", "arcface", "dlib", "level"]
"""`portrait`: the whole portrait.  `arcface`: InsightFace's 112 pixels, what most recognisers were trained on.
`dlib`: its face chip with a quarter around it.  `level`: eyes level, three times as wide as from eyes to mouth."""
Points = Float[Tensor, "batch 5 2"]
"""Eyes, nose and corners of the mouth, left ones of the picture first, as fractions of a square view's side, y down."""
OTHER_HALF = [1, 0, 2, 4, 3]
"""Each landmark's counterpart: eyes and corners of the mouth change places."""
_ARCFACE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
_DLIB = ((0.2255, 0.2160), (0.7548, 0.2160), (0.4901, 0.5156), (0.2541, 0.7802), (0.7261, 0.7802))
_DLIB_AROUND = 0.25
_LEVEL_TIMES, _LEVEL_DOWN = 3.0, -0.03


def mirrored(points: Points) -> Points:
    """Landmarks in the mirror image of a view."""
    left, down = points[:, OTHER_HALF].unbind(dim=-1)
    return torch.stack([1 - left, down], dim=-1)


@dataclass(frozen=True)
class _Similarity:
    """`scale * z + shift`, from pixels of a view to pixels of a crop, for a batch."""

    scale: Complex[Tensor, " batch"]
    shift: Complex[Tensor, " batch"]


def crop(
    views: Float[Tensor, "batch 3 side side"], points: Points, name: CropName, size_px: int
) -> Float[Tensor, "batch 3 {size_px} {size_px}"]:
    """The crop of each square view in [-1, 1]; differentiable. What lies outside the view is black.

    A view that shrinks more than twofold is made smaller first: else most of its pixels would have no gradient.
    """
    side = views.shape[-1]
    found = _similarity(torch.view_as_complex((points.double() * side - 0.5).contiguous()), name, size_px)
    shrinks = float(found.scale.abs().max())
    if shrinks < 0.5:
        smaller = max(1, round(side * shrinks))
        views = functional.interpolate(views, (smaller, smaller), mode="bilinear", antialias=True)
        times = side / smaller
        found = _Similarity(found.scale * times, found.scale * (times - 1) * (0.5 + 0.5j) + found.shift)
        side = smaller
    return _sampled(views, found, side, size_px)


def _similarity(points: Complex[Tensor, "batch 5"], name: CropName, size_px: int) -> _Similarity:
    """From landmarks in a view's pixels to their places in a crop of `size_px`."""
    if name == "level":
        eyes, mouth, across = points[:, :2].mean(1), points[:, 3:].mean(1), points[:, 1] - points[:, 0]
        wide = _LEVEL_TIMES * torch.maximum((mouth - eyes).abs(), across.abs())
        scale = size_px / wide * across.conj() / across.abs()
        return _Similarity(scale, _middle(size_px) - 1j * _LEVEL_DOWN * size_px - scale * (eyes + mouth) / 2)
    places = _template(name, size_px).to(points.device)
    middle, target = points.mean(1), places.mean()
    around = points - middle[:, None]
    scale = (around.conj() * (places - target)).sum(1) / around.abs().square().sum(1)
    return _Similarity(scale, target - scale * middle)


def _middle(size_px: int) -> complex:
    return complex(size_px / 2 - 0.5, size_px / 2 - 0.5)


def _template(name: CropName, size_px: int) -> Complex[Tensor, " 5"]:
    """Where five landmarks lie in a crop, in its pixels."""
    if name == "arcface":
        places = torch.tensor(_ARCFACE, dtype=torch.float64) * (size_px / 112)
    elif name == "dlib":
        places = (_DLIB_AROUND + torch.tensor(_DLIB, dtype=torch.float64)) / (1 + 2 * _DLIB_AROUND) * size_px
    else:
        raise ValueError(f"a {name!r} crop has no template")
    return torch.view_as_complex(places)


def _sampled(
    views: Float[Tensor, "batch 3 side side"], found: _Similarity, side: int, size_px: int
) -> Float[Tensor, "batch 3 {size_px} {size_px}"]:
    """Bilinear samples at the crop's pixels, carried back into the view."""
    line = torch.arange(size_px, dtype=torch.float64, device=views.device)
    pixels = torch.complex(line[None, :].expand(size_px, -1), line[:, None].expand(-1, size_px))
    places = torch.view_as_real((pixels - found.shift[:, None, None]) / found.scale[:, None, None])
    grid = ((2 * places + 1) / side - 1).to(views.dtype)
    return functional.grid_sample(views + 1, grid, mode="bilinear", padding_mode="zeros", align_corners=False) - 1
