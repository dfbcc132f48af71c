"""Whether recognisers that people run still know the owner in finished photos, the gallery being another photo."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from diffam_core.faces.crops import Points
from diffam_core.faces.face import FoundFace
from diffam_core.images import Photo
from diffam_core.models import FalseAcceptRate
from diffam_core.score import Embeddings, Share, rate
from evaluation.cells import FALSE_ACCEPT_RATES, Json
from evaluation.judged.cascade_look import cascade_look
from evaluation.subjects import Subjects
from evaluation.treatments import TREATMENTS
from model_store.recognisers import Judges
from protection.measuring.judging import embed_sights, meet, sight_of

JUDGED = {name: treatment for name, treatment in TREATMENTS.items() if name != "recrop"}
"""Judges find landmarks by themselves: nobody aligns a face for them."""


class Looked(NamedTuple):
    """What judges see in a photo of each person.  missed: in how many they see no face, and look where it was."""

    embeddings: Embeddings
    missed: int


@dataclass(frozen=True)
class Bench:
    """Judges with the people whom they see in both photos.

    people: their indices.  points, other_points: landmarks in both photos.  own: what they see of the second, by
    whether its observer uses another detector than judges do.
    """

    judges: Judges
    people: list[int]
    points: list[Points]
    other_points: list[Points]
    own: dict[bool, Looked]

    def see(self, photos: Sequence[Photo], faces: Sequence[FoundFace], is_found_by_another: bool = False) -> Looked:
        """What judges see in a state of all people's first photos. faces: where they are expected."""
        return _see(self.judges, [(photos[i], faces[i]) for i in self.people], self.points, is_found_by_another)

    def see_others(self, photos: Sequence[Photo], faces: Sequence[FoundFace]) -> Looked:
        """The same of their second photos."""
        return _see(self.judges, [(photos[i], faces[i]) for i in self.people], self.other_points, False)


@dataclass(frozen=True)
class Known:
    """How many owners a judge still knows in a method's photos after a treatment, by false accept rate.

    styles: which of the method's outcomes, as `outcome_key` tells them apart.  role: whether what was done was done
    against the judge, "surrogate" or "held_out".  missed, missed_in_gallery: in how many
    of the `n` photos, and of those that they are compared with, no face was seen.
    """

    method: str
    styles: str
    treatment: str
    judge: str
    n: int
    missed: int
    missed_in_gallery: int
    shares: dict[FalseAcceptRate, Share]
    role: str = "held_out"

    def as_json(self) -> Json:
        """As it is written."""
        told: Json = {
            "method": self.method, "styles": self.styles, "treatment": self.treatment, "judge": self.judge,
            "role": self.role, "n": self.n, "missed": self.missed, "missed_in_gallery": self.missed_in_gallery,
        }  # fmt: skip
        for far, share in self.shares.items():
            told |= {f"own_match_far_{far}": share.value, f"own_match_far_{far}_ci95": share.ci95}
        return told


def bench_of(judges: Judges, subjects: Subjects, is_other_needed: bool = True) -> Bench | None:
    """The people of whom judges see a face in both photos; None without any.

    is_other_needed: whether they will be looked at with another detector, too.
    """
    people, points, other_points = list[int](), list[Points](), list[Points]()
    photos = list(zip(subjects.other_photos, subjects.other_found, strict=True))
    for index, (face, (photo, found)) in enumerate(zip(subjects.faces, photos, strict=True)):
        before, other = sight_of(judges, face.photo, face.found), sight_of(judges, photo, found)
        if before is not None and other is not None:
            people.append(index)
            points.append(before.points)
            other_points.append(other.points)
    if not people:
        return None
    seen = [photos[index] for index in people]
    own = {is_other: _see(judges, seen, other_points, is_other) for is_other in {False, is_other_needed}}
    return Bench(judges, people, points, other_points, own)


def _see(
    judges: Judges, photos: Sequence[tuple[Photo, FoundFace]], points: Sequence[Points], is_found_by_another: bool
) -> Looked:
    """What judges see of faces; where they do not see them, they look at `points`."""
    look = cascade_look if is_found_by_another else None
    rows, missed = list[Embeddings](), 0
    for (photo, face), known in zip(photos, points, strict=True):
        sight = meet(judges, photo, face, known, look)
        missed += sight.points is known  # they are given back where none are found
        rows.append(embed_sights(judges, [sight]))
    return Looked({name: torch.cat([row[name] for row in rows]) for name in judges.recognisers}, missed)


def known(
    bench: Bench, seen: Mapping[str, Looked], method: str, styles: str, role_of: Callable[[str], str]
) -> Iterator[Known]:
    """How many owners each judge knows, by treatment. role_of: says of a judge whether it was attacked."""
    for treatment, found in seen.items():
        own = bench.own[TREATMENTS[treatment].is_found_by_another]
        for name, recogniser in bench.judges.recognisers.items():
            cosines = (found.embeddings[name] * own.embeddings[name]).sum(dim=1).cpu().numpy()
            shares = {far: rate(np.asarray(cosines >= recogniser.thresholds[far])) for far in FALSE_ACCEPT_RATES}
            counts = (len(cosines), found.missed, own.missed)
            yield Known(method, styles, treatment, name, *counts, shares, role_of(name))
