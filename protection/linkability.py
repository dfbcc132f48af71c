"""Which photos of an album show the same person, and which of them still link once they are protected.

Photos that all drift towards one target would link to each other as that target, so those of one person get different
ones, and what is left is measured. Embeddings live as long as the call that needs them; nobody writes them anywhere.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from diffam_core.faces.face import FoundFace, cut_portrait
from diffam_core.images import Photo
from diffam_core.models import Models
from diffam_core.score import DECISION_FAR
from protection.again import meet_again

Embeddings = dict[str, NDArray[np.float32]]
"""Unit vectors of one face, by recogniser."""
NOBODY_TWICE = 3.0
"""Distance of two faces in one photo, which are two people; 1 is where the recognisers are in doubt."""


@dataclass(frozen=True, eq=False)
class KnownFace:
    """A face of a photo, and how the recognisers see it."""

    found: FoundFace
    embeddings: Embeddings


@dataclass(frozen=True, eq=False)
class Appearance:
    """A person in a photo, before and after; without target, and all recognisers held out, where nothing was done."""

    photo: int
    person: int
    before: Embeddings
    after: Embeddings
    target: str | None
    held_out: frozenset[str]


@dataclass(frozen=True)
class Links:
    """Shares of `pairs` of photos of one person that still match at FAR 0.01; None without pairs.

    by_recogniser: on each of them.  every_held_out, any_held_out: on all, or at least one, of those that neither
    photo's style attacked; of the `judged` pairs that have such a recogniser.
    """

    pairs: int
    by_recogniser: dict[str, float | None]
    judged: int
    every_held_out: float | None
    any_held_out: float | None


def know_faces(models: Models, photo: Photo) -> list[KnownFace]:
    """The faces of a photo that can be protected, largest first."""
    found = [face for face in models.detector.all(photo) if face.is_protectable]
    return [KnownFace(face, seen) for face, seen in zip(found, _embed(models, photo, found), strict=True)]


def know_again(models: Models, finished: Photo, known: Sequence[KnownFace]) -> list[Embeddings]:
    """The same faces in the finished photo, as a stranger's detector finds them; where they were, if it does not."""
    width_px = finished.shape[1]
    return _embed(models, finished, [meet_again(models, finished, face.found, width_px).face for face in known])


@torch.inference_mode()
def _embed(models: Models, photo: Photo, faces: Sequence[FoundFace]) -> list[Embeddings]:
    if not faces:
        return []
    views = torch.cat([cut_portrait(photo, face, models.view_px) for face in faces]).to(models.device)
    rows = {name: recogniser.embed(views).cpu().numpy() for name, recogniser in models.recognisers.items()}
    return [{name: row[number] for name, row in rows.items()} for number in range(len(faces))]


def thresholds(models: Models) -> dict[str, float]:
    """The cosine at FAR 0.01, by recogniser."""
    return {name: recogniser.thresholds[DECISION_FAR] for name, recogniser in models.recognisers.items()}


def group_people(photos: Sequence[Sequence[Embeddings]], threshold: Mapping[str, float]) -> list[list[int]]:
    """Who is in each photo: a number per face, counted from 0 in order of appearance.

    Faces are near when the recognisers, on average, find them alike: each one's cosine counts from 0 at its threshold
    to 1 at identity. Groups whose mean distance is below that threshold are one person (average linkage).
    """
    faces = [(photo, face) for photo, each in enumerate(photos) for face in each]
    if len(faces) < 2:
        return [[0] * len(each) for each in photos]
    likeness = np.mean(
        [(_cosines([face[name] for _, face in faces]) - t) / (1 - t) for name, t in threshold.items()], axis=0
    )
    place = np.array([photo for photo, _ in faces])
    distance = np.where(place[:, None] == place[None, :], NOBODY_TWICE, np.maximum(1 - likeness, 0))
    np.fill_diagonal(distance, 0)
    labels = fcluster(linkage(squareform(distance, checks=False), "average"), 1.0, "distance")
    number: dict[int, int] = {}
    people = [number.setdefault(int(label), len(number)) for label in labels]
    return [
        [person for person, where in zip(people, place, strict=True) if where == photo] for photo in range(len(photos))
    ]


