"""`strength=auto`: the least make-up that hides a face's owner from recognisers its style was never trained against.

All strengths are denoised in one batch and composited into the photo's surroundings of the face; each goes through the
treatment of the bar, and is judged by the held-out recognisers.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diffam_core.faces.face import FoundFace, cut_portrait, portrait_transform, shift_face
from diffam_core.faces.paste import paste_change
from diffam_core.generation import OnStep, silent
from diffam_core.images import Photo
from diffam_core.models import Models
from diffam_core.score import DECISION_FAR
from model_store.catalog import StyleCard
from protection.batch import Face, Residual, wear
from protection.compositing import change_of
from protection.measuring.survival import PROFILES, treat
from protection.measuring.verdict import passes
from protection.plan import GRID, Variant

BAR = PROFILES["jpeg75"]
"""What a photo must survive to pass."""
BLOCK_PX = 16
"""JPEG's blocks, with halved colour resolution; a crop that starts at one compresses as the whole photo does."""


@dataclass(frozen=True)
class Tried:
    """One strength, with the owner's cosine on every held-out recogniser and whether all of them were fooled."""

    strength: float
    own_match: dict[str, float]
    passes: bool


@dataclass(frozen=True)
class Choice:
    """A strength; if it was searched for, whether it passes the bar, and all that was tried, weakest first."""

    strength: float
    passes: bool | None = None
    tried: tuple[Tried, ...] = ()


@dataclass(frozen=True, eq=False)
class Wearing:
    """What a variant changes on a face, its residual, and how its strength was chosen."""

    face: Face
    variant: Variant
    residual: Residual
    choice: Choice


@torch.inference_mode()
def choose_strength(
    models: Models, face: Face, variant: Variant, on_step: OnStep = silent, grid: Sequence[float] = GRID
) -> Choice:
    """The least strength of `grid` at which every held-out recogniser fails to match the owner after JPEG 75.

    When none passes, all of the style and `passes=False`. Other faces of the photo are seen as they are.
    """
    strengths = sorted(grid)
    surroundings, moved = around(face.photo, face.found)
    views = [cut_portrait(surroundings, moved, models.view_px)]
    for residual in wear(models, [(face, variant.style.adapter, strength) for strength in strengths], on_step):
        finished = treat(paste_change(surroundings, moved, change_of(face, residual, face.upload.wish.regions)), BAR)
        views.append(cut_portrait(finished, moved, models.view_px))
    tried = _judge(models, strengths, torch.cat(views).to(models.device), held_out_recognisers(models, variant.style))
    for trial in tried:
        if trial.passes:
            return Choice(trial.strength, True, tried)
    return Choice(1.0, False, tried)


def held_out_recognisers(models: Models, style: StyleCard) -> list[str]:
    """The recognisers that a style was never trained against."""
    return [name for name in models.recognisers if style.role_of(name) == "held_out"]


def around(photo: Photo, face: FoundFace) -> tuple[Photo, FoundFace]:
    """The part of a photo that a face's portrait is cut from, and the face in it.

    It starts at a JPEG block of the whole photo and reaches a block beyond the portrait, so that the portrait comes out
    of a compressed part as out of the compressed whole.
    """
    height, width = photo.shape[:2]
    inverse = cv2.invertAffineTransform(portrait_transform(face, 1))
    corners = np.array([[-0.5, 0.5, -0.5, 0.5], [-0.5, -0.5, 0.5, 0.5], [1, 1, 1, 1]])
    places = inverse @ corners
    x_0, y_0 = (max(0, int(low // BLOCK_PX - 1) * BLOCK_PX) for low in places.min(axis=1))
    x_1, y_1 = (int(high // BLOCK_PX + 2) * BLOCK_PX for high in places.max(axis=1))
    return photo[y_0 : min(y_1, height), x_0 : min(x_1, width)], shift_face(face, -x_0, -y_0)


def _judge(
    models: Models, strengths: Sequence[float], views: Float[Tensor, "views 3 size size"], held_out: Collection[str]
) -> tuple[Tried, ...]:
    """views: the owner's, then one per strength."""
    matches: list[dict[str, float]] = [{} for _ in strengths]
    for name in held_out:
        owner, *worn = models.recognisers[name].embed(views)
        for found, embedding in zip(matches, worn, strict=True):
            found[name] = float(owner @ embedding)
    thresholds = {name: models.recognisers[name].thresholds[DECISION_FAR] for name in held_out}
    return tuple(
        Tried(strength, found, passes([own < thresholds[name] for name, own in found.items()]))
        for strength, found in zip(strengths, matches, strict=True)
    )
