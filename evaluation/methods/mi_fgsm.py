"""MI-FGSM (Dong et al., CVPR 2018): signed steps along the accumulated gradient."""

import torch
from torch import Tensor

from evaluation.method import Method
from evaluation.noise import STEPS, Aim, momentum, perturb, slope, within


def attack(views: Tensor, aim: Aim, eps: float, generator: torch.Generator) -> Tensor:
    """Views `(n, 3, v, v)` changed by at most `eps`; decay 1, steps of eps / STEPS."""
    x, velocity = aim.start(views, eps, generator), torch.zeros_like(views)
    for _ in range(STEPS):
        velocity = momentum(velocity, slope(aim.nearer, x))
        x = within(x + eps / STEPS * velocity.sign(), views, eps)
    return x


METHOD = Method("MI-FGSM", "noise", ("target", "held_out"), perturb(attack))
