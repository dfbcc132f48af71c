"""What the finished file is worth, face by face, as a system that never saw the original would meet it.

The file is decoded, its faces are found and aligned again, and every recogniser is asked; then the same once more for
each survival profile.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch

from diffam_core.faces.face import FACE_CODES, FoundFace, cut_portrait, scale_face
from diffam_core.images import Photo
from diffam_core.score import Match, matches, quality
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from protection.again import find_again
from protection.makeup import Wearing
from protection.strength import BAR, Choice
from protection.survival import PROFILES, treat
from protection.verdict import FINISHED, verdict

REASONS = FACE_CODES | {
    "face_not_chosen": "It was not among the faces to protect.",
    "face_beyond_limit": "One job protects only so many faces, the largest first; send the photo again for this one.",
}
"""Why a face was left alone, by code."""


def score_faces(
    bundle: Bundle,
    original: Photo,
    found: Sequence[FoundFace],
    beyond: Collection[int],
    style: StyleCard,
    worn: Sequence[Wearing],
    protected: Photo,
    survival: Sequence[str],
    on_face: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
    """JSON-able facts of every face that was found, protected or left alone, in the order of the detection.

    beyond: indices of those that the job had no room for.  on_face: called before each face is measured.
    """
    seen = {FINISHED: protected} | {name: treat(protected, PROFILES[name]) for name in survival}
    by_face = {id(wearing.face.found): wearing for wearing in worn}
    rows = []
    for index, face in enumerate(found):
        wearing = by_face.get(id(face))
        facts = face_facts(index, face, wearing is not None, index in beyond)
        if wearing is not None:
            on_face()
            facts |= _scores(bundle, original, wearing, style, seen)
        rows.append(facts)
    return rows


def face_facts(
    index: int, face: FoundFace, is_protected: bool | None = None, is_beyond: bool = False
) -> dict[str, Any]:
    """Where a face is and what became of it; `code` says why it was left alone, or would be."""
    code = face.code
    if is_protected is False and code is None:
        code = "face_beyond_limit" if is_beyond else "face_not_chosen"
    status = "found" if is_protected is None else "protected" if is_protected else "left_alone"
    return {
        "index": index,
        "box": list(face.box),
        "landmarks": {name: [round(x, 1), round(y, 1)] for name, (x, y) in face.landmarks.items()},
        "status": status,
        "code": code,
        "reason": REASONS.get(code) if code else None,
        "notes": list(face.notes),
    }


def _scores(
    bundle: Bundle,
    original: Photo,
    wearing: Wearing,
    style: StyleCard,
    states: dict[str, Photo],
) -> dict[str, Any]:
    """Matches and quality of one protected face, on the finished file and after each treatment."""
    models, face = bundle.models, wearing.face.found
    before = cut_portrait(original, face, models.view_px).to(models.device)
    views, is_found = [], []
    for photo in states.values():
        moved = scale_face(face, photo.shape[1] / original.shape[1])
        again = find_again(models, photo, moved)
        views.append(cut_portrait(photo, again or moved, models.view_px))
        is_found.append(again is not None)
    after = torch.cat(views).to(models.device)
    judged = matches(models, before, after, bundle.targets[style.target].test.to(models.device))
    seen = {
        name: {"found_again": again, "recognisers": _match_rows(style, match)}
        for name, again, match in zip(states, is_found, judged, strict=True)
    }
    finished = seen.pop(FINISHED)
    still = cut_portrait(states[FINISHED], face, models.view_px).to(models.device)
    visible = quality(models, before, still)
    held_out = [{name: m for name, m in match.items() if style.role_of(name) == "held_out"} for match in judged]
    judgement = verdict(dict(zip(states, held_out, strict=True)))
    return {
        "reference": style.reference,
        "target": style.target,
        "strength": wearing.choice.strength,
        "strength_search": _search_row(wearing.choice),
        "scores": {
            "psnr_db": round(visible.psnr_db, 2),
            "ssim": round(visible.ssim, 4),
            "lpips": round(visible.lpips, 4),
        },
        **finished,
        "survival": seen,
        "verdict": {"word": judgement.word, "sentence": judgement.sentence},
    }


def _search_row(choice: Choice) -> dict[str, Any] | None:
    """How `auto` found the strength; None where it was given."""
    if choice.passes is None:
        return None
    tried = [
        {
            "strength": trial.strength,
            "passes": trial.passes,
            "own_match": {name: round(own, 4) for name, own in trial.own_match.items()},
        }
        for trial in choice.tried
    ]
    return {"bar": BAR.name, "passes": choice.passes, "tried": tried}


def _match_rows(style: StyleCard, found: dict[str, Match]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "role": style.role_of(name),
            "own_match_before": round(match.own_before, 4),
            "own_match": round(match.own_after, 4),
            "target_match_before": round(match.target_before, 4),
            "target_match": round(match.target_after, 4),
            "threshold_far_0.01": round(match.threshold, 4),
            "dodged": match.is_dodged,
            "impersonated": match.is_impersonating,
        }
        for name, match in found.items()
    ]
