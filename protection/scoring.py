"""What the finished file is worth, face by face, as a system that never saw the original would meet it.

The file is decoded, its faces are found and aligned again, and every recogniser is asked; then the same once more for
each survival profile.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from diffam_client.contract.report import (
    FaceReport,
    Judgement,
    Match,
    ProtectedFace,
    Scores,
    SeenFace,
    StrengthSearch,
    Survival,
    Trial,
)
from diffam_core import score
from diffam_core.faces.face import FACE_CODES, FoundFace, cut_portrait
from diffam_core.generation import OnStep
from diffam_core.images import Photo
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from protection.measuring.again import meet_again
from protection.measuring.judging import Judged, judge
from protection.measuring.survival import PROFILES, treat
from protection.measuring.verdict import FINISHED, verdict
from protection.plan import Upload
from protection.strength import BAR, Choice, Wearing

REASONS = FACE_CODES | {
    "face_not_chosen": "It was not among the faces to protect.",
    "face_beyond_limit": "One job protects only so many faces, the largest first; send the photo again for this one.",
}
"""Why a face was left alone, by code."""


def score_faces(
    bundle: Bundle, upload: Upload, worn: Sequence[Wearing], finished: Photo, on_step: OnStep
) -> list[FaceReport]:
    """What became of every face that was found, in the order of the detection.

    worn: what the faces wear that are made up.  finished: the file, decoded.  on_step: told before each of them.
    """
    states = {FINISHED: finished} | {name: treat(finished, PROFILES[name]) for name in upload.wish.survival}
    reports: dict[int, FaceReport] = {}
    for number, wearing in enumerate(worn):
        on_step(number, len(worn))
        reports[wearing.face.index] = _protected(bundle, wearing, states)
    return [
        reports.get(index) or seen_face(index, face, "left_alone", index in upload.beyond)
        for index, face in enumerate(upload.found)
    ]


def seen_face(
    index: int, face: FoundFace, status: Literal["found", "left_alone"] = "found", is_beyond: bool = False
) -> SeenFace:
    """Where a face is, and why it was left alone, or would be."""
    code = face.code
    if status == "left_alone" and code is None:
        code = "face_beyond_limit" if is_beyond else "face_not_chosen"
    return SeenFace(
        index=index,
        box=face.box,
        landmarks=_landmarks(face),
        status=status,
        code=code,
        reason=REASONS[code] if code else None,
        notes=list(face.notes),
    )


def _landmarks(face: FoundFace) -> dict[str, tuple[float, float]]:
    return {name: (round(x, 1), round(y, 1)) for name, (x, y) in face.landmarks.items()}


def _protected(bundle: Bundle, wearing: Wearing, states: Mapping[str, Photo]) -> ProtectedFace:
    """Matches and quality of one face. states: the finished photo as it is, and after each treatment."""
    models, face, original = bundle.models, wearing.face.found, wearing.face.photo
    style = wearing.variant.style
    before = cut_portrait(original, face, models.view_px).to(models.device)
    met = [meet_again(models, photo, face, original.shape[1]) for photo in states.values()]
    views = [cut_portrait(photo, each.face, models.view_px) for photo, each in zip(states.values(), met, strict=True)]
    after = torch.cat(views).to(models.device)
    matched = _matched(bundle, style, before, after)
    judged = _judged(bundle, wearing, [(photo, each.face) for photo, each in zip(states.values(), met, strict=True)])
    seen = {
        name: Survival(
            found_again=each.is_found,
            recognisers=_matches(style, match),
            judges=_judgements(bundle, style, judged, number),
        )
        for number, (name, each, match) in enumerate(zip(states, met, matched, strict=True))
    }
    visible = score.quality(models, before, cut_portrait(states[FINISHED], face, models.view_px).to(models.device))
    rests_on = matched if judged is None else judged.matches
    held_out, attacked = (
        [{name: m for name, m in match.items() if style.role_of(name) == role} for match in rests_on]
        for role in ("held_out", "surrogate")
    )
    return ProtectedFace(
        index=wearing.face.index,
        box=face.box,
        landmarks=_landmarks(face),
        notes=list(face.notes),
        reference=style.reference,
        target=style.target,
        strength=wearing.choice.strength,
        strength_search=_search(wearing.choice),
        scores=Scores(psnr_db=round(visible.psnr_db, 2), ssim=round(visible.ssim, 4), lpips=round(visible.lpips, 4)),
        found_again=seen[FINISHED].found_again,
        recognisers=seen[FINISHED].recognisers,
        judges=seen[FINISHED].judges,
        survival={name: seen[name] for name in wearing.face.upload.wish.survival},
        verdict=verdict(dict(zip(states, held_out, strict=True)), attacked[0]),
    )


def _matched(bundle: Bundle, style: StyleCard, before: Tensor, after: Tensor) -> list[dict[str, score.Cosines]]:
    """What the bundle's own recognisers make of a face in every state; one that refines on others has none."""
    if style.target is None or not bundle.models.recognisers:
        return [{} for _ in after]
    target = bundle.targets[style.target].test.to(bundle.models.device)
    return score.matches(bundle.models, before, after, target)


def _judged(bundle: Bundle, wearing: Wearing, states: Sequence[tuple[Photo, FoundFace]]) -> Judged | None:
    """What recognisers of libraries make of the face in every state; None without any that sees it."""
    face = wearing.face
    judges = None if bundle.judges is None else bundle.judges.only(face.upload.wish.judges)
    if judges is None:
        return None
    target = wearing.variant.style.target
    return judge(judges, face.photo, face.found, states, bundle.targets[target].test if target else None)


def _judgements(bundle: Bundle, style: StyleCard, judged: Judged | None, number: int) -> list[Judgement]:
    """The report of state `number`."""
    if judged is None or bundle.judges is None:
        return []
    cards = bundle.judges.cards
    return [
        Judgement(
            name=name,
            stands_for=cards[name].stands_for,
            role=style.role_of(name),
            own_match=round(match.own_after, 4),
            target_match=round(match.target_after, 4) if judged.knows_target else None,
            threshold=round(match.threshold, 4),
            thresholds_from=cards[name].thresholds_from,
            dodged=match.is_dodged,
        )
        for name, match in judged.matches[number].items()
    ]


def _search(choice: Choice) -> StrengthSearch | None:
    """How `auto` found the strength; None where it was given."""
    if choice.passes is None:
        return None
    tried = [
        Trial(
            strength=trial.strength,
            passes=trial.passes,
            own_match={name: round(own, 4) for name, own in trial.own_match.items()},
        )
        for trial in choice.tried
    ]
    return StrengthSearch(bar=BAR.name, passes=choice.passes, tried=tried)


def _matches(style: StyleCard, found: Mapping[str, score.Cosines]) -> list[Match]:
    return [
        Match(
            name=name,
            role=style.role_of(name),
            own_match_before=round(match.own_before, 4),
            own_match=round(match.own_after, 4),
            target_match_before=round(match.target_before, 4),
            target_match=round(match.target_after, 4),
            threshold=round(match.threshold, 4),
            dodged=match.is_dodged,
            impersonated=match.is_impersonating,
        )
        for name, match in found.items()
    ]
