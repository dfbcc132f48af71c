"""PGD (Madry et al., ICLR 2018): signed gradient steps from a random start, projected on the budget."""

import torch
from torch import Tensor

from evaluation.method import Method
from evaluation.noise import STEPS, Aim, perturb, slope, within


def attack(views: Tensor, aim: Aim, eps: float, generator: torch.Generator) -> Tensor:
    """Views `(n, 3, v, v)` changed by at most `eps`; steps of 2.5 eps / STEPS."""
    start = (2 * torch.rand(views.shape, generator=generator) - 1).to(views.device)
    x = within(views + eps * start, views, eps)
    for _ in range(STEPS):
        x = within(x + 2.5 * eps / STEPS * slope(aim.nearer, x).sign(), views, eps)
    return x


METHOD = Method("PGD", "noise", ("target", "held_out"), perturb(attack))
