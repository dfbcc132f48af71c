"""Random views of wide pictures: as other cameras, lamps, poses and files would show the same face."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from model_store.portrait.portraits import CLOSE_PX, SIZE_PX, WIDE_PX

TURN_RAD, ZOOM, SHIFT = 0.08, 0.08, 0.04
"""Standard deviations of turning, of the zoom's logarithm and, in half sides, of shifting."""
SHARE = CLOSE_PX / WIDE_PX
"""How much of a wide picture's side a portrait takes."""


def places(count: int, generator: torch.Generator) -> Float[Tensor, "{count} size size 2"]:
    """Where each pixel of `count` portraits is taken from in its wide picture; half of them are mirrored."""
    turn = torch.randn(count, generator=generator) * TURN_RAD
    zoom = torch.exp(torch.randn(count, generator=generator) * ZOOM)
    mirrored = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    cos, sin = turn.cos() / zoom * SHARE, turn.sin() / zoom * SHARE
    shift = torch.randn(count, 2, generator=generator) * SHIFT
    rows = torch.stack([cos * mirrored, -sin, shift[:, 0], sin * mirrored, cos, shift[:, 1]], dim=1)
    return functional.affine_grid(rows.view(count, 2, 3), [count, 3, SIZE_PX, SIZE_PX], align_corners=False)


def taken(
    x: Float[Tensor, "batch channels wide wide"], where: Float[Tensor, "batch size size 2"], mode: str = "bicubic"
) -> Float[Tensor, "batch channels size size"]:
    """The views at these places; beyond the picture it is mirrored."""
    return functional.grid_sample(x, where, mode=mode, padding_mode="reflection", align_corners=False)


def lit(x: Float[Tensor, "batch 3 size size"], generator: torch.Generator) -> Float[Tensor, "batch 3 size size"]:
    """Another exposure, white balance and contrast, sometimes grey, sometimes soft, noisy or sharpened; in [-1, 1]."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    n = len(x)
    x = (x + 1) / 2 * torch.exp(normal(n, 1, 1, 1) * 0.2) * torch.exp(normal(n, 3, 1, 1) * 0.06)
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * torch.exp(normal(n, 1, 1, 1) * 0.15) + mean
    is_grey = torch.rand(n, 1, 1, 1, generator=generator) < 0.12
    x = torch.where(is_grey, x.mean(1, keepdim=True).expand_as(x), x).clamp(0, 1)
    return torch.cat([_filed(picture[None], generator) for picture in x]).clamp(0, 1) * 2 - 1


def _filed(x: Float[Tensor, "1 3 size size"], generator: torch.Generator) -> Float[Tensor, "1 3 size size"]:
    """One picture in [0, 1] as a file may hold it: small once, noisy, sharpened, and mostly as it is."""
    kind, amount = torch.rand(2, generator=generator).tolist()
    size = x.shape[-1]
    if kind < 0.15:
        small = functional.interpolate(x, round(size * (0.44 + 0.5 * amount)), mode="bilinear", antialias=True)
        x = functional.interpolate(small, size, mode="bicubic")
    elif kind < 0.3:
        x = x + torch.randn(x.shape, generator=generator) * 0.03 * amount
    elif kind < 0.4:
        soft = functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1), mode="reflect"), 3, 1)
        x = x + (x - soft) * amount
    return x
