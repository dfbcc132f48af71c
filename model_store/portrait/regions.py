"""Soft masks of a face's regions from the points of its mesh, at the size of any photo.

Edges follow smooth curves through the points and are drawn finer than the photo, so that they are crisp at every size.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from diffam_core.images import Photo
from model_store.portrait.mesh import Points

Mask = NDArray[np.float32]
"""`(height, width)` in [0, 1]."""
UNIT = 36
"""A unit of length is the distance of the eyes over this: about a pixel of the bundle's portraits."""
FINER = 4
LIPS_TOP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LIPS_BOTTOM = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
MOUTH_TOP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
MOUTH_BOTTOM = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
OUTLINE = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip


@dataclass(frozen=True)
class Side:
    """Rows of points around one eye, each from its outer to its inner end.

    lash, below: the rims of the lids.  crease, above: in the fold of the lid, and half way from there to the brow.
    brow_low, brow_high: the brow's edges.  cheek: around its middle.  ear: at the end of the outline beside it.
    """

    lash: tuple[int, ...]
    below: tuple[int, ...]
    crease: tuple[int, ...]
    above: tuple[int, ...]
    brow_low: tuple[int, ...]
    brow_high: tuple[int, ...]
    cheek: tuple[int, ...]
    ear: tuple[int, int]


