"""Trains make-up removal of the portrait bundle: a LoRA of the noise predictor, from painted portraits and bare twins.

The paper's removal is led by text in CLIP (`diffam_core.removal`). This one is not: painted people have exact bare
twins, so each reverse step is told what it should find. DDIM's straight path from a painted portrait's latent to the
bare twin has one eps throughout, which is what the style learns; no walk is unrolled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.diffusion import alpha_bars, denoise, grid, invert, noised
from diffam_core.generation import has_bfloat16
from diffam_core.networks.parser import region
from diffam_core.networks.unet import EpsModel
from diffam_core.removal import REMOVAL
from diffam_core.styles import add_style, predictor, remove_style, style_parameters, style_weights
from model_store.manifest import RemovalRow
from model_store.portrait.learning import Course, learn
from model_store.portrait.painted.mixtures import Worn
from model_store.portrait.perception import lessons
from model_store.portrait.portraits import FOLDERS, Portraits, middle
from model_store.portrait.views import places, taken
from model_store.rendered.portraits import to_float
from model_store.training.stages import OnStep

RANK, RETURN_TIMESTEP, POINTS = 16, 120, 6
"""As deep as the noise predictor was trained: make-up lies deeper than the transfer's walk reaches."""
COURSE, BATCH, BARE = Course(steps=240, learning_rate=2e-3, seed=29, decay=0.97), 4, 1
"""Of a batch so many are bare and must stay."""
PAIRS, MEASURED = 144, 12
"""How many painted portraits are inverted to learn from; how many held-out people of a folder are measured."""
HEAVIER, LEAST = 9.0, 0.03
"""How much more painted pixels count, and from which change in [-1, 1] they count as painted."""


@dataclass(frozen=True)
class Pairs:
    """What no step of training changes. bare: in [-1, 1].  eps: noise that, laid on `bare`, gives the twin's latent.

    weight: of each pixel.  The first half of the rows is painted; the second is the same people, bare from the start.
    """

    bare: Float[Tensor, "pairs 3 size size"]
    eps: Float[Tensor, "pairs 3 size size"]
    weight: Float[Tensor, "pairs 1 size size"]


def undressing(
    latent: Float[Tensor, "batch 3 size size"], bare: Float[Tensor, "batch 3 size size"], alpha_bar: Tensor
) -> Float[Tensor, "batch 3 size size"]:
    """The eps of the straight DDIM path (eq. 12, sigma = 0) that ends at `bare` from a latent at `alpha_bar`."""
    eps: Tensor = (latent - alpha_bar.sqrt() * bare) / (1 - alpha_bar).sqrt()
    return eps


@torch.no_grad()
def pair_up(eps: EpsModel, worn: Worn, on_step: OnStep, count: int = PAIRS) -> Pairs:
    """Views of `count` of the training side, painted and bare, inverted with the base model; told with a loss of 0."""
    side, generator = worn.side(held_out=False), torch.Generator().manual_seed(COURSE.seed)
    people, versions = side.pictures.shape[:2]
    who = torch.randint(people, (count,), generator=generator)
    version = torch.randint(1, versions, (count,), generator=generator)
    where = places(count, generator)
    painted, bare = (
        taken(to_float(side.pictures[who, which]), where).clamp(-1, 1) for which in (version, torch.zeros_like(version))
    )
    alpha_bar = alpha_bars()
    latents = []
    for part in torch.cat([painted, bare]).split(8):
        latents.append(invert(predictor(eps, None), part, alpha_bar, RETURN_TIMESTEP, POINTS))
        on_step(8 * len(latents), 2 * count, 0.0)
    wanted = undressing(torch.cat(latents), bare.repeat(2, 1, 1, 1), alpha_bar[RETURN_TIMESTEP])
    changed = ((painted - bare).abs().amax(dim=1, keepdim=True) > LEAST).float()
    weight = 1 + HEAVIER * functional.avg_pool2d(changed, 5, 1, 2)
    return Pairs(bare.repeat(2, 1, 1, 1), wanted, weight.repeat(2, 1, 1, 1))


