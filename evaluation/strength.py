"""How visible a style is, and how well it protects, from no make-up to all of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from diffam_core.faces.face import stack_portraits
from diffam_core.score import DECISION_FAR, embed, quality
from evaluation.method import protect_with
from evaluation.subjects import Subjects
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from protection.measuring.survival import treat
from protection.strength import BAR, held_out_recognisers

STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MEASURED = ("clean", BAR.name)


@dataclass(frozen=True, eq=False)
class Point:
    """One strength, with a value `(n,)` per face.

    rms: of the face's change in grey levels of 255.  lpips: as in `Quality`.
    own, other, target: cosines by treatment and held-out recogniser, with the original, with another photo of the
    owner, and with the target's test picture.
    """

    strength: float
    rms: Tensor
    lpips: Tensor
    own: dict[str, dict[str, Tensor]]
    other: dict[str, dict[str, Tensor]]
    target: dict[str, dict[str, Tensor]]

    @property
    def psnr_db(self) -> Tensor:
        """Of the face; 99 where nothing changed."""
        return (20 * torch.log10(255 / self.rms)).clamp(max=99)


@torch.inference_mode()
def sweep(bundle: Bundle, subjects: Subjects, style: StyleCard, strengths: Sequence[float] = STRENGTHS) -> list[Point]:
    """A style on every subject at every strength."""
    models, names = bundle.models, held_out_recognisers(bundle.models, style)
    known = {
        "own": embed(models, subjects.views),
        "other": embed(models, subjects.others),
        "target": embed(models, bundle.targets[style.identity].test),
    }
    points = []
    for strength in strengths:
        finished = protect_with(bundle, subjects, style.adapter, strength)
        states = {"clean": finished, BAR.name: [treat(photo, BAR) for photo in finished]}
        views = {t: stack_portraits(photos, subjects.found, models.view_px) for t, photos in states.items()}
        met = {t: embed(models, view) for t, view in views.items()}
        cosines = {
            kind: {t: {name: (met[t][name] * embedded[name]).sum(dim=1) for name in names} for t in MEASURED}
            for kind, embedded in known.items()
        }
        clean = views["clean"].to(models.device)
        lpips = [quality(models, a[None], b[None]).lpips for a, b in zip(subjects.views, clean, strict=True)]
        rms = 127.5 * (clean - subjects.views).square().mean(dim=(1, 2, 3)).sqrt()
        points.append(Point(strength, rms, torch.tensor(lpips), **cosines))
    return points


def row_of(bundle: Bundle, point: Point) -> dict[str, float | dict[str, dict[str, float]]]:
    """A point's means over faces; per treatment, those over held-out recognisers too, and shares at FAR 0.01."""
    protection = {}
    for treatment in MEASURED:
        own, other, target = (kind[treatment] for kind in (point.own, point.other, point.target))
        bars = {name: bundle.models.recognisers[name].thresholds[DECISION_FAR] for name in own}
        protection[treatment] = {
            "own_match": _mean([*own.values()]),
            "other_match": _mean([*other.values()]),
            "target_match": _mean([*target.values()]),
            "dodged": _mean([own[name] < bars[name] for name in bars]),
            "dodged_other_photo": _mean([other[name] < bars[name] for name in bars]),
            "impersonated": _mean([target[name] >= bars[name] for name in bars]),
        }
    cost = {"rms": _mean([point.rms]), "lpips": _mean([point.lpips]), "psnr_db": _mean([point.psnr_db])}
    return {"strength": point.strength, **cost, "protection": protection}


def least_passing(bundle: Bundle, points: Sequence[Point]) -> list[float | None]:
    """Per face, the least strength above 0 that fools every held-out recogniser after JPEG 75; None where none does."""
    found: list[float | None] = [None] * len(points[0].rms)
    for point in sorted(points, key=lambda p: -p.strength):
        own = point.own[BAR.name]
        fooled = torch.stack([own[name] < bundle.models.recognisers[name].thresholds[DECISION_FAR] for name in own])
        for face in torch.nonzero(fooled.all(dim=0)).flatten().tolist() if point.strength > 0 else []:
            found[face] = point.strength
    return found


def _mean(values: list[Tensor]) -> float:
    return round(float(torch.stack(values).float().mean()), 4)
