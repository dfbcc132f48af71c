"""Puts variants on faces: a strength for each, asked for or searched, then the style at that strength."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from diffam_core.generation import OnStep
from model_store.bundle import Bundle
from protection.batch import Face, wear
from protection.plan import Variant
from protection.strength import Choice, adapter_of, choose_strength


@dataclass(frozen=True, eq=False)
class Wearing:
    """What a variant changes on a face, its residual, and how its strength was chosen."""

    face: Face
    variant: Variant
    residual: Float[Tensor, "1 3 size size"]
    choice: Choice


def make_up(bundle: Bundle, wishes: Sequence[tuple[Face, Variant]], on_step: OnStep) -> list[Wearing]:
    """Put every variant on its face, in the order given. Faces that wear the same style share forward passes."""
    models = bundle.models
    choices = [
        choose_strength(models, face, variant) if variant.strength == "auto" else Choice(variant.strength)
        for face, variant in wishes
    ]
    rows = [
        (face, adapter_of(variant.style), chosen.strength)
        for (face, variant), chosen in zip(wishes, choices, strict=True)
    ]
    worn = zip(wishes, wear(models, rows, on_step), choices, strict=True)
    return [Wearing(*wish, residual, choice) for wish, residual, choice in worn]
