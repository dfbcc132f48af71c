"""Trains the trunk of LPIPS for the portrait bundle: its features tell shape, make-up and damage apart."""

from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.images import decode_photo, encode_photo
from diffam_core.networks.perceptual import build_perceptual
from model_store.manifest import PerceptualRow
from model_store.portrait.learning import Course, learn
from model_store.portrait.painted.mixtures import LINES, WORN, Worn
from model_store.portrait.portraits import FOLDERS, WIDE_PX, middle
from model_store.portrait.views import lit, places, taken
from model_store.rendered.portraits import to_float
from model_store.training.stages import OnStep

TRUNK, DEEPEST = "squeeze", 512
"""And the channels of its last features."""
COURSE, BATCH = Course(steps=900, learning_rate=1e-3, seed=23, weight_decay=0.01, decay=0.99), 16
PAIRS = ((33, 263), (133, 362), (61, 291), (234, 454), (205, 425), (70, 300), (107, 336), (159, 386), (145, 374))
MIDDLE = (10, 152, 1, 13, 14, 0, 17, 168)
"""Points of the mesh whose places are asked for: on both sides of a face, and between them."""
PLACE_SPREAD = 0.1
"""What an error of a place counts against, in half sides of a portrait; make-up and damage lie in [0, 1] or near it."""
MOST = (2.0, 0.12, 80.0)
"""Sigma of the blur in pixels, of the noise in units of [-1, 1], and what the JPEG's quality lacks to 100."""
MEASURED = ((0.3, 0.8), (0.2, 0.7), (0.5, 0.95))
"""A small and a large damage of each kind, in shares of `MOST`."""


class Describer(nn.Module):
    """LPIPS with a head that describes portraits from the trunk's last features; the head is not kept."""

    def __init__(self, answers: int) -> None:
        super().__init__()
        self.lpips = build_perceptual(TRUNK, calibrated=False)
        self.lpips.get_submodule("net").requires_grad_(True)
        self.head = nn.Linear(DEEPEST, answers)

    def forward(self, portraits: Tensor) -> Tensor:
        """`(batch, answers)`."""
        features = self.lpips.get_submodule("net")(self.lpips.get_submodule("scaling_layer")(portraits))[-1]
        answers: Tensor = self.head(features.mean(dim=(2, 3)))
        return answers


def damaged(
    x: Float[Tensor, "batch 3 size size"], amounts: Float[Tensor, "batch 3"], generator: torch.Generator
) -> Float[Tensor, "batch 3 size size"]:
    """Blurred, noisy, then saved as JPEG, each by its share in [0, 1] of `MOST`; in [-1, 1]; no gradient."""
    noise = torch.randn(x.shape, generator=generator)
    pictures = []
    for picture, grain, shares in zip(x.detach(), noise, amounts.tolist(), strict=True):
        sigma, spread, lack = (share * most for share, most in zip(shares, MOST, strict=True))
        pixels = picture.permute(1, 2, 0).numpy()
        if sigma > 0:
            pixels = cv2.GaussianBlur(pixels, (0, 0), sigma)
        pixels = pixels + spread * grain.permute(1, 2, 0).numpy()
        data = np.clip(np.round((pixels + 1) * 127.5), 0, 255).astype(np.uint8)
        if lack > 0:
            data = decode_photo(encode_photo(data, "jpeg", round(100 - lack)))
        pictures.append(torch.from_numpy(data).permute(2, 0, 1))
    return to_float(torch.stack(pictures))


def placed(
    points: Float[Tensor, "batch points 2"], where: Float[Tensor, "batch size size 2"]
) -> Float[Tensor, "batch answers"]:
    """Where points of wide pictures lie in views taken by `places`, in half sides from the middle.

    Of two points that mirror each other the left one in the view comes first: a mirrored face is a face.
    """
    middle_of = where.mean(dim=(1, 2))
    step = 2 - 2 / where.shape[1]
    right = (where[:, :, -1] - where[:, :, 0]).mean(dim=1) / step
    down = (where[:, -1] - where[:, 0]).mean(dim=1) / step
    away = (2 * points + 1) / WIDE_PX - 1 - middle_of[:, None]
    seen = torch.linalg.solve(torch.stack([right, down], dim=2), away.mT).mT
    sides = seen[:, torch.tensor(PAIRS)]
    order = sides[..., 0].argsort(dim=2)[..., None].expand_as(sides)
    both = torch.cat([sides.gather(2, order).flatten(1, 2), seen[:, list(MIDDLE)]], dim=1)
    return both.flatten(1) / PLACE_SPREAD


