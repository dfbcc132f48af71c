"""The diffusion process of the method: linear schedule, and one deterministic DDIM step used in both directions."""

from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

Eps = Callable[[Tensor, Tensor], Tensor]
"""`eps(x_t, timesteps)`: noise predicted in `x_t (batch, 3, h, w)` at integer timesteps `(batch,)`."""


def alpha_bars(steps: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02) -> Float[Tensor, " {steps}"]:
    """Signal power left after each of `steps` noising steps, in (0, 1); DDPM's linear schedule."""
    betas = torch.linspace(beta_start, beta_end, steps, dtype=torch.float64)
    return torch.cumprod(1 - betas, dim=0).float()


def noised(
    x_0: Float[Tensor, "batch 3 height width"], noise: Float[Tensor, "#batch 3 height width"], alpha_bar: Tensor
) -> Float[Tensor, "batch 3 height width"]:
    """`x_t` of clean images, with noise of unit variance (DDPM eq. 4).

    alpha_bar: signal power in (0, 1]; one for all, or `(batch,)`.
    """
    signal = alpha_bar.view(-1, 1, 1, 1)
    return signal.sqrt() * x_0 + (1 - signal).sqrt() * noise


def grid(points: int, return_timestep: int) -> list[int]:
    """Timesteps from 0 up to `return_timestep`, evenly spaced, without repeats.

    Raises ValueError when fewer than two distinct points remain: there would be nothing to walk.
    """
    timesteps = sorted({int(t) for t in torch.linspace(0, 1, points, dtype=torch.float64) * return_timestep})
    if len(timesteps) < 2:
        raise ValueError(f"{points} grid points up to timestep {return_timestep} leave no step to take")
    return timesteps


def ddim_step(
    x_t: Float[Tensor, "batch 3 height width"],
    eps: Float[Tensor, "batch 3 height width"],
    alpha_bar_t: Tensor | float,
    alpha_bar_s: Tensor | float,
) -> Float[Tensor, "batch 3 height width"]:
    """Carry `x_t` to noise level s along the deterministic DDIM path (DDIM eq. 12, sigma = 0).

    s cleaner than t denoises, s noisier inverts: one formula, so the two cannot drift apart.

    eps: predicted noise, unit variance.  alpha_bar_*: signal power in (0, 1]; 1 is clean.
    """
    s = torch.as_tensor(alpha_bar_s)
    return s.sqrt() * cleaned(x_t, eps, torch.as_tensor(alpha_bar_t)) + (1 - s).sqrt() * eps


def cleaned(
    x_t: Float[Tensor, "batch 3 height width"], eps: Float[Tensor, "batch 3 height width"], alpha_bar: Tensor
) -> Float[Tensor, "batch 3 height width"]:
    """The clean images that a predicted noise of unit variance means (DDIM eq. 9).

    alpha_bar: signal power in (0, 1]; one for all, or `(batch,)`.
    """
    signal = alpha_bar.view(-1, 1, 1, 1)
    return (x_t - (1 - signal).sqrt() * eps) / signal.sqrt()


def _walk(
    eps: Eps, x: Tensor, alpha_bar: Tensor, timesteps: list[int], on_step: Callable[[int, int], None] | None
) -> Tensor:
    for index, (t, s) in enumerate(pairwise(timesteps)):
        predicted = eps(x, torch.full((x.shape[0],), t, device=x.device))
        x = ddim_step(x, predicted, alpha_bar[t], alpha_bar[s])
        if on_step is not None:
            on_step(index + 1, len(timesteps) - 1)
    return x


def invert(
    eps: Eps,
    x_0: Float[Tensor, "batch 3 height width"],
    alpha_bar: Float[Tensor, " steps"],
    return_timestep: int,
    points: int,
    on_step: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "batch 3 height width"]:
    """The latent `x_t` at `return_timestep` from which the reverse steps come back to `x_0`.

    x_0: portraits in [-1, 1].  points: grid points; points - 1 forward passes.
    """
    return _walk(eps, x_0, alpha_bar, grid(points, return_timestep), on_step)


def denoise(
    eps: Eps,
    latent: Float[Tensor, "batch 3 height width"],
    alpha_bar: Float[Tensor, " steps"],
    return_timestep: int,
    points: int,
    on_step: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "batch 3 height width"]:
    """The portrait at the clean end of the path from `latent`; in [-1, 1] up to the network's error, not clamped."""
    return _walk(eps, latent, alpha_bar, grid(points, return_timestep)[::-1], on_step)