SIDES = (
    Side(
        (33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133),
        (130, 247, 30, 29, 27, 28, 56, 190, 243), (113, 225, 224, 223, 222, 221, 189),
        (46, 53, 52, 65, 55), (70, 63, 105, 66, 107), (205, 50, 101), (234, 127),
    ),
    Side(
        (263, 466, 388, 387, 386, 385, 384, 398, 362), (263, 249, 390, 373, 374, 380, 381, 382, 362),
        (359, 467, 260, 259, 257, 258, 286, 414, 463), (342, 445, 444, 443, 442, 441, 413),
        (276, 283, 282, 295, 285), (300, 293, 334, 296, 336), (425, 280, 330), (454, 356),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Regions:
    """Masks of a whole face; `unit` is the photo's pixels in a unit of length.

    lips: soft at their edges, without the mouth between them.  lids: what shadow may cover, from the lashes almost to
    the brows.  shadow, liner, blush: where make-up of that kind lies.  hair: of the brows.  face: inside the outline.
    """

    lips: Mask
    mouth: Mask
    eyeballs: Mask
    lids: Mask
    shadow: Mask
    liner: Mask
    blush: Mask
    brows: Mask
    face: Mask
    unit: float


def regions_of(photo: Photo, points: Points) -> Regions:
    """The masks of the face with these points."""
    eyes = [points[[side.lash[0], side.lash[-1]]].mean(0) for side in SIDES]
    unit = float(np.hypot(*(eyes[1] - eyes[0]))) / UNIT
    draw = _Drawing(photo.shape[0], photo.shape[1], unit)
    lips, mouth = draw.area(points, LIPS_TOP, LIPS_BOTTOM), draw.area(points, MOUTH_TOP, MOUTH_BOTTOM)
    eyeballs = _union(draw.area(points, side.lash, side.below) for side in SIDES)
    face = draw.fill(smooth(np.concatenate([points[list(OUTLINE)], points[[OUTLINE[0]]]])))
    inside = 1 - draw.soft(eyeballs, 0.35)
    lids, shadow, liner = (_union(each) for each in zip(*(_eye(draw, points, side) for side in SIDES), strict=True))
    brows = [draw.fill(points[[*side.brow_high, *side.brow_low[::-1]]]) for side in SIDES]
    apart = 1 - draw.soft(np.maximum(lips, eyeballs), 1.5)
    return Regions(
        lips=_edge(draw.soft(lips, 0.6)) * (1 - _edge(draw.soft(mouth, 0.4), 0.1)),
        mouth=mouth,
        eyeballs=eyeballs,
        lids=lids * (1 - eyeballs),
        shadow=shadow * inside,
        liner=liner * (1 - 0.7 * draw.soft(eyeballs, 0.2)),
        blush=_union(_cheek(draw, points, side) for side in SIDES) * draw.soft(face, 2) * apart,
        brows=draw.soft(_union(brows), 0.7),
        face=face,
        unit=unit,
    )


def smooth(points: Points) -> Points:
    """A curve through points, eight for each of them; its two ends stay corners."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T) + 1e-6)])
    curve: Points = CubicSpline(along, points, bc_type="natural")(np.linspace(0, along[-1], 8 * len(points)))
    return curve


def _edge(mask: Mask, shift: float = 0.0) -> Mask:
    """A soft mask made steeper, so that little of it is left outside; `shift` widens it."""
    steep: Mask = np.clip(1.6 * mask - 0.3 + shift, 0, 1)
    return steep


def _union(masks: Any) -> Mask:
    found: Mask = np.max(np.stack(list(masks)), axis=0)
    return found


@dataclass(frozen=True)
class _Drawing:
    """Draws masks of a photo's size, on the face's scale."""

    height: int
    width: int
    unit: float

    def fill(self, points: Points) -> Mask:
        """The inside of a polygon, smoothed at its edge by drawing it finer."""
        low = np.floor(points.min(0)).astype(int) - 2
        high = np.ceil(points.max(0)).astype(int) + 3
        low, high = np.maximum(low, 0), np.minimum(high, (self.width, self.height))
        mask = np.zeros((self.height, self.width), np.float32)
        wide, tall = high - low
        if wide <= 0 or tall <= 0:
            return mask
        fine = np.zeros((tall * FINER, wide * FINER), np.uint8)
        places = np.round(((points - low + 0.5) * FINER - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(fine, [places], 255, shift=4)
        part = cv2.resize(fine, (int(wide), int(tall)), interpolation=cv2.INTER_AREA)
        mask[low[1] : high[1], low[0] : high[0]] = part.astype(np.float32) / 255
        return mask

    def area(self, points: Points, top: tuple[int, ...], bottom: tuple[int, ...]) -> Mask:
        """What lies between two rows of points with the same ends."""
        return self.fill(np.concatenate([smooth(points[list(top)]), smooth(points[list(bottom)])[::-1]]))

    def soft(self, mask: Mask, units: float) -> Mask:
        """Blurred by so many units."""
        return cv2.GaussianBlur(mask, (0, 0), max(0.3, units * self.unit)).astype(np.float32, copy=False)

    def blob(self, middle: Points, radii: tuple[float, float], angle: float) -> Mask:
        """A bell of these radii in units, its longer axis at an angle in radians."""
        y, x = np.mgrid[: self.height, : self.width].astype(np.float32)
        dx, dy = (x - middle[0]) / self.unit, (y - middle[1]) / self.unit
        along = (dx * np.cos(angle) + dy * np.sin(angle)) / radii[0]
        beside = (dy * np.cos(angle) - dx * np.sin(angle)) / radii[1]
        bell: Mask = np.exp(-0.8 * (along**2 + beside**2)).astype(np.float32)
        return bell


def _eye(draw: _Drawing, points: Points, side: Side) -> tuple[Mask, Mask, Mask]:
    """Lids, shadow and liner of one eye."""
    unit = draw.unit
    lash, crease, above = (smooth(points[list(row)]) for row in (side.lash, side.crease, side.above))
    out = (lash[0] - lash[-1]) / np.hypot(*(lash[0] - lash[-1]))
    up = np.array([out[1], -out[0]]) * np.sign(out[0] or 1)  # away from the mouth, whichever eye it is
    wing, inner = lash[0] + (4 * out + 3.5 * up) * unit, lash[-1] + 1.2 * up * unit
    every = np.linspace(0, 1, len(lash))[:, None]
    fold, high = _spread(crease, len(lash)), _spread(above, len(lash))
    upper = np.concatenate([[wing], 0.45 * fold[3:-3] + 0.55 * high[3:-3], [inner]])
    outer = draw.soft(draw.fill(np.concatenate([lash, upper[::-1]])), 1.4)
    lid = draw.soft(draw.fill(np.concatenate([lash, fold[::-1]])), 0.8)
    thick = (0.45 + 1.15 * (1 - every) ** 1.5) * unit
    tail = lash[0] + (2.6 * out + 1.5 * up) * unit
    rim = np.concatenate([[tail], lash - 0.25 * up * unit, (lash + thick * up)[::-1]])
    brow = _spread(smooth(points[list(side.brow_low)]), len(lash))
    top = np.concatenate([[wing], 0.75 * high[3:-3] + 0.25 * brow[3:-3], [inner]])
    lids = draw.fill(np.concatenate([lash, top[::-1]]))
    return lids, np.maximum(0.75 * outer, lid), draw.fill(rim)


def _spread(curve: Points, count: int) -> Points:
    """The curve in another number of points."""
    return np.stack([np.interp(np.linspace(0, 1, count), np.linspace(0, 1, len(curve)), c) for c in curve.T], axis=1)


def _cheek(draw: _Drawing, points: Points, side: Side) -> Mask:
    """Blush from the cheek's middle towards the temple."""
    middle = points[list(side.cheek)].mean(0)
    ear, temple = points[side.ear[0]], points[side.ear[1]]
    across = temple - middle
    return draw.blob(middle + 0.18 * (ear - middle), (9, 6.5), float(np.arctan2(across[1], across[0])))
