"""What a method under evaluation is, and what the ones that wear a style of the bundle share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from diffam_core.images import Photo
from evaluation.subjects import Subjects
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from protection.batch import wear
from protection.compositing import composite

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
def protect_with(bundle: Bundle, subjects: Subjects, style: str, strength: float = 1.0) -> list[Photo]:
    """The photos with a style of the bundle, by its adapter's name, made by the service's own steps."""
    residuals = wear(bundle.models, [(face, style, strength) for face in subjects.faces])
    return [composite(face.photo, [(face, residual)]) for face, residual in zip(subjects.faces, residuals, strict=True)]
