"""What a method under evaluation is, and what the ones that need no perturbation loop share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from diffam_core.composite import change
from diffam_core.faces.face import native_px
from diffam_core.faces.palette import fit_palette
from diffam_core.faces.paste import paste_change
from diffam_core.generation import autocast, generate
from diffam_core.images import Photo
from evaluation.subjects import BATCH, Subjects
from model_store.bundle import Bundle
from model_store.catalog import StyleCard

Kind = Literal["nothing", "make-up", "noise", "control"]
Dependency = Literal["reference", "target", "held_out"]


@dataclass(frozen=True)
class Method:
    """A way to change photos, by its title in tables.

    `depends_on` says what of the task matters to it, so that nothing is computed twice. `protect(bundle, subjects,
    task, eps)` returns full-size photos; `eps` is the largest change of a pixel in [-1, 1] and binds noise only.
    """

    title: str
    kind: Kind
    depends_on: tuple[Dependency, ...]
    protect: Callable[[Bundle, Subjects, StyleCard, float], list[Photo]]


@torch.inference_mode()
def wear(bundle: Bundle, subjects: Subjects, style: str, strength: float = 1.0) -> list[Photo]:
    """The photos with a style of the bundle, by its adapter's name, composited as the service does."""
    with autocast(bundle.models):
        made_up = torch.cat(
            [
                generate(bundle.models, part, style, strengths=part.new_full((len(part),), strength))
                for part in subjects.latents.split(BATCH)
            ]
        )
    residuals = made_up - subjects.reconstructions
    photos = []
    for row, (photo, face) in enumerate(zip(subjects.photos, subjects.faces, strict=True)):
        size = native_px(face, residuals.shape[-1])
        delta = change(residuals[row : row + 1], subjects.masks[row : row + 1], size)[0]
        photos.append(paste_change(photo, face, fit_palette(delta, photo, face)))
    return photos
