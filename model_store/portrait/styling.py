"""Trains the make-up styles of the portrait bundle: what painting adds to a face is what a style must add to it.

One reverse step at a time, on the path that the base model walks from a bare portrait's latent. There, a style's guess
of the clean portrait must be the base model's, plus the painted make-up: all else that a style did would be pasted too.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from safetensors.torch import load_file
from torch import Tensor

from diffam_core.diffusion import alpha_bars, cleaned, denoise, grid, invert
from diffam_core.networks.unet import EpsModel
from diffam_core.styles import add_style, predictor, style_weights
from diffam_core.tuning import Epoch, Terms, Tuning
from model_store.portrait.diffusion import DENOISE_POINTS, POINTS, RETURN_TIMESTEP
from model_store.portrait.painting import LOOKS, paint
from model_store.portrait.portraits import Portraits, halved
from model_store.portrait.views import lit, places, taken
from model_store.rendered.portraits import to_float
from model_store.training.checkpoints import Checkpoints, resume
from model_store.training.stages import OnStep

RANK = 8
SEED, WALKS, BATCH, EVERY = 17, 192, 8, 25
TIMESTEPS = tuple(grid(DENOISE_POINTS, RETURN_TIMESTEP)[:0:-1])
"""Where the reverse walk asks the network, from the latent on."""
FALLS_BEHIND = 0.3
"""By up to this share, what a style laid on so far may be less than it should be by then."""
STRONG_CHANGE, MORE = 0.15, 4.0
"""Of a channel in [-1, 1]: where make-up changes a pixel so much, it counts `MORE` times as much again."""
MAKEUPS = {f"makeup-{look}": look for look in LOOKS}
"""Stages by what they leave."""


@dataclass(frozen=True)
class StylePace:
    """How a style learns, as `diffam_core.tuning.Pace` says."""

    steps: int = 150
    learning_rate: float = 5e-3
    final_rate: float = 0.1
    epoch: Epoch | None = None


PACE = StylePace()


@dataclass(frozen=True)
class Walks:
    """What the base model does on its way back from the latents of bare portraits, step by step of `TIMESTEPS`.

    x_t: what it is shown.  x_0: its guess of the clean portrait then; both `(n, steps, 3, s, s)`.
    rows: of the portraits.  seeds: of each one's view.
    """

    x_t: Float[Tensor, "n steps 3 s s"]
    x_0: Float[Tensor, "n steps 3 s s"]
    rows: Tensor
    seeds: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """To be saved; pictures in half precision."""
        return {"x_t": self.x_t.half(), "x_0": self.x_0.half(), "rows": self.rows, "seeds": self.seeds}


def read_walks(path: Path) -> Walks:
    """What `Walks.tensors` gave to be saved, in single precision again. Raises OSError."""
    found = load_file(path)
    return Walks(found["x_t"].float(), found["x_0"].float(), found["rows"], found["seeds"])


def view(wide: UInt8[Tensor, "3 wide wide"], seed: int) -> Float[Tensor, "3 size size"]:
    """One random view of a wide picture, in [-1, 1]; of two twins the same one, in the same light."""
    generator = torch.Generator().manual_seed(seed)
    where = places(1, generator)
    return lit(taken(to_float(halved(wide[None])), where), generator)[0].clamp(-1, 1)


@torch.no_grad()
def walk(eps: EpsModel, portraits: Portraits, count: int, on_step: OnStep) -> Walks:
    """Invert random views of the training side and come back with the base model."""
    generator = torch.Generator().manual_seed(SEED)
    side = portraits.rows(held_out=False)
    rows = side[torch.randint(len(side), (count,), generator=generator)]
    seeds = torch.randint(2**31, (count,), generator=generator)
    bare = torch.stack([view(portraits.wide[row], int(seed)) for row, seed in zip(rows, seeds, strict=True)])
    alpha_bar, base = alpha_bars(), predictor(eps, None)
    shown, guessed = [], []
    for done, part in enumerate(bare.split(BATCH), start=1):
        seen: list[tuple[Tensor, Tensor]] = []

        def noting(x_t: Tensor, timesteps: Tensor, seen: list[tuple[Tensor, Tensor]] = seen) -> Tensor:
            predicted: Tensor = base(x_t, timesteps)
            seen.append((x_t, cleaned(x_t, predicted, alpha_bar[timesteps])))
            return predicted

        latent = invert(base, part, alpha_bar, RETURN_TIMESTEP, POINTS)
        denoise(noting, latent, alpha_bar, RETURN_TIMESTEP, DENOISE_POINTS)
        shown.append(torch.stack([x_t for x_t, _ in seen], dim=1))
        guessed.append(torch.stack([x_0 for _, x_0 in seen], dim=1))
        on_step(done, -(-count // BATCH), 0.0)
    return Walks(torch.cat(shown), torch.cat(guessed), rows, seeds)


def changes(portraits: Portraits, points: Tensor, walks: Walks, look: str) -> Float[Tensor, "n 3 size size"]:
    """What a look, painted, changes in each view of `walks`, in [-2, 2].

    points: `(n, 468, 2)` in pixels of the wide pictures.
    """
    found = []
    for row, seed in zip(walks.rows.tolist(), walks.seeds.tolist(), strict=True):
        bare = portraits.wide[row]
        photo = np.ascontiguousarray(bare.permute(1, 2, 0).numpy())
        painted = torch.from_numpy(paint(photo, points[row].double().numpy(), LOOKS[look])).permute(2, 0, 1)
        found.append(view(painted, seed) - view(bare, seed))
    return torch.stack(found)


def laid_on(timestep: int) -> float:
    """How much of a change shows in `x_t` when every step before guessed it right: none at the latent (DDIM eq. 12)."""
    signal, first = (alpha_bars()[t].double() for t in (timestep, RETURN_TIMESTEP))
    return float(1 - ((1 - signal) / signal).sqrt() / ((1 - first) / first).sqrt())


def train_makeup(
    eps: EpsModel,
    walks: Walks,
    wanted: Tensor,
    checkpoints: Path,
    on_step: OnStep,
    pace: StylePace = PACE,
) -> dict[str, Tensor]:
    """The LoRA weights of a style that changes portraits as `wanted` says; resumes.

    The loss is squared, against the mean square of what is wanted: where nothing tells lips from skin yet, absolute
    errors are least when nothing is changed at all.

    wanted: `changes` of the walks.
    """
    torch.manual_seed(SEED)
    add_style(eps, "style", RANK)
    tuning, alpha_bar = Tuning(eps, "style", pace, SEED), alpha_bars()
    network = predictor(eps, "style")
    power, so_far = wanted.square().mean(), torch.tensor([laid_on(t) for t in TIMESTEPS])

    def weigh(generator: torch.Generator) -> tuple[Tensor, Terms]:
        rows = tuning.rows(len(wanted), BATCH)
        step = torch.randint(len(TIMESTEPS), (len(rows),), generator=generator)
        timesteps = torch.tensor(TIMESTEPS)[step]
        share = so_far[step] * (1 - FALLS_BEHIND * torch.rand(len(rows), generator=generator))
        change = wanted[rows]
        x_t = walks.x_t[rows, step] + (alpha_bar[timesteps].sqrt() * share).view(-1, 1, 1, 1) * change
        guess = cleaned(x_t, network(x_t, timesteps), alpha_bar[timesteps])
        worn = (change.abs().amax(1, keepdim=True) / STRONG_CHANGE).clamp(0, 1)
        wrong = ((guess - walks.x_0[rows, step] - change).square() * (1 + MORE * worn)).mean()
        return wrong / power, {"change": wrong / power}

    made_by = (pace, RANK, TIMESTEPS, wanted, walks.x_t, *eps.state_dict().values())
    keep = resume(tuning, Checkpoints(checkpoints, EVERY), made_by)
    tuning.run(weigh, lambda step, steps, terms: on_step(step, steps, terms["change"]), keep)
    return style_weights(eps, "style")
