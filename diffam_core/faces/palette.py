"""Keeps make-up within a photo's own colours and contrast: as though it had been worn when the photo was taken.

A style is trained on ordinary colour photos. Its change, added as it is, paints violet on a black-and-white face and
glares from a washed-out or dark one, because whatever took the photo's colour and contrast never took those of the
make-up. `fit_palette` does: a change c becomes

    contrast * (colour * c + (1 - colour) * toned(luma(c)))

with `contrast` and `colour` in [0, 1], both exactly 1 in ordinary photos, which get c itself. `toned` changes lightness
only, and lets colour follow as it follows lightness in the photo itself: grey stays grey to the last bit, sepia sepia.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from diffam_core.faces.face import FoundFace, cut_portrait
from diffam_core.images import Photo

Levels = NDArray[np.floating[Any]]
"""Of grey, 0 to 255."""
Change = Float[Tensor, "3 size size"]
LOOK_PX = 64
"""Palettes are read from a portrait of this size, whatever the photo's: every figure below was measured there."""
LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue in lightness, as JPEG weighs them (Rec. 601)."""
FACE = (-0.67, 0.67, -0.53, 1.15)
"""Brows to chin: left, right, top, bottom around the middle between the eyes, in eye distances."""


@dataclass(frozen=True)
class Scale:
    """Levels of something that ordinary photos have: up to `faint` a photo has its share of `typical`, from `ordinary`
    all of it, and smoothly more in between."""

    typical: float
    faint: float
    ordinary: float

    def share(self, levels: float) -> float:
        """A photo's share, in [0, 1]."""
        share = min(1.0, levels / self.typical)
        t = _way(levels, self.faint, self.ordinary)
        return share + (1 - share) * t * t * (3 - 2 * t)


RANGE = Scale(typical=180, faint=85, ordinary=110)
"""From the darkest to the brightest spot of a face.

Of 218 rendered people all have 124 and more, of 165 real ones 162 have 110 and more. Contrast cut to 35 % leaves 74 to
77, light cut to a quarter 53 to 55.
"""
SATURATION = Scale(typical=50, faint=14, ordinary=22)
"""How far a face's colours lie from grey, at a typical range.

Rendered people have 22.7 and more, real ones 25 and more, but for a few pictures in faded tones; colour cut to 30 %
leaves 11 to 12, cut to half 18 to 21.
"""
TONED, COLOURED = 4.0, 6.0
"""Levels by which the colours of equally light pixels differ all over the portrait, at a typical range (`_variety`).

Rendered people have 8.0 and more, real ones 5.9 and more; sepia, cyan and faded prints at most 3.9, as JPEG files too.
"""
SOFT_PX = 5
"""Colour is compared after a blur: JPEG's coarse colour would pass for variety."""
KNOTS = 32
"""Parts of a portrait, as many pixels each from dark to bright, whose mean colours are its tone."""


@dataclass(frozen=True, eq=False)
class Palette:
    """What a photo has of an ordinary one's contrast and colour around a face, and its tone.

    tone: luma, red less green and blue less green of `KNOTS` lightnesses `(3, KNOTS)`, rising, in levels.
    """

    contrast: float
    colour: float
    tone: Levels

    @property
    def notes(self) -> tuple[str, ...]:
        """What `FACE_NOTES` says of it."""
        lacking = {"photo_without_colour": self.colour == 0, "photo_faint": self.contrast < 1 or 0 < self.colour < 1}
        return tuple(note for note, is_so in lacking.items() if is_so)


def fit_palette(change: Change, photo: Photo, face: FoundFace) -> Change:
    """A style's change of a face within the colours and contrast of the photo; the change itself in an ordinary one."""
    palette = palette_of(photo, face)
    if palette.colour < 1:
        change = palette.colour * change + (1 - palette.colour) * _toned(change, photo, face, palette.tone)
    return change if palette.contrast == 1 else palette.contrast * change


def _toned(change: Change, photo: Photo, face: FoundFace, tone: Levels) -> Change:
    """The change in lightness, with the colour that the photo has at the lightness it leads to."""
    luma, *colours = tone
    portrait = cut_portrait(photo, face, change.shape[-1])[0].numpy()
    before = (np.einsum("c,chw->hw", LUMA, portrait) + 1) * 127.5
    lighter = np.einsum("c,chw->hw", LUMA, change.detach().float().cpu().numpy())
    after = before + 127.5 * lighter
    red, blue = ((np.interp(after, luma, colour) - np.interp(before, luma, colour)) / 127.5 for colour in colours)
    green = lighter - LUMA[0] * red - LUMA[2] * blue
    return torch.from_numpy(np.stack([green + red, green, green + blue])).to(change)


def palette_of(photo: Photo, face: FoundFace) -> Palette:
    """The palette of a photo around a face."""
    portrait = cut_portrait(photo, face, LOOK_PX)[0].permute(1, 2, 0).numpy()
    levels = np.rint((portrait + 1) * (127.5 * 64)) / 64  # equal bytes come back as equal levels, exactly
    range_ = max(1.0, float(np.ptp(_face_of(levels, face) @ LUMA)))
    soft = cv2.blur(levels, (SOFT_PX, SOFT_PX), borderType=cv2.BORDER_REPLICATE).astype(np.float64)
    whole, inner = soft.reshape(-1, 3), _face_of(soft, face).reshape(-1, 3)
    per_range = RANGE.typical / range_
    saturation = SATURATION.share(_saturation(inner) * per_range)
    colour = min(saturation, _way(_variety(whole) * per_range, TONED, COLOURED))
    return Palette(RANGE.share(range_), colour, _tone(whole))


def _face_of(levels: Levels, face: FoundFace) -> Levels:
    """The part of a portrait `(s, s, 3)` between brows and chin."""
    unit = face.framing.eye_distance * LOOK_PX
    x, y = (place * LOOK_PX for place in face.framing.eye_middle)
    left, right, top, bottom = (round(at + side * unit) for at, side in zip((x, x, y, y), FACE, strict=True))
    return levels[max(0, top) : bottom + 1, max(0, left) : right + 1]


def _way(value: float, start: float, end: float) -> float:
    """How far a value has come from start to end, in [0, 1]."""
    return min(1.0, max(0.0, (value - start) / (end - start)))


def _apart(pixels: Levels) -> Levels:
    """Colour of pixels `(n, 3)`: red less green and blue less green, exactly 0 for grey."""
    return pixels[:, [0, 2]] - pixels[:, [1]]


def _by_lightness(pixels: Levels) -> Levels:
    return pixels[np.argsort(pixels @ LUMA, kind="stable")]


def _saturation(pixels: Levels) -> float:
    return float(np.sqrt((_apart(pixels) ** 2).sum(axis=1).mean()))


def _variety(pixels: Levels) -> float:
    """Levels by which the colours of equally light pixels differ.

    Half the mean squared step between neighbours in the order of lightness (von Neumann's estimate): whatever curve a
    tone follows, sepia, cyan or faded, it adds nothing.
    """
    steps = np.diff(_apart(_by_lightness(pixels)), axis=0)
    return float(np.sqrt((steps**2).sum(axis=1).mean() / 2))


def _tone(pixels: Levels) -> Levels:
    ordered = _by_lightness(pixels)
    knots = np.array_split(np.column_stack([ordered @ LUMA, _apart(ordered)]), KNOTS)
    return np.stack([knot.mean(axis=0) for knot in knots], axis=1)
