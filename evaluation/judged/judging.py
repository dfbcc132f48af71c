"""Whether recognisers that people run still know the owner in finished photos, the gallery being another photo."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from diffam_core.faces.crops import Points
from diffam_core.faces.face import scale_face
from diffam_core.faces.yunet import YunetDetector
from diffam_core.images import Photo, decode_photo
from diffam_core.models import FalseAcceptRate
from diffam_core.score import Embeddings, Share, rate
from evaluation.cells import FALSE_ACCEPT_RATES, Json
from evaluation.judged.recognisers import middle_face
from evaluation.subjects import Subjects
from evaluation.treatments import TREATMENTS, Treatment
from model_store.recognisers import Judges
from protection.judging import FRAME, Sight, embed_sights, meet, sight_of
from protection.survival import treat

JUDGED = {name: treatment for name, treatment in TREATMENTS.items() if name != "recrop"}
"""Judges find landmarks by themselves: nobody aligns a face for them."""


@dataclass(frozen=True)
class Bench:
    """Judges with the people whom they see in both photos.

    people: their indices.  points: landmarks in the first photo.  own: embeddings of the second.
    """

    judges: Judges
    people: list[int]
    points: list[Points]
    own: Embeddings


@dataclass(frozen=True)
class Known:
    """How many owners a judge still knows in a method's photos after a treatment, by false accept rate.

    styles: which of the method's outcomes, as `outcome_key` tells them apart.
    """

    method: str
    styles: str
    treatment: str
    judge: str
    n: int
    shares: dict[FalseAcceptRate, Share]

    def as_json(self) -> Json:
        """As it is written."""
        told: Json = {
            "method": self.method, "styles": self.styles, "treatment": self.treatment, "judge": self.judge, "n": self.n,
        }  # fmt: skip
        for far, share in self.shares.items():
            told |= {f"own_match_far_{far}": share.value, f"own_match_far_{far}_ci95": share.ci95}
        return told


def bench_of(judges: Judges, subjects: Subjects) -> Bench | None:
    """The people of whom judges see a face in both photos; None without any."""
    detector = YunetDetector(FRAME, judges.landmarks)
    people, points, others = list[int](), list[Points](), list[Sight]()
    for index, (face, file) in enumerate(zip(subjects.faces, subjects.other_files, strict=True)):
        photo = decode_photo(file)
        known = middle_face(detector.all(photo), photo)
        other = None if known is None else sight_of(judges, photo, known)
        before = sight_of(judges, face.photo, face.found)
        if before is not None and other is not None:
            people.append(index)
            points.append(before.points)
            others.append(other)
    return Bench(judges, people, points, embed_sights(judges, others)) if people else None


def judged(
    bench: Bench, subjects: Subjects, finished: Sequence[Photo], treatments: Sequence[str]
) -> dict[str, Embeddings]:
    """What judges see of finished photos after each of those treatments that leave the finding to them."""
    return {name: _after(bench, subjects, finished, JUDGED[name]) for name in treatments if name in JUDGED}


def _after(bench: Bench, subjects: Subjects, finished: Sequence[Photo], treatment: Treatment) -> Embeddings:
    rows = []
    for index, points in zip(bench.people, bench.points, strict=True):
        photo = finished[index]
        state = photo if treatment.profile is None else treat(photo, treatment.profile)
        face = scale_face(subjects.found[index], state.shape[1] / photo.shape[1])
        rows.append(embed_sights(bench.judges, [meet(bench.judges, state, face, points)]))
    return {name: torch.cat([row[name] for row in rows]) for name in bench.own}


def known(bench: Bench, seen: dict[str, Embeddings], method: str, styles: str) -> Iterator[Known]:
    """How many owners each judge knows, by treatment."""
    for treatment, found in seen.items():
        for name, recogniser in bench.judges.recognisers.items():
            cosines = (found[name] * bench.own[name]).sum(dim=1).cpu().numpy()
            shares = {far: rate(np.asarray(cosines >= recogniser.thresholds[far])) for far in FALSE_ACCEPT_RATES}
            yield Known(method, styles, treatment, name, len(cosines), shares)
