"""`strength=auto` where a bundle has no recognisers of its own: each strength is worn, refined where that is asked for,
goes through the treatment of the bar, and is judged by the recognisers of libraries that are held out."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from diffam_core.generation import OnStep, within
from diffam_core.images import Photo
from diffam_core.score import DECISION_FAR
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from model_store.recognisers import Judges
from protection.batch import Face, wear
from protection.compositing import composite
from protection.measuring.judging import Sight, embed_sights, meet, sight_of
from protection.measuring.survival import treat
from protection.measuring.verdict import passes
from protection.plan import GRID, Variant
from protection.refining import is_thorough, refine_faces
from protection.strength import BAR, Choice, Tried, Wearing, around


class Owner(NamedTuple):
    """A face, and how judges see it in the photo as it was sent; None where they see none."""

    face: Face
    sight: Sight | None


def search_strengths(
    bundle: Bundle, faces: Sequence[Face], variant: Variant, on_step: OnStep, grid: Sequence[float] = GRID
) -> list[Choice]:
    """The least strength of `grid` with which every held-out judge fails to match a face's owner after JPEG 75.

    faces: of one photo; all wear each strength, weakest first, until every one is hidden or none is left to try.  One
    that is not hidden wears all of it, `passes=False`; nothing is tried on one that no judge sees.
    """
    judges = held_out_judges(bundle, variant.style)
    if judges is None:
        return [Choice(1.0, False) for _ in faces]
    owners = [Owner(face, sight_of(judges, face.photo, face.found)) for face in faces]
    tried: list[list[Tried]] = [[] for _ in faces]
    strengths = sorted(grid)
    for number, strength in enumerate(strengths):
        step = within(on_step, number, len(strengths))
        step(0, 1)
        finished = _finish(bundle, faces, variant, strength, step)
        for owner, trials in zip(owners, tried, strict=True):
            if owner.sight is not None:
                trials.append(_judge(judges, owner.face, owner.sight, finished, strength))
        if all(not trials or any(trial.passes for trial in trials) for trials in tried):
            break
    return [_least(trials) for trials in tried]


def held_out_judges(bundle: Bundle, style: StyleCard) -> Judges | None:
    """The recognisers of libraries that neither a style nor its refinement attacks; None when there are none."""
    if bundle.judges is None:
        return None
    return bundle.judges.only([name for name in bundle.judges.recognisers if style.role_of(name) == "held_out"])


def _finish(bundle: Bundle, faces: Sequence[Face], variant: Variant, strength: float, on_step: OnStep) -> Photo:
    """The photo with that much on all of the faces, as a file would have it."""
    upload = faces[0].upload
    with torch.inference_mode():
        rows = [(face, variant.style.adapter, strength) for face in faces]
        residuals = wear(bundle.models, rows, within(on_step, 0, 2))
        photo = composite(upload.photo, list(zip(faces, residuals, strict=True)), upload.wish.regions)
    if not is_thorough(bundle, upload.wish):
        return photo
    choice = Choice(strength)
    worn = [Wearing(face, variant, residual, choice) for face, residual in zip(faces, residuals, strict=True)]
    return refine_faces(bundle, worn, photo, within(on_step, 1, 2))


def _judge(judges: Judges, face: Face, owner: Sight, finished: Photo, strength: float) -> Tried:
    """What judges make of a face after the treatment; only its surroundings go through that."""
    surroundings, moved = around(finished, face.found)
    met = meet(judges, treat(surroundings, BAR), moved, owner.points)
    found = embed_sights(judges, [owner, met])
    own = {name: float(rows[0] @ rows[1]) for name, rows in found.items()}
    thresholds = {name: judges.recognisers[name].thresholds[DECISION_FAR] for name in own}
    return Tried(strength, own, passes([cosine < thresholds[name] for name, cosine in own.items()]))


def _least(trials: Sequence[Tried]) -> Choice:
    hidden = next((trial for trial in trials if trial.passes), None)
    return Choice(1.0, False, tuple(trials)) if hidden is None else Choice(hidden.strength, True, tuple(trials))