def _cosines(rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    stacked = np.stack(rows)
    return np.asarray(stacked @ stacked.T)


def deal_targets(people: Sequence[Sequence[int]], targets: Sequence[str], kept: Mapping[int, str]) -> list[str]:
    """A target per photo, so that the photos of a person repeat targets as little as they can.

    people: of each photo, its largest face's first, who counts most.  targets: the ones to choose from.  kept: what
    photos wear already, by their number.
    """
    worn: dict[int, Counter[str]] = defaultdict(Counter)
    overall: Counter[str] = Counter()
    dealt = dict(kept)
    for photo, faces in sorted(enumerate(people), key=lambda each: each[0] not in kept):
        if photo not in dealt:
            dealt[photo] = min(targets, key=lambda name: (*(worn[person][name] for person in faces), overall[name]))
        overall[dealt[photo]] += 1
        for person in faces:
            worn[person][dealt[photo]] += 1
    return [dealt[photo] for photo in range(len(people))]


def count_links(appearances: Sequence[Appearance], threshold: Mapping[str, float]) -> dict[str, Links]:
    """How linkable the photos of each person are: a pair is one person in two photos.

    By stage: `before`; `after`; and `after` again for pairs of `same_target` and of `other_target`.
    """
    person = np.array([each.person for each in appearances])
    photo = np.array([each.photo for each in appearances])
    target = np.array([each.target or "" for each in appearances])
    one, two = np.nonzero(np.triu((person[:, None] == person) & (photo[:, None] != photo)))
    held_out: dict[str, NDArray[np.bool_]] = {}
    for name in threshold:
        judges = np.array([name in each.held_out for each in appearances], dtype=bool)
        held_out[name] = judges[one] & judges[two]

    def matched(faces: Sequence[Embeddings]) -> dict[str, NDArray[np.bool_]]:
        nobody = np.zeros(0, dtype=bool)
        return {
            name: np.greater_equal(_cosines([face[name] for face in faces])[one, two], t) if faces else nobody
            for name, t in threshold.items()
        }

    def links(match: dict[str, NDArray[np.bool_]], chosen: NDArray[np.bool_]) -> Links:
        return _links({n: m[chosen] for n, m in match.items()}, {n: h[chosen] for n, h in held_out.items()})

    after = matched([each.after for each in appearances])
    every: NDArray[np.bool_] = np.ones(len(one), dtype=bool)
    is_dealt: NDArray[np.bool_] = (target[one] != "") & (target[two] != "")
    is_same: NDArray[np.bool_] = np.equal(target[one], target[two])
    return {
        "before": links(matched([each.before for each in appearances]), every),
        "after": links(after, every),
        "same_target": links(after, is_dealt & is_same),
        "other_target": links(after, is_dealt & ~is_same),
    }


def _links(match: Mapping[str, NDArray[np.bool_]], held_out: Mapping[str, NDArray[np.bool_]]) -> Links:
    """match, held_out: per recogniser and pair."""
    matched, judges = np.stack([match[name] for name in match]), np.stack([held_out[name] for name in match])
    is_judged = np.any(judges, axis=0)
    return Links(
        pairs=matched.shape[1],
        by_recogniser={name: _share(match[name]) for name in match},
        judged=int(is_judged.sum()),
        every_held_out=_share(np.all(matched | ~judges, axis=0)[is_judged]),
        any_held_out=_share(np.any(matched & judges, axis=0)[is_judged]),
    )


def _share(hits: NDArray[np.bool_]) -> float | None:
    return round(float(hits.mean()), 4) if hits.size else None
