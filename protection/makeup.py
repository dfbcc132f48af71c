"""Puts variants on faces: a strength for each, asked for or searched, then the style at that strength."""

from collections.abc import Sequence

from diffam_core.generation import OnStep, within
from model_store.bundle import Bundle
from protection.batch import Face, wear
from protection.plan import Variant
from protection.search import search_strengths
from protection.strength import Choice, Wearing, choose_strength

Asked = tuple[Face, Variant]


def make_up(bundle: Bundle, wishes: Sequence[Asked], on_step: OnStep) -> list[Wearing]:
    """Put every variant on its face, in the order given. Faces that wear the same style share forward passes."""
    searched = _searched(bundle, wishes, within(on_step, 0, 2))
    choices = [searched.get(wish) or _given(wish[1]) for wish in wishes]
    rows = [
        (face, variant.style.adapter, chosen.strength) for (face, variant), chosen in zip(wishes, choices, strict=True)
    ]
    step = within(on_step, 1, 2) if searched else on_step
    worn = zip(wishes, wear(bundle.models, rows, step), choices, strict=True)
    return [Wearing(*wish, residual, choice) for wish, residual, choice in worn]


def _given(variant: Variant) -> Choice:
    """The strength that was asked for. Raises ValueError for one that is to be searched."""
    return Choice(float(variant.strength))


def _searched(bundle: Bundle, wishes: Sequence[Asked], on_step: OnStep) -> dict[Asked, Choice]:
    """The least strengths for those who asked for `auto`: by the bundle's recognisers, or by judges without such."""
    asked = [wish for wish in wishes if wish[1].strength == "auto"]
    if bundle.models.recognisers:
        return {
            wish: choose_strength(bundle.models, *wish, within(on_step, number, len(asked)))
            for number, wish in enumerate(asked)
        }
    choices: dict[Asked, Choice] = {}
    variants = list(dict.fromkeys(variant for _, variant in asked))
    for number, variant in enumerate(variants):
        faces = [face for face, other in asked if other is variant]
        found = search_strengths(bundle, faces, variant, within(on_step, number, len(variants)))
        choices |= {(face, variant): choice for face, choice in zip(faces, found, strict=True)}
    return choices
