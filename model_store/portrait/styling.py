"""The make-up styles of the portrait bundle: what painting adds to a face is what a style learns to add (`walking`)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from safetensors.torch import load_file
from torch import Tensor

from diffam_core.networks.unet import EpsModel
from model_store.portrait.painting import LOOKS, paint
from model_store.portrait.portraits import Portraits, halved
from model_store.portrait.views import lit, places, taken
from model_store.portrait.walking import StylePace, Walked, walk_back
from model_store.rendered.portraits import to_float
from model_store.training.stages import OnStep

RANK = 8
WALKS, SEED = 192, 17
PACE = StylePace(steps=150)
MAKEUPS = {f"makeup-{look}": look for look in LOOKS}
"""Stages by what they leave."""


@dataclass(frozen=True)
class Walks:
    """The base model's ways back from bare portraits.  rows: of the portraits.  seeds: of each one's view."""

    walked: Walked
    rows: Tensor
    seeds: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """To be saved; pictures in half precision."""
        return {"x_t": self.walked.x_t.half(), "x_0": self.walked.x_0.half(), "rows": self.rows, "seeds": self.seeds}


def read_walks(path: Path) -> Walks:
    """What `Walks.tensors` gave to be saved, in single precision again. Raises OSError."""
    found = load_file(path)
    return Walks(Walked(found["x_t"].float(), found["x_0"].float()), found["rows"], found["seeds"])


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
    return Walks(walk_back(eps, bare, on_step), rows, seeds)


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
