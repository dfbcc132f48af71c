"""Trains make-up removal of the portrait bundle: a LoRA of the noise predictor, from painted portraits and bare twins.

The paper's removal is led by text in CLIP (`diffam_core.removal`). This one is not: painted people have exact bare
twins, so it learns as a make-up style does, the other way round.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from diffam_core.diffusion import alpha_bars, denoise, invert
from diffam_core.networks.parser import region
from diffam_core.networks.unet import EpsModel
from diffam_core.removal import REMOVAL
from diffam_core.styles import add_style, predictor, remove_style
from model_store.manifest import RemovalRow
from model_store.portrait.diffusion import DENOISE_POINTS, POINTS, RETURN_TIMESTEP
from model_store.portrait.painted.mixtures import Worn
from model_store.portrait.perception import lessons
from model_store.portrait.portraits import FOLDERS, Portraits, middle
from model_store.portrait.views import places, taken
from model_store.portrait.walking import StylePace
from model_store.rendered.portraits import to_float

RANK, SEED = 16, 29
PACE = StylePace(steps=260)
PAIRS, BARE_EVERY, MEASURED = 320, 5, 12
"""How many portraits to learn from, of which every fifth is bare and must stay so; how many held-out people of a folder
are measured."""


def pair_up(worn: Worn, count: int = PAIRS) -> tuple[Float[Tensor, "n 3 s s"], Float[Tensor, "n 3 s s"]]:
    """Views of `count` of the training side, painted and bare, in [-1, 1]."""
    side, generator = worn.side(held_out=False), torch.Generator().manual_seed(SEED)
    people, versions = side.pictures.shape[:2]
    who = torch.randint(people, (count,), generator=generator)
    version = torch.randint(1, versions, (count,), generator=generator)
    version[::BARE_EVERY] = 0
    where = places(count, generator)
    painted, bare = (
        taken(to_float(side.pictures[who, which]), where).clamp(-1, 1) for which in (version, torch.zeros_like(version))
    )
    return painted, bare


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
        same = denoise(predictor(eps, None), latent, alpha_bar, RETURN_TIMESTEP, DENOISE_POINTS)
        parts.append(denoise(predictor(eps, REMOVAL), latent, alpha_bar, RETURN_TIMESTEP, DENOISE_POINTS) - same)
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
        "denoise_points": DENOISE_POINTS,
    }