def train_removal(
    eps: EpsModel, pairs: Pairs, checkpoints: Path, on_step: OnStep, course: Course = COURSE
) -> dict[str, Tensor]:
    """The LoRA's averaged weights, after learning the path's eps at the timesteps of the reverse walk."""
    alpha_bar, half = alpha_bars(), len(pairs.bare) // 2
    timesteps = torch.tensor(grid(POINTS, RETURN_TIMESTEP)[1:])

    def loss(network: nn.Module, generator: torch.Generator) -> Tensor:
        rows = _rows(half, generator)
        t = timesteps[torch.randint(len(timesteps), (BATCH,), generator=generator)]
        x_t = noised(pairs.bare[rows], pairs.eps[rows], alpha_bar[t])
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16("cpu")):
            predicted = network(x_t, t)
        error = functional.smooth_l1_loss(predicted.float(), pairs.eps[rows], reduction="none", beta=0.5)
        return (error * pairs.weight[rows]).mean()

    torch.manual_seed(course.seed)
    add_style(eps, REMOVAL, RANK)
    style_parameters(predictor(eps, REMOVAL), REMOVAL)
    trained = learn(eps, course, loss, checkpoints, on_step)
    if not isinstance(trained, EpsModel):
        raise TypeError("the average of a noise predictor is one")
    remove_style(eps, REMOVAL)
    return style_weights(trained, REMOVAL)


def _rows(half: int, generator: torch.Generator) -> Int[Tensor, " batch"]:
    """Some painted, some bare."""
    painted = torch.randint(half, (BATCH - BARE,), generator=generator)
    return torch.cat([painted, half + torch.randint(half, (BARE,), generator=generator)])


@torch.no_grad()
def measure_removal(
    eps: EpsModel,
    style: dict[str, Tensor],
    portraits: Portraits,
    points: Float[Tensor, "n 468 2"],
    most: int = MEASURED,
) -> dict[str, dict[str, float]]:
    """Per folder of held-out people, painted in the looks in turn: how near removal comes to the true bare face.

    `distance_*`: mean absolute difference to it on lips and lids, in grey levels of 255.  `change`: of the distance, -1
    is perfect.  `improved`: for how many it fell.  `change_of_bare`: the distance that bare faces move.
    points: of the meshes, in pixels of the wide pictures.
    """
    add_style(eps, REMOVAL, RANK, style)
    figures = {}
    for folder in FOLDERS:
        rows = portraits.rows(held_out=True, folder=folder)
        rows = rows[:: max(1, len(rows) // most)][:most]
        if len(rows):
            bare, worn, masks = (middle(each) for each in lessons(portraits, points, rows))
            plain, made_up, regions = to_float(bare), to_float(worn), masks.float() / 255
            judged = (regions[:, :2].amax(dim=1, keepdim=True) > 0.5).float()
            distance = _distance(plain, judged)
            removed, again = (_removed(eps, x, region(regions, "face")) for x in (made_up, plain))
            before, after = distance(made_up), distance(removed)
            figures[folder] = {
                "people": len(rows),
                "distance_before": round(float(before.mean()), 2),
                "distance_after": round(float(after.mean()), 2),
                "change": round(float(after.mean() / before.mean() - 1), 4),
                "improved": round(float((after < before).float().mean()), 4),
                "change_of_bare": round(float(distance(again).mean()), 2),
            }
    remove_style(eps, REMOVAL)
    return figures


def _removed(eps: EpsModel, x: Tensor, face: Tensor) -> Tensor:
    """As `diffam_core.removal.remove_makeup`, within the face that the mesh shows."""
    alpha_bar, parts = alpha_bars(), []
    for part in x.split(8):
        latent = invert(predictor(eps, None), part, alpha_bar, RETURN_TIMESTEP, POINTS)
        same = denoise(predictor(eps, None), latent, alpha_bar, RETURN_TIMESTEP, POINTS)
        parts.append(denoise(predictor(eps, REMOVAL), latent, alpha_bar, RETURN_TIMESTEP, POINTS) - same)
    return (x + face * torch.cat(parts)).clamp(-1, 1)


def _distance(truth: Tensor, region: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: 127.5 * ((x - truth).abs() * region).sum((1, 2, 3)) / (3 * region.sum((1, 2, 3)).clamp(min=1))


def removal_row() -> RemovalRow:
    """The manifest's `[removal]`."""
    return {
        "file": "removal.safetensors",
        "rank": RANK,
        "return_timestep": RETURN_TIMESTEP,
        "invert_points": POINTS,
        "denoise_points": POINTS,
    }
