"""Paints make-up onto photos: ground truth for references, removal, the parser and captions, with exact bare twins.

Colours are blended in CIELAB, and the lightness keeps most of its texture: lips stay lips, skin keeps its pores.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from diffam_core.images import Photo
from model_store.portrait.mesh import Points
from model_store.portrait.regions import Mask, Regions, regions_of

Lab = NDArray[np.float32]
"""`(height, width, 3)`: lightness in [0, 100], then green to red and blue to yellow, about [-100, 100]."""
Colour = tuple[int, int, int]
"""RGB, 0 to 255."""
AROUND = 0.35
"""How far beyond the mesh a face is painted, in its own sizes: nothing of any mask lies further out."""


@dataclass(frozen=True)
class Look:
    """A make-up. Colours with how much of them is laid on, in [0, 1]; the rest is 0 where it is not worn.

    liner: how dark.  brows: how much fuller.  tone: how even the skin becomes.  gloss: how much lips shine.
    """

    title: str
    lips: tuple[Colour, float]
    shadow: tuple[Colour, float]
    blush: tuple[Colour, float]
    liner: float = 0.0
    brows: float = 0.0
    tone: float = 0.0
    gloss: float = 0.0


LOOKS = {
    "everyday": Look(
        "Everyday: rose lips, a hint of taupe, soft liner",
        ((186, 84, 92), 0.6), ((140, 104, 92), 0.4), ((222, 128, 116), 0.26), 0.45, 0.25, 0.3, 0.1,
    ),
    "smoky": Look(
        "Smoky eyes in charcoal, nude lips",
        ((172, 88, 84), 0.6), ((62, 52, 58), 0.7), ((190, 105, 90), 0.22), 0.9, 0.35, 0.3,
    ),
    "berry": Look(
        "Berry lips, plum lids",
        ((150, 28, 58), 0.75), ((120, 62, 86), 0.55), ((205, 90, 100), 0.3), 0.75, 0.3, 0.3, 0.1,
    ),
    "coral": Look(
        "Coral lips, warm bronze lids",
        ((214, 72, 62), 0.75), ((168, 112, 74), 0.55), ((228, 120, 96), 0.28), 0.6, 0.25, 0.3, 0.15,
    ),
    "plum": Look(
        "Plum lips, violet lids",
        ((112, 32, 72), 0.8), ((92, 62, 120), 0.6), ((180, 84, 110), 0.3), 0.8, 0.3, 0.3,
    ),
    "evening": Look(
        "Evening: red lips, dark winged eyes",
        ((168, 18, 34), 0.85), ((84, 60, 56), 0.65), ((196, 92, 88), 0.28), 1.0, 0.4, 0.4, 0.2,
    ),
    "groomed": Look(
        "Groomed, for men's faces too: fuller brows, even skin, lip balm",
        ((176, 96, 92), 0.25), ((120, 90, 80), 0.0), ((205, 120, 105), 0.08), 0.0, 0.7, 0.45, 0.25,
    ),
}  # fmt: skip


def paint(photo: Photo, points: Points, look: Look, strength: float = 1.0) -> Photo:
    """The photo with the face of these points in a look; everything outside the face's surroundings is untouched.

    points: of the mesh, in the photo's pixels.  strength: 0 paints nothing, 1 all of the look.
    """
    low, high = points.min(0), points.max(0)
    around = AROUND * (high - low)
    left, top = np.maximum(np.floor(low - around), 0).astype(int)
    right, bottom = np.minimum(np.ceil(high + around) + 1, photo.shape[1::-1]).astype(int)
    part = np.ascontiguousarray(photo[top:bottom, left:right])
    painted = photo.copy()
    worn = _worn(look, strength)
    if part.size:
        painted[top:bottom, left:right] = _painted(part, regions_of(part, points - (left, top)), worn)
    return painted


def _worn(look: Look, strength: float) -> Look:
    """A look laid on more thinly."""
    lips, shadow, blush = ((colour, much * strength) for colour, much in (look.lips, look.shadow, look.blush))
    return replace(
        look, lips=lips, shadow=shadow, blush=blush, liner=look.liner * strength, brows=look.brows * strength,
        tone=look.tone * strength, gloss=look.gloss * strength,
    )  # fmt: skip


def _painted(photo: Photo, regions: Regions, look: Look) -> Photo:
    bare: Lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).astype(np.float32, copy=False)
    lab = _evened(bare, regions, look.tone)
    skin = float(_mean(bare, regions.blush)[0])
    lab = _tinted(lab, regions.blush, look.blush, skin, lightens=0.1)
    lab = _tinted(lab, regions.shadow, look.shadow, skin, lightens=0.55)  # of the cheeks: lids lie in shadow already
    lab = _fuller(lab, regions, look.brows)
    lab[..., 0] *= 1 - 0.8 * look.liner * regions.liner
    lips = regions.lips * (1 - teeth(bare, regions))
    lab = _tinted(lab, lips, look.lips, float(_mean(bare, lips)[0]), lightens=0.55)
    lab = _shining(lab, lips, look.gloss)
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    touched = np.any(np.abs(lab - bare) > 1e-6, axis=2, keepdims=True)  # CIELAB and back is not exact
    painted: Photo = np.where(touched, np.clip(np.round(rgb * 255), 0, 255).astype(np.uint8), photo)
    return painted


def _mean(values: Lab, mask: Mask) -> NDArray[np.float32]:
    """The mean over a soft mask, per channel."""
    mean: NDArray[np.float32] = (values * mask[..., None]).sum((0, 1)) / (mask.sum() + 1e-6)
    return mean


def _tinted(lab: Lab, mask: Mask, laid_on: tuple[Colour, float], level: float, lightens: float) -> Lab:
    """Towards a colour: its hue wholly, and its lightness, seen from `level`, by the share `lightens`.

    Light and dark of the skin stay. Make-up lightens dark skin hardly at all, or it would look like chalk, and does not
    glow in the dark: a colour is as strong as there is light on it.
    """
    colour, much = laid_on
    goal = cv2.cvtColor(np.array([[colour]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    lightness = lab[..., 0] + (goal[0] - level) * lightens
    lightness = np.minimum(lightness, 1.06 * lab[..., 0] + 1)
    in_this_light = np.clip(lightness / goal[0], 0.2, 1.1) ** 1.2
    towards = np.stack([lightness, goal[1] * in_this_light, goal[2] * in_this_light], axis=-1)
    share = (mask * much)[..., None]
    tinted: Lab = lab * (1 - share) + towards * share
    return tinted


def teeth(lab: Lab, regions: Regions) -> Mask:
    """What shines beside the mouth and is far less red than the lips: teeth where the mesh saw lips."""
    near = cv2.GaussianBlur(regions.mouth, (0, 0), max(0.3, 1.5 * regions.unit)) * 3
    lips = _mean(lab, regions.lips)
    lighter = np.clip((lab[..., 0] - lips[0] - 8) / 10, 0, 1)
    paler = np.clip((lips[1] - lab[..., 1] - 5) / 6, 0, 1)
    found: Mask = np.clip(near, 0, 1) * lighter * paler
    return found


def _evened(lab: Lab, regions: Regions, much: float) -> Lab:
    """Skin of one colour, small blotches gone, shadows and features as they were."""
    features = np.maximum.reduce([regions.lips, regions.mouth, regions.eyeballs, regions.brows, regions.liner])
    soft = cv2.GaussianBlur(np.clip(regions.face - features, 0, 1), (0, 0), regions.unit)
    smoother = cv2.GaussianBlur(lab, (0, 0), 2.5 * regions.unit)
    change = np.clip(smoother - lab, (-3, -4, -4), (3, 4, 4)).astype(np.float32)
    evened: Lab = lab + change * (soft * (1 - features) * much)[..., None]
    return evened


def _fuller(lab: Lab, regions: Regions, much: float) -> Lab:
    """Brows whose hairs are darker and whose gaps are filled a little."""
    around = cv2.GaussianBlur(lab[..., 0], (0, 0), 2 * regions.unit)
    darker = 0.14 * lab[..., 0] + 0.5 * np.clip(around - lab[..., 0], 0, 12)
    fuller = lab.copy()
    fuller[..., 0] -= regions.brows * much * darker
    return fuller


def _shining(lab: Lab, lips: Mask, much: float) -> Lab:
    """Lips whose lights are lighter."""
    shining = lab.copy()
    shining[..., 0] += lips * much * np.clip(lab[..., 0] - _mean(lab, lips)[0], 0, 20)
    return shining
