"""A thorough result: faces in make-up are refined on recognisers that were pulled, but for those that are held out."""

from collections.abc import Sequence
from dataclasses import replace
from math import log10

import torch

from diffam_client.contract.wish import Wish
from diffam_core.generation import OnStep, within
from diffam_core.images import Photo
from diffam_core.models import Recogniser
from diffam_core.refining.photo import Dressed, refine_photo
from diffam_core.refining.refinement import Aims, Refinement
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from protection.measuring.judging import sight_of_portrait
from protection.strength import Wearing


def is_thorough(bundle: Bundle, wish: Wish) -> bool:
    """Whether faces are refined for this wish: wherever the bundle can, unless it asks for a quick result."""
    return bundle.catalog.refines and wish.effort != "quick"


def refine_faces(bundle: Bundle, worn: Sequence[Wearing], photo: Photo, on_step: OnStep) -> Photo:
    """The photo of one candidate with the faces that wear it refined, each as strongly as its make-up.

    on_step: told before the first strength, and after each step.
    """
    style, original = worn[0].variant.style, worn[0].face.photo
    surrogates, aims = surrogates_of(bundle, style), aims_of(bundle, style)
    strengths = sorted({each.choice.strength for each in worn if each.choice.strength > 0})
    on_step(0, 1)
    for number, strength in enumerate(strengths):
        faces = [each.face for each in worn if each.choice.strength == strength]
        settings = at_strength(Refinement(), strength)
        found, regions = [face.found for face in faces], [face.regions for face in faces]
        dressed = Dressed(original, photo, found, regions, beside=len(worn) - len(faces))
        photo = refine_photo(dressed, surrogates, settings, aims, within(on_step, number, len(strengths)))
    return photo


def at_strength(settings: Refinement, strength: float) -> Refinement:
    """A refinement with a share in (0, 1] of the whole change: what errors it makes of a photo are as its square."""
    budgets, bar = settings.budgets, settings.bar
    return replace(
        settings,
        budgets=replace(budgets, amplitude=strength * budgets.amplitude),
        bar=replace(bar, psnr_db=bar.psnr_db - 20 * log10(strength), ssim=1 - strength**2 * (1 - bar.ssim)),
    )


def surrogates_of(bundle: Bundle, style: StyleCard) -> list[Recogniser]:
    """The recognisers that refinement attacks."""
    judges = bundle.judges.recognisers if bundle.judges else {}
    return [judges[name] for name in style.surrogates if name in judges]


@torch.no_grad()
def aims_of(bundle: Bundle, style: StyleCard) -> Aims | None:
    """What recognisers make of the target's picture to aim at; None without a target, or where they see no face."""
    if style.target is None or bundle.judges is None:
        return None
    framing = bundle.models.detector.framing
    sight = sight_of_portrait(bundle.judges, bundle.targets[style.target].aim, framing)
    if sight is None:
        return None
    views, points = (part.to(bundle.models.device) for part in (sight.view, sight.points))
    return {name: judge.identify(views, points)[0] for name, judge in bundle.judges.recognisers.items()}
