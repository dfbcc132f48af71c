"""Random views of a finished face, as re-encoding, rescaling and re-cropping by strangers make them; differentiable."""

import torch
from jaxtyping import Float
from kornia.enhance import jpeg_codec_differentiable
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn import functional

Views = Float[Tensor, "batch 3 size size"]


def _uniform(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(1, generator=generator))


def _recrop(x: Views, generator: torch.Generator) -> Views:
    """Another aligner's crop: zoom within 6 %, shift within 4 % of the side, each face its own."""
    n = len(x)
    zoom = 0.94 + 0.12 * torch.rand(n, generator=generator)
    shift = 0.08 * (2 * torch.rand(n, 2, generator=generator) - 1)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = zoom
    theta[:, :, 2] = shift
    where = functional.affine_grid(theta.to(x.device), list(x.shape), align_corners=False)
    return functional.grid_sample(x, where, padding_mode="border", align_corners=False)


def _soften(x: Views, factor: float) -> Views:
    small = functional.interpolate(x, scale_factor=factor, mode="bilinear", antialias=True)
    return functional.interpolate(small, x.shape[-1], mode="bilinear")


def _blur(x: Views, sigma: float) -> Views:
    blurred: Tensor = gaussian_blur2d(x, (9, 9), (sigma, sigma))
    return blurred


def _jpeg(x: Views, quality: float) -> Views:
    levels = torch.full((len(x),), quality, device=x.device)
    decoded: Tensor = jpeg_codec_differentiable((x.clamp(-1, 1) + 1) / 2, levels)
    return decoded * 2 - 1


def random_view(portraits: Views, generator: torch.Generator) -> Views:
    """One view of a batch in [-1, 1]: re-cropped, perhaps softened or blurred, JPEG, noisy; size divisible by 16."""
    return random_handling(_recrop(portraits, generator), generator)


def random_handling(x: Views, generator: torch.Generator) -> Views:
    """What strangers do to a picture that stays where it is: soften or blur it, JPEG, noise; size divisible by 16."""
    if _uniform(generator, 0, 1) < 0.3:
        x = _soften(x, _uniform(generator, 0.35, 0.8))
    elif _uniform(generator, 0, 1) < 0.3:
        x = _blur(x, _uniform(generator, 0.5, 2.0))
    if _uniform(generator, 0, 1) < 0.4:
        x = _jpeg(x, _uniform(generator, 60, 95))
    if _uniform(generator, 0, 1) < 0.3:
        noise = torch.randn(x.shape, generator=generator).to(x.device)
        x = x + _uniform(generator, 0.01, 0.05) * noise
    return x
