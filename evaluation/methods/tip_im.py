"""TIP-IM (Yang et al., ICCV 2021): towards the target and away from the owner, kept natural by an MMD penalty."""

import torch
from torch import Tensor

from diffam_core.images import shrink
from evaluation.method import Method
from evaluation.noise import STEPS, Aim, momentum, perturb, slope, within

NATURALNESS = 1.0
"""The paper's gamma; it reports 0 to 3."""
STEP = 1 / 8
"""Of eps: the paper's 1.5 of 12 grey levels."""
MMD_PX = 64


def mmd(x: Tensor, y: Tensor) -> Tensor:
    """Squared maximum mean discrepancy of two batches of pictures, Gaussian kernels around the median distance."""
    both = shrink(torch.cat([x, y]), MMD_PX).flatten(1)
    squared = torch.cdist(both, both).square()
    width = squared.detach().median().clamp(min=1e-6)
    kernel = torch.stack([torch.exp(-squared / (factor * width)) for factor in (0.25, 1.0, 4.0)]).mean(dim=0)
    n = len(x)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


def attack(views: Tensor, aim: Aim, eps: float, generator: torch.Generator) -> Tensor:
    """Views `(n, 3, v, v)` changed by at most `eps`; the signed momentum of the paper's loss, one target."""
    x, velocity = aim.start(views, eps, generator), torch.zeros_like(views)
    for _ in range(STEPS):
        gradient = slope(lambda y: aim.nearer_and_away(y) - NATURALNESS * mmd(y, views), x)
        velocity = momentum(velocity, gradient)
        x = within(x + STEP * eps * velocity.sign(), views, eps)
    return x


METHOD = Method("TIP-IM", "noise", ("target", "held_out"), perturb(attack))
