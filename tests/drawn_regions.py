"""Regions of a face as ellipses: eyes, lips and cheeks about where faces in canvases have them."""

import torch
from torch import Tensor

from diffam_core.faces.canvas import MIDDLE
from diffam_core.refining.allowance import FaceRegions

ELLIPSES: dict[str, list[tuple[float, float, float, float]]] = {
    "outline": [(0, 0.55, 1.1, 1.5)],
    "lids": [(-0.5, -0.15, 0.35, 0.2), (0.5, -0.15, 0.35, 0.2)],
    "lips": [(0, 1.1, 0.4, 0.18)],
    "cheeks": [(-0.6, 0.65, 0.25, 0.25), (0.6, 0.65, 0.25, 0.25)],
    "brows": [(-0.5, -0.45, 0.35, 0.1), (0.5, -0.45, 0.35, 0.1)],
    "eyeballs": [(-0.5, 0, 0.2, 0.1), (0.5, 0, 0.2, 0.1)],
    "mouth": [(0, 1.1, 0.25, 0.04)],
}
"""Middles from between the eyes and half axes, in eye distances."""


def drawn_regions(eyes_px: Tensor, side: int, middle: tuple[float, float] = MIDDLE) -> FaceRegions:
    """Soft masks `(batch, 1, side, side)` for faces with so many pixels between the eyes, around `middle`."""
    line = torch.arange(side) + 0.5
    x = (line[None, None, :] - middle[0] * side) / eyes_px[:, None, None]
    y = (line[None, :, None] - middle[1] * side) / eyes_px[:, None, None]
    masks = {}
    for name, ellipses in ELLIPSES.items():
        insides = [1 - ((x - a) / w) ** 2 - ((y - b) / h) ** 2 for a, b, w, h in ellipses]
        masks[name] = (torch.stack(insides).amax(dim=0) * 4 + 0.5).clamp(0, 1)[:, None]
    return FaceRegions(**masks)
