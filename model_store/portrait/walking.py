"""Teaches a LoRA what to change in portraits, one reverse step at a time, on paths that the base model walks.

A path comes back from a portrait's latent. There, a style's guess of the clean portrait must be the base model's, plus
the change that is wanted: all else that a style did would be pasted into photos, too.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from diffam_core.diffusion import alpha_bars, cleaned, denoise, grid, invert
from diffam_core.networks.unet import EpsModel
from diffam_core.styles import add_style, predictor, style_weights
from diffam_core.tuning import Epoch, Terms, Tuning
from model_store.portrait.diffusion import DENOISE_POINTS, POINTS, RETURN_TIMESTEP
from model_store.training.checkpoints import Checkpoints, resume
from model_store.training.stages import OnStep

SEED, BATCH, EVERY = 17, 8, 25
TIMESTEPS = tuple(grid(DENOISE_POINTS, RETURN_TIMESTEP)[:0:-1])
"""Where the reverse walk asks the network, from the latent on."""
FALLS_BEHIND = 0.3
"""By up to this share, what a style laid on so far may be less than it should be by then."""
STRONG_CHANGE, MORE = 0.15, 4.0
"""Of a channel in [-1, 1]: where a change is as large, a pixel counts `MORE` times as much again."""


@dataclass(frozen=True)
class StylePace:
    """How a style learns, as `diffam_core.tuning.Pace` says."""

    steps: int
    learning_rate: float = 5e-3
    final_rate: float = 0.1
    epoch: Epoch | None = None


@dataclass(frozen=True)
class Walked:
    """What the base model does on its way back from latents, step by step of `TIMESTEPS`.

    x_t: what it is shown.  x_0: its guess of the clean portrait then.
    """

    x_t: Float[Tensor, "n steps 3 s s"]
    x_0: Float[Tensor, "n steps 3 s s"]


@torch.no_grad()
def walk_back(eps: EpsModel, pictures: Float[Tensor, "n 3 s s"], on_step: OnStep) -> Walked:
    """Invert portraits in [-1, 1] and come back with the base model; told with a loss of 0."""
    alpha_bar, base = alpha_bars(), predictor(eps, None)
    shown, guessed = [], []
    for done, part in enumerate(pictures.split(BATCH), start=1):
        seen: list[tuple[Tensor, Tensor]] = []

        def noting(x_t: Tensor, timesteps: Tensor, seen: list[tuple[Tensor, Tensor]] = seen) -> Tensor:
            predicted: Tensor = base(x_t, timesteps)
            seen.append((x_t, cleaned(x_t, predicted, alpha_bar[timesteps])))
            return predicted

        latent = invert(base, part, alpha_bar, RETURN_TIMESTEP, POINTS)
        denoise(noting, latent, alpha_bar, RETURN_TIMESTEP, DENOISE_POINTS)
        shown.append(torch.stack([x_t for x_t, _ in seen], dim=1))
        guessed.append(torch.stack([x_0 for _, x_0 in seen], dim=1))
        on_step(done, -(-len(pictures) // BATCH), 0.0)
    return Walked(torch.cat(shown), torch.cat(guessed))


def laid_on(timestep: int) -> float:
    """How much of a change shows in `x_t` when every step before guessed it right: none at the latent (DDIM eq. 12)."""
    signal, first = (alpha_bars()[t].double() for t in (timestep, RETURN_TIMESTEP))
    return float(1 - ((1 - signal) / signal).sqrt() / ((1 - first) / first).sqrt())


def learn_change(
    network: tuple[EpsModel, int], walked: Walked, wanted: Tensor, checkpoints: Path, on_step: OnStep, pace: StylePace
) -> dict[str, Tensor]:
    """The LoRA weights of a style that changes portraits as `wanted` says; resumes.

    The loss is squared, against the mean square of what is wanted: where nothing tells lips from skin yet, absolute
    errors are least when nothing is changed at all.

    network: to add the style to, and the LoRA's rank.  wanted: `(n, 3, s, s)` in [-2, 2], of each path.
    """
    eps, rank = network
    torch.manual_seed(SEED)
    add_style(eps, "style", rank)
    tuning, alpha_bar = Tuning(eps, "style", pace, SEED), alpha_bars()
    styled = predictor(eps, "style")
    power, so_far = wanted.square().mean(), torch.tensor([laid_on(t) for t in TIMESTEPS])

    def weigh(generator: torch.Generator) -> tuple[Tensor, Terms]:
        rows = tuning.rows(len(wanted), BATCH)
        step = torch.randint(len(TIMESTEPS), (len(rows),), generator=generator)
        timesteps = torch.tensor(TIMESTEPS)[step]
        share = so_far[step] * (1 - FALLS_BEHIND * torch.rand(len(rows), generator=generator))
        change = wanted[rows]
        x_t = walked.x_t[rows, step] + (alpha_bar[timesteps].sqrt() * share).view(-1, 1, 1, 1) * change
        guess = cleaned(x_t, styled(x_t, timesteps), alpha_bar[timesteps])
        worn = (change.abs().amax(1, keepdim=True) / STRONG_CHANGE).clamp(0, 1)
        wrong = ((guess - walked.x_0[rows, step] - change).square() * (1 + MORE * worn)).mean()
        return wrong / power, {"change": wrong / power}

    made_by = (pace, rank, TIMESTEPS, wanted, walked.x_t, *eps.state_dict().values())
    keep = resume(tuning, Checkpoints(checkpoints, EVERY), made_by)
    tuning.run(weigh, lambda step, steps, terms: on_step(step, steps, terms["change"]), keep)
    return style_weights(eps, "style")
