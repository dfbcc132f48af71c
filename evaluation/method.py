"""What a method under evaluation is, and what the ones that wear a style of the bundle share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch

from diffam_core.images import Photo
from evaluation.subjects import Subjects
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from protection.batch import wear
from protection.compositing import composite
from protection.plan import Variant
from protection.refining import refine_faces
from protection.strength import Choice, Wearing

Kind = Literal["nothing", "make-up", "noise", "control"]
Dependency = Literal["reference", "target", "held_out"]
Equal = Literal["ssim", "psnr"]
EQUALS: tuple[Equal, ...] = ("ssim", "psnr")


@dataclass(frozen=True)
class Method:
    """A way to change photos, by its title in tables.

    `depends_on` says what of the task matters to it, so that nothing is computed twice. `protect(bundle, subjects,
    task, eps)` returns full-size photos; `eps` is the largest change of a pixel in [-1, 1] and binds noise only, whose
    photos shall have the `equal` of those of `diffam`.
    """

    title: str
    kind: Kind
    depends_on: tuple[Dependency, ...]
    protect: Callable[[Bundle, Subjects, StyleCard, float], list[Photo]]
    equal: Equal = "ssim"

    def role_of(self, task: StyleCard, recogniser: str) -> Literal["surrogate", "held_out"]:
        """Whether what was done for a task was done against the recogniser: never, where no recogniser matters."""
        return task.role_of(recogniser) if "held_out" in self.depends_on else "held_out"


def at_budgets(methods: Mapping[str, Method], equals: tuple[Equal, ...]) -> dict[str, Method]:
    """The methods, noise once for each budget: at equal SSIM under its own name, at equal PSNR as `NAME_psnr`."""
    found = dict[str, Method]()
    for name, method in methods.items():
        if method.kind != "noise":
            found[name] = method
            continue
        if "ssim" in equals:
            found[name] = method
        if "psnr" in equals:
            found[f"{name}_psnr"] = replace(method, title=f"{method.title}, PSNR", equal="psnr")
    return found


@torch.inference_mode()
def protect_with(bundle: Bundle, subjects: Subjects, style: str, strength: float = 1.0) -> list[Photo]:
    """The photos with a style of the bundle, by its adapter's name, made by the service's own steps."""
    residuals = wear(bundle.models, [(face, style, strength) for face in subjects.faces])
    return [composite(face.photo, [(face, residual)]) for face, residual in zip(subjects.faces, residuals, strict=True)]


def protect_thoroughly(bundle: Bundle, subjects: Subjects, task: StyleCard) -> list[Photo]:
    """The photos with a task's style, refined by the service's own steps on the task's surrogates."""
    return refined(bundle, subjects, task, protect_with(bundle, subjects, task.adapter))


def refined(bundle: Bundle, subjects: Subjects, task: StyleCard, photos: list[Photo]) -> list[Photo]:
    """Photos with their faces refined on the task's surrogates, whatever was done to them before."""
    variant, whole = Variant(task, 1.0), Choice(1.0)
    return [
        refine_faces(bundle, [Wearing(face, variant, torch.zeros_like(face.latent), whole)], photo, lambda *_: None)
        for face, photo in zip(subjects.faces, photos, strict=True)
    ]
