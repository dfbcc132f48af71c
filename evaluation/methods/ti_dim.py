"""TI-DIM: momentum, diverse inputs (Xie et al., CVPR 2019) and smoothed gradients (Dong et al., CVPR 2019)."""

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn import functional

from evaluation.method import Method
from evaluation.noise import STEPS, Aim, momentum, perturb, slope, within

SMALLEST, PROBABILITY = 0.9, 0.5
KERNEL, SIGMA = 15, 3.0


def diverse(x: Tensor, generator: torch.Generator) -> Tensor:
    """With probability `PROBABILITY`, the pictures shrunk to 90-100 % and padded back to size at a random place."""
    if float(torch.rand(1, generator=generator)) > PROBABILITY:
        return x
    size = x.shape[-1]
    small = int(torch.randint(int(SMALLEST * size), size, (1,), generator=generator))
    left, top = (int(v) for v in torch.randint(0, size - small + 1, (2,), generator=generator))
    shrunk = functional.interpolate(x, small, mode="bilinear", antialias=True)
    return functional.pad(shrunk, (left, size - small - left, top, size - small - top))


def attack(views: Tensor, aim: Aim, eps: float, generator: torch.Generator) -> Tensor:
    """Views `(n, 3, v, v)` changed by at most `eps`; decay 1, steps of eps / STEPS."""
    x, velocity = aim.start(views, eps, generator), torch.zeros_like(views)
    for _ in range(STEPS):
        gradient = slope(lambda y: aim.nearer(diverse(y, generator)), x)
        smooth: Tensor = gaussian_blur2d(gradient, (KERNEL, KERNEL), (SIGMA, SIGMA))
        velocity = momentum(velocity, smooth)
        x = within(x + eps / STEPS * velocity.sign(), views, eps)
    return x


METHOD = Method("TI-DIM", "noise", ("target", "held_out"), perturb(attack))