def described(makeup: dict[str, Tensor]) -> Float[Tensor, "n answers"]:
    """Make-up as numbers: how much of everything, and the colours of the parts as strong as they are laid on."""
    strengths = [makeup[f"{name}_strength"][:, None] for name in (*WORN, *LINES)]
    colours = [makeup[f"{part}_colour"] * makeup[f"{part}_strength"][:, None] for part in WORN]
    return torch.cat([*strengths, *colours], dim=1)


def train_trunk(
    worn: Worn, points: Float[Tensor, "n 468 2"], checkpoints: Path, on_step: OnStep, course: Course = COURSE
) -> nn.Module:
    """LPIPS whose trunk learned, from damaged views of the training side, where the face's points are, what it wears
    and how it was damaged. Returns the averaged weights.

    points: of the meshes, in pixels of the wide pictures.
    """
    side = worn.side(held_out=False)
    versions = side.pictures.shape[1]
    pictures, makeup = side.flat()
    wears, meshes = described(makeup), points[side.rows]

    def loss(network: nn.Module, generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(pictures), (BATCH,), generator=generator)
        where = places(BATCH, generator)
        amounts = torch.rand(BATCH, 3, generator=generator) * (torch.rand(BATCH, 3, generator=generator) < 0.6)
        x = damaged(lit(taken(to_float(pictures[rows]), where), generator), amounts, generator)
        answers = torch.cat([placed(meshes[rows // versions], where), wears[rows], amounts], dim=1)
        return functional.smooth_l1_loss(network(x), answers)

    torch.manual_seed(course.seed)
    answers = 2 * (2 * len(PAIRS) + len(MIDDLE)) + wears.shape[1] + len(MOST)
    trained = learn(Describer(answers), course, loss, checkpoints, on_step)
    if not isinstance(trained, Describer):
        raise TypeError("the average of a describer is one")
    return trained.lpips.eval().requires_grad_(False)


@torch.no_grad()
def measure_trunk(lpips: nn.Module, worn: Worn) -> dict[str, dict[str, float]]:
    """Per folder of held-out people: how often LPIPS finds the larger of two changes of one portrait larger.

    `blur`, `noise`, `jpeg`: a small and a large damage.  `makeup`: the painted portrait and one half way there.
    """
    figures: dict[str, dict[str, float]] = {}
    for folder in FOLDERS:
        side = worn.side(held_out=True, folder=folder)
        if not len(side.rows):
            continue
        bare, painted = (to_float(middle(side.pictures[:, version])) for version in (0, -1))
        generator = torch.Generator().manual_seed(1)
        figures[folder] = {"people": len(bare)}
        for kind, (name, shares) in enumerate(zip(("blur", "noise", "jpeg"), MEASURED, strict=True)):
            small, large = (
                damaged(bare, functional.one_hot(torch.tensor(kind), 3) * torch.full((len(bare), 1), share), generator)
                for share in shares
            )
            figures[folder][name] = _ordered(lpips, bare, small, large)
        figures[folder]["makeup"] = _ordered(lpips, bare, torch.lerp(bare, painted, 0.5), painted)
    return figures


def _ordered(lpips: nn.Module, x: Tensor, near: Tensor, far: Tensor) -> float:
    """How often `near` is nearer to `x` than `far`."""
    distances = [
        torch.cat([lpips(a, b).flatten() for a, b in zip(x.split(16), other.split(16), strict=True)])
        for other in (near, far)
    ]
    return round(float((distances[0] < distances[1]).float().mean()), 4)


def perceptual_row() -> PerceptualRow:
    """The manifest's `[perceptual]`."""
    return {"file": "perceptual.safetensors", "trunk": TRUNK, "calibrated": False}
