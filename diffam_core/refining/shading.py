"""What a free change of a face becomes as make-up: the same left and right, in its skin's hue, soft on smooth skin.

Make-up is symmetrical, and contour is a shade of the skin it lies on: a change that is neither looks like dirt.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from diffam_core.faces.crops import OTHER_HALF, Points
from diffam_core.refining.allowance import Allowance, Canvases, blur, lightness

WEIGHTS = (1.0, 1.0, 0.3, 1.0, 1.0)
"""What landmarks count for: a nose points aside as soon as a head turns."""
FRONTAL, ASIDE, LEAST_ASIDE = 0.15, 0.4, 0.6
"""How far aside a nose points, in eye distances, while both halves of a face are alike, and from where on the further
one is hardly seen; what a face may change then, of what it may from the front."""
DARKEST, PALEST, RICHEST = 0.03, 0.4, 1.8
"""Lightness in [0, 1] that black skin still has to take a hue from, and a channel's share of lightness in a shade."""


@dataclass(frozen=True)
class Touch:
    """How a change is laid on.

    chroma: how much of it may be colour beside the skin's own.
    fine, coarse: its blurs in texture and on smooth skin, in eye distances.
    """

    chroma: float = 0.15
    fine: float = 0.025
    coarse: float = 0.08


@dataclass(frozen=True)
class Shading:
    """Faces to lay changes on.

    mirror: where the other half's pixel of each is, in [-1, 1], x and y.  frontal: from 1, seen from the front, to 0.
    hue: the skin's colours, of lightness 1.
    eyes_px: pixels between the eyes.  touch: how changes are laid on.
    """

    allowance: Allowance
    mirror: Float[Tensor, "batch side side 2"]
    frontal: Float[Tensor, "batch 1 1 1"]
    hue: Canvases
    eyes_px: Float[Tensor, " batch"]
    touch: Touch

    @classmethod
    def of(
        cls, made_up: Canvases, points: Points, allowance: Allowance, eyes_px: Float[Tensor, " batch"], touch: Touch
    ) -> "Shading":
        """How to shade canvases in [-1, 1] with landmarks `points` in [0, 1]."""
        skin = blur((made_up + 1) / 2, touch.coarse * eyes_px) + DARKEST
        hue = (skin / lightness(skin)).clamp(PALEST, RICHEST)
        frontal = _frontal(points)
        calmer = Allowance(allowance.most * (LEAST_ASIDE + (1 - LEAST_ASIDE) * frontal), allowance.roughness)
        return cls(calmer, _mirror(points, made_up.shape[-1]), frontal, hue / lightness(hue), eyes_px, touch)

    def only(self, index: Int[Tensor, " some"]) -> "Shading":
        """Some of the faces."""
        allowance = Allowance(self.allowance.most[index], self.allowance.roughness[index])
        mirror, frontal = self.mirror[index], self.frontal[index]
        return Shading(allowance, mirror, frontal, self.hue[index], self.eyes_px[index], self.touch)

    def change(self, latent: Canvases) -> Canvases:
        """The change in [-1, 1] that an unbounded one stands for; in lightness never more than is allowed."""
        other = functional.grid_sample(latent, self.mirror, padding_mode="border", align_corners=False)
        both = latent + self.frontal / 2 * (other - latent)
        light = lightness(both)
        colour = torch.tanh(both - light)
        laid = self._spread(torch.tanh(light) + self.touch.chroma * (colour - lightness(colour)))
        shades = lightness(laid)
        return (shades * self.hue + laid - shades) * self.allowance.most

    def _spread(self, bounded: Canvases) -> Canvases:
        """Blurred after its bounds, which would leave edges: fine in texture, soft on smooth skin."""
        rough = self.allowance.roughness
        fine, coarse = (blur(bounded, width * self.eyes_px) for width in (self.touch.fine, self.touch.coarse))
        return rough * fine + (1 - rough) * coarse


def _frontal(points: Points) -> Float[Tensor, "batch 1 1 1"]:
    """1 while noses point at the camera, 0 from where they point past it."""
    across, middle = points[:, 1] - points[:, 0], points[:, [0, 1, 3, 4]].mean(dim=1)
    aside = ((points[:, 2] - middle) * across).sum(dim=1) / across.square().sum(dim=1)
    return ((ASIDE - aside.abs()) / (ASIDE - FRONTAL)).clamp(0, 1)[:, None, None, None]


def _mirror(points: Points, side: int) -> Float[Tensor, "batch side side 2"]:
    """The affine map that brings landmarks nearest to their counterparts, as a grid."""
    rows = [_mirrored(each, side) for each in points]  # one by one: no face's rounding depends on the others
    return torch.stack(rows)


def _mirrored(points: Float[Tensor, "5 2"], side: int) -> Float[Tensor, "side side 2"]:
    there = torch.cat([2 * points - 1, torch.ones_like(points[:, :1])], dim=1).double().cpu()
    weights = there.new_tensor(WEIGHTS)[:, None]
    onto = torch.linalg.pinv(there * weights) @ (there[OTHER_HALF, :2] * weights)
    size = [1, 1, side, side]
    return functional.affine_grid(onto.T[None].to(points), size, align_corners=False)[0]
